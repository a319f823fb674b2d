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
    let expected = "against old.toml: 1 listener is new
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

/// What is said of a change from one whole configuration to another, both of which may name lists.
fn of(old: &str, new: &str, lists: &[(&str, &str)]) -> String {
    let folder = Folder::with(new);
    folder.write("old.toml", old);
    lists.iter().for_each(|(name, text)| folder.write(name, text));
    let Said { status, out, err } = folder.run(&["check", "--against", "old.toml"]);
    assert_eq!(status, Some(0), "{err}");
    out.split_once('\n').unwrap().1.to_owned()
}

#[test]
fn an_entry_of_a_list_is_told_with_its_own_line() {
    let new = OLD.replace("not_tls = \"web\"", "not_tls = \"web\"\nhosts_files = [\"new.map\"]");
    let old = new.replace("new.map", "old.map");
    let lists = [("old.map", "a.example web\nb.example web\n"), ("new.map", "# tenants\na.example web\nb.example shop\n")];
    let told = of(&old, &new, &lists);
    assert!(told.contains("  b.example  upstream web -> upstream shop   old.map:2 -> new.map:3\n"), "{told}");
    assert!(told.starts_with("against old.toml: 1 entry leads elsewhere\n"), "{told}");
}

/// A guard, a rule and a listener that all name one network.
fn with_office(office: &str) -> String {
    let guarded = OLD
        .replace("from = [\"10.0.0.0/8\"]", "from = [\"office\"]")
        .replace("\"gone.example\" = \"shop\"", "\"gone.example\" = { upstream = \"shop\", access = [\"allow office\", \"deny all\"] }");
    format!(
        "[networks]\noffice = {office}\n{}",
        guarded.replace("routes = \"dmz\"", "routes = \"dmz\"\naccess = [\"allow office\", \"deny all\"]")
    )
}

#[test]
fn what_a_network_gains_and_loses_is_told_with_all_that_it_opens() {
    let (old, new) = (with_office("[\"10.0.0.0/8\", \"192.0.2.0/24\"]"), with_office("[\"10.0.0.0/8\", \"198.51.100.0/25\"]"));
    let told = of(&old, &new, &[]);
    let expected = "\
against old.toml: 2 entries lead elsewhere, 1 network has other addresses
listener https changed: who may come: other addresses in its access
routes dmz (listener https):
  api.example   from office: upstream shop; else upstream web -> from office: upstream shop; else upstream web (for other addresses)   old.toml:17 -> routes.toml:17
  gone.example  upstream shop, access \"allow office\", \"deny all\" -> upstream shop, access \"allow office\", \"deny all\" (for other addresses)   old.toml:16 -> routes.toml:16
network office changed: new 198.51.100.0/25; no longer 192.0.2.0/24
";
    assert_eq!(told, expected);
}

#[test]
fn a_network_that_is_written_in_another_way_changes_nothing() {
    let (old, new) = (with_office("[\"10.0.0.0/8\"]"), with_office("[\"10.128.0.0/9\", \"10.0.0.0/9\", \"10.1.0.0/16\"]"));
    assert_eq!(of(&old, &new, &[]), "against old.toml: every name leads where it did\n");
    let listed = with_office("{ file = \"office.txt\" }");
    assert_eq!(of(&old, &listed, &[("office.txt", "10.0.0.0/8\n")]), "against old.toml: every name leads where it did\n");
}

#[test]
fn a_network_in_a_file_is_compared_by_what_is_in_it() {
    let (old, new) = (with_office("{ file = \"old.txt\" }"), with_office("{ file = \"new.txt\" }"));
    let some: String = (0..12).map(|n| format!("198.51.100.{}/32\n", 2 * n)).collect();
    let told = of(&old, &new, &[("old.txt", "10.0.0.0/8\n"), ("new.txt", &format!("10.0.0.0/8\n{some}"))]);
    let expected = "network office changed: new 198.51.100.0/32, 198.51.100.2/32, 198.51.100.4/32, 198.51.100.6/32, \
                    198.51.100.8/32, 198.51.100.10/32, 198.51.100.12/32, 198.51.100.14/32, 4 more\n";
    assert!(told.contains(expected) && told.contains("2 entries lead elsewhere"), "{told}");
}

#[test]
fn hosts_of_one_target_are_told_each_if_its_network_changes() {
    let with = |office: &str| {
        with_office(office)
            .replace("\"shop.example\" = \"web\"", "\"shop.example\" = { upstream = \"web\", from = [\"office\"] }")
            .replace("access = [\"allow office\", \"deny all\"] }", "from = [\"office\"] }")
    };
    let told = of(&with("[\"10.0.0.0/8\"]"), &with("[\"10.0.0.0/9\"]"), &[]);
    assert!(told.starts_with("against old.toml: 3 entries lead elsewhere"), "{told}");
    assert!(told.contains("network office changed: no longer 10.128.0.0/9\n"), "{told}");
}

const MAP: &str = r#"
[map.to]
of = "$remote_addr"
default = "web"
values = { "a" = "1", "b" = "2", "c" = "3" }
hosts = { "*.example" = "4" }
ranges = { "10.0.0.0/8" = "5" }
patterns = [{ match = "^x", value = "6" }, { match = "^xy", value = "7" }]
[map.share]
of = "$remote_addr"
shares = [{ percent = 10, value = "canary" }, { value = "stable" }]
"#;

/// What is said of maps that are changed by each of these.
fn maps(changes: &[(&str, &str)]) -> String {
    let used = OLD.replace("\"shop.example\" = \"web\"", "\"shop.example\" = \"$to$share:443\"");
    let new = changes.iter().fold(MAP.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    of(&format!("{used}{MAP}"), &format!("{used}{new}"), &[])
}

#[test]
fn a_map_is_told_by_its_rows_that_changed() {
    assert_eq!(maps(&[]), "against old.toml: every name leads where it did\n");
    let told = maps(&[
        ("\"a\" = \"1\", \"b\" = \"2\"", "\"b\" = \"9\", \"d\" = \"1\""),
        ("\"*.example\" = \"4\"", "\"*.example\" = \"8\""),
        ("\"10.0.0.0/8\"", "\"10.0.0.0/9\""),
        ("default = \"web\"", "default = \"shop\""),
    ]);
    let expected = "against old.toml: 1 map says something else
map to changed: no longer \"a\"; \"b\": \"2\" -> \"9\"; new \"d\": \"1\"; \"*.example\": \"4\" -> \"8\"; no longer \"10.0.0.0/8\"; new \"10.0.0.0/9\": \"5\"; default \"web\" -> \"shop\"
";
    assert_eq!(told, expected);
}

#[test]
fn patterns_of_a_map_are_told_by_their_values_or_their_order() {
    assert!(maps(&[("\"7\"", "\"8\"")]).contains("map to changed: \"^xy\": \"7\" -> \"8\"\n"));
    let told = maps(&[
        ("\"^x\", value = \"6\"", "\"^xy\", value = \"7\""),
        (", { match = \"^xy\", value = \"7\" }]", ", { match = \"^x\", value = \"6\" }]"),
    ]);
    assert!(told.contains("map to changed: its patterns in another order\n"), "{told}");
}

#[test]
fn shares_and_the_text_that_is_looked_up_are_part_of_a_map() {
    let told = maps(&[("percent = 10", "percent = 20"), ("of = \"$remote_addr\"", "of = \"$ssl_preread_server_name\"")]);
    let expected = "against old.toml: 2 maps say something else
map share changed: shares 10 % \"canary\", the rest \"stable\" -> 20 % \"canary\", the rest \"stable\"
map to changed: of \"$remote_addr\" -> \"$ssl_preread_server_name\"
";
    assert_eq!(told, expected);
}

#[test]
fn networks_and_maps_stand_in_json_too() {
    let folder = Folder::with(&with_office("[\"10.0.0.0/9\"]"));
    folder.write("old.toml", &with_office("[\"10.0.0.0/8\"]"));
    let json: Value = serde_json::from_str(&folder.run(&["check", "--json", "--against", "old.toml"]).out).unwrap();
    assert_eq!(json["against"]["networks"][0]["details"][0], "no longer 10.128.0.0/9");
    assert_eq!(json["against"]["maps"], serde_json::json!([]));
}

#[test]
fn a_file_that_both_sides_read_is_told() {
    let folder = Folder::with(
        "include = [\"routes.d/*.toml\"]\n[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"dmz\"\n\
         [routes.dmz]\nhosts_files = \"tenants.map\"\ndefault = { upstream = \"shop\", from = [\"office\"] }\n\
         [networks]\noffice = { file = \"office.list\" }\n",
    );
    std::fs::create_dir(folder.path("routes.d")).unwrap();
    folder.write("routes.d/shop.toml", "[upstream.shop]\nservers = [\"10.0.0.1:443\"]\n");
    folder.write("tenants.map", "a.example shop\n");
    folder.write("office.list", "10.0.0.0/8\n");
    folder.write("old.toml", &std::fs::read_to_string(folder.path("routes.toml")).unwrap());
    let out = folder.run(&["check", "--against", "old.toml"]).out;
    for file in ["routes.d/shop.toml", "tenants.map", "office.list"] {
        assert!(out.contains(&format!("\nnote: both read {file}: what changed in it is not seen\n")), "{out}");
    }
    let json: Value = serde_json::from_str(&folder.run(&["check", "--json", "--against", "old.toml"]).out).unwrap();
    assert_eq!(json["against"]["read_by_both"], serde_json::json!(["routes.d/shop.toml", "office.list", "tenants.map"]));
}

#[test]
fn files_of_another_folder_are_another_side() {
    let main =
        "include = [\"routes.d/*.toml\"]\n[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"dmz\"\n[routes.dmz]\ndefault = \"shop\"\n";
    let folder = Folder::with(main);
    std::fs::create_dir_all(folder.path("before/routes.d")).unwrap();
    std::fs::create_dir(folder.path("routes.d")).unwrap();
    folder.write("before/routes.toml", main);
    folder.write("before/routes.d/shop.toml", "[upstream.shop]\nservers = [\"10.0.0.1:443\"]\n");
    folder.write("routes.d/shop.toml", "[upstream.shop]\nservers = [\"10.0.0.2:443\"]\n");
    let out = folder.run(&["check", "--against", "before/routes.toml"]).out;
    assert!(!out.contains("note:") && out.contains("new server 10.0.0.2:443"), "{out}");
}

#[test]
fn a_listener_with_another_name_is_the_one_that_listens_there() {
    let told = compared(&[("[listener.https]", "[listener.web]"), ("\"shop.example\" = \"web\"", "\"shop.example\" = \"shop\"")]);
    let expected = "against old.toml: 1 entry leads elsewhere
listener web changed: was named https
routes dmz (listener web):
  shop.example  upstream web -> upstream shop   old.toml:11 -> routes.toml:11
";
    assert_eq!(told, expected);
}

#[test]
fn a_listener_that_is_new_or_gone_is_in_the_summary() {
    let told = compared(&[("[listener.https]\nlisten = \"127.0.0.1:0\"", "[listener.web]\nlisten = \"127.0.0.2:0\"")]);
    assert!(told.starts_with("against old.toml: 1 listener is new, 1 listener is gone\n"), "{told}");
}

#[test]
fn intertwined_patterns_hold_nobody_up() {
    let patterns = |target: &str| -> String {
        (10..30).map(|n| format!("[[routes.dmz.patterns]]\nhost = '(?:a|b)*a(?:a|b){{{n}}}'\nupstream = \"{target}\"\n")).collect()
    };
    let with = |target| {
        format!(
            "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"dmz\"\n[upstream.web]\nservers = [\"10.0.0.1:443\"]\n[upstream.shop]\nservers = [\"10.0.0.2:443\"]\n[routes.dmz]\ndefault = \"web\"\nno_sni = \"shop\"\n{}",
            patterns(target)
        )
    };
    let folder = Folder::with(&with("web"));
    folder.write("old.toml", &with("shop"));
    let Said { status, out, err } = folder.run(&["check", "--against", "old.toml"]);
    assert_eq!(status, Some(0), "{err}");
    assert!(err.contains("would take too long to find out"), "{err}");
    assert!(out.contains("not all could be decided"), "{out}");
}
