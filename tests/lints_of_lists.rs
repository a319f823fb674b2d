//! What a check tells of hosts that stand in lists, and what is allowed there.

use std::collections::BTreeSet;

use crate::harness::program::Folder;
use crate::lints::told;

/// A map whose hosts stand in `hosts.map`.
const MAP: &str = "[listener.https]\nlisten = \"127.0.0.1:8443\"\nroutes = \"dmz\"\n[routes.dmz]\nhosts_files = \"hosts.map\"\n";

/// What is told of a list, and what else the file has.
fn told_of(list: &str, more: &str) -> BTreeSet<&'static str> {
    let folder = Folder::with(&format!("{MAP}{more}"));
    folder.write("hosts.map", list);
    told(&folder.path("routes.toml"))
}

fn nothing() -> BTreeSet<&'static str> {
    BTreeSet::new()
}

#[test]
fn a_host_of_a_list_that_leads_back_is_told_at_its_line() {
    let folder = Folder::with(MAP);
    folder.write("hosts.map", "a.example 10.0.0.1:443\nb.example 127.0.0.1:8443\nc.example 127.0.0.1:8443\n");
    let said = folder.run(&["check"]);
    let expected =
        "warning[loop]: this leads back to [listener.https] itself: each connection would open the next one\n --> hosts.map:2:11\n";
    assert!(said.err.starts_with(expected), "{}", said.err);
    assert_eq!(said.err.matches("warning[").count(), 1, "{}", said.err);
    assert_eq!(told_of("a.example 127.0.0.1:8444\n", ""), nothing());
}

#[test]
fn a_list_counts_for_how_long_its_servers_are_waited_for() {
    let more = "[defaults]\nconnect_timeout = \"30s\"\n[upstream.web]\nservers = [\"10.0.0.1:443\", \"10.0.0.2:443\"]\n";
    assert_eq!(told_of("a.example web\n", more), BTreeSet::from(["short-fail-timeout"]));
    assert_eq!(told_of("a.example web\n", &more.replace("30s", "3s")), nothing());
}

#[test]
fn hosts_of_a_list_share_connections_as_others_do() {
    let good = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/certs/good.pem");
    let more = format!(
        "[routes.dmz.hosts]\n\"a.good.test\" = {{ upstream = \"10.0.0.1:80\", terminate = \"h2\" }}\n\
         [lints]\nopen-private-key = \"allow\"\n[terminate.h2]\nalpn = [\"h2\"]\ncertificates = {good:?}\n"
    );
    let coalescing = BTreeSet::from(["coalescing"]);
    assert_eq!(told_of("b.good.test 10.0.0.2:443\n", &more), coalescing, "by a wildcard of the certificate");
    assert_eq!(told_of("good.test 10.0.0.2:443\n", &more), coalescing, "by its exact name");
    assert_eq!(told_of("*.good.test 10.0.0.2:443\n", &more), coalescing, "by a wildcard of the list");
    assert_eq!(told_of("b.good.test 10.0.0.1:80\na.b.other.test 10.0.0.2:443\n", &more), nothing());
}

#[test]
fn a_line_of_a_list_may_be_allowed() {
    let secure = "[upstream.secure]\nservers = [\"10.0.0.1:443\"]\ntls = { verify = false }\n[lints]\nunverified-servers = \"allow\"\n";
    assert_eq!(told_of("a.example secure\n", secure), BTreeSet::from(["tls-in-tls"]));
    assert_eq!(told_of("a.example secure # vestibule: allow(tls-in-tls) meant\n", secure), nothing());
    assert_eq!(told_of("# vestibule: allow(tls-in-tls)\na.example secure\n", secure), nothing());
}

#[test]
fn a_comment_in_a_list_that_allows_nothing_is_told() {
    let needless = BTreeSet::from(["needless-allow"]);
    assert_eq!(told_of("a.example 10.0.0.1:443 # vestibule: allow(loop)\n", ""), needless);
    let networks = "[networks]\noffice = { file = \"hosts.map\" }\n[listener.ssh]\nlisten = \"127.0.0.1:2222\"\n\
                    upstream = \"10.0.0.1:22\"\naccess = [\"allow office\", \"deny all\"]\n";
    let folder = Folder::with(networks);
    folder.write("hosts.map", "10.0.0.0/8 # vestibule: allow(loop)\n");
    assert_eq!(told(&folder.path("routes.toml")), needless);
}

/// What is asked over TLS.
const SECURE: &str = "[upstream.secure]\nservers = [\"10.0.0.1:443\"]\ntls = { verify = false }\n[lints]\nunverified-servers = \"allow\"\n";

#[test]
fn tls_into_tls_is_told_once_of_a_list_with_how_many_lines_there_are() {
    let folder = Folder::with(&format!("{MAP}{SECURE}"));
    folder.write("hosts.map", "a.example secure\nb.example 10.0.0.2:443\nc.example secure\nd.example secure\n");
    let said = folder.run(&["check"]).err;
    let expected = "asked over, and so it does in 2 more lines of this list\n --> hosts.map:1:11\n";
    assert!(said.contains(expected) && said.matches("warning[").count() == 1, "{said}");
}

#[test]
fn what_is_told_once_of_a_list_may_be_allowed_at_its_first_line_or_where_the_list_is_named() {
    let list = "a.example secure # vestibule: allow(tls-in-tls)\nb.example secure\n";
    assert_eq!(told_of(list, SECURE), nothing());
    let each = "a.example secure # vestibule: allow(tls-in-tls)\nb.example secure # vestibule: allow(tls-in-tls)\n";
    assert_eq!(told_of(each, SECURE), nothing(), "no comment is needless");
    let second = "a.example secure\nb.example secure # vestibule: allow(tls-in-tls)\n";
    assert_eq!(told_of(second, SECURE), BTreeSet::from(["tls-in-tls"]), "the first is still told");
    let another = "a.example secure # vestibule: allow(tls-in-tls)\nb.example 10.0.0.2:443 # vestibule: allow(tls-in-tls)\n";
    assert_eq!(told_of(another, SECURE), BTreeSet::from(["needless-allow"]), "that leads elsewhere");
    let named = MAP.replace("\"hosts.map\"", "\"hosts.map\" # vestibule: allow(tls-in-tls)");
    let folder = Folder::with(&format!("{named}{SECURE}"));
    folder.write("hosts.map", "a.example secure\nb.example secure\n");
    assert_eq!(told(&folder.path("routes.toml")), nothing());
}
