//! Permissions of a file, in octal digits as chmod(1) takes them.

use figment::value::Value;
use serde::{Serialize, Serializer};

use super::read::{Read, Reader};

/// Who may do what with a file: `"0660"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(pub u32);

impl Read for Mode {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(text) = value.as_str().map(str::to_owned).or_else(|| reader.given()) else {
            // TOML reads 660 as a decimal number, and knows 0o660 as 432.
            reader.unfit(&value, "a text of octal digits").label(EXAMPLES);
            return None;
        };
        let digits = text.len() <= 4 && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let mode = digits.then(|| u32::from_str_radix(&text, 8).ok()).flatten().filter(|mode| *mode <= 0o777);
        if mode.is_none() {
            reader.wrong(format!("{text:?} is no permissions in octal digits")).label(EXAMPLES);
        }
        mode.map(Self)
    }
}

const EXAMPLES: &str = "\"0660\" for its owner and its group, \"0666\" for everybody";

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:04o}", self.0))
    }
}
