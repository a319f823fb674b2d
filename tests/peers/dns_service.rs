//! A real name server behind the gateway, asked by real resolvers over UDP and TCP.

use std::process::Output;

use tokio::process::Command;

use super::is_installed;
use super::named::Named;
use super::nginx::Nginx;
use crate::harness::{Gate, UdpClient, UdpServer, within};

async fn run(program: &str, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = within(Command::new(program).args(arguments).output()).await.unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{program} {arguments:?}: {said}");
    said
}

/// nginx's configuration for DNS, moved over; its listener also speaks TCP here.
fn gate(named: &Named) -> Gate {
    let sets = [
        "listener.dns.listen=\"127.0.0.1:0\"".to_owned(),
        "listener.dns.protocol=[\"udp\", \"tcp\"]".to_owned(),
        format!("upstream.dns.servers=[\"{}\"]", named.address),
    ];
    let log = "[access_log.a]\nfile = \"{folder}/access\"\nformat = \"$protocol $status $close_reason\"";
    Gate::start_with(&format!("{}\n{log}", include_str!("../data/configs/dns-udp.toml")), &sets)
}

#[tokio::test]
async fn dig_hears_what_the_name_server_says_over_udp_and_tcp() {
    if !(is_installed("named") && is_installed("nsupdate") && is_installed("dig")) {
        return;
    }
    let long = "x".repeat(200);
    let texts: String = (0..20).map(|number| format!("long TXT \"{number} {long}\"\n")).collect();
    let named = Named::start(&format!("web A 192.0.2.7\n{texts}")).await;
    let gate = gate(&named);
    let port = gate.address("dns").port().to_string();
    let asked = ["@127.0.0.1", "-p", &port, "+tries=1", "+time=10"];
    let ask = |more: &[&'static str]| asked.iter().copied().chain(more.iter().copied()).map(str::to_owned).collect::<Vec<_>>();
    for (protocol, how) in [("UDP", "+notcp"), ("TCP", "+tcp")] {
        let arguments = ask(&["web.zone.test", "A", "+short", how]);
        let said = run("dig", &arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!(said.trim(), "192.0.2.7", "over {protocol}");
    }
    // 4 kB do not fit into a datagram of DNS: dig hears so, and asks again over TCP.
    let arguments = ask(&["long.zone.test", "TXT", "+short", "+bufsize=1232"]);
    let said = run("dig", &arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(said.lines().filter(|line| line.contains(&long)).count(), 20, "{said}");
    gate.until(|totals| totals.open == 0).await;
}

#[tokio::test]
async fn dnsperf_has_every_question_answered_over_udp_and_tcp() {
    if !(is_installed("named") && is_installed("nsupdate") && is_installed("dnsperf")) {
        return;
    }
    let named = Named::start("web A 192.0.2.7\n").await;
    let gate = gate(&named);
    let questions = gate.path("questions");
    std::fs::write(&questions, "web.zone.test A\nno.zone.test A\n").unwrap();
    let (questions, port) = (questions.to_str().unwrap().to_owned(), gate.address("dns").port().to_string());
    for (mode, asked) in [("udp", 2000), ("tcp", 500)] {
        let count = (asked / 2).to_string();
        // Few at a time, so that no socket's buffer runs over, however slow the machine is.
        let arguments = [
            "-s",
            "127.0.0.1",
            "-p",
            &port,
            "-m",
            mode,
            "-d",
            &questions,
            "-n",
            &count,
            "-c",
            "8",
            "-q",
            "20",
            "-t",
            "15",
            "-O",
            "suppress=timeout",
        ];
        let said = run("dnsperf", &arguments).await;
        let completed = said.lines().find_map(|line| line.trim().strip_prefix("Queries completed:")).unwrap_or_default();
        assert!(completed.trim().starts_with(&format!("{asked} (100.00%)")), "over {mode}: {said}");
    }
    gate.until(|totals| totals.open == 0).await;
    // Questions that follow one another closely from one port share a session, which ends when each has its answer.
    let lines = gate.lines("access", 8).await;
    let over_udp: Vec<_> = lines.iter().filter(|line| line.starts_with("UDP")).collect();
    assert!(!over_udp.is_empty() && over_udp.iter().all(|line| *line == "UDP 200 finished"), "{over_udp:?}");
}

/// What nginx does, line by line: the gateway is to do the same.
#[tokio::test]
async fn sessions_of_datagrams_are_those_of_nginx() {
    if !is_installed("nginx") {
        return;
    }
    let module = "/usr/lib/nginx/modules/ngx_stream_module.so";
    let module = if std::path::Path::new(module).exists() { format!("load_module {module};\n") } else { String::new() };
    for (keys, directives) in [
        ("responses = 1", "proxy_responses 1;"),
        ("responses = 2", "proxy_responses 2;"),
        ("responses = 0", "proxy_responses 0;"),
        ("requests = 2", "proxy_requests 2;"),
        ("requests = 2\nresponses = 1", "proxy_requests 2; proxy_responses 1;"),
        ("", ""),
    ] {
        let (ours, theirs) = (UdpServer::echo().await, UdpServer::echo().await);
        let gate = Gate::start(&format!(
            "[process]\nworkers = 1\n[listener.dns]\nlisten = \"127.0.0.1:0\"\nprotocol = \"udp\"\nupstream = \"{}\"\n{keys}",
            ours.address
        ));
        let nginx = Nginx::start(|port, _| {
            format!(
                "{module}events {{}}\nstream {{ server {{ listen 127.0.0.1:{port} udp; {directives} proxy_pass {address}; }}\n\
                 server {{ listen 127.0.0.1:{port}; return up; }} }}",
                address = theirs.address
            )
        })
        .await;
        let address = format!("127.0.0.1:{}", nginx.port).parse().unwrap();
        let mut sessions = Vec::new();
        for (gate, server) in [(gate.address("dns"), &ours), (address, &theirs)] {
            let client = UdpClient::of(gate).await;
            for number in 0..6_u8 {
                client.send(&[number]).await;
                crate::harness::until(|| server.heard().len() == usize::from(number) + 1).await;
                if keys != "responses = 0" {
                    assert_eq!(client.hear().await, [number], "{keys}");
                }
            }
            let mut of_each: Vec<_> = server.senders().into_values().collect();
            of_each.sort_unstable();
            sessions.push(of_each);
        }
        assert_eq!(sessions[0], sessions[1], "datagrams of each session with {keys:?}");
    }
}
