//! What the maps of a target say, for `vestibule route`: which text each is asked for, and what it answers.

use crate::config::{Places, path_to};
use crate::session::Session;
use crate::variables::{Map, Text, Variable, render};

/// What is told of a map.
pub(super) struct Mapped {
    /// `$name`.
    pub(super) name: String,
    /// The text and the answer.
    pub(super) answer: String,
    /// Where the map is written.
    pub(super) place: String,
}

/// The maps in a text, those that they are made of before them, each once.
pub(super) fn told(text: &Text, session: &Session, places: &Places) -> Vec<Mapped> {
    let mut maps = Vec::new();
    gather(text, &mut maps);
    let said = |map: &Map| {
        let mut key = Vec::new();
        render(map.of(), session, &mut key);
        let answer = map.value(session);
        Mapped {
            name: format!("${}", map.name()),
            answer: format!("\"{}\" for \"{}\"", answer.escape_ascii(), key.escape_ascii()),
            place: places.key(&path_to!["map", map.name()]).to_string(),
        }
    };
    maps.into_iter().map(said).collect()
}

fn gather<'t>(text: &'t Text, maps: &mut Vec<&'t Map>) {
    for variable in text.variables() {
        if let Variable::Map(map) = variable
            && !maps.contains(&&**map)
        {
            gather(map.of(), maps);
            maps.push(map);
        }
    }
}
