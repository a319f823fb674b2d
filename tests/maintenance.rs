//! `maintenance`: new sessions go elsewhere for the time being. `note`: what the operator wants to be reminded of.

use crate::harness::program::Folder;
use crate::harness::{Gate, Server};

const LOG: &str = "[access_log.json]\nfile = \"{folder}/json\"\nformat = \"json\"\n";

fn routes(old: &Server, new: &Server, target: &str) -> String {
    format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n[routes.map.hosts]\n\
         \"shop.test\" = {target}\n[upstream.old]\nservers = [\"{}\"]\n[upstream.new]\nservers = [\"{}\"]\n{LOG}",
        old.address, new.address
    )
}

#[tokio::test]
async fn new_sessions_go_there_and_the_log_says_so() {
    let (old, new) = (Server::named("old").await, Server::named("new").await);
    let gate = Gate::start(&routes(&old, &new, "{ upstream = \"old\", maintenance = \"new\", note = \"CHG42\" }"));
    assert_eq!(gate.ask("shop.test").await, "new");
    let line: serde_json::Value = serde_json::from_str(&gate.lines("json", 1).await[0]).unwrap();
    assert_eq!([&line["route"], &line["upstream"], &line["note"]], ["shop.test", "new", "CHG42"]);
    assert_eq!(line["maintenance"], true);
    assert_eq!(old.connections(), 0);
}

#[tokio::test]
async fn an_address_or_a_template_may_stand_for_the_other_place() {
    let (old, new) = (Server::named("old").await, Server::named("new").await);
    for other in [new.address.to_string(), "$listener".to_owned()] {
        let routes = routes(&old, &new, &format!("{{ upstream = \"old\", maintenance = \"{other}\" }}"));
        let gate = Gate::start(&routes.replace("[upstream.new]", "[upstream.https]"));
        assert_eq!(gate.ask("shop.test").await, "new", "{other}");
    }
}

#[tokio::test]
async fn guards_and_the_order_of_targets_stay() {
    let (old, new) = (Server::named("old").await, Server::named("new").await);
    let targets = "[{ from = [\"127.0.0.2\"], upstream = \"old\", maintenance = \"new\" }, \"old\"]";
    let gate = Gate::start(&routes(&old, &new, targets));
    assert_eq!(gate.ask_from("127.0.0.2", "shop.test").await, "new");
    assert_eq!(gate.ask_from("127.0.0.3", "shop.test").await, "old");
    let lines = gate.lines("json", 2).await;
    assert!(lines[1].contains("\"maintenance\":false"), "{lines:?}");
}

#[test]
fn route_tells_of_access_limits_notes_and_maintenance() {
    let folder = Folder::with(
        r#"[listener.https]
listen = ":443"
routes = "map"
access = ["allow 10.0.0.0/8", "deny all"]
limits = ["per_ip"]

[routes.map.hosts]
"shop.test" = { upstream = "10.0.0.1:443", maintenance = "10.0.0.2:443", note = "CHG42, until Friday" }
"chat.test" = { upstream = "10.0.0.1:443", access = ["deny 10.0.0.7"], limits = ["dry"] }

[limit.per_ip]
key = "$binary_remote_addr"
connections = 20

[limit.dry]
connections = 5
dry_run = true
"#,
    );
    let route = |arguments: &[&str]| folder.run(&[&["route"], arguments].concat()).out;
    let shop = route(&["--sni", "shop.test", "--from", "10.0.0.9"]);
    for line in [
        "  access               allowed by \"allow 10.0.0.0/8\"\n",
        "  limits               per_ip\n",
        "  -> upstream 10.0.0.2:443, passed through",
        "     in maintenance (routes.toml:8): in place of what the target says\n",
        "     note: CHG42, until Friday\n",
    ] {
        assert!(shop.contains(line), "{line}{shop}");
    }
    let denied = route(&["--sni", "shop.test", "--from", "192.0.2.1"]);
    assert!(denied.ends_with("  access               denied by \"deny all\"\n  -> closed before anything is read\n"), "{denied}");
    let chat = route(&["--sni", "chat.test", "--from", "10.0.0.7"]);
    assert!(chat.ends_with("    access             denied by \"deny 10.0.0.7\"\n  -> refused with the alert access_denied\n"), "{chat}");
    let chat = route(&["--sni", "chat.test", "--from", "10.0.0.8"]);
    assert!(chat.contains("    access             allowed, no rule fits\n    limits             dry (dry run)\n"), "{chat}");
}
