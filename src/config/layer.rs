//! The layers of a configuration: the files, then the environment, then the command line. Each is a TOML document that
//! keeps the place of every key and value; figment merges their values.

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostics, Place};
use super::document;
use super::gather::Gathered;
use super::places::Places;
use super::spot::{Below, FileNumber, Origin, Spot};

/// One layer: its values, and where they stand.
pub(super) struct Layer {
    origin: Origin,
    values: Dict,
    spots: Spot,
}

impl Layer {
    /// All files, as they were gathered.
    pub(super) fn files(gathered: Gathered) -> Self {
        let Gathered { files, values, spots, .. } = gathered;
        Self { origin: Origin::Files(files), values, spots: Spot { below: Below::Named(spots), ..Spot::default() } }
    }

    /// An environment variable: `VESTIBULE_LOG__LEVEL=debug` is `log.level = "debug"`. Names without `__` are not
    /// ours, since service managers set such for their own ends, unless they begin with one of our sections.
    pub(super) fn environment(name: &str, value: &str, diagnostics: &mut Diagnostics) -> Option<Self> {
        let keys = name.strip_prefix(PREFIX)?;
        let written = format!("{name}={value}");
        let Some((section, _)) = keys.split_once("__") else {
            if let Some(instead) = with_two_underscores(keys) {
                let complaint = diagnostics.error(Place::Environment(written), "a section and its key have two underscores between them");
                complaint.help(instead);
            }
            return None;
        };
        let path: Vec<_> = keys.split("__").map(str::to_ascii_lowercase).collect();
        let section = section.to_ascii_lowercase();
        let mut refuse = |problem: String, help: String| {
            diagnostics.error(Place::Environment(written.clone()), problem).help(help);
        };
        if value.contains(char::REPLACEMENT_CHARACTER) {
            refuse("the value of this variable is not UTF-8 text".into(), "only text can be set".into());
            return None;
        }
        if !FROM_ENVIRONMENT.contains(&&*section) {
            let instead = super::words::suggest(&section, FROM_ENVIRONMENT.into_iter())
                .map(|near| name.replacen(&name[PREFIX.len()..PREFIX.len() + section.len()], &near.to_ascii_uppercase(), 1));
            let help = instead.map_or("--set takes any key".into(), |instead| format!("did you mean {instead}?"));
            refuse("the environment sets values of [process], [log], [resolver] and [defaults] only".into(), help);
            return None;
        }
        let is_bare = |key: &String| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !path.iter().all(is_bare) {
            refuse("this names no key".into(), format!("{PREFIX}LOG__LEVEL sets level of [log]"));
            return None;
        }
        let text = assignment(&path.join("."), value);
        let (document, _) = DeTable::parse_recoverable(&text);
        let layer = Self::new(Origin::Given { by: Place::Environment(written.clone()), text: text.clone() }, document.get_ref());
        if layer.values.is_empty() {
            refuse("this key has too many parts".into(), format!("{PREFIX}LOG__LEVEL sets level of [log]"));
            return None;
        }
        if !layer.sets_single_values() {
            refuse("the environment sets single values only".into(), "--set takes lists and tables".into());
            return None;
        }
        Some(layer)
    }

    /// An item of `--set`: a TOML dotted key, `=`, and a TOML value or else a plain text.
    pub(super) fn set(item: &str, diagnostics: &mut Diagnostics) -> Option<Self> {
        let is_key = |key: &str| DeTable::parse(&format!("{key} = 0")).is_ok_and(|document| document.get_ref().len() == 1);
        let at = item.match_indices('=').map(|(at, _)| at).find(|&at| is_key(&item[..at]));
        let Some(at) = at else {
            diagnostics.error(Place::Set(item.into()), "this is not KEY=VALUE").help("--set log.level=debug");
            return None;
        };
        let text = assignment(&item[..at], &item[at + 1..]);
        let (document, _) = DeTable::parse_recoverable(&text);
        if document.get_ref().contains_key("include") {
            diagnostics.error(Place::Set(item.into()), "`include` stands in files only").label("a main file may include this one");
            return None;
        }
        Some(Self::new(Origin::Given { by: Place::Set(item.into()), text: text.clone() }, document.get_ref()))
    }

    fn new(origin: Origin, document: &DeTable<'_>) -> Self {
        let (values, named) = document::table(document, FileNumber::default());
        Self { origin, values, spots: Spot { below: Below::Named(named), ..Spot::default() } }
    }

    fn sets_single_values(&self) -> bool {
        fn single(value: &Value) -> bool {
            match value {
                Value::Dict(_, entries) => entries.len() == 1 && entries.values().all(single),
                Value::Array(..) => false,
                _ => true,
            }
        }
        self.values.values().all(single)
    }
}

/// The values of all layers, later ones over earlier ones, and the places of each.
pub(super) fn merge(mut layers: Vec<Layer>) -> (Dict, Places) {
    // Mostly the files are all there is, and merging copies it several times.
    if let [only] = &mut layers[..] {
        let values = std::mem::take(&mut only.values);
        return (values, places(layers));
    }
    let merged = layers.iter().fold(Figment::new(), |figment, layer| figment.merge(layer));
    let values = merged.data().map(|mut profiles| profiles.remove(&Profile::Default)).ok().flatten().unwrap_or_default();
    (values, places(layers))
}

fn places(layers: Vec<Layer>) -> Places {
    Places::new(layers.into_iter().map(|layer| (layer.origin, layer.spots)).collect())
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(match &self.origin {
            Origin::Files(_) => "the files".to_owned(),
            Origin::Given { by, .. } => by.to_string(),
        })
    }

    fn data(&self) -> figment::error::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// What was probably meant by a name that begins with a section of ours, but has no `__`.
fn with_two_underscores(keys: &str) -> Option<String> {
    FROM_ENVIRONMENT.into_iter().find_map(|section| {
        let (start, key) = keys.split_at_checked(section.len())?;
        let meant = match key.strip_prefix('_') {
            Some(key) if !key.is_empty() => format!("did you mean {PREFIX}{start}__{key}?"),
            _ => format!("{PREFIX}LOG__LEVEL sets level of [log]"),
        };
        (start.eq_ignore_ascii_case(section) && (key.is_empty() || key.starts_with('_'))).then_some(meant)
    })
}

/// `key = value` as a document, the value as a text if it is nothing else.
fn assignment(key: &str, value: &str) -> String {
    // The value is looked at alone, since a line's end in it must not start another key.
    match DeValue::parse(value.trim()) {
        Ok(_) => format!("{key} = {}", value.trim()),
        Err(_) => format!("{key} = {}", toml::Value::String(value.into())),
    }
}

const PREFIX: &str = "VESTIBULE_";
const FROM_ENVIRONMENT: [&str; 4] = ["process", "log", "resolver", "defaults"];

#[cfg(test)]
mod tests {
    use crate::config::{Balance, Config, Count, Loaded, LogFile, LogFormat, LogLevel, parse};

    fn load(text: &str, sets: &[&str], environment: &[(&str, &str)]) -> Loaded {
        let sets: Vec<_> = sets.iter().map(|&set| set.to_owned()).collect();
        let environment = environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        parse("routes.toml", text, &sets, environment).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
    }

    fn config(text: &str, sets: &[&str], environment: &[(&str, &str)]) -> Config {
        let loaded = load(text, sets, environment);
        assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics);
        loaded.config
    }

    #[test]
    fn the_command_line_stands_over_the_environment_over_the_file() {
        let file = "[log]\nlevel = \"error\"\nformat = \"json\"\nfile = \"a\"";
        let environment = [("VESTIBULE_LOG__LEVEL", "warn"), ("VESTIBULE_LOG__FORMAT", "text")];
        let log = config(file, &["log.level=debug"], &environment).log;
        assert_eq!((log.level, log.format, log.file), (LogLevel::Debug, LogFormat::Text, LogFile::Path("a".into())));
        let log = config(file, &["log.level=debug", "log.level=info"], &[]).log;
        assert_eq!(log.level, LogLevel::Info, "the last one counts");
    }

    #[test]
    fn what_is_no_toml_is_a_text() {
        let environment = [("VESTIBULE_LOG__FILE", "/var/log/a=b.log"), ("VESTIBULE_PROCESS__WORKERS", "4")];
        let config = config("", &["upstream.web.servers=[\"10.0.0.1:443\"]", "routes.dmz.hosts.\"a=b.c\" = web"], &environment);
        assert_eq!(config.log.file, LogFile::Path("/var/log/a=b.log".into()));
        assert_eq!(config.process.workers, Count::Exactly(4));
        assert_eq!(config.upstream["web"].servers[0].address, "10.0.0.1:443");
        assert!(config.routes["dmz"].hosts.contains_key("a=b.c"));
    }

    #[test]
    fn a_text_that_looks_like_a_number_is_still_a_text_where_one_belongs() {
        let environment = [("VESTIBULE_LOG__FILE", "0x10")];
        assert_eq!(config("", &[], &environment).log.file, LogFile::Path("0x10".into()));
        assert_eq!(config("", &["access_log.a={ file = 1_0 }"], &[]).access_log["a"].file, LogFile::Path("1_0".into()));
    }

    #[test]
    fn tables_of_defaults_can_be_reached_from_the_environment() {
        let environment = [("VESTIBULE_DEFAULTS__UPSTREAM__BALANCE", "hash"), ("VESTIBULE_DEFAULTS__UPSTREAM__SERVER__WEIGHT", "2")];
        let defaults = config("", &[], &environment).defaults.upstream;
        assert_eq!((defaults.keys.balance, defaults.server.weight), (Some(Balance::Hash), Some(2)));
    }

    #[test]
    fn names_without_two_underscores_are_not_ours() {
        assert_eq!(
            config("", &[], &[("VESTIBULE_CONFIG", "x"), ("VESTIBULE_PORT_443_TCP", "tcp://x"), ("HOME__X", "y")]),
            Config::default()
        );
    }

    #[test]
    fn a_value_with_a_line_end_sets_no_second_key() {
        let loaded = load("", &[], &[("VESTIBULE_LOG__FILE", "a\nlog.level = \"debug\"")]);
        assert_eq!(loaded.config.log.file, LogFile::Path("a\nlog.level = \"debug\"".into()));
        assert_eq!(loaded.config.log.level, LogLevel::Info);
        assert_eq!(config("", &["log.file=1\nlog.level=\"debug\""], &[]).log.level, LogLevel::Info);
    }
}
