//! What may be meant and mostly is not: told by name, explained, allowed at a place, or refused.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use vestibule::config::{self, Severity, lints};
use vestibule::snapshot::Snapshot;

use crate::harness::Authority;
use crate::harness::program::{Folder, Said, said};

/// Leads where the client says, and keeps nobody out.
const TOLD: &str = r#"[listener.https]
listen = "127.0.0.1:0"
routes = "dmz"
access = ["allow 127.0.0.0/8"] # FIRST

[routes.dmz]
default = "$ssl_preread_server_name:443" # SECOND
"#;

/// The lints that a check of this file tells of.
pub fn told(file: &Path) -> BTreeSet<&'static str> {
    let loaded = config::load(file, &[], []).unwrap_or_else(|wrong| panic!("{wrong}"));
    let checked = Snapshot::check(loaded);
    assert!(checked.snapshot.is_some(), "{}", checked.diagnostics);
    checked.diagnostics.sorted().into_iter().map(|one| one.severity()).filter_map(Severity::lint).collect()
}

/// A folder whose `certs` has all that the samples of the documents name.
fn certificates() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    fs::create_dir(&certs).unwrap();
    let all = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/certs")).unwrap();
    for file in all.map(|entry| entry.unwrap()) {
        let copy = certs.join(file.file_name());
        fs::copy(file.path(), &copy).unwrap();
        fs::set_permissions(copy, fs::Permissions::from_mode(0o640)).unwrap();
    }
    fs::create_dir(folder.path().join("lists")).unwrap();
    fs::write(folder.path().join("lists/empty.txt"), "# nothing\n").unwrap();
    fs::copy(certs.join("good.pem"), certs.join("open.pem")).unwrap();
    fs::copy(certs.join("good.key"), certs.join("open.key")).unwrap();
    for ticket in ["shared.ticket", "open.ticket"] {
        fs::write(certs.join(ticket), (0..80).collect::<Vec<u8>>()).unwrap();
    }
    for (file, mode) in [("shared.ticket", 0o640), ("open.ticket", 0o644), ("open.key", 0o644)] {
        fs::set_permissions(certs.join(file), fs::Permissions::from_mode(mode)).unwrap();
    }
    let authority = Authority::new();
    fs::write(certs.join("valid.crl"), authority.revoking(&[])).unwrap();
    let soon = authority.issue_with("good.test", |params| params.not_after = rcgen::date_time_ymd(1970, 1, 1) + in_a_week());
    fs::copy(soon.chain, certs.join("ending.pem")).unwrap();
    fs::copy(soon.key, certs.join("ending.key")).unwrap();
    folder
}

fn in_a_week() -> std::time::Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap() + std::time::Duration::from_secs(7 * 24 * 3600)
}

#[test]
fn each_lint_has_a_page_whose_sample_is_told_of_by_it_alone() {
    let folder = certificates();
    assert!(lints::LINTS.len() > 30);
    for lint in lints::LINTS {
        let page = lint.page().unwrap_or_else(|| panic!("docs/lints.md has no section for {}", lint.name));
        let sample = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
        let sample = sample.unwrap_or_else(|| panic!("the section of {} has no sample", lint.name));
        let file = folder.path().join("routes.toml");
        fs::write(&file, sample).unwrap();
        assert_eq!(told(&file), BTreeSet::from([lint.name]), "{sample}");
    }
}

#[test]
fn each_page_is_about_a_lint_and_they_stand_in_order() {
    let pages: Vec<_> = include_str!("../docs/lints.md").lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert!(!pages.is_empty());
    let mut sorted: Vec<_> = lints::names().collect();
    sorted.sort_unstable();
    assert_eq!(pages, sorted);
}

#[test]
fn no_configuration_that_is_shown_as_good_is_warned_of() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("tests/data/configs");
    let configs: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    assert!(configs.len() > 5);
    for file in configs.iter().chain([&root.join("routes.toml")]) {
        let Ok(loaded) = config::load(file, &[], []) else { panic!("{}", file.display()) };
        let found = Snapshot::check(loaded).diagnostics;
        assert_eq!(found.warnings(), 0, "{found}");
    }
}

#[test]
fn a_check_of_what_is_told_names_the_command_that_explains() {
    let said = Folder::with(TOLD).run(&["check"]);
    assert_eq!(said.status, Some(0));
    let end = "routes.toml: 2 warnings\n`vestibule check --explain NAME` says more of a warning, and how to allow it\n";
    assert!(said.err.ends_with(end), "{}", said.err);
}

#[test]
fn what_a_comment_allows_is_only_counted() {
    let folder =
        Folder::with(&TOLD.replace("FIRST", "vestibule: allow(open-access)").replace("SECOND", "vestibule: allow(client-forward) ours"));
    let usable = "routes.toml: 1 listener, 0 hosts, 0 patterns, 0 upstreams: usable (2 warnings allowed)\n";
    assert_eq!(folder.run(&["check", "--deny-warnings"]), Said { status: Some(0), out: usable.into(), err: String::new() });
}

#[test]
fn what_the_file_allows_is_not_told_when_the_gateway_starts() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let text = TOLD.replace("127.0.0.1:0", &taken.local_addr().unwrap().to_string());
    let folder = Folder::with(&text);
    // It ends at once, since its port is taken.
    let warns = |arguments: &[&str]| folder.run(arguments).err.contains("warning[client-forward]");
    assert!(warns(&["run"]));
    assert!(!warns(&["run", "--set", "lints.client-forward=allow"]));
}

#[test]
fn what_the_file_denies_is_an_error() {
    let folder = Folder::with(&format!("{TOLD}\n[lints]\nopen-access = \"deny\"\n"));
    let said = folder.run(&["check"]);
    assert_eq!((said.status, said.out.as_str()), (Some(2), ""));
    assert!(said.err.starts_with("error[open-access]: these rules keep nobody out"), "{}", said.err);
    assert!(said.err.ends_with("routes.toml: 1 error, 1 warning: not usable\n"), "{}", said.err);
}

#[test]
fn a_pipeline_may_refuse_warnings() {
    let folder = Folder::with(TOLD);
    let said = folder.run(&["check", "--deny-warnings"]);
    assert_eq!((said.status, said.out.as_str()), (Some(2), ""));
    assert!(said.err.ends_with("vestibule: refused for the warnings, since --deny-warnings is given\n"), "{}", said.err);
}

#[test]
fn a_program_reads_where_each_warning_is() {
    let said = Folder::with(TOLD).run(&["check", "--json"]);
    assert_eq!((said.status, said.err.as_str()), (Some(0), ""));
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&report["usable"], &report["warnings"], &report["errors"], &report["allowed"]),
        (&json!(true), &json!(2), &json!(0), &json!(0))
    );
    let expected = json!({
        "severity": "warning", "lint": "open-access", "file": "routes.toml", "line": 4, "column": 10, "end_line": 4, "end_column": 31,
        "problem": "these rules keep nobody out: whom none of them is about may come in, too",
        "label": null, "help": "\"deny all\" as the last rule",
    });
    assert_eq!(report["diagnostics"][0], expected);
}

#[test]
fn a_program_reads_errors_as_well_and_the_status_is_2() {
    let report = |text: &str, more: &[&str]| {
        let said = Folder::with(text).run(&[&["check", "--json"], more].concat());
        assert_eq!((said.status, said.err.as_str()), (Some(2), ""), "{}", said.out);
        serde_json::from_str::<Value>(&said.out).unwrap()
    };
    let no_toml = report("[listener.https\n", &[]);
    assert_eq!(
        (&no_toml["usable"], &no_toml["diagnostics"][0]["line"], &no_toml["diagnostics"][0]["severity"]),
        (&json!(false), &json!(1), &json!("error"))
    );
    let set = report(TOLD, &["--set", "log.level=loud"]);
    assert_eq!(set["diagnostics"][0]["set"], json!("log.level=loud"));
    let denied = report(TOLD, &["--set", "lints.open-access=deny"]);
    assert_eq!((&denied["diagnostics"][0]["severity"], &denied["diagnostics"][0]["lint"]), (&json!("error"), &json!("open-access")));
    assert_eq!(report(TOLD, &["--deny-warnings"])["usable"], json!(true), "it would be used");
}

#[test]
fn a_lint_is_explained_by_its_name() {
    let folder = Folder::empty();
    let said = folder.run(&["check", "--explain", "open-access"]);
    assert_eq!(said.status, Some(0));
    assert!(said.out.starts_with("## open-access\n\nWhere no rule of `access` decides"), "{}", said.out);
    assert!(!said.out.contains("## open-ticket-key"), "{}", said.out);
    let all = folder.run(&["check", "--explain", "all"]).out;
    assert_eq!(all.lines().count(), lints::LINTS.len());
    let unknown = folder.run(&["check", "--explain", "open-acess"]);
    assert_eq!(
        (unknown.status, unknown.err.as_str()),
        (Some(2), "vestibule: no lint is named \"open-acess\": did you mean \"open-access\"?\n")
    );
}

#[test]
fn each_explanation_says_how_to_allow_it_there_and_everywhere() {
    let said = |name: &str| Folder::empty().run(&["check", "--explain", name]).out;
    let everywhere = |name: &str| format!("Allow it everywhere, in the main file:\n\n    [lints]\n    {name} = \"allow\"\n");
    for name in ["all-down", "open-access", "version-1-datagrams"] {
        let there = format!("right above it:\n\n    # vestibule: allow({name}) why it is meant\n\n");
        assert!(said(name).ends_with(&(there + &everywhere(name))), "{}", said(name));
    }
    let needless = said("needless-allow");
    assert!(needless.ends_with(&everywhere("needless-allow")) && !needless.contains("allow(needless-allow)"), "{needless}");
}

/// What is told of rules of a listener.
fn told_of_rules(listen: &str, rules: &str) -> BTreeSet<&'static str> {
    let folder = Folder::with(&format!("[listener.a]\nlisten = {listen:?}\nupstream = \"10.0.0.1:1\"\naccess = {rules}\n"));
    told(&folder.path("routes.toml"))
}

#[test]
fn rules_that_end_with_an_allowance_are_told_of_since_it_lets_in_nobody_else() {
    for rules in [
        r#"["deny 10.1.0.0/16", "allow 10.0.0.0/8"]"#,
        r#"["deny 10.1.0.0/16", "allow fd00::/8"]"#,
        r#"["allow fd00::/8", "deny 10.1.0.0/16"]"#,
        r#"["allow 10.0.0.0/8"]"#,
        r#"["allow 0.0.0.0/0"]"#,
    ] {
        assert_eq!(told_of_rules(":2222", rules), BTreeSet::from(["open-access"]), "{rules}");
    }
}

#[test]
fn rules_of_which_each_decides_something_are_not_told_of() {
    for rules in [
        r#"["deny 10.1.0.0/16", "allow 10.0.0.0/8", "deny all"]"#,
        r#"["deny 10.1.0.0/16", "allow 10.0.0.0/8", "allow all"]"#,
        r#"["allow 10.1.0.0/16", "deny 10.0.0.0/8"]"#,
        r#"["deny 10.1.0.0/16"]"#,
        r#"["allow 10.0.0.0/8", "deny 0.0.0.0/0", "deny ::/0"]"#,
        r#"["allow 10.0.0.0/8", "deny 0.0.0.0/1", "deny 128.0.0.0/1", "deny ::/0"]"#,
        r#"["allow 0.0.0.0/0", "allow ::/0"]"#,
        "[]",
    ] {
        assert_eq!(told_of_rules(":2222", rules), BTreeSet::new(), "{rules}");
    }
}

#[test]
fn rules_that_close_one_family_and_forget_the_other_are_told_of_where_it_is_listened_on() {
    let v4 = r#"["allow 10.0.0.0/8", "deny 0.0.0.0/0"]"#;
    let v6 = r#"["allow fd00::/8", "deny ::/0"]"#;
    let open = BTreeSet::from(["open-access"]);
    assert_eq!(told_of_rules(":2222", v4), open);
    assert_eq!(told_of_rules("[::]:2222", v4), open);
    assert_eq!(told_of_rules("0.0.0.0:2222", v4), BTreeSet::new());
    assert_eq!(told_of_rules(":2222", v6), open);
    assert_eq!(told_of_rules("[::]:2222", v6), BTreeSet::new());
}

#[test]
fn what_the_page_on_lints_shows_as_allowed_is_needed_there() {
    let shown = include_str!("../docs/lints.md").split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(shown.contains("allow(open-access)"), "{shown}");
    let more = "[networks]\nblocked = [\"192.0.2.0/24\"]\noffice = [\"10.0.0.0/8\"]\n[listener.a]\nlisten = \":443\"\nroutes = \"dmz\"\n\
                [upstream.web]\nservers = [\"10.0.0.1:80\"]\n[terminate.public]\ncertificates = \"certs/good.pem\"\n";
    let folder = certificates();
    let file = folder.path().join("routes.toml");
    fs::write(&file, format!("{shown}{more}")).unwrap();
    assert_eq!(told(&file), BTreeSet::new());
}

#[test]
fn more_connections_than_there_are_descriptors_for_are_told_with_the_limit() {
    let limited = |connections: u32| {
        let text =
            format!("[process]\nmax_connections = {connections}\n[listener.a]\nlisten = \"127.0.0.1:0\"\nupstream = \"10.0.0.1:1\"\n");
        let folder = Folder::with(&text);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n 200; exec {} check", env!("CARGO_BIN_EXE_vestibule"))]).current_dir(folder.path(""));
        said(command).err
    };
    let told =
        "warning[too-few-descriptors]: 101 connections take 202 descriptors, and a process may have 200 here\n --> routes.toml:2:19\n";
    assert!(limited(101).starts_with(told), "{}", limited(101));
    assert_eq!(limited(100), "");
}

#[test]
fn a_log_without_a_folder_is_told_with_the_folder() {
    let folder = Folder::with("");
    std::fs::create_dir(folder.path("logs")).unwrap();
    let told_of = |file: &str| {
        folder.write("routes.toml", &format!("[log]\nfile = {file:?}\n[listener.a]\nlisten = \"127.0.0.1:0\"\nrespond = \"\"\n"));
        told(&folder.path("routes.toml"))
    };
    let missing = BTreeSet::from(["missing-log-folder"]);
    assert_eq!(told_of("nothing/own.log"), missing);
    assert_eq!(told_of("routes.toml/own.log"), missing, "a file is no folder");
}

#[test]
fn a_log_with_a_folder_is_not_told_of() {
    let folder = Folder::with("");
    std::fs::create_dir(folder.path("logs")).unwrap();
    for file in ["own.log", "logs/own.log", "logs/$listener/of.log", "logs/a-$listener.log", "$listener.log", "-", "/dev/null", "syslog:"] {
        folder.write("routes.toml", &format!("[listener.a]\nlisten = \"127.0.0.1:0\"\nrespond = \"\"\n[access_log.a]\nfile = {file:?}\n"));
        assert_eq!(told(&folder.path("routes.toml")), BTreeSet::new(), "{file}");
    }
}
