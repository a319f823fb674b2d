//! The schema that `vestibule schema` prints: what editors are told is what the gateway reads.
//! `UPDATE_GOLDEN=1` rewrites `docs/routes.schema.json`, to be reviewed as a diff.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value;
use vestibule::config;
use vestibule::snapshot::Snapshot;

use crate::harness::program::Folder;

const EVERYTHING: &str = include_str!("data/everything.toml");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft7::new(&config::schema()).expect("the schema is one")
}

/// A configuration as validators see it; nothing if it is no TOML.
fn value(text: &str) -> Option<Value> {
    toml::from_str(text).ok()
}

fn complaints(validator: &jsonschema::Validator, text: &str) -> Vec<String> {
    let value = value(text).unwrap_or_else(|| panic!("this is no TOML: {text}"));
    validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The files of a folder with this extension, sorted; none if there is no such folder.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|is| is == extension));
    files.sort();
    files
}

/// Ours to begin with, and what they include.
fn examples() -> Vec<PathBuf> {
    crate::examples::files(&crate::examples::examples(), &["toml"])
}

/// The blocks of a document that are TOML.
fn samples(document: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    text.split("```toml\n").skip(1).map(|block| block.split("\n```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_committed_schema_is_the_one_that_is_printed() {
    let file = root().join("docs/routes.schema.json");
    let printed = Folder::empty().run(&["schema"]);
    assert_eq!((printed.status, &printed.err[..]), (Some(0), ""));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &printed.out).unwrap();
    }
    assert!(fs::read_to_string(&file).unwrap() == printed.out, "docs/routes.schema.json is another one: UPDATE_GOLDEN=1 writes it");
}

#[test]
fn every_configuration_of_ours_fits_the_schema() {
    let validator = validator();
    let configs = [files("tests/data/configs", "toml"), examples()].concat();
    let mut texts: Vec<_> = configs.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    texts.extend(["README.md", "docs/configuration.md"].into_iter().flat_map(samples));
    assert!(texts.len() >= 20, "there are configurations and samples: {}", texts.len());
    texts.extend([EVERYTHING.to_owned(), include_str!("../routes.toml").to_owned()]);
    for text in texts {
        assert_eq!(complaints(&validator, &text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn every_example_tells_editors_where_the_schema_is() {
    let schema = root().join("docs/routes.schema.json").canonicalize().unwrap();
    assert!(examples().len() >= 8, "{:?}", examples());
    for file in examples() {
        let text = fs::read_to_string(&file).unwrap();
        let named = text.lines().next().and_then(|line| line.strip_prefix("#:schema ")).map(|name| file.with_file_name("").join(name));
        assert_eq!(named.and_then(|name| name.canonicalize().ok()).as_ref(), Some(&schema), "{}", file.display());
    }
}

#[test]
fn the_schema_is_one_as_its_draft_defines_them() {
    let schema = config::schema();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert!(jsonschema::meta::validate(&schema).is_ok(), "{:?}", jsonschema::meta::validate(&schema));
}

#[test]
fn editors_know_the_names_of_all_lints() {
    let schema = config::schema();
    let lints = schema["properties"]["lints"]["properties"].as_object().unwrap();
    assert!(lints.keys().map(String::as_str).eq(config::lints::names()), "{:?}", lints.keys());
    assert_eq!(lints["all-down"]["description"], "All servers of an upstream are `down`, and it has no `fallback`.");
}

/// What makes a value one that no schema would let pass, as the reports say it.
fn is_of_shape(problem: &str) -> bool {
    let starts = [
        "unknown key",
        "unknown section",
        "a duration needs a unit",
        "this limits nothing",
        "a table of [",
        "host names need quotes",
        "no lint is named",
    ];
    let parts = [
        " belongs here, not ",
        " needs `",
        " needs one of ",
        " has only one of ",
        " is a table of its own",
        " needs a name of your choosing",
        " has no servers",
        " is no unit of ",
        " stands below the header ",
        " is a host name, and stands in ",
        " is not spoken",
    ];
    starts.iter().any(|start| problem.starts_with(start)) || parts.iter().any(|part| problem.contains(part)) || is_unknown_word(problem)
}

/// `"x" is not a log level`.
fn is_unknown_word(problem: &str) -> bool {
    let rest = problem.strip_prefix('"').and_then(|rest| rest.split_once("\" is not "));
    rest.is_some_and(|(_, what)| ["a ", "an ", "what ", "how "].iter().any(|article| what.starts_with(article)))
}

/// Reports whose only problem of shape is one that a schema does not see, or sees and they do not tell, with the reason.
const EXCEPTIONS: [(&str, &str); 2] = [
    ("deep_header", "a key with more parts than our parser takes"),
    ("upstream_tls", "a version that is one, and that nobody speaks any more"),
];

#[test]
fn a_broken_configuration_fits_the_schema_just_when_nothing_is_wrong_with_its_shape() {
    let validator = validator();
    let (mut shapes, mut others) = (0, 0);
    let broken = files("tests/data/broken", "toml");
    assert!(broken.len() > 50, "{}", broken.len());
    for file in broken {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        if value(&text).is_none() || EXCEPTIONS.iter().any(|(exception, _)| *exception == name) {
            continue;
        }
        // What stands over the file is not in it.
        let report = match config::parse("routes.toml", &text[..], &[], []) {
            Ok(loaded) => Snapshot::check(loaded).diagnostics.to_string(),
            Err(diagnostics) => diagnostics.to_string(),
        };
        let wrong: Vec<_> = report.lines().filter_map(|line| line.strip_prefix("error: ")).filter(|problem| is_of_shape(problem)).collect();
        let complaints = complaints(&validator, &text);
        assert_eq!(wrong.is_empty(), complaints.is_empty(), "{name}: we say {wrong:#?}, the schema {complaints:#?}");
        if wrong.is_empty() { others += 1 } else { shapes += 1 }
    }
    println!("of {} broken files, {shapes} do not fit the schema; what is wrong with {others} is what they mean", shapes + others);
    assert!(shapes > 20 && others > 20, "{shapes} {others}");
}

/// Values of every sort, to be put where others stand.
const VALUES: [&str; 12] =
    ["1", "-1", "0.5", "true", "\"\"", "\"10s\"", "\"64k\"", "\"off\"", "\"a$b\"", "[]", "[\"x\"]", "{ file = \"x\", key = 1 }"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn what_fits_the_schema_has_no_errors_of_shape_and_the_other_way_round(
        line in 0..EVERYTHING.lines().count(),
        instead in proptest::option::of(proptest::sample::select(VALUES.to_vec())),
        letter in 0..8usize,
    ) {
        let mut lines: Vec<_> = EVERYTHING.lines().map(str::to_owned).collect();
        let Some((key, value)) = lines[line].split_once(" = ").map(|(key, value)| (key.to_owned(), value.to_owned())) else { return Ok(()) };
        prop_assume!(!key.starts_with([' ', '#', '"', '[']) && !value.ends_with('['));
        lines[line] = match instead {
            Some(other) => format!("{key} = {other}"),
            None => format!("{}{} = {value}", &key[..letter.min(key.len())], "zz"),
        };
        let text = lines.join("\n");
        let Some(value) = self::value(&text) else { return Ok(()) };
        let Ok(loaded) = config::parse("routes.toml", text, &[], []) else { return Ok(()) };
        let report = loaded.diagnostics.to_string();
        let wrong: Vec<_> = report.lines().filter_map(|line| line.strip_prefix("error: ")).filter(|problem| is_of_shape(problem)).collect();
        let complaints: Vec<_> = VALIDATOR.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        prop_assert!(wrong.is_empty() || !complaints.is_empty(), "{}: we say {wrong:#?}, the schema nothing", lines[line]);
        // Whether an alert is one is seen behind the reader, and stands in the schema for editors.
        let complaints: Vec<_> = complaints.into_iter().filter(|one| !one.contains("/reject: ")).collect();
        // What a value means is told by us alone, and of a form that is wrong all is told that the schema tells.
        prop_assert!(complaints.is_empty() || report.contains("error: "), "{}: the schema says {complaints:#?}, we nothing", lines[line]);
    }
}

static VALIDATOR: std::sync::LazyLock<jsonschema::Validator> = std::sync::LazyLock::new(validator);

#[test]
fn every_default_of_the_schema_is_what_is_built_in() {
    let schema = config::schema();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (header, table) in [
        ("[process]", "/properties/process"),
        ("[log]", "/properties/log"),
        ("[listener.x]", "/properties/listener/additionalProperties"),
        ("[upstream.x]", "/properties/upstream/additionalProperties"),
        ("[resolver]", "/properties/resolver"),
        ("[limit.x]", "/properties/limit/additionalProperties"),
    ] {
        // Named tables are referred to.
        let mut table = schema.pointer(table).expect("it is there");
        if let Some(reference) = table.get("$ref").and_then(Value::as_str) {
            table = schema.pointer(reference.trim_start_matches('#')).expect("it is there");
        }
        let properties = table["properties"].as_object().expect("a table has properties");
        for (key, property) in properties {
            let Some(default) = property.get("default") else { continue };
            if COMPARED_ELSEWHERE.contains(&&key[..]) {
                continue;
            }
            let default: toml::Value = serde_json::from_value(default.clone()).expect("TOML has it");
            let without = compiled(header, "");
            let written = compiled(header, &format!("{key} = {default}"));
            compared += 1;
            if without != written {
                wrong.push(format!("{header} {key} = {default}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(compared > 30, "{compared}");
}

/// What a key is of no effect without, or what the snapshot tells apart although it is the same.
const COMPARED_ELSEWHERE: [&str; 3] = ["hash_key", "gzip", "flush"];

/// What becomes of a small configuration with one more key.
fn compiled(header: &str, line: &str) -> String {
    let tables = [
        ("[process]", ""),
        ("[log]", ""),
        ("[resolver]", "nameservers = [\"127.0.0.1:53\"]"),
        ("[listener.x]", "listen = \"127.0.0.1:0\"\nupstream = \"x\""),
        ("[upstream.x]", "servers = [\"127.0.0.1:1\"]"),
        ("[limit.x]", "connections = 1"),
    ];
    let text: String = tables.iter().map(|(one, keys)| format!("{one}\n{keys}\n{}\n", if *one == header { line } else { "" })).collect();
    let loaded = config::parse("routes.toml", text, &[], []).unwrap();
    format!("{:#?}", Snapshot::compile(loaded).unwrap_or_else(|wrong| panic!("{header} {line}: {wrong}")))
}

#[test]
fn every_key_says_what_it_is_for() {
    let mut keys = BTreeSet::new();
    collect(&config::schema(), &mut keys);
    assert!(keys.len() > 100, "{}", keys.len());
    let silent: Vec<_> = keys.iter().filter(|(_, says)| !says).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

/// Every key, and whether it has a description.
fn collect(schema: &Value, keys: &mut BTreeSet<(String, bool)>) {
    match schema {
        Value::Object(entries) => {
            if let Some(Value::Object(properties)) = entries.get("properties") {
                keys.extend(properties.iter().map(|(key, property)| (key.clone(), property.get("description").is_some())));
            }
            entries.values().for_each(|value| collect(value, keys));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, keys)),
        _ => {}
    }
}

#[test]
fn what_a_check_refuses_at_sight_the_schema_refuses_too() {
    let validator = validator();
    let reject = |alert: &str| format!("[routes.dmz]\ndefault = {{ reject = {alert:?} }}\n");
    for text in ["include = \"x/*.toml\"\n", "[upstream.web]\nservers = []\n", "[lints]\nopen-acess = \"allow\"\n", &reject("acess_denied")]
    {
        assert!(!complaints(&validator, text).is_empty(), "{text}");
        let file = Folder::with(text);
        assert_eq!(file.run(&["check"]).status, Some(2), "{text}");
    }
    let alerts: Vec<_> = vestibule::session::alert::NAMES.iter().map(|(name, _)| *name).chain(["close"]).collect();
    for alert in alerts {
        assert_eq!(complaints(&validator, &reject(alert)), Vec::<String>::new(), "{alert}");
    }
}
