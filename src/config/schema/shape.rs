//! What may be written as a value, and how JSON Schema says that.

use serde_json::{Map, Value, json};

use super::super::values::Word;
use super::super::words::Kind;

/// What may be written.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// A text.
    Text,
    /// A text with variables, whose whole is one of `words` or has a variable in it.
    Template(&'static [&'static str]),
    Switch,
    /// `false`, and never `true`.
    Off,
    /// A whole number of this range.
    Whole(i64, i64),
    /// Any number of this range.
    Number(i64, i64),
    Duration,
    /// A number of bytes, at least this.
    Size(i64),
    Rate,
    Frequency,
    Mode,
    /// One of a few words.
    Words(fn() -> Vec<&'static str>),
    /// One of several shapes.
    Either(&'static [Shape]),
    List(&'static Shape),
    /// A list with something in it.
    Filled(&'static Shape),
    /// A list, or its only element.
    OneOrMany(&'static Shape),
    /// Things by names of the user's choosing.
    Named(&'static Shape),
    /// Things by some of these names, each with what it is.
    NamedOneOf(fn() -> Vec<(&'static str, &'static str)>, &'static Shape),
    Table(&'static Table),
}

/// What holds where a key is not written.
#[derive(Clone, Copy)]
pub(super) enum Without {
    /// This value, in TOML.
    Value(&'static str),
    /// What these words say.
    Words(&'static str),
    Nothing,
    /// It must be written.
    Required,
}

/// A key of a table.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) key: &'static str,
    pub(super) shape: Shape,
    pub(super) without: Without,
    pub(super) doc: &'static str,
    /// Values, in TOML.
    pub(super) examples: &'static [&'static str],
}

pub(super) const fn key(key: &'static str, shape: Shape, without: Without, doc: &'static str) -> Entry {
    Entry { key, shape, without, doc, examples: &[] }
}

impl Entry {
    pub(super) const fn such_as(self, examples: &'static [&'static str]) -> Self {
        Self { examples, ..self }
    }
}

/// A table and its keys.
pub(super) struct Table {
    pub(super) kind: &'static Kind,
    pub(super) keys: &'static [&'static [Entry]],
    /// Exactly one of these must be written.
    pub(super) one_of: &'static [&'static str],
    /// At least one of these must be written.
    pub(super) any_of: &'static [&'static str],
}

impl Table {
    pub(super) const fn new(kind: &'static Kind, keys: &'static [&'static [Entry]]) -> Self {
        Self { kind, keys, one_of: &[], any_of: &[] }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &'static Entry> {
        self.keys.iter().copied().flatten()
    }

    pub(super) fn render(&self, definitions: &mut Definitions) -> Value {
        let required: Vec<_> = self.entries().filter(|entry| matches!(entry.without, Without::Required)).map(|entry| entry.key).collect();
        let properties: Map<_, _> = self.entries().map(|entry| (entry.key.to_owned(), entry.render(definitions))).collect();
        let mut schema = object([("type", json!("object")), ("additionalProperties", json!(false)), ("properties", properties.into())]);
        if !required.is_empty() {
            schema.insert("required".into(), json!(required));
        }
        for (word, keys) in [("oneOf", self.one_of), ("anyOf", self.any_of)] {
            if !keys.is_empty() {
                schema.insert(word.into(), keys.iter().map(|key| json!({ "required": [key] })).collect());
            }
        }
        schema.into()
    }

    /// This table and all below it.
    #[cfg(test)]
    pub(super) fn visit(&'static self, found: &mut Vec<&'static Self>) {
        if found.iter().any(|known| std::ptr::eq(known.kind, self.kind) || known.kind.name == self.kind.name) {
            return;
        }
        found.push(self);
        for entry in self.entries() {
            entry.shape.visit(found);
        }
    }
}

impl Entry {
    fn render(&self, definitions: &mut Definitions) -> Value {
        let Value::Object(mut schema) = self.shape.render(definitions) else { return Value::Null };
        let said = match self.without {
            Without::Value(value) => {
                schema.insert("default".into(), toml_value(value));
                format!("{}\n\nDefault: `{value}`", self.doc)
            }
            Without::Words(words) => format!("{}\n\nDefault: {words}", self.doc),
            Without::Nothing | Without::Required => self.doc.to_owned(),
        };
        schema.insert("description".into(), said.into());
        if !self.examples.is_empty() {
            schema.insert("examples".into(), self.examples.iter().copied().map(toml_value).collect());
        }
        schema.into()
    }
}

impl Shape {
    fn render(&self, definitions: &mut Definitions) -> Value {
        match *self {
            Self::Text => json!({ "type": "string" }),
            Self::Template([]) => json!({ "type": "string", "pattern": "\\$" }),
            Self::Template(words) => json!({ "type": "string", "pattern": format!("^(?:{})$|\\$", words.join("|")) }),
            Self::Switch => or_environment(&json!({ "type": "boolean" })),
            Self::Off => json!({ "const": false }),
            Self::Whole(least, most) => or_environment(&json!({ "type": "integer", "minimum": least, "maximum": most })),
            Self::Number(least, most) => or_environment(&json!({ "type": "number", "minimum": least, "maximum": most })),
            Self::Duration => text(DURATION),
            Self::Size(least) => json!({ "anyOf": [{ "type": "integer", "minimum": least }, text(SIZE)] }),
            Self::Rate => json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, text(RATE)] }),
            Self::Frequency => text(FREQUENCY),
            Self::Mode => text("^[0-7]{1,4}$"),
            Self::Words(words) => or_environment(&json!({ "enum": words() })),
            Self::Either(shapes) => {
                let shapes: Vec<_> = shapes.iter().map(|shape| shape.part(definitions)).collect();
                json!({ "anyOf": shapes })
            }
            Self::List(element) => json!({ "type": "array", "items": element.part(definitions) }),
            Self::Filled(element) => json!({ "type": "array", "items": element.part(definitions), "minItems": 1 }),
            Self::OneOrMany(element) => {
                let element = element.part(definitions);
                json!({ "anyOf": [element, { "type": "array", "items": element }] })
            }
            Self::Named(shape) => json!({ "type": "object", "additionalProperties": shape.part(definitions) }),
            Self::NamedOneOf(names, shape) => {
                let described = |(name, what): (&str, &str)| {
                    let mut schema = shape.render(definitions);
                    schema["description"] = sentence(what).into();
                    (name.to_owned(), schema)
                };
                let properties: Map<_, _> = names().into_iter().map(described).collect();
                json!({ "type": "object", "additionalProperties": false, "properties": properties })
            }
            Self::Table(table) => table.render(definitions),
        }
    }

    /// As a part of another shape: tables are written once and referred to.
    fn part(&self, definitions: &mut Definitions) -> Value {
        match self {
            Self::Table(table) => definitions.refer(table),
            other => other.render(definitions),
        }
    }

    #[cfg(test)]
    fn visit(&self, found: &mut Vec<&'static Table>) {
        match self {
            Self::Table(table) => table.visit(found),
            Self::Either(shapes) => shapes.iter().for_each(|shape| shape.visit(found)),
            Self::List(shape) | Self::Filled(shape) | Self::OneOrMany(shape) | Self::Named(shape) | Self::NamedOneOf(_, shape) => {
                shape.visit(found);
            }
            _ => {}
        }
    }
}

/// Tables that several shapes have.
#[derive(Default)]
pub(super) struct Definitions(Map<String, Value>);

impl Definitions {
    pub(super) fn into_entries(self) -> Map<String, Value> {
        self.0
    }

    fn refer(&mut self, table: &Table) -> Value {
        let name: String = table.kind.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        if !self.0.contains_key(&name) {
            let schema = table.render(self);
            self.0.insert(name.clone(), schema);
        }
        json!({ "$ref": format!("#/definitions/{name}") })
    }
}

/// The words of an enum.
pub(super) fn words<T: Word>() -> Vec<&'static str> {
    T::ALL.iter().map(|&(word, _)| word).collect()
}

/// What is no text of any form, unless the environment says it.
fn or_environment(schema: &Value) -> Value {
    json!({ "anyOf": [schema, { "type": "string", "pattern": ENVIRONMENT }] })
}

/// A text of this form, or one that the environment completes.
fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": format!("{pattern}|{ENVIRONMENT}") })
}

/// `what it is` as `What it is.`.
fn sentence(words: &str) -> String {
    let first = words.chars().next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(words.chars().skip(1)).chain(['.']).collect()
}

fn object<const N: usize>(entries: [(&str, Value); N]) -> Map<String, Value> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn toml_value(written: &str) -> Value {
    let document = toml::from_str::<toml::Table>(&format!("value = {written}"));
    document.ok().and_then(|document| serde_json::to_value(document.get("value")?).ok()).unwrap_or(Value::Null)
}

const ENVIRONMENT: &str = "\\$\\{env:";
const DURATION: &str = "^ *([0-9]+(ms|s|m|h|d) *)+$";
const SIZE: &str = "^ *[0-9]+ *([bB]|[kKmMgG]([iI][bB])?)? *$";
const RATE: &str = "^ *[0-9]+ *([bB]|[kKmMgG]([iI][bB])?|[kKmMgG]?[bB][iI][tT])?(/s)? *$|\\$";
const FREQUENCY: &str = "^ *[0-9]+ */ *[smh] *$";
