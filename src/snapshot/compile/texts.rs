//! Texts with variables. Which captures there are depends on where a text stands.

use super::Compiler;
use crate::config::{Key, suggest};
use crate::proxy_protocol::Field;
use crate::route::Pattern;
use crate::template::{Name, Template};
use crate::variables::{NAMES, PROXY_PROTOCOL_TLV, Text, Variable};

impl Compiler {
    /// A text with its variables linked. `pattern` is the regex whose captures it may use.
    pub(super) fn text(&mut self, path: &[Key], written: &str, pattern: Option<&Pattern>) -> Option<Text> {
        let template = match Template::parse(written) {
            Ok(template) => template,
            Err(error) => {
                let at = error.at();
                self.wrong_inside(path, at..at + 1, error.to_string()).label("$name or ${name}");
                return None;
            }
        };
        match template.link(|name| linked(name, pattern)) {
            Ok(text) => Some(text),
            Err(unknown) => {
                for name in unknown {
                    self.unknown_variable(path, &name, pattern);
                }
                None
            }
        }
    }

    /// A text that is needed before a server is picked: what is known only then says nothing in it.
    pub(super) fn early_text(&mut self, path: &[Key], written: &str, pattern: Option<&Pattern>) -> Option<Text> {
        let text = self.text(path, written, pattern)?;
        let names = Template::parse(written).ok()?;
        let is_late = |name: &&Name| linked((*name).clone(), pattern).is_ok_and(|variable| variable.is_known_late());
        let late: Vec<&Name> = names.variables().filter(is_late).collect();
        for name in &late {
            self.wrong_inside(path, name.start..name.end, format!("${} has no value before a server is picked", name.name))
                .label("$remote_addr has one, for example");
        }
        late.is_empty().then_some(text)
    }

    fn unknown_variable(&mut self, path: &[Key], name: &Name, pattern: Option<&Pattern>) {
        let groups: Vec<String> = pattern.iter().flat_map(|pattern| pattern.names()).map(str::to_owned).collect();
        let fields = Field::NAMES.map(|field| format!("{PROXY_PROTOCOL_TLV}{field}"));
        let known = NAMES.iter().copied().chain(groups.iter().chain(&fields).map(String::as_str));
        let similar = suggest(&name.name, known);
        let is_number = name.name.bytes().all(|byte| byte.is_ascii_digit());
        let problem = match pattern {
            None if is_number => format!("${} is a group of a regex, and no regex leads here", name.name),
            Some(pattern) if is_number => match pattern.groups() {
                0 => format!("${}: the regex has no groups", name.name),
                1 => format!("${}: the regex has only one group", name.name),
                groups => format!("${}: the regex has only {groups} groups", name.name),
            },
            _ => format!("no variable is named ${}", name.name),
        };
        let error = self.wrong_inside(path, name.start..name.end, problem);
        match similar {
            Some(similar) => drop(error.label(format!("did you mean ${similar}?"))),
            None if is_number && pattern.is_some() => drop(error.label("parentheses make a group")),
            None if !is_number && pattern.is_none() => drop(error.label("groups of a regex are known in the targets of `patterns`")),
            None => {}
        }
    }
}

fn linked(name: Name, pattern: Option<&Pattern>) -> Result<Variable, Name> {
    let is_group = |pattern: &Pattern| match name.name.parse::<usize>() {
        Ok(number) => number <= pattern.groups(),
        Err(_) => pattern.names().any(|group| *group == *name.name),
    };
    if pattern.is_some_and(is_group) {
        return Ok(Variable::Capture(name.name));
    }
    match Variable::named(&name.name) {
        Some(Variable::Capture(_)) | None => Err(name),
        Some(variable) => Ok(variable),
    }
}
