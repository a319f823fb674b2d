//! Texts with variables. Which captures there are depends on where a text stands.

use super::Compiler;
use crate::config::{Key, path_to, suggest};
use crate::proxy_protocol::Field;
use crate::route::Pattern;
use crate::template::{Name, Template};
use crate::variables::{MapPattern, MapValue, NAMES, PROXY_PROTOCOL_TLV, Part, Text, Variable};

/// The groups of the regex that leads to a text, by their numbers: the name of each, if it has one. The first is the whole.
struct Groups(Vec<Option<Box<str>>>);

/// A name that cannot be linked.
enum Unlinked {
    /// Nobody knows it.
    Unknown(Name),
    /// It is a map of which something worse has been said.
    Lost,
}

impl Compiler {
    /// A text with its variables linked. `pattern` is the regex whose captures it may use.
    pub(super) fn text(&mut self, path: &[Key], written: &str, pattern: Option<&Pattern>) -> Option<Text> {
        let groups = pattern.map(Groups::of_route);
        let text = self.linked(path, written, groups.as_ref(), |name, _| Variable::Capture(name.name.clone()), |variable| variable)?;
        self.names_server_address |= text.variables().any(Variable::tells_server_address);
        Some(text)
    }

    /// A text that is needed before a server is picked: what is known only then says nothing in it.
    pub(super) fn early_text(&mut self, path: &[Key], written: &str, pattern: Option<&Pattern>) -> Option<Text> {
        let text = self.text(path, written, pattern)?;
        let names = Template::parse(written).ok()?;
        let late: Vec<_> = names.variables().zip(text.variables()).filter(|(_, variable)| variable.is_known_late()).collect();
        for (name, variable) in &late {
            let problem = match variable {
                Variable::Map(_) => format!("${} is made of what has no value before a server is picked", name.name),
                _ => format!("${} has no value before a server is picked", name.name),
            };
            self.wrong_inside(path, name.start..name.end, problem).label("$remote_addr has one, for example");
        }
        late.is_empty().then_some(text)
    }

    /// Whether a text tells sessions apart: one without a variable says the same of all, for a `$` is easily forgotten.
    pub(super) fn tells_apart(&mut self, path: &[Key], written: &str, text: &Text, otherwise: &str) -> bool {
        if text.variables().next().is_some() {
            return true;
        }
        let meant = self.variable_meant(written);
        let error = self.wrong(path, format!("{written:?} says the same of every session: no variable is in it"));
        match meant {
            Some(meant) => error.label(format!("did you mean \"${meant}\"?")).help(otherwise),
            None => error.label(otherwise),
        };
        false
    }

    /// The variable that a text without one was probably to be.
    pub(super) fn variable_meant(&self, written: &str) -> Option<String> {
        let known = NAMES.iter().copied().chain(self.maps.keys().map(String::as_str));
        suggest(written, known).map(str::to_owned)
    }

    /// A value of a map, behind the pattern whose groups it may use.
    pub(super) fn map_value(&mut self, path: &[Key], written: &str, pattern: Option<&MapPattern>) -> Option<MapValue> {
        let groups = pattern.map(Groups::of_map);
        self.linked(path, written, groups.as_ref(), |_, number| Part::Group(number), Part::Variable)
    }

    fn linked<V>(
        &mut self,
        path: &[Key],
        written: &str,
        groups: Option<&Groups>,
        group: impl Fn(&Name, usize) -> V,
        variable: impl Fn(Variable) -> V,
    ) -> Option<Template<V>> {
        let template = match Template::parse(written) {
            Ok(template) => template,
            Err(error) => {
                let at = error.at();
                self.wrong_inside(path, at..at + 1, error.to_string()).label("$name or ${name}");
                return None;
            }
        };
        let maps = template.variables().map(|name| &name.name).filter(|name| self.maps.contains_key(&***name)).cloned();
        self.used.maps.extend(maps);
        let linked = template.link(|name| match groups.and_then(|groups| groups.number(&name)) {
            Some(number) => Ok(group(&name, number)),
            None => self.variable(name).map(&variable),
        });
        let unlinked = match linked {
            Ok(text) => return Some(text),
            Err(unlinked) => unlinked,
        };
        for name in unlinked {
            if let Unlinked::Unknown(name) = name {
                self.unknown_variable(path, &name, groups);
            }
        }
        None
    }

    fn variable(&self, name: Name) -> Result<Variable, Unlinked> {
        match (Variable::named(&name.name), self.maps.get(&*name.name)) {
            (Some(Variable::Capture(_)), _) => Err(Unlinked::Unknown(name)),
            (Some(variable), _) => Ok(variable),
            (None, Some(Some(map))) => Ok(Variable::Map(map.clone())),
            (None, Some(None)) => Err(Unlinked::Lost),
            (None, None) if self.places.was_cut(&path_to!["map", &*name.name]) => Err(Unlinked::Lost),
            (None, None) => Err(Unlinked::Unknown(name)),
        }
    }

    fn unknown_variable(&mut self, path: &[Key], name: &Name, groups: Option<&Groups>) {
        let fields = Field::NAMES.map(|field| format!("{PROXY_PROTOCOL_TLV}{field}"));
        let fields = fields.iter().map(String::as_str);
        let named = groups.into_iter().flat_map(Groups::names);
        let known = NAMES.iter().copied().chain(named).chain(fields).chain(self.maps.keys().map(String::as_str));
        let habit = HABITS.iter().find(|(theirs, _)| *theirs == &*name.name).map(|(_, ours)| *ours);
        let similar = habit.or_else(|| suggest(&name.name, known)).map(str::to_owned);
        let is_number = name.name.bytes().all(|byte| byte.is_ascii_digit());
        let problem = match groups {
            None if is_number => format!("${} is a group of a regex, and no regex leads here", name.name),
            Some(groups) if is_number => match groups.count() {
                0 => format!("${}: the regex has no groups", name.name),
                1 => format!("${}: the regex has only one group", name.name),
                count => format!("${}: the regex has only {count} groups", name.name),
            },
            _ => format!("no variable is named ${}", name.name),
        };
        let has_groups = groups.is_some();
        let error = self.wrong_inside(path, name.start..name.end, problem);
        let is_of_environment =
            name.name.contains(|c: char| c.is_ascii_uppercase()) && !name.name.contains(|c: char| c.is_ascii_lowercase());
        let label = match similar {
            _ if is_of_environment => format!("${{env:{}}} is what the environment says", name.name),
            Some(similar) => format!("did you mean ${similar}?"),
            None if is_number && has_groups => "parentheses make a group".into(),
            None if !is_number && !has_groups => {
                format!("[map.{}] would define it; groups of a regex are known in the targets of `patterns`", name.name)
            }
            None => return,
        };
        error.label(label);
    }
}

impl Groups {
    fn of_route(pattern: &Pattern) -> Self {
        Self(pattern.group_names().map(|name| name.map(Into::into)).collect())
    }

    fn of_map(pattern: &MapPattern) -> Self {
        Self(pattern.group_names().map(|name| name.map(Into::into)).collect())
    }

    /// How many there are besides the whole.
    fn count(&self) -> usize {
        self.0.len() - 1
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().map(|name| &**name)
    }

    /// The number of the group that a name means.
    fn number(&self, name: &Name) -> Option<usize> {
        match name.name.parse::<usize>() {
            Ok(number) => (number < self.0.len()).then_some(number),
            Err(_) => self.0.iter().position(|group| group.as_ref() == Some(&name.name)),
        }
    }
}

/// What nginx's users write by habit: names of its http module, and what is closest to them here.
const HABITS: &[(&str, &str)] = &[
    ("body_bytes_sent", "bytes_sent"),
    ("host", "ssl_preread_server_name"),
    ("http_host", "ssl_preread_server_name"),
    ("request_length", "bytes_received"),
    ("request_time", "session_time"),
    ("server_protocol", "protocol"),
    ("upstream_header_time", "upstream_first_byte_time"),
    ("upstream_response_time", "upstream_session_time"),
];
