//! A configuration of several files is what the same text in one file is, and each part of it is known by its own file.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use toml::{Table, Value};
use vestibule::config::{Loaded, load, parse, path_to};
use vestibule::snapshot::Snapshot;

use crate::harness::program::Folder;
use crate::harness::{Process, Server, hello, routes, within};

const MAIN: &str = r#"include = ["routes.d/*.toml", { files = "teams/pay/*.toml", hosts = ["*.pay.example"] }]

[listener.https]
listen = "127.0.0.1:0"
routes = "dmz"

[routes.dmz]
default = "web"

[upstream.web]
servers = ["10.0.0.1:443"]
"#;

const SHOP: &str = "[routes.dmz.hosts]\n\"shop.example\" = \"shop\"\n[upstream.shop]\nservers = [\"10.0.0.2:443\"]\n";

const PAY: &str = "[routes.dmz.hosts]\n\"*.pay.example\" = \"pay\"\n[upstream.pay]\nservers = [\"10.0.0.3:443\"]\n";

/// Writes files, with the folders that they stand in.
fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
}

fn folder(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::empty();
    write(&folder.path(""), files);
    folder
}

fn read(folder: &Folder) -> Loaded {
    load(&folder.path("routes.toml"), &[], []).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

/// What was read without a complaint.
fn whole(folder: &Folder) -> Loaded {
    let loaded = read(folder);
    // Not all of them have the files that their patterns mean.
    assert!(!loaded.diagnostics.has_errors(), "{}", loaded.diagnostics);
    loaded
}

fn complaints(folder: &Folder) -> String {
    read(folder).diagnostics.to_string()
}

/// The names of the hosts that are left.
fn hosts(loaded: &Loaded) -> Vec<&str> {
    loaded.config.routes["dmz"].hosts.keys().map(String::as_str).collect()
}

#[test]
fn check_counts_the_files_and_what_they_have_together() {
    let folder = folder(&[("routes.toml", MAIN), ("routes.d/shop.toml", SHOP), ("teams/pay/a.toml", PAY)]);
    let said = folder.run(&["check"]);
    assert_eq!(said.err, "");
    assert_eq!(said.out, "routes.toml and 2 more files: 1 listener, 2 hosts, 0 patterns, 3 upstreams: usable\n");
}

#[test]
fn route_tells_which_file_a_host_is_from() {
    let folder = folder(&[("routes.toml", MAIN), ("routes.d/shop.toml", SHOP), ("teams/pay/a.toml", PAY)]);
    let said = folder.run(&["route", "--sni", "a.pay.example"]);
    assert!(said.out.contains("teams/pay/a.toml:2"), "{said:?}");
}

#[tokio::test]
async fn connections_go_where_an_included_file_says() {
    let (web, pay) = (Server::named("web").await, Server::named("pay").await);
    let team = format!("[routes.map.hosts]\n\"*.pay.example\" = \"pay\"\n[upstream.pay]\nservers = [\"{}\"]\n", pay.address);
    let folder = folder(&[("pay/one.toml", &team)]);
    let include = format!("include = [{{ files = '{}', hosts = ['*.pay.example'] }}]\n", folder.path("pay/*.toml").display());
    let gate = Process::start(&(include + &routes(&[("a.example", &web)], ""))).await;
    gate.says("routes.toml and 1 more file").await;
    for (host, answer) in [("a.pay.example", "pay"), ("a.example", "web")] {
        let mut client = gate.connect().await;
        client.write_all(&hello(host)).await.unwrap();
        let mut heard = vec![0; answer.len()];
        within(client.read_exact(&mut heard)).await.unwrap();
        assert_eq!(String::from_utf8(heard).unwrap(), answer);
    }
}

#[test]
fn many_hosts_in_many_files_are_one_map() {
    let globs: Vec<_> = (0..100).map(|number| format!("\"{number}.d/*.toml\"")).collect();
    let main = MAIN.replace("\"routes.d/*.toml\"", &globs.join(", "));
    let folder = folder(&[("routes.toml", &main)]);
    for file in 0..40 {
        let hosts: String = (0..10).map(|host| format!("\"h{host}.f{file}.example\" = \"web\"\n")).collect();
        write(&folder.path(""), &[(&format!("{}.d/{file}.toml", file * 2), &format!("[routes.dmz.hosts]\n{hosts}"))]);
    }
    let loaded = whole(&folder);
    assert_eq!((hosts(&loaded).len(), loaded.files.files.len(), loaded.files.patterns.len()), (400, 41, 101));
}

#[test]
fn hidden_files_and_leftovers_of_editors_are_not_read() {
    let broken = "this is no TOML";
    let leftovers =
        ["routes.d/.hidden.toml", "routes.d/.#shop.toml", "routes.d/shop.toml~", "routes.d/#shop.toml#", "routes.d/shop.toml.bak"];
    let files: Vec<_> =
        leftovers.into_iter().map(|name| (name, broken)).chain([("routes.toml", MAIN), ("routes.d/shop.toml", SHOP)]).collect();
    let folder = folder(&files);
    assert_eq!(whole(&folder).files.files.len(), 2);
}

#[test]
fn a_file_that_two_globs_reach_is_read_once() {
    let main = MAIN.replace("\"routes.d/*.toml\"", "\"routes.d/*.toml\", \"routes.d/shop.toml\", \"*/s*.toml\", \"link.toml\"");
    let folder = folder(&[("routes.toml", &main), ("routes.d/shop.toml", SHOP)]);
    symlink("routes.d/shop.toml", folder.path("link.toml")).unwrap();
    let loaded = whole(&folder);
    assert_eq!(loaded.files.files.len(), 2);
    assert_eq!(hosts(&loaded), ["shop.example"]);
}

#[test]
fn the_files_that_were_read_and_the_patterns_are_known() {
    let folder = folder(&[("routes.toml", MAIN), ("routes.d/b.toml", ""), ("routes.d/a.toml", "include = ['../c.toml']"), ("c.toml", "")]);
    let files = whole(&folder).files;
    let expected = ["routes.toml", "routes.d/a.toml", "routes.d/../c.toml", "routes.d/b.toml"];
    assert_eq!(files.files, expected.map(|name| folder.path(name)), "in the order of reading");
    let pattern = |name: &str| folder.path(name).display().to_string();
    assert_eq!(files.patterns, [pattern("routes.d/*.toml"), pattern("teams/pay/*.toml")]);
}

#[test]
fn patterns_follow_in_the_order_of_the_files() {
    let pattern = |host: &str| format!("[[routes.dmz.patterns]]\nhost = '{host}'\nupstream = 'web'\n");
    let (main, a, b) = (format!("{MAIN}{}", pattern("0")), pattern("1") + &pattern("2"), pattern("3"));
    let folder = folder(&[("routes.toml", &main), ("routes.d/b.toml", &b), ("routes.d/a.toml", &a)]);
    let loaded = whole(&folder);
    let patterns: Vec<_> = loaded.config.routes["dmz"].patterns.iter().map(|pattern| &*pattern.host).collect();
    assert_eq!(patterns, ["0", "1", "2", "3"]);
    let place = |index: usize| loaded.places.value(&path_to!["routes", "dmz", "patterns", index, "host"]).to_string();
    let expected = [("routes.toml", 13), ("routes.d/a.toml", 2), ("routes.d/a.toml", 5), ("routes.d/b.toml", 2)];
    for (index, (file, line)) in expected.into_iter().enumerate() {
        assert_eq!(place(index), format!("{}:{line}", folder.path(file).display()));
    }
}

#[test]
fn a_path_is_relative_to_the_file_that_has_it() {
    let log = "[access_log.shop]\nfile = 'shop.log'\n[routes.dmz]\nhosts_files = 'shop.map'\n";
    let main = MAIN.replace("default =", "hosts_files = ['main.map']\ndefault =");
    let folder = folder(&[("routes.toml", &main), ("routes.d/shop.toml", log)]);
    let loaded = whole(&folder);
    assert_eq!(loaded.places.file(&path_to!["access_log", "shop", "file"], "shop.log"), folder.path("routes.d/shop.log"));
    let maps = &loaded.config.routes["dmz"].hosts_files;
    let paths = maps.iter().enumerate().map(|(at, map)| loaded.places.file(&path_to!["routes", "dmz", "hosts_files", at], map));
    assert_eq!(paths.collect::<Vec<_>>(), [folder.path("main.map"), folder.path("routes.d/shop.map")]);
}

#[test]
fn a_name_of_a_file_may_come_from_the_environment() {
    let main = MAIN.replace("\"routes.d/*.toml\"", "'${env:SITE}', 'sites/${env:SITE}*'");
    let folder = folder(&[("routes.toml", &main), ("7", SHOP), ("sites/7.toml", PAY), ("teams/pay/x.toml", "")]);
    let site = [("SITE".to_owned(), "7".to_owned())];
    let loaded = load(&folder.path("routes.toml"), &[], site).unwrap();
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics);
    assert_eq!(hosts(&loaded), ["*.pay.example", "shop.example"]);
}

#[test]
fn a_folder_of_an_odd_name_is_no_pattern() {
    let folder = Folder::empty();
    write(&folder.path("[a]*"), &[("routes.toml", MAIN), ("routes.d/shop.toml", SHOP)]);
    let loaded = load(&folder.path("[a]*/routes.toml"), &[], []).unwrap();
    assert_eq!(hosts(&loaded), ["shop.example"]);
}

#[test]
fn include_is_not_set_from_the_command_line() {
    let folder = folder(&[("routes.toml", MAIN)]);
    let loaded = load(&folder.path("routes.toml"), &["include=['x.toml']".into()], []).unwrap();
    assert!(loaded.diagnostics.to_string().contains("`include` stands in files only"), "{}", loaded.diagnostics);
}

#[test]
fn two_teams_may_have_one_wildcard_below_the_other() {
    let main = MAIN.replace("}]", "}, { files = 'teams/x.toml', hosts = ['*.x.pay.example'] }]");
    let x = PAY.replace("*.pay", "*.x.pay").replace("upstream.pay", "upstream.x");
    let folder = folder(&[("routes.toml", &main), ("teams/pay/a.toml", PAY), ("teams/x.toml", &x)]);
    assert_eq!(hosts(&whole(&folder)), ["*.pay.example", "*.x.pay.example"]);
}

#[test]
fn a_pattern_whose_folder_is_missing_is_told_and_so_is_a_team_without_a_file() {
    let folder = folder(&[("routes.toml", MAIN), ("teams/pay/a.json", "")]);
    let said = folder.run(&["check"]);
    for told in [
        "warning[empty-pattern]: \"routes.d/*.toml\" matches nothing: there is no folder routes.d\n --> routes.toml:1:12",
        "warning[empty-pattern]: \"teams/pay/*.toml\" matches nothing, so the names of this include have no file",
    ] {
        assert!(said.err.contains(told), "{said:?}");
    }
    folder.write("routes.toml", &MAIN.replace("routes.d/", "teams/pay/").replace(", {", "] # {"));
    assert_eq!(folder.run(&["check"]).err, "", "a folder that is there may have nothing in it");
}

#[test]
fn what_keeps_a_file_from_being_read_is_said_as_it_is() {
    let folder = folder(&[("d/a.json", "")]);
    symlink("gone.toml", folder.path("d/a.toml")).unwrap();
    let complaint = |text: &str| {
        folder.write("routes.toml", text);
        complaints(&folder)
    };
    let dangling = complaint("include = ['d/*.toml']");
    assert!(dangling.contains("a.toml is a link to gone.toml, which is not there") && !dangling.contains("may match"), "{dangling}");
    let braces = complaint("include = ['{a,d}/*.toml']");
    assert!(braces.contains("braces mean nothing here, so write a pattern for each"), "{braces}");
    let braces = complaint("include = ['{a,d}.toml']");
    assert!(braces.contains("braces mean nothing here: write a name or a pattern for each"), "{braces}");
}

#[test]
fn links_in_a_circle_are_not_followed_for_ever() {
    let main =
        "include = ['d/**/*.toml']\n[listener.a]\nlisten = '127.0.0.1:0'\nroutes = 'dmz'\n[routes.dmz]\nhosts_files = ['d/**/*.hosts']\n";
    let folder = folder(&[("routes.toml", main), ("d/a.toml", SHOP), ("d/e/a.hosts", "b.example shop\n")]);
    ["one", "two", "three"].iter().for_each(|link| symlink(".", folder.path("d").join(link)).unwrap());
    let said = folder.run(&["check"]);
    assert!(said.out.contains("routes.toml and 1 more file: 1 listener, 2 hosts"), "{said:?}");
}

#[test]
fn files_of_one_team_share_its_upstreams() {
    let more = "[upstream.pay]\nbalance = 'random'\n";
    let folder = folder(&[("routes.toml", MAIN), ("teams/pay/a.toml", PAY), ("teams/pay/b.toml", more)]);
    assert_eq!(whole(&folder).config.upstream["pay"].servers.len(), 1);
}

const TENANTS: &str = "[[routes.dmz.patterns]]\nhost = '(?<tenant>[a-z]+)\\.tenants\\.example'\nupstream = 'app_${tenant}'\n";

#[test]
fn a_text_with_variables_never_names_a_teams_upstream() {
    let main = format!("{MAIN}[upstream.app_good]\nservers = ['10.0.0.4:443']\n{TENANTS}");
    let evil = format!("{PAY}[upstream.app_evil]\nservers = ['10.6.6.6:443']\n");
    let folder = folder(&[("routes.toml", &main), ("teams/pay/a.toml", &evil)]);
    let asked = |name: &str| folder.run(&["route", "--sni", name]).out;
    assert!(asked("good.tenants.example").contains("10.0.0.4:443"), "{}", asked("good.tenants.example"));
    assert!(asked("a.pay.example").contains("10.0.0.3:443"), "{}", asked("a.pay.example"));
    assert!(!asked("evil.tenants.example").contains("10.6.6.6"), "{}", asked("evil.tenants.example"));
}

#[test]
fn a_text_that_could_only_name_a_teams_upstream_is_an_error() {
    let evil = format!("{PAY}[upstream.app_evil]\nservers = ['10.6.6.6:443']\n");
    let folder = folder(&[("routes.toml", &format!("{MAIN}{TENANTS}")), ("teams/pay/a.toml", &evil)]);
    let report = Snapshot::check(read(&folder)).diagnostics.to_string();
    assert!(report.contains("[upstream.app_evil] is a team's: texts with variables never lead there"), "{report}");
}

#[tokio::test]
async fn no_session_comes_by_a_variable_to_a_teams_upstream() {
    let (good, evil) = (Server::named("good").await, Server::named("evil").await);
    let team = format!("[upstream.app_evil]\nservers = [\"{}\"]\n", evil.address);
    let folder = folder(&[("pay/one.toml", &team)]);
    let include = format!("include = [{{ files = '{}', hosts = ['*.pay.example'] }}]\n", folder.path("pay/*.toml").display());
    let tenants = TENANTS.replace("dmz", "map");
    let more = format!("[upstream.app_good]\nservers = [\"{}\"]\n{tenants}", good.address);
    let gate = Process::start(&(include + &routes(&[("a.example", &good)], &more))).await;
    for (host, answer) in [("good.tenants.example", Some("good")), ("evil.tenants.example", None)] {
        let mut client = gate.connect().await;
        client.write_all(&hello(host)).await.unwrap();
        let mut heard = [0; 4];
        let came = within(client.read_exact(&mut heard)).await.is_ok().then_some(&heard[..]);
        assert_eq!(came == Some(b"good"), answer.is_some(), "{host}: {came:?}");
        assert_ne!(came, Some(&b"evil"[..]), "{host}");
    }
}

#[test]
fn a_comment_of_a_team_lifts_nothing_that_is_denied() {
    let main = format!("{MAIN}[lints]\nopen-access = 'deny'\n");
    let target = "{ upstream = \"pay\", access = [\"allow 192.0.2.0/24\"] } # vestibule: allow(open-access)";
    let pay = PAY.replace("= \"pay\"", &format!("= {target}"));
    let shop = SHOP.replace("= \"shop\"", &format!("= {}", target.replace("pay", "shop")));
    let own = folder(&[("routes.toml", &main), ("routes.d/shop.toml", &shop)]).run(&["check"]);
    assert!(own.out.contains(": usable"), "{own:?}");
    let team = folder(&[("routes.toml", &main), ("teams/pay/a.toml", &pay)]).run(&["check"]);
    assert!(team.err.contains("error[open-access]"), "{team:?}");
}

#[test]
fn what_a_refused_part_defined_is_not_missed() {
    let pay = format!("{PAY}tls = {{ key = 'a' }}\n");
    let folder = folder(&[("routes.toml", MAIN), ("routes.d/a.toml", ""), ("teams/pay/a.toml", &pay)]);
    let report = Snapshot::check(read(&folder)).diagnostics.to_string();
    assert!(report.contains("`key` may not stand in this file") && report.ends_with("2 more files: 1 error: not usable"), "{report}");
}

#[test]
fn a_pipe_is_not_waited_for() {
    let folder = folder(&[("routes.toml", "include = ['pipe']")]);
    assert!(std::process::Command::new("mkfifo").arg(folder.path("pipe")).status().unwrap().success());
    assert!(complaints(&folder).contains("pipe is not a regular file"), "{}", complaints(&folder));
}

#[test]
fn files_that_include_files_have_an_end() {
    let next = |number: usize| format!("include = ['{}.toml']", number + 1);
    let folder = folder(&[("routes.toml", &next(0))]);
    (1..=40).for_each(|number| folder.write(&format!("{number}.toml"), &next(number)));
    let report = complaints(&folder);
    assert!(report.contains("17.toml is included by a file that is included, 16 times over") && report.contains(": 1 error"), "{report}");
}

#[test]
fn more_bytes_than_there_is_room_for_are_not_read() {
    let folder = folder(&[("routes.toml", "include = ['large.toml', 'never.toml']")]);
    fs::File::create(folder.path("large.toml")).unwrap().set_len(257 << 20).unwrap();
    let report = complaints(&folder);
    assert!(report.contains("the files have more than 256 MiB together") && report.contains(": 1 error"), "{report}");
}

#[test]
fn more_files_than_anybody_writes_are_not_read() {
    let folder = folder(&[("routes.toml", "include = ['d/*', 'never.toml']"), ("d/x", "")]);
    (0..10_000).for_each(|number| folder.write(&format!("d/{number}"), ""));
    let report = complaints(&folder);
    assert!(report.contains("more than 10000 files are included") && report.contains(": 1 error"), "{report}");
}

#[test]
fn values_of_the_environment_are_in_no_report() {
    let main = MAIN.replace("\"web\"", "\"${env:SECRET}\"");
    let folder = folder(&[("routes.toml", &main)]);
    let mut command = folder.vestibule(&["check"]);
    command.env("SECRET", "hunter-2");
    let said = crate::harness::program::said(command);
    assert!(said.err.contains("no upstream is named \"${env:SECRET}\""), "{said:?}");
    assert!(!said.err.contains("hunter"), "{said:?}");
    for text in ["upstream = '${env:SECRET}'", "upstream = 'h:1'\naccess = ['allow ${env:SECRET}']"] {
        folder.write("routes.toml", &format!("[listener.a]\nlisten = ':1'\n{text}"));
        let mut command = folder.vestibule(&["check"]);
        command.env("SECRET", "needleneedle");
        let said = crate::harness::program::said(command);
        assert!(said.err.contains("${env:SECRET}") && !said.err.contains("needle"), "{said:?}");
    }
}

/// Whether a table of this path may stand in several files.
fn is_shared(path: &[&str]) -> bool {
    const NAMED: [&str; 7] = ["access_log", "listener", "routes", "limit", "map", "terminate", "upstream"];
    match path {
        [] | [_] => true,
        [section, _] => NAMED.contains(section),
        ["routes", _, "hosts"] | ["map", _, "values" | "hosts" | "ranges"] => true,
        _ => false,
    }
}

/// Cuts a table up, `choose` saying of each part which file it goes to.
fn split(table: &Table, path: &mut Vec<String>, parts: &mut [Table], choose: &mut impl FnMut() -> usize) {
    const MAIN_ONLY: [&str; 4] = ["process", "log", "defaults", "lints"];
    for (key, value) in table {
        path.push(key.clone());
        let names: Vec<_> = path.iter().map(String::as_str).collect();
        match value {
            value if MAIN_ONLY.contains(&names[0]) => put(&mut parts[0], path, value.clone()),
            Value::Table(below) if is_shared(&names) && !below.is_empty() => split(below, path, parts, choose),
            Value::Array(elements) if matches!(names[..], ["routes" | "map", _, "patterns"]) => {
                // In the order of the files, as many as each may get.
                let mut last = 0;
                let mut lists: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
                for element in elements {
                    last = last.max(choose());
                    lists.entry(last).or_default().push(element.clone());
                }
                lists.into_iter().for_each(|(file, list)| put(&mut parts[file], path, Value::Array(list)));
            }
            value => {
                let file = choose();
                put(&mut parts[file], path, value.clone());
            }
        }
        path.pop();
    }
}

fn put(table: &mut Table, path: &[String], value: Value) {
    match path {
        [key] => drop(table.insert(key.clone(), value)),
        [key, rest @ ..] => {
            let below = table.entry(key).or_insert_with(|| Value::Table(Table::new()));
            put(below.as_table_mut().expect("only tables were put above"), rest, value);
        }
        [] => {}
    }
}

/// A configuration that names no other files.
fn table(text: &str) -> Table {
    let mut table: Table = text.parse().unwrap();
    table.remove("include");
    table
}

fn problems(loaded: Loaded) -> Vec<String> {
    let mut problems: Vec<_> = Snapshot::check(loaded).diagnostics.sorted().iter().map(|one| one.problem().to_owned()).collect();
    problems.sort();
    problems
}

fn whole_and_split(text: &str, files: &[prop::sample::Index]) -> (Loaded, Loaded) {
    let table = table(text);
    let mut parts = vec![Table::new(); 5];
    let mut choices = files.iter().cycle();
    split(&table, &mut Vec::new(), &mut parts, &mut || choices.next().map_or(0, |file| file.index(5)));
    let folder = Folder::empty();
    parts[0].insert("include".into(), Value::Array(vec!["*.d/*.toml".into()]));
    folder.write("routes.toml", &parts[0].to_string());
    for (number, part) in parts.iter().enumerate().skip(1) {
        write(&folder.path(""), &[(&format!("{}.d/{number}.toml", number / 3), &part.to_string())]);
    }
    let mut split = read(&folder);
    split.config.include.clear();
    (parse("routes.toml", table.to_string(), &[], []).unwrap(), split)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn several_files_are_what_one_file_is(files in prop::collection::vec(any::<prop::sample::Index>(), 1..300)) {
        let (one, several) = whole_and_split(include_str!("data/everything.toml"), &files);
        prop_assert!(several.diagnostics.is_empty(), "{}", several.diagnostics);
        prop_assert_eq!(one.config, several.config);
    }

    #[test]
    fn the_same_is_wrong_in_several_files(files in prop::collection::vec(any::<prop::sample::Index>(), 1..300), which in 0..BROKEN.len()) {
        let (one, several) = whole_and_split(BROKEN[which], &files);
        prop_assert_eq!(problems(one), problems(several));
    }
}

/// Configurations with errors that do not say which of two comes first.
const BROKEN: [&str; 8] = [
    include_str!("data/broken/targets.toml"),
    include_str!("data/broken/upstreams.toml"),
    include_str!("data/broken/limits.toml"),
    include_str!("data/broken/unknown_words.toml"),
    include_str!("data/broken/hash_keys.toml"),
    include_str!("data/broken/balances.toml"),
    include_str!("data/broken/maintenance.toml"),
    include_str!("data/broken/sources.toml"),
];

#[test]
fn a_value_that_is_no_text_is_told_as_that() {
    use std::os::unix::ffi::OsStrExt;
    let folder = folder(&[("routes.toml", &MAIN.replace("\"web\"", "\"${env:BYTES}\""))]);
    let mut command = folder.vestibule(&["check"]);
    command.env("BYTES", std::ffi::OsStr::from_bytes(b"a\xffb"));
    let said = crate::harness::program::said(command);
    assert!(said.err.contains("the value of BYTES is not UTF-8 text"), "{said:?}");
}

#[test]
fn keys_that_stand_beside_their_defaults_are_sent_there() {
    let said = |text: &str| parse("a.toml", text, &[], []).unwrap().diagnostics.to_string();
    let told = said("[defaults.upstream]\nmax_fails = 2\n");
    assert!(told.contains("server = { max_fails = 2 }"), "{told}");
    let told = said("[defaults.server]\nmax_fails = 2\n");
    assert!(told.contains("server = { max_fails = 2 } under [defaults.upstream]"), "{told}");
    let told = said("[defaults.listener]\nbacklog = 2\n");
    assert!(told.contains("a listener's keys stand in [defaults] itself"), "{told}");
}

#[test]
fn names_of_networks_that_mean_something_else_and_patterns_of_lists_are_errors() {
    let report = |text: &str| Snapshot::check(parse("a.toml", text, &[], []).unwrap()).diagnostics.to_string();
    for name in ["all", "unix", "\"unix:\"", "\"10.0.0.1\"", "\"fd00::/8\""] {
        let told = report(&format!("[networks]\n{name} = [\"10.0.0.0/8\"]\n"));
        assert!(told.contains("no network is called"), "{name}: {told}");
    }
    let told = report("[networks]\na = { file = \"lists/*.txt\" }\n");
    assert!(told.contains("patterns do not work here"), "{told}");
}

#[test]
fn bits_that_mean_nothing_are_told_wherever_ranges_stand() {
    let text = "[listener.a]\nlisten = ':1'\nupstream = 'h:1'\naccess = ['allow 10.1.2.3/8', 'deny all']\n";
    let folder = folder(&[("a.txt", "10.0.0.0/8\n10.1.2.3/16\n10.1.2.3/12\n10.1.2.3\n")]);
    let check = |text: &str| {
        folder.write("routes.toml", text);
        folder.run(&["check"])
    };
    let said = check(text);
    assert!(said.err.contains("the last bits of 10.1.2.3/8 mean nothing: it is 10.0.0.0/8"), "{said:?}");
    assert!(said.out.contains("usable"), "{said:?}");
    let rule = folder.run(&["route", "--sni", "x", "--from", "192.0.2.1"]);
    assert!(rule.out.contains("deny all"), "the rules are all there: {rule:?}");
    let said = check(&format!("{}[networks]\noffice = {{ file = 'a.txt' }}\n", text.replace("10.1.2.3/8", "office")));
    assert!(said.err.contains("the last bits of 10.1.2.3/16 mean nothing: it is 10.1.0.0/16 (and of 1 more in this list)"), "{said:?}");
    assert!(!check(&text.replace("10.1.2.3/8", "10.1.2.3")).err.contains("host-bits"));
}
