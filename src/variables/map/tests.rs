//! What maps answer, each sort of row on its own and in its turn.

use std::time::SystemTime;

use tokio::time::Instant;

use super::*;
use crate::host::HostPattern;
use crate::session::{Peer, Session};

fn session(client: &str) -> Session {
    let client = client.parse().map_or(Peer::Unix, Peer::Ip);
    Session::new(7, "https".into(), client, Peer::Unix, Instant::now(), SystemTime::now())
}

fn named(name: &str) -> Session {
    Session { server_name: Some(name.into()), ..session("192.0.2.7:5000") }
}

fn text(written: &str) -> Text {
    Template::parse(written).unwrap().link(|name| Variable::named(&name.name).ok_or(name)).unwrap()
}

fn words(written: &str) -> Arc<MapValue> {
    Arc::new(written.into())
}

/// A value with variables and the groups of a pattern by their numbers.
fn value(written: &str) -> Arc<MapValue> {
    let part = |name: crate::template::Name| match name.name.parse() {
        Ok(number) => Ok::<_, ()>(Part::Group(number)),
        Err(_) => Ok(Part::Variable(Variable::named(&name.name).unwrap())),
    };
    Arc::new(Template::parse(written).unwrap().link(part).unwrap())
}

/// A map over `of` with the rows that `fill` adds; all else is `default`.
fn map(of: &str, fill: impl FnOnce(&mut RowsBuilder)) -> Map {
    let mut rows = RowsBuilder::default();
    fill(&mut rows);
    Map::new("m", text(of), MapTable::Rows(rows.build().unwrap().into()), Some(words("default")))
}

fn hosts(rows: &mut RowsBuilder, hosts: &[&str]) {
    for host in hosts {
        rows.host(HostPattern::parse(host).unwrap(), host, words(host)).unwrap();
    }
}

fn ranges(rows: &mut RowsBuilder, ranges: &[&str]) {
    for range in ranges {
        rows.range(range.parse().unwrap(), words(range));
    }
}

fn answer(map: &Map, session: &Session) -> String {
    String::from_utf8(map.value(session).into_owned()).unwrap()
}

#[test]
fn texts_are_compared_whole_and_without_case() {
    let map = map("$ssl_preread_server_name", |rows| {
        assert!(rows.text("Shop.Test", words("shop")) && rows.text("", words("none")));
    });
    for (name, expected) in [("shop.test", "shop"), ("SHOP.TEST", "shop"), ("shop.test.", "default"), ("a.shop.test", "default")] {
        assert_eq!(answer(&map, &named(name)), expected, "{name}");
    }
    assert_eq!(answer(&map, &session("192.0.2.7:1")), "none", "what is unset is empty");
}

#[test]
fn hosts_are_compared_as_those_of_routes() {
    let all = ["a.shop.test", "*.shop.test", "*.b.shop.test", ".org.test", "www.*"];
    let map = map("$ssl_preread_server_name", |rows| hosts(rows, &all));
    let cases = [
        ("A.shop.test.", "a.shop.test"),
        ("c.shop.test", "*.shop.test"),
        ("x.b.shop.test", "*.b.shop.test"),
        ("org.test", ".org.test"),
        ("deep.in.org.test", ".org.test"),
        ("www.example", "www.*"),
        ("shop.test", "default"),
        ("a.shop.test..", "default"),
        ("a b", "default"),
    ];
    for (name, expected) in cases {
        assert_eq!(answer(&map, &named(name)), expected, "{name}");
    }
}

#[test]
fn the_longest_range_counts() {
    let all = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "10.0.0.0/16", "10.255.255.255/32", "2001:db8::/32", "2001:db8::1/128"];
    let map = map("$remote_addr", |rows| ranges(rows, &all));
    let cases = [
        ("9.255.255.255", "default"),
        ("10.0.0.0", "10.0.0.0/16"),
        ("10.2.0.0", "10.0.0.0/8"),
        ("10.1.2.2", "10.1.0.0/16"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("10.1.2.4", "10.1.0.0/16"),
        ("10.255.255.254", "10.0.0.0/8"),
        ("10.255.255.255", "10.255.255.255/32"),
        ("11.0.0.0", "default"),
        ("[::ffff:10.1.2.3]", "10.1.2.3/32"),
        ("[2001:db8::1]", "2001:db8::1/128"),
        ("[2001:db8::2]", "2001:db8::/32"),
        ("[2001:db9::]", "default"),
    ];
    for (client, expected) in cases {
        assert_eq!(answer(&map, &session(&format!("{client}:1"))), expected, "{client}");
    }
}

#[test]
fn what_is_no_address_counts_as_the_last_one() {
    for (range, expected) in
        [("0.0.0.0/0", "0.0.0.0/0"), ("255.255.255.255/32", "255.255.255.255/32"), ("0.0.0.0/1", "default"), ("::/0", "default")]
    {
        let over_address = map("$remote_addr", |rows| ranges(rows, &[range]));
        assert_eq!(answer(&over_address, &session("unix:")), expected, "a unix client in {range}");
        let over_name = map("$ssl_preread_server_name", |rows| ranges(rows, &[range]));
        assert_eq!(answer(&over_name, &named("shop.test")), expected, "a name in {range}");
    }
}

#[test]
fn an_address_may_be_text_or_bytes() {
    let all = ["49.58.58.50/32", "1::2/128", "10.0.0.0/8"];
    let binary = map("$binary_remote_addr", |rows| ranges(rows, &all));
    assert_eq!(answer(&binary, &session("49.58.58.50:1")), "49.58.58.50/32", "whose bytes read 1::2");
    let written = map("$ssl_preread_server_name", |rows| ranges(rows, &all));
    assert_eq!(answer(&written, &named("1::2")), "1::2/128");
    assert_eq!(answer(&written, &named("10.1.1.1")), "10.0.0.0/8");
}

#[test]
fn patterns_match_anywhere_and_give_their_groups() {
    let map = map("$ssl_preread_server_name", |rows| {
        let patterns = [(r"(?<who>[a-z]+)\.Shop", "$1|$0"), (r"^x(y)?", "[$1]"), (r"\.test$", "$listener:$remote_addr")];
        for (regex, gives) in patterns {
            rows.pattern(MapPattern::parse(regex).unwrap(), value(gives));
        }
    });
    for (name, expected) in [
        ("1.abc.Shop.test", "abc|abc.Shop"),
        ("abc.shop.test", "https:192.0.2.7"),
        ("xy.Shop", "y|y.Shop"),
        ("xyz", "[y]"),
        ("xz", "[]"),
        ("shop", "default"),
    ] {
        assert_eq!(answer(&map, &named(name)).replace("xy|xy", "y|y"), expected, "{name}");
    }
}

#[test]
fn rows_have_their_turns() {
    let build = |from: usize| {
        map("$ssl_preread_server_name", |rows| {
            if from == 0 {
                rows.text("10.0.0.1", words("text"));
            }
            hosts(rows, if from <= 1 { &["shop.test"] } else { &[] });
            ranges(rows, if from <= 2 { &["10.0.0.0/8"] } else { &[] });
            rows.pattern(MapPattern::parse("0").unwrap(), words("pattern"));
            rows.pattern(MapPattern::parse("shop").unwrap(), words("pattern"));
        })
    };
    assert_eq!(answer(&build(0), &named("10.0.0.1")), "text");
    assert_eq!(answer(&build(1), &named("10.0.0.1")), "10.0.0.0/8");
    assert_eq!(answer(&build(1), &named("shop.test")), "shop.test");
    assert_eq!(answer(&build(2), &named("shop.test")), "pattern");
    assert_eq!(answer(&build(3), &named("10.0.0.1")), "pattern");
}

#[test]
fn no_text_is_too_long_to_be_answered_and_none_is_searched_for_ever() {
    let map = map("$ssl_preread_server_name", |rows| rows.pattern(MapPattern::parse("a").unwrap(), words("found")));
    assert_eq!(answer(&map, &named(&"a".repeat(Rows::LONGEST))), "found");
    assert_eq!(answer(&map, &named(&"a".repeat(Rows::LONGEST + 1))), "default");
}

#[test]
fn what_tells_the_time_is_answered_once_in_a_session() {
    let map = map("$msec", |rows| rows.pattern(MapPattern::parse("^(.*)$").unwrap(), value("$1")));
    let session = session("192.0.2.7:1");
    let first = answer(&map, &session);
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(answer(&map, &session), first);
    assert_ne!(answer(&map, &named("a")), first, "another session has a time of its own");
}

#[test]
fn a_map_over_what_changes_is_asked_anew() {
    let map = map("$bytes_sent", |rows| assert!(rows.text("0", words("nothing"))));
    let mut session = session("192.0.2.7:1");
    assert_eq!(answer(&map, &session), "nothing");
    session.bytes_sent = 1;
    assert_eq!(answer(&map, &session), "default");
}

#[test]
fn each_of_100_000_rows_is_found() {
    let map = map("$ssl_preread_server_name", |rows| {
        for n in 0..100_000_u32 {
            assert!(rows.text(&format!("text {n}"), words(&format!("t{n}"))));
            rows.range(ipnet::IpNet::new((n << 8).to_be_bytes().into(), 24).unwrap(), words(&format!("r{n}")));
        }
    });
    for n in (0..100_000_u32).step_by(97) {
        assert_eq!(answer(&map, &named(&format!("TEXT {n}"))), format!("t{n}"));
        let inside = std::net::Ipv4Addr::from(n << 8 | 77);
        assert_eq!(answer(&map, &named(&inside.to_string())), format!("r{n}"));
    }
}

/// A variable that looks `of` up and says one of these values; numbers are the groups of a pattern.
fn over(of: Variable, values: &[&str]) -> Variable {
    let of = Template::parse("$x").unwrap().link(|_| Ok::<_, ()>(of.clone())).unwrap();
    let mut rows = RowsBuilder::default();
    for given in values {
        rows.pattern(MapPattern::parse("(.)").unwrap(), value(given));
    }
    Variable::Map(Arc::new(Map::new("m", of, MapTable::Rows(rows.build().unwrap().into()), None)))
}

#[test]
fn what_the_operator_wrote_is_not_the_clients_whoever_chooses_it() {
    let name = || Variable::SslPrereadServerName;
    let (chosen, copied) =
        (over(name(), &["10.0.0.1:443", "$remote_addr"]), over(Variable::RemoteAddr, &["a", "$ssl_preread_server_name"]));
    assert!(!chosen.is_sent_by_client() && chosen.is_led_by_client());
    assert!(copied.is_sent_by_client() && copied.is_led_by_client());
    assert!(over(name(), &["a", "$1"]).is_sent_by_client(), "a group takes what the client sent");
    assert!(!over(Variable::RemoteAddr, &["$1"]).is_sent_by_client() && !over(Variable::RemoteAddr, &["$1"]).is_led_by_client());
    assert!(over(copied.clone(), &["$1"]).is_sent_by_client(), "through another map");
    assert!(!over(copied, &["a"]).is_sent_by_client());
    let through = over(chosen, &["$1"]);
    assert!(!through.is_sent_by_client() && through.is_led_by_client(), "what is copied was written");
}

#[test]
fn a_slash_of_the_clients_is_found_behind_maps() {
    let slashes = |variable: &Variable| variable.may_hold_slash();
    assert!(slashes(&over(Variable::SslPrereadAlpnProtocols, &["$1"])));
    assert!(slashes(&over(Variable::RemoteAddr, &["$ssl_client_s_dn"])));
    assert!(!slashes(&over(Variable::SslPrereadAlpnProtocols, &["a/b"])), "the operator's own");
    assert!(!slashes(&over(Variable::SslPrereadServerName, &["$1", "$ssl_preread_server_name"])), "no name has one");
}

#[test]
fn a_map_is_known_as_late_as_what_it_is_made_of() {
    assert!(over(Variable::BytesSent, &["a"]).is_known_late());
    assert!(over(Variable::RemoteAddr, &["a", "$upstream_addr"]).is_known_late());
    assert!(over(over(Variable::Status, &["a"]), &["a"]).is_known_late());
    assert!(!over(Variable::RemoteAddr, &["$1", "$ssl_cipher", "$msec"]).is_known_late());
}

#[test]
fn what_a_map_is_made_of_is_known() {
    let cipher = over(Variable::SslCipher, &["a"]);
    assert!(cipher.is_of_ended_tls() && !cipher.is_read_from_first_bytes() && !cipher.tells_server_address());
    let hello = over(Variable::RemoteAddr, &["$hello"]);
    assert!(hello.is_read_from_first_bytes() && !hello.is_of_ended_tls() && !hello.tells_server_address());
    let port = over(over(Variable::ServerPort, &["a"]), &["a"]);
    assert!(port.tells_server_address() && !port.is_of_ended_tls() && !port.is_read_from_first_bytes());
}
