//! `check --against OLD`: which names a change sends elsewhere, and what else it does.

use serde_json::Value;

use crate::harness::program::{Folder, Said};

const OLD: &str = r#"
[listener.https]
listen = "127.0.0.1:0"
routes = "dmz"

[routes.dmz]
default = "web"
not_tls = "web"

[routes.dmz.hosts]
"shop.example" = "web"
"login.example" = { upstream = "web", idle_timeout = "1m" }
"gone.example" = "shop"
"api.example" = [{ upstream = "shop", from = ["10.0.0.0/8"] }, { upstream = "web" }]

[[routes.dmz.patterns]]
host = '(?<tenant>[a-z0-9-]+)\.apps\.example'
upstream = "${tenant}.internal.example:443"

[upstream.web]
servers = ["10.0.0.1:443", "10.0.0.2:443"]

[upstream.shop]
servers = ["10.0.0.3:443"]
"#;

/// `OLD`, changed by each of these, and what is said of that.
fn compared(changes: &[(&str, &str)]) -> String {
    let new = changes.iter().fold(OLD.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    let folder = Folder::with(&new);
    folder.write("old.toml", OLD);
    let Said { status, out, err } = folder.run(&["check", "--against", "old.toml"]);
    assert_eq!(status, Some(0), "{err}");
    let (usable, rest) = out.split_once('\n').unwrap();
    assert!(usable.ends_with(": usable"), "{usable}");
    rest.to_owned()
}

#[test]
fn the_same_configuration_changes_nothing() {
    assert_eq!(compared(&[]), "against old.toml: every name leads where it did\n");
    assert_eq!(compared(&[("10.0.0.3:443", "10.0.0.3:443")]), "against old.toml: every name leads where it did\n");
}

#[test]
fn each_entry_that_leads_elsewhere_is_told_with_a_name_and_both_places() {
    let told = compared(&[
        ("\"shop.example\" = \"web\"", "\"shop.example\" = \"shop\"\n\"*.apps.example\" = \"shop\""),
        ("\"gone.example\" = \"shop\"\n", ""),
        ("not_tls = \"web\"\n", ""),
    ]);
    let expected = "against old.toml: 5 entries lead elsewhere
routes dmz (listener https):
  gone.example     upstream shop -> upstream web (default)   old.toml:13 -> routes.toml:7
  shop.example     upstream web -> upstream shop   old.toml:11 -> routes.toml:10
  *.apps.example   upstream web (default) -> upstream shop   e.g. _.apps.example, old.toml:7 -> routes.toml:11
  *.apps.example   \"${tenant}.internal.example:443\" ((?<tenant>[a-z0-9-]+)\\.apps\\.example) -> upstream shop   e.g. a.apps.example, old.toml:17 -> routes.toml:11
  what is not TLS  upstream web -> closed   old.toml:8
";
    assert_eq!(told, expected);
}

#[test]
fn of_guarded_targets_the_one_that_changed_is_told() {
    let told = compared(&[("{ upstream = \"shop\", from", "{ upstream = \"10.0.0.9:443\", from")]);
    let expected = "  api.example  target 1: from 10.0.0.0/8: upstream shop -> target 1: from 10.0.0.0/8: 10.0.0.9:443   old.toml:14 -> routes.toml:14\n";
    assert!(told.contains(expected), "{told}");
    let told = compared(&[("10.0.0.0/8", "10.0.0.0/9")]);
    assert!(told.contains("target 1: from 10.0.0.0/8: upstream shop -> target 1: from 10.0.0.0/9: upstream shop"), "{told}");
}

#[test]
fn other_settings_are_told_apart_from_other_targets() {
    let told = compared(&[("idle_timeout = \"1m\"", "idle_timeout = \"2m\"")]);
    let expected = "against old.toml: 1 entry has other settings
routes dmz (listener https):
  the same target, other settings:
  login.example  idle_timeout 60s -> idle_timeout 2m   old.toml:12 -> routes.toml:12
";
    assert_eq!(told, expected);
}

#[test]
fn the_same_change_of_many_names_is_one_line() {
    let names: String = (0..1000).map(|n| format!("\"host{n}.example\" = \"web\"\n")).collect();
    let folder =
        Folder::with(&OLD.replace("[routes.dmz.hosts]\n", &format!("[routes.dmz.hosts]\n{}", names.replace("\"web\"", "\"shop\""))));
    folder.write("old.toml", &OLD.replace("[routes.dmz.hosts]\n", &format!("[routes.dmz.hosts]\n{names}")));
    let out = folder.run(&["check", "--against", "old.toml"]).out;
    let expected = "  1000 names  upstream web -> upstream shop   e.g. host0.example, host1.example, host10.example\n";
    assert!(out.contains(expected) && out.lines().count() == 4, "{out}");
}

#[test]
fn a_pattern_that_captures_something_else_leads_elsewhere() {
    let told = compared(&[("(?<tenant>[a-z0-9-]+)", "(?:x-)?(?<tenant>[a-z0-9-]+)")]);
    assert!(told.contains("(by other addresses, or with other captures)"), "{told}");
}

#[test]
fn upstreams_and_listeners_are_told_by_what_changed() {
    let told = compared(&[
        (
            "servers = [\"10.0.0.1:443\", \"10.0.0.2:443\"]",
            "balance = \"least_conn\"\nservers = [\"10.0.0.1:443\", { address = \"10.0.0.4:443\", weight = 2 }]",
        ),
        ("listen = \"127.0.0.1:0\"", "listen = [\"127.0.0.1:0\", \"127.0.0.2:0\"]\naccess = [\"deny 10.0.0.0/8\", \"allow all\"]"),
        ("[upstream.shop]", "[listener.more]\nlisten = \"127.0.0.3:0\"\nupstream = \"web\"\n[upstream.shop]"),
    ]);
    let expected = "against old.toml: every name leads where it did
listener https changed: now also on 127.0.0.2:0 (TCP); who may come: everybody -> access \"deny 10.0.0.0/8\", \"allow all\"
listener more new: on 127.0.0.3:0 (TCP)
upstream web changed: new server 10.0.0.4:443; no longer server 10.0.0.2:443; balance round_robin -> least_conn
";
    assert_eq!(told, expected);
}

#[test]
fn a_listener_that_uses_another_map_is_compared_by_what_it_does() {
    let folder = Folder::with(
        &OLD.replace("routes.dmz", "routes.inner")
            .replace("routes = \"dmz\"", "routes = \"inner\"")
            .replace("\"shop.example\" = \"web\"", ""),
    );
    folder.write("old.toml", OLD);
    let out = folder.run(&["check", "--against", "old.toml"]).out;
    assert!(out.contains("against old.toml: every name leads where it did"), "{out}");
    folder.write("old.toml", &OLD.replace("\"shop.example\" = \"web\"", "\"shop.example\" = \"shop\""));
    let out = folder.run(&["check", "--against", "old.toml"]).out;
    assert!(out.contains("routes dmz -> routes inner (listener https):\n  shop.example  upstream shop -> upstream web (default)"), "{out}");
}

#[test]
fn programs_get_all_of_it_as_json() {
    let folder = Folder::with(&OLD.replace("\"shop.example\" = \"web\"", "\"shop.example\" = \"shop\""));
    folder.write("old.toml", OLD);
    let Said { status, out, .. } = folder.run(&["check", "--json", "--against", "old.toml"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((status, &json["usable"]), (Some(0), &Value::Bool(true)));
    let row = &json["against"]["routes"][0]["targets"][0];
    assert_eq!(row["what"], "shop.example");
    assert_eq!((&row["old"]["leads"], &row["new"]["leads"]), (&"upstream web".into(), &"upstream shop".into()));
    assert_eq!((&row["old"]["place"], &row["new"]["place"]), (&"old.toml:11".into(), &"routes.toml:11".into()));
}

#[test]
fn an_old_file_that_is_wrong_or_not_there_is_an_error_of_its_own() {
    let folder = Folder::with(OLD);
    folder.write("old.toml", &OLD.replace("\"shop.example\" = \"web\"", "\"shop.example\" = \"shpo\""));
    let Said { status, err, .. } = folder.run(&["check", "--against", "old.toml"]);
    assert_eq!(status, Some(2));
    assert!(err.contains("no upstream is named \"shpo\"") && err.contains("\nold.toml: 1 error"), "{err}");
    let Said { status, err, .. } = folder.run(&["check", "--against", "nothing.toml"]);
    assert!(status == Some(2) && err.contains("nothing.toml can't be read"), "{err}");
}

#[test]
fn what_runs_cannot_be_asked_yet_and_that_is_said() {
    let Said { status, out, err } = Folder::with(OLD).run(&["check", "--against", "running"]);
    assert_eq!((status, &*out), (Some(2), ""));
    assert!(err.contains("gateways cannot be asked yet") && err.contains("./running"), "{err}");
}

#[test]
fn an_entry_of_a_list_is_told_with_its_own_file_and_line() {
    let with_list = |list: &str| OLD.replace("[routes.dmz]", &format!("[routes.dmz]\nhosts_files = \"{list}\""));
    let folder = Folder::with(&with_list("new.map"));
    folder.write("old.toml", &with_list("old.map"));
    folder.write("old.map", "# tenants\n*.tenants.example web\n");
    folder.write("new.map", "# tenants\n\na.example shop\n*.tenants.example shop\n");
    let Said { status, out, err } = folder.run(&["check", "--against", "old.toml"]);
    assert_eq!(status, Some(0), "{err}");
    for place in ["old.map:2", "new.map:3", "new.map:4"] {
        assert!(out.contains(place), "{place}: {out}");
    }
}

#[test]
fn rates_are_told_as_they_may_be_written() {
    let with_rate = |rate: &str| format!("\"login.example\" = {{ upstream = \"web\", idle_timeout = \"1m\", upload_rate = \"{rate}\" }}");
    let told = compared(&[("\"login.example\" = { upstream = \"web\", idle_timeout = \"1m\" }", &with_rate("8Mbit/s"))]);
    assert!(told.contains("upload_rate unlimited") && told.contains("upload_rate 8Mbit/s"), "{told}");
}
