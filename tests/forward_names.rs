//! Names that clients lead to: looked up when they are needed, for all who need them, and judged each time.

use hickory_resolver::proto::rr::RecordType::{A, AAAA};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::harness::{Gate, NameServer, Says, Server, alert, at, hello, said, until, within};

const ACCESS_DENIED: u8 = 49;

/// A gate that forwards to where the client says, at this port, and to `fixed.test`, which is no look-up.
fn gate(names: &NameServer, resolver: &str, port: u16, fixed: &Server) -> Gate {
    Gate::start(&format!(
        "[process]\nworkers = 1\n[resolver]\nnameservers = [\"{}\"]\n{resolver}\n[networks]\nforward = [\"127.0.0.2\", \"127.0.0.3\"]\n\
         [listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n\
         [listener.plain]\nlisten = \"127.0.0.1:0\"\nupstream = \"$listener.test:{port}\"\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$status $close_reason $upstream_addr\"\n\
         [access_log.json]\nfile = \"{{folder}}/json\"\nformat = \"json\"\n\
         [routes.map]\ndefault = \"$ssl_preread_server_name:{port}\"\n[routes.map.hosts]\n\"fixed.test\" = \"{}\"",
        names.address, fixed.address
    ))
}

/// Clients that have said which host they want, all of them before this is over.
async fn waiting(gate: &Gate, hosts: impl Iterator<Item = String>) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    for host in hosts {
        let mut client = gate.connect().await;
        client.write_all(&hello(&host)).await.unwrap();
        client.shutdown().await.unwrap();
        clients.push(client);
    }
    gate.until(|totals| totals.open == clients.len()).await;
    // The one worker has got as far with all who came before.
    assert_eq!(gate.ask("fixed.test").await, "fixed");
    clients
}

#[tokio::test]
async fn a_name_is_looked_up_once_for_all_who_come_while_it_is_good() {
    let (port, _servers) = at(["127.0.0.2"]).await;
    let (names, fixed) = (NameServer::start().await, Server::named("fixed").await);
    names.leads("web.test", 3600, &["127.0.0.2"]);
    let gate = gate(&names, "", port, &fixed);
    for _ in 0..5 {
        assert_eq!(gate.ask("web.test").await, "127.0.0.2");
    }
    assert_eq!((names.asked("web.test", A), names.asked("web.test", AAAA)), (1, 1));
}

#[tokio::test]
async fn a_name_is_looked_up_once_for_all_who_wait_for_it() {
    let (port, _servers) = at(["127.0.0.2"]).await;
    let (names, fixed) = (NameServer::start().await, Server::named("fixed").await);
    names.leads("web.test", 3600, &["127.0.0.2"]);
    names.pause();
    let gate = gate(&names, "timeout = \"1h\"", port, &fixed);
    let mut clients = waiting(&gate, std::iter::repeat_n("web.test".to_owned(), 20)).await;
    until(|| names.asked("web.test", AAAA) > 0).await;
    names.go_on();
    for client in &mut clients {
        assert_eq!(said(client).await, "127.0.0.2");
    }
    assert_eq!((names.asked("web.test", A), names.asked("web.test", AAAA)), (1, 1));
}

/// The name server cannot tell: of two questions that are alike and under way, the resolver's library asks one.
#[tokio::test]
async fn all_who_wait_for_a_name_take_the_room_of_one_look_up() {
    let (port, _servers) = at(["127.0.0.2"]).await;
    let (names, fixed) = (NameServer::start().await, Server::named("fixed").await);
    names.says_of_both("silent.test", &Says::Nothing);
    names.leads("web.test", 3600, &["127.0.0.2"]);
    let gate = gate(&names, "timeout = \"1h\"", port, &fixed);
    // More than may be looked up at a time.
    let _clients = waiting(&gate, std::iter::repeat_n("silent.test".to_owned(), 100)).await;
    assert_eq!(gate.ask("web.test").await, "127.0.0.2");
}

#[tokio::test]
async fn a_name_is_looked_up_again_when_its_answer_is_no_longer_good() {
    let (port, _servers) = at(["127.0.0.2", "127.0.0.3"]).await;
    let (names, fixed) = (NameServer::start().await, Server::named("fixed").await);
    names.leads("web.test", 3600, &["127.0.0.2"]);
    let gate = gate(&names, "valid = \"50ms\"", port, &fixed);
    assert_eq!(gate.ask("web.test").await, "127.0.0.2");
    names.leads("web.test", 3600, &["127.0.0.3"]);
    within(async { while gate.ask("web.test").await != "127.0.0.3" {} }).await;
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_the_next_time_is_judged_again() {
    let (port, [inside, allowed]) = at(["127.0.0.1", "127.0.0.2"]).await;
    let (names, fixed) = (NameServer::start().await, Server::named("fixed").await);
    names.leads("web.test", 3600, &["127.0.0.2"]);
    let gate = gate(&names, "valid = \"50ms\"", port, &fixed);
    assert_eq!(gate.ask("web.test").await, "127.0.0.2");
    names.leads("web.test", 3600, &["127.0.0.1"]);
    let refused = async {
        loop {
            let mut client = gate.connect().await;
            client.write_all(&hello("web.test")).await.unwrap();
            client.shutdown().await.unwrap();
            if crate::harness::heard(&mut client).await.unwrap() == alert(ACCESS_DENIED) {
                break;
            }
        }
    };
    within(refused).await;
    assert!(gate.lines("log", 2).await.contains(&"403 forward_refused -".to_owned()));
    assert_eq!((inside.connections(), allowed.connections() > 0), (0, true));
}

#[tokio::test]
async fn of_several_addresses_only_those_that_are_allowed_are_used() {
    let (port, [inside, _allowed]) = at(["127.0.0.1", "127.0.0.2"]).await;
    let (names, fixed) = (NameServer::start().await, Server::named("fixed").await);
    names.leads("web.test", 3600, &["127.0.0.1", "127.0.0.2", "::1"]);
    let gate = gate(&names, "", port, &fixed);
    for _ in 0..4 {
        assert_eq!(gate.ask("web.test").await, "127.0.0.2");
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn what_one_template_may_reach_another_may_not() {
    let (port, [inside]) = at(["127.0.0.1"]).await;
    let (names, fixed) = (NameServer::start().await, Server::named("fixed").await);
    names.leads("plain.test", 3600, &["127.0.0.1"]);
    let gate = gate(&names, "", port, &fixed);
    // The operator's own words lead here ...
    let mut client = crate::harness::connect(gate.address("plain")).await;
    assert_eq!(crate::harness::answer(&mut client, b"x").await, "127.0.0.1");
    // ... and the very same text from a client does not.
    assert_eq!(gate.hears(&hello("plain.test")).await, alert(ACCESS_DENIED));
    let told = gate.lines("json", 2).await;
    let way_out = format!("plain.test:{port} is not to be forwarded to (it leads to 127.0.0.1), unless 127.0.0.1 is in [networks] forward");
    assert!(told[1].contains(&way_out), "{told:?}");
    assert_eq!(inside.connections(), 1);
}

#[tokio::test]
async fn a_look_up_that_fails_leaves_the_last_good_addresses() {
    let (port, _servers) = at(["127.0.0.2"]).await;
    let (names, fixed) = (NameServer::start().await, Server::named("fixed").await);
    names.leads("web.test", 3600, &["127.0.0.2"]);
    let gate = gate(&names, "valid = \"50ms\"", port, &fixed);
    assert_eq!(gate.ask("web.test").await, "127.0.0.2");
    names.says_of_both("web.test", &Says::Fails);
    let before = names.asked("web.test", A);
    let asked_again = async {
        while names.asked("web.test", A) < before + 2 {
            assert_eq!(gate.ask("web.test").await, "127.0.0.2");
        }
    };
    within(asked_again).await;
    names.says_of_both("web.test", &Says::NoSuchName);
    // That there is no such name is an answer.
    within(async { while !gate.ask("web.test").await.is_empty() {} }).await;
    assert_eq!(gate.lines("log", 4).await.last().unwrap(), "500 unresolved -");
}

#[tokio::test]
async fn what_is_known_of_servers_is_kept_between_sessions() {
    let (port, [gone, _server]) = at(["127.0.0.2", "127.0.0.3"]).await;
    let (names, fixed) = (NameServer::start().await, Server::named("fixed").await);
    names.leads("web.test", 3600, &["127.0.0.2", "127.0.0.3"]);
    let gate = gate(&names, "", port, &fixed);
    gone.refuse();
    for _ in 0..3 {
        assert_eq!(gate.ask("web.test").await, "127.0.0.3");
    }
    let alone = format!("200 client_closed 127.0.0.3:{port}");
    assert_eq!(gate.lines("log", 3).await, [format!("200 client_closed 127.0.0.2:{port}, 127.0.0.3:{port}"), alone.clone(), alone]);
}

#[tokio::test]
async fn a_name_without_addresses_is_not_asked_for_by_every_session() {
    let (names, fixed) = (NameServer::start().await, Server::named("fixed").await);
    let gate = gate(&names, "", 443, &fixed);
    let begun = Instant::now();
    for _ in 0..30 {
        assert_eq!(gate.ask("nobody.test").await, "");
    }
    // Each time it is believed for a second.
    let most = 2 + usize::try_from(begun.elapsed().as_secs()).unwrap();
    let asked = names.asked("nobody.test", A);
    assert!((1..=most).contains(&asked), "{asked} of at most {most}");
}

#[tokio::test]
async fn only_so_many_strange_names_are_looked_up_at_a_time() {
    let (names, fixed) = (NameServer::start().await, Server::named("fixed").await);
    names.pause();
    let gate = gate(&names, "timeout = \"1h\"", 443, &fixed);
    let mut clients = waiting(&gate, (0..150).map(|number| format!("n{number}.test"))).await;
    until(|| names.names().len() == 64).await;
    assert_eq!(gate.ask("fixed.test").await, "fixed");
    assert_eq!(names.names().len(), 64);
    names.go_on();
    for client in &mut clients {
        assert_eq!(said(client).await, "");
    }
    assert_eq!(names.names().len(), 150, "the others had their turn then");
}

#[tokio::test]
async fn strangers_names_do_not_keep_one_that_was_good_from_being_looked_up_again() {
    let (port, _servers) = at(["127.0.0.2", "127.0.0.3"]).await;
    let (names, fixed) = (NameServer::start().await, Server::named("fixed").await);
    names.leads("web.test", 1, &["127.0.0.2"]);
    let gate = gate(&names, "timeout = \"1h\"", port, &fixed);
    assert_eq!(gate.ask("web.test").await, "127.0.0.2");
    names.says_otherwise(Says::Nothing);
    let _clients = waiting(&gate, (0..200).map(|nth| format!("strange{nth}.test"))).await;
    names.leads("web.test", 1, &["127.0.0.3"]);
    within(async { while gate.ask("web.test").await != "127.0.0.3" {} }).await;
}
