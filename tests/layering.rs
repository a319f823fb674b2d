//! The layers of the library: a module uses lower ones only, never its own layer's or higher ones.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules by layer, lowest first. Of the lowest, `host` is used by the others.
const LAYERS: [&[&str]; 10] = [
    &["address", "host", "sys", "template", "units"],
    &["config"],
    &["admit", "hello", "proxy_protocol", "route", "session"],
    &["net"],
    &["peek", "relay", "tls", "variables"],
    &["log", "upstream"],
    &["snapshot"],
    &["gateway"],
    &["explain"],
    &["cli", "main"],
];

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&module));
    found.unwrap_or_else(|| panic!("the module {module} stands in no layer: add it here and in src/lib.rs"))
}

fn is_allowed(from: &str, to: &str) -> bool {
    from == to || layer(from) > layer(to) || (layer(from) == 0 && to == "host")
}

/// The modules that a file's `crate::` paths lead to, those of nested `use` lists too.
fn used(source: &str) -> BTreeSet<String> {
    let code: String = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let mut modules = BTreeSet::new();
    for path in code.split("crate::").skip(1) {
        match path.strip_prefix('{') {
            Some(list) => modules.extend(heads(list)),
            None => modules.extend(head(path)),
        }
    }
    modules
}

/// The first word of each item of a `{...}` list, nested ones skipped.
fn heads(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut items = vec![String::new()];
    for letter in list.chars() {
        match letter {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            _ => items.last_mut().unwrap().push(letter),
        }
    }
    items.iter().filter_map(|item| head(item.trim())).collect()
}

/// The module that a path begins with; what is a macro or a type of the crate's own is none.
fn head(path: &str) -> Option<String> {
    let word: String = path.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect();
    (!word.is_empty() && word != "path_to").then_some(word)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let inside = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    entries.into_iter().flat_map(inside).filter(|path| path.extension().is_some_and(|end| end == "rs")).collect()
}

/// The module of the library that a file belongs to.
fn module(file: &Path, source: &Path) -> String {
    let first = file.strip_prefix(source).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

#[test]
fn no_module_uses_one_of_its_own_layer_or_above() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = files(&source);
    let mut arrows = 0;
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| module(file, &source) != "lib") {
        let from = module(file, &source);
        for to in used(&fs::read_to_string(file).unwrap()) {
            arrows += 1;
            if !is_allowed(&from, &to) {
                wrong.push(format!("{}: {from} uses {to}", file.strip_prefix(&source).unwrap().display()));
            }
        }
    }
    assert!(arrows > 50, "only {arrows} uses were found: they are not read right");
    assert!(wrong.is_empty(), "arrows that point up or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn every_layer_of_the_library_is_the_one_its_source_says() {
    let library = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut number = None;
    let mut modules = 0;
    for line in library.lines() {
        if let Some(said) = line.strip_prefix("// Layer ") {
            number = Some(said.split(':').next().unwrap().parse::<usize>().unwrap());
        } else if let Some(module) = line.strip_prefix("pub mod ") {
            assert_eq!(Some(layer(module.trim_end_matches(';'))), number, "{line}");
            modules += 1;
        }
    }
    assert_eq!(modules, LAYERS.iter().map(|layer| layer.len()).sum::<usize>() - 1, "all but main");
}

#[test]
fn paths_are_found_in_lists_and_in_the_middle_of_a_line() {
    let source = "use crate::{net::{Socket, bind}, host};\nlet a: crate::session::Peer; // crate::gateway\n";
    assert_eq!(used(source).into_iter().collect::<Vec<_>>(), ["host", "net", "session"]);
}

#[test]
fn arrows_point_down() {
    assert!(is_allowed("gateway", "net") && is_allowed("net", "net") && is_allowed("address", "host"));
    assert!(!is_allowed("net", "gateway") && !is_allowed("peek", "relay") && !is_allowed("units", "template"));
}
