//! What is wrong with a configuration, for programs.

use serde_json::{Value, json};

use super::diagnostic::{Diagnostic, Diagnostics, Place};

impl Diagnostics {
    /// Everything as an object of JSON, in the order of printing. Lines and columns count from 1, columns in characters.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "configuration": self.name(),
            "usable": !self.has_errors(),
            "errors": self.errors(),
            "warnings": self.warnings(),
            "allowed": self.allowed(),
            "diagnostics": self.sorted().into_iter().map(object).collect::<Vec<_>>(),
        })
    }
}

fn object(one: &Diagnostic) -> Value {
    let mut object = json!({
        "severity": if one.severity().is_error() { "error" } else { "warning" },
        "lint": one.severity().lint(),
        "problem": one.problem(),
        "label": one.beside(),
        "help": one.instead(),
    });
    match one.place() {
        Place::File { source, span } => {
            let (line, column) = source.position(span.start);
            let (end_line, end_column) = source.position(span.end.max(span.start));
            object["file"] = source.name().into();
            object["line"] = line.into();
            object["column"] = column.into();
            object["end_line"] = end_line.into();
            object["end_column"] = end_column.into();
        }
        Place::Environment(variable) => object["environment"] = variable.as_str().into(),
        Place::Set(item) => object["set"] = item.as_str().into(),
        Place::Whole => {}
    }
    object
}
