//! What sessions say of themselves in templates.

use super::*;
use crate::session::{CloseReason, TlsFacts};
use tokio::time::Instant;

fn session() -> Session {
    let client = Peer::Ip("192.0.2.7:50000".parse().unwrap());
    Session::new(7, "https".into(), client, Peer::Unix, Instant::now(), SystemTime::now())
}

fn text(session: &Session, template: &str) -> String {
    let template = Template::parse(template).unwrap().link(|name| Variable::named(&name.name).ok_or(name)).unwrap();
    let mut out = Vec::new();
    render(&template, session, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn every_name_finds_its_variable() {
    for name in NAMES {
        assert_eq!(Variable::named(name).as_ref().map(Variable::name), Some(*name));
    }
    assert_eq!(Variable::named("nothing"), None);
}

#[test]
fn tries_are_joined_as_nginx_joins_them() {
    let mut session = session();
    assert_eq!(text(&session, "[$upstream_addr]"), "[]", "no try: unset");
    session.begin_try("10.0.0.1:443".into(), session.started);
    session.end_try(session.started);
    session.begin_try("[::1]:443".into(), session.started);
    session.tries[1].connected = Some(Duration::from_millis(1_002));
    session.tries[1].bytes_sent = 517;
    assert_eq!(text(&session, "$upstream_addr|$upstream_connect_time|$upstream_bytes_sent"), "10.0.0.1:443, [::1]:443|-, 1.002|0, 517");
    assert_eq!(text(&session, "$upstream_session_time"), "0.000, -");
}

#[test]
fn the_end_has_status_reason_and_time() {
    let mut session = session();
    session.end(CloseReason::NoServer, None, session.started + Duration::from_millis(1_234));
    session.end(CloseReason::ClientClosed, None, session.started);
    assert_eq!(text(&session, "$status $close_reason $session_time"), "502 no_server 1.234", "the first ending counts");
}

#[test]
fn what_was_agreed_on_is_told_only_where_tls_ends() {
    let all = "$ssl_server_name,$ssl_protocol,$ssl_cipher,$ssl_session_reused,$ssl_session_id,$ssl_alpn_protocol,\
        $ssl_client_verify,$ssl_client_s_dn,$ssl_client_i_dn,$ssl_client_serial,$ssl_client_fingerprint";
    let mut session = session();
    session.server_name = Some("Api.test".into());
    assert_eq!(text(&session, all), ",,,,,,,,,,");
    let mut facts = TlsFacts {
        protocol: "TLSv1.2",
        cipher: "ECDHE-ECDSA-AES256-GCM-SHA384",
        is_resumed: false,
        session_id: None,
        alpn: None,
        client: None,
    };
    session.tls = Some(Box::new(facts.clone()));
    assert_eq!(text(&session, all), "Api.test,TLSv1.2,ECDHE-ECDSA-AES256-GCM-SHA384,.,,,NONE,,,,");
    facts.is_resumed = true;
    facts.session_id = Some("0f".into());
    facts.alpn = Some("h2".into());
    facts.client = Some(ClientCertificate { subject: "CN=a".into(), issuer: "CN=b".into(), serial: "0A".into(), fingerprint: "ff".into() });
    session.tls = Some(Box::new(facts));
    assert_eq!(text(&session, all), "Api.test,TLSv1.2,ECDHE-ECDSA-AES256-GCM-SHA384,r,0f,h2,SUCCESS,CN=a,CN=b,0A,ff");
}

#[test]
fn the_servers_name_is_that_of_the_entry_that_won() {
    let mut session = session();
    assert_eq!(text(&session, "[$server_name]"), "[]", "no map is asked");
    for (route, name) in [("*.shop.test", "*.shop.test"), (".shop.test", "shop.test"), ("default", ""), ("no_sni", ""), ("not_tls", "")] {
        session.route = Some(route.into());
        assert_eq!(text(&session, "$server_name"), name, "{route}");
    }
    for pattern in [".shop", "default"] {
        (session.route, session.captures) = (Some(pattern.into()), vec![(None, "eshop".into())]);
        assert_eq!(text(&session, "$server_name"), pattern, "a pattern stays as it is written");
    }
}

#[test]
fn captures_go_by_number_and_by_name() {
    let mut session = session();
    session.captures = vec![(None, "acme.apps.example".into()), (Some("tenant".into()), "acme".into())];
    assert_eq!(text(&session, "$0 $1 $2"), "acme.apps.example acme ");
    assert_eq!(session.capture("tenant"), Some("acme"));
}
