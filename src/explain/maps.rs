//! What maps say of a session, and which variables nobody can say beforehand.

use super::explanation::Mapped;
use crate::config::{Places, path_to};
use crate::session::Session;
use crate::variables::{Map, Text, Variable, render};

/// The maps in these texts, those that they are made of before them, each once.
pub(super) fn told<'t>(texts: impl Iterator<Item = &'t Text>, session: &Session, places: &Places) -> Vec<Mapped> {
    let mut maps = Vec::new();
    texts.for_each(|text| gather(text, &mut maps));
    maps.into_iter().map(|map| one(map, session, places)).collect()
}

fn one(map: &Map, session: &Session, places: &Places) -> Mapped {
    let mut asked = Vec::new();
    render(map.of(), session, &mut asked);
    Mapped {
        variable: format!("${}", map.name()),
        asked: asked.escape_ascii().to_string(),
        answer: map.value(session).escape_ascii().to_string(),
        at: places.key(&path_to!["map", map.name()]).to_string(),
    }
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

/// The variables of these texts, through maps too, that hang on what no question says.
pub(super) fn unknown<'t>(texts: impl Iterator<Item = &'t Text>, session: &Session) -> Vec<String> {
    let mut unknown = Vec::new();
    texts.for_each(|text| gather_unknown(text, session, &mut unknown));
    unknown
}

fn gather_unknown(text: &Text, session: &Session, unknown: &mut Vec<String>) {
    for variable in text.variables() {
        let name = format!("${}", variable.name());
        match variable {
            Variable::Map(map) => gather_unknown(map.of(), session, unknown),
            other if is_unknown(other, session) && !unknown.contains(&name) => unknown.push(name),
            _ => {}
        }
    }
}

fn is_unknown(variable: &Variable, session: &Session) -> bool {
    match variable {
        Variable::SslAlpnProtocol | Variable::SslProtocol | Variable::SslServerName => false,
        Variable::RemotePort => session.client.socket_address().is_none_or(|client| client.port() == 0),
        Variable::Connection | Variable::ProxyProtocolTlv(..) => true,
        other => session.tls.is_some() && other.is_of_ended_tls(),
    }
}
