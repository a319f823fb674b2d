//! Variables of the user's own: what they are asked for, and what is done by their answers.

use crate::harness::hellos::{alpn, client_hello};
use crate::harness::tls::connect_tls;
use crate::harness::tls_server::TlsServer;
use crate::harness::{Authority, Gate, Process, Server, Spec, alert, answer, connect, connect_from, connect_narrow, hello, read, said};

const ACCESS_DENIED: u8 = 49;

/// A gate whose listener `https` leads to what a template says; `more` stands behind. Each session leaves a line in `log`.
fn gate(upstream: &str, format: &str, more: &str) -> Gate {
    Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"{upstream}\"\npreread = \"tls\"\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"{format}\"\n{more}"
    ))
}

/// Two servers with the upstreams `blue` and `green`.
async fn blue_and_green() -> (Server, Server, String) {
    let (blue, green) = (Server::named("blue").await, Server::named("green").await);
    let upstreams = format!("[upstream]\nblue.servers = [\"{}\"]\ngreen.servers = [\"{}\"]\n", blue.address, green.address);
    (blue, green, upstreams)
}

#[tokio::test]
async fn the_server_name_chooses_the_upstream() {
    let (_blue, green, upstreams) = blue_and_green().await;
    let map = format!(
        "[map.backend]\nof = \"$ssl_preread_server_name\"\ndefault = \"blue\"\n\
         values = {{ \"Green.test\" = \"green\" }}\nhosts = {{ \"*.green.test\" = \"{}\" }}\n\
         patterns = [{{ match = '^(blue|green)-[0-9]', value = \"$by_colour\" }}]\n\
         [map.by_colour]\nof = \"$ssl_preread_server_name\"\npatterns = [{{ match = '^green-', value = \"green\" }}]\ndefault = \"blue\"\n",
        green.address
    );
    let gate = gate("$backend", "$backend $upstream", &(map + &upstreams));
    for (name, expected) in [
        ("green.TEST", "green"),
        ("deep.in.green.test", "green"),
        ("Deep.green.test.", "green"),
        ("green-1.test", "green"),
        ("blue-1.test", "blue"),
        ("agreen.test", "blue"),
    ] {
        assert_eq!(gate.ask(name).await, expected, "{name}");
    }
    assert_eq!(gate.lines("log", 6).await[1], format!("{0} {0}", green.address));
}

#[tokio::test]
async fn the_clients_address_chooses_the_upstream() {
    let (_blue, _green, upstreams) = blue_and_green().await;
    let map = "[networks]\noffice = [\"127.0.0.2\", \"127.0.4.0/24\"]\n[map.backend]\nof = \"$remote_addr\"\n\
               ranges = { office = \"green\", \"127.0.0.0/8\" = \"blue\", \"127.0.4.7\" = \"blue\" }\n";
    let gate = gate("$backend", "$remote_addr", &format!("{map}{upstreams}"));
    for (client, expected) in [("127.0.0.1", "blue"), ("127.0.0.2", "green"), ("127.0.4.9", "green"), ("127.0.4.7", "blue")] {
        assert_eq!(gate.ask_from(client, "a.test").await, expected, "{client}");
    }
}

#[tokio::test]
async fn the_offered_protocols_choose_the_upstream() {
    let (_blue, _green, upstreams) = blue_and_green().await;
    let map = "[map.backend]\nof = \"$ssl_preread_alpn_protocols\"\ndefault = \"blue\"\n\
               values = { \"h2,http/1.1\" = \"green\" }\npatterns = [{ match = '\\bacme-tls/1\\b', value = \"green\" }]\n";
    let gate = gate("$backend", "$backend", &format!("{map}{upstreams}"));
    for (offered, expected) in [(&["h2", "http/1.1"][..], "green"), (&["http/1.1"], "blue"), (&["x", "acme-tls/1"], "green")] {
        let hello = client_hello(&Spec::default().with(alpn(offered)));
        assert_eq!(answer(&mut gate.connect().await, &hello).await, expected, "{offered:?}");
    }
}

#[tokio::test]
async fn a_client_stays_with_its_share() {
    let (blue, green, upstreams) = blue_and_green().await;
    let map = "[map.ring]\nof = \"$remote_addr\"\nshares = [{ percent = 30, value = \"green\" }, { value = \"blue\" }]\n";
    let gate = gate("$ring", "$ring", &format!("{map}{upstreams}"));
    for client in 1..=40 {
        let client = format!("127.0.0.{client}");
        let first = gate.ask_from(&client, "a.test").await;
        assert_eq!(gate.ask_from(&client, "b.test").await, first, "{client}");
    }
    assert!(green.connections() > 0 && blue.connections() > green.connections(), "{} of 80 went to the canary", green.connections());
}

#[tokio::test]
async fn what_is_in_no_share_has_the_default() {
    let map = "[map.ring]\nof = \"$remote_addr\"\nshares = [{ percent = 0.01, value = \"few\" }]\ndefault = \"most\"\n";
    let gate = Gate::start(&format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nrespond = \"$ring\"\n{map}"));
    assert_eq!(said(&mut gate.connect().await).await, "most");
}

#[tokio::test]
async fn an_answer_is_looked_up() {
    let map = "[map.who]\nof = \"$remote_addr $server_port\"\ndefault = \"somebody\"\n\
               patterns = [{ match = '^127\\.0\\.0\\.(?<last>\\d+) ', value = \"number ${last} of $kind at $listener\" }]\n\
               [map.kind]\nof = \"$protocol\"\nvalues = { tcp = \"those with connections\" }\n";
    let gate = Gate::start(&format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nrespond = \"$who\"\n{map}"));
    let mut client = connect_from("127.0.0.9", gate.address("https")).await;
    assert_eq!(said(&mut client).await, "number 9 of those with connections at https");
    assert_eq!(said(&mut connect_from("127.0.1.9", gate.address("https")).await).await, "somebody");
}

#[tokio::test]
async fn a_map_finds_the_address_that_was_written_to_on_a_wildcard() {
    let map = "[map.door]\nof = \"$server_addr\"\ndefault = \"another\"\nranges = { \"127.0.0.7\" = \"the seventh\" }\n";
    let gate = Gate::start(&format!("[listener.https]\nlisten = \"0.0.0.0:0\"\nrespond = \"$door\"\n{map}"));
    let port = gate.address("https").port();
    assert_eq!(said(&mut connect(([127, 0, 0, 7], port).into()).await).await, "the seventh");
    assert_eq!(said(&mut connect(([127, 0, 0, 1], port).into()).await).await, "another");
}

#[tokio::test]
async fn a_log_tells_what_a_map_makes_of_the_end() {
    let server = Server::named("a").await;
    let map = "[map.size]\nof = \"$bytes_sent\"\ndefault = \"more\"\nvalues = { 0 = \"nothing\", 1 = \"a byte\" }\n";
    let gate = gate(&server.address.to_string(), "$size $bytes_sent", map);
    assert_eq!(gate.ask("a.test").await, "a");
    assert_eq!(gate.lines("log", 1).await, ["a byte 1"]);
}

#[tokio::test]
async fn a_map_over_the_time_gives_a_session_one_answer() {
    let map = "[map.moment]\nof = \"$msec\"\npatterns = [{ match = '^(.*)$', value = \"$1\" }]\n\
               [access_log.main]\nfile = \"{folder}/log\"\nformat = \"$moment\"\n";
    let gate = Gate::start(&format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nrespond = \"{}$moment\"\n{map}", "-".repeat(1 << 20)));
    // The log is written once the client has taken all of it, and so much fits into no buffer on the way.
    let mut client = connect_narrow(gate.address("https")).await;
    let first = read(&mut client, 1).await;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let told = said(&mut client).await;
    assert_eq!((&first[..], gate.lines("log", 1).await), (&b"-"[..], vec![told.trim_start_matches('-').to_owned()]));
}

#[tokio::test]
async fn an_address_that_the_operator_wrote_is_no_forward_whoever_chooses_it() {
    let server = Server::named("inside").await;
    let map = format!("[map.inside]\nof = \"$ssl_preread_server_name\"\nhosts = {{ \"a.test\" = \"{}\" }}\n", server.address);
    let gate = gate("$inside", "$close_reason", &map);
    assert_eq!(gate.ask("a.test").await, "inside", "on loopback, but nobody else can say so");
}

#[tokio::test]
async fn an_address_that_a_map_copies_from_the_client_is_a_forward() {
    let server = Server::named("secret").await;
    let port = server.address.port();
    for (map, name) in [
        (format!("patterns = [{{ match = '^(.+)\\.in\\.test$', value = \"$1:{port}\" }}]"), "localhost.in.test"),
        (format!("values = {{ localhost = \"$ssl_preread_server_name:{port}\" }}"), "localhost"),
        (
            format!(
                "default = \"$again:{port}\"\nvalues = {{ a = \"b\" }}\n[map.again]\nof = \"$ssl_preread_server_name\"\npatterns = [{{ match = '.*', value = \"$0\" }}]"
            ),
            "localhost",
        ),
    ] {
        let gate = gate("$inside", "$status $close_reason", &format!("[map.inside]\nof = \"$ssl_preread_server_name\"\n{map}\n"));
        assert_eq!(gate.hears(&hello(name)).await, alert(ACCESS_DENIED), "{map}");
        assert_eq!(gate.lines("log", 1).await, ["403 forward_refused"]);
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_map_that_copies_what_has_slashes_leads_to_no_socket() {
    let map = "[map.socket]\nof = \"$ssl_preread_alpn_protocols\"\npatterns = [{ match = '.*', value = \"$0\" }]\n";
    let gate = gate("unix:{folder}/apps/$socket", "$close_reason", map);
    std::fs::create_dir(gate.path("apps")).unwrap();
    let _outside = std::os::unix::net::UnixListener::bind(gate.path("outside")).unwrap();
    let hello = client_hello(&Spec::default().with(alpn(&["../outside"])));
    assert_eq!(gate.hears(&hello).await, alert(ACCESS_DENIED));
}

#[tokio::test]
async fn the_servers_name_is_told_by_the_entry_that_won() {
    let server = Server::named("a").await;
    let address = server.address;
    let gate = Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$route $server_name\"\n\
         [routes.map]\ndefault = \"{address}\"\n[routes.map.hosts]\n\".shop.test\" = \"{address}\"\n"
    ));
    gate.ask("deep.in.shop.test").await;
    gate.lines("log", 1).await;
    gate.ask("other.test").await;
    assert_eq!(gate.lines("log", 2).await, [".shop.test shop.test", "default -"]);
}

#[tokio::test]
async fn an_answer_may_use_what_a_pattern_took() {
    let authority = Authority::new();
    let profile = authority.profile("public", &["acme.apps.test"], "");
    let routes = "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n[[routes.map.patterns]]\n\
                  host = '(?<tenant>[a-z]+)\\.(apps)\\.test'\nrespond = \"${tenant} of $2\"\nterminate = \"public\"\n";
    let gate = Gate::start(&format!("{routes}{profile}"));
    let mut client = connect_tls(gate.address("https"), "acme.apps.test", authority.trusted()).await;
    assert_eq!(said(&mut client).await, "acme of apps");
}

#[tokio::test]
async fn a_server_is_not_left_alone_for_a_name_that_clients_have_chosen() {
    let authority = Authority::new();
    let (one, other) = (TlsServer::named("web", "api.test", &authority).await, TlsServer::named("web", "api.test", &authority).await);
    let gate = Process::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"web\"\npreread = \"tls\"\n\
         [map.name]\nof = \"$ssl_preread_server_name\"\ndefault = \"api.test\"\nvalues = {{ \"old.test\" = \"gone.test\" }}\n\
         [upstream.web]\nservers = [\"{}\", \"{}\"]\n[upstream.web.tls]\nserver_name = \"$name\"\nca = \"{}\"\n",
        one.server.address,
        other.server.address,
        authority.file().display()
    ))
    .await;
    // With `max_fails = 1` one of them would be enough.
    for _ in 0..2 {
        assert_eq!(answer(&mut gate.connect().await, &hello("old.test")).await, "");
    }
    assert_eq!(answer(&mut gate.connect().await, &hello("a.test")).await, "web");
    assert!(!gate.log().contains("left alone"), "{}", gate.log());
}
