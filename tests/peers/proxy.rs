//! PROXY headers to and from those who speak them too: HAProxy, which invented them, and nginx.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};
use tokio::process::Command;

use super::haproxy::Haproxy;
use super::histories::nginx as sid_nginx;
use super::is_installed;
use super::nginx::Nginx;
use crate::harness::tls::{connect_tls, handshake};
use crate::harness::{Authority, ByHand, Gate, Server, answer, connect, connect_from, heard, hello, read, said};

const STREAM: &str = "load_module modules/ngx_stream_module.so;\nevents {}\n";
/// What a gate tells of its client, and of what a header says.
const TELL: &str = "$remote_addr:$remote_port $realip_remote_addr $proxy_protocol_server_addr:$proxy_protocol_server_port \
                    <$proxy_protocol_tlv_authority> <$proxy_protocol_tlv_alpn> <$proxy_protocol_tlv_unique_id> \
                    <$proxy_protocol_tlv_ssl_version> <$proxy_protocol_tlv_ssl_cn> <$proxy_protocol_tlv_ssl_verify> \
                    <$proxy_protocol_tlv_ssl_cipher>";
/// Somebody else than the proxies, so that they cannot be taken for each other.
const CLIENT: &str = "127.0.0.77";

/// A gate that believes the proxies of these tests, and tells what they say.
fn telling(keys: &str) -> Gate {
    Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\naccept_proxy_protocol = \"require\"\ntrusted_proxies = [\"127.0.0.1\"]\n{keys}\n"
    ))
}

/// A gate that announces its clients to a server in this form.
fn announcing(port: u16, form: &str) -> Gate {
    Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"web\"\n[listener.local]\nlisten = \"unix:{{folder}}/gate.sock\"\nupstream = \"web\"\n\
         [upstream.web]\nservers = [\"127.0.0.1:{port}\"]\nsend_proxy_protocol = {form}\n"
    ))
}

async fn client(port: u16) -> TcpStream {
    connect_from(CLIENT, SocketAddr::from(([127, 0, 0, 1], port))).await
}

/// HAProxy in front of a gate, with these options of a server.
async fn haproxy_before(gate: &Gate, bind: &str, options: &str) -> Haproxy {
    let gate = gate.address("https");
    Haproxy::start(|port| {
        format!(
            "frontend front\n  mode tcp\n  bind 127.0.0.1:{port} {bind}\n  unique-id-format id-%[rand(1000)]\n  default_backend back\n\
             backend back\n  mode tcp\n  server gate {gate} {options}"
        )
    })
    .await
}

#[tokio::test]
async fn a_gate_believes_haproxy_in_both_versions() {
    if !is_installed("haproxy") {
        return;
    }
    for options in ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c"] {
        let gate = telling(&format!("respond = \"{TELL}\""));
        let haproxy = haproxy_before(&gate, "", options).await;
        let mut client = client(haproxy.port).await;
        let own = client.local_addr().unwrap();
        let expected = format!("{own} 127.0.0.1 127.0.0.1:{} <> <> <> <> <> <> <>", haproxy.port);
        assert_eq!(said(&mut client).await, expected, "{options}");
    }
}

#[tokio::test]
async fn a_gate_reads_all_that_haproxy_says_of_tls() {
    if !is_installed("haproxy") {
        return;
    }
    let authority = Authority::new();
    let identity = authority.issue("api.test");
    let both = identity.chain.with_extension("both.pem");
    std::fs::write(&both, [&identity.chain, &identity.key].map(|file| std::fs::read_to_string(file).unwrap()).concat()).unwrap();
    let bind = format!("ssl crt {} ca-file {} verify optional alpn h2", both.display(), authority.file().display());
    let options = "send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,ssl-cipher,cert-key,cert-sig,authority,crc32c,unique-id";
    let gate = telling(&format!("respond = \"{TELL} <$proxy_protocol_tlv_ssl_key_alg> <$proxy_protocol_tlv_ssl_sig_alg>\""));
    let haproxy = haproxy_before(&gate, &bind, options).await;
    let mut shows = (*authority.showing(&[&rustls::version::TLS12], &authority.issue("jane"))).clone();
    shows.alpn_protocols = vec![b"h2".to_vec()];
    let stream = client(haproxy.port).await;
    let own = stream.local_addr().unwrap();
    let mut tls = handshake(stream, "api.test", shows.into()).await.unwrap();
    let told = String::from_utf8_lossy(&heard(&mut tls).await.unwrap()).into_owned();
    assert!(told.starts_with(&format!("{own} 127.0.0.1 127.0.0.1:{} <api.test> <h2> <id-", haproxy.port)), "{told}");
    assert!(told.contains("> <TLSv1.2> <jane> <0> <ECDHE-"), "{told}");
    assert!(told.ends_with("> <EC256> <ecdsa-with-SHA256>"), "{told}");
}

#[tokio::test]
async fn behind_haproxy_hosts_pass_through_and_tls_ends() {
    if !is_installed("haproxy") {
        return;
    }
    let (authority, server) = (Authority::new(), Server::named("passed").await);
    let routes = format!(
        "routes = \"map\"\n[routes.map.hosts]\n\"passed.test\" = \"{}\"\n[routes.map.hosts.\"api.test\"]\nrespond = \"$remote_addr\"\n\
         terminate = \"public\"\n{}",
        server.address,
        authority.profile("public", &["api.test"], "")
    );
    for options in ["send-proxy", "send-proxy-v2"] {
        let gate = telling(&routes);
        let haproxy = haproxy_before(&gate, "", options).await;
        let mut tls = handshake(client(haproxy.port).await, "api.test", authority.trusted()).await.unwrap();
        assert_eq!(said(&mut tls).await, CLIENT);
        let hello = hello("passed.test");
        assert_eq!(answer(&mut client(haproxy.port).await, &hello).await, "passed");
        assert_eq!(server.received(server.connections() - 1), hello);
    }
}

#[tokio::test]
async fn the_header_and_the_hello_leave_in_one_segment() {
    if !is_installed("ss") {
        return;
    }
    let mut by_hand = ByHand::start().await;
    let gate = Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n[routes.map]\ndefault = \"web\"\n\
         [upstream.web]\nservers = [\"{}\"]\nsend_proxy_protocol = \"v2\"\n",
        by_hand.server.address
    ));
    let (mut client, hello) = (gate.connect().await, hello("api.test"));
    client.write_all(&hello).await.unwrap();
    let mut server = by_hand.accept().await;
    assert_eq!(read(&mut server, 28 + hello.len()).await[28..], hello);
    assert_eq!(segments_to(&server).await, 1);
    client.write_all(b"more").await.unwrap();
    read(&mut server, 4).await;
    assert_eq!(segments_to(&server).await, 2, "this way of counting sees another one");
}

/// How many segments with data a connection has received.
async fn segments_to(server: &TcpStream) -> usize {
    let ends = [server.local_addr().unwrap(), server.peer_addr().unwrap()].map(|end| format!(":{}", end.port()));
    let output = Command::new("ss").args(["-tinH", "sport", "=", &ends[0], "and", "dport", "=", &ends[1]]).output().await.unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let number = told.split_whitespace().find_map(|word| word.strip_prefix("data_segs_in:"));
    number.unwrap_or_else(|| panic!("{told}")).parse().unwrap()
}

/// HAProxy that tells whom a header names.
async fn haproxy_behind(more: &str) -> Haproxy {
    let words = "%[src]:%[src_port] %[dst]:%[dst_port] <%[fc_pp_authority]> <%[fc_pp_unique_id,length]>";
    Haproxy::start(|port| {
        format!(
            "frontend front\n  mode http\n  bind 127.0.0.1:{port} accept-proxy {more}\n  \
             http-request return status 200 content-type text/plain lf-string \"{words}\""
        )
    })
    .await
}

const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
const ALL: &str = "{ version = \"v2\", tlvs = [\"authority\", \"alpn\", \"ssl\", \"unique_id\", \"crc32c\"] }";

/// What an HTTP server says behind its head.
fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}")).1
}

#[tokio::test]
async fn haproxy_believes_a_gate_in_both_versions() {
    if !is_installed("haproxy") {
        return;
    }
    let haproxy = haproxy_behind("").await;
    for (form, id) in [("\"v1\"", ""), ("\"v2\"", ""), (ALL, "32")] {
        let gate = announcing(haproxy.port, form);
        let mut client = client(gate.address("https").port()).await;
        let own = client.local_addr().unwrap();
        client.write_all(REQUEST).await.unwrap();
        // Where there is no id, some versions have a length of it and some have none.
        let told = said(&mut client).await;
        let expected = format!("{own} {} <> <{id}", gate.address("https"));
        assert!(body(&told).starts_with(&expected), "{form}: {told}");
    }
}

#[tokio::test]
async fn haproxy_takes_a_header_that_names_nobody() {
    if !is_installed("haproxy") {
        return;
    }
    let haproxy = haproxy_behind("").await;
    for form in ["\"v1\"", "\"v2\"", ALL] {
        let gate = announcing(haproxy.port, form);
        let mut client = UnixStream::connect(gate.path("gate.sock")).await.unwrap();
        client.write_all(REQUEST).await.unwrap();
        let told = said(&mut client).await;
        assert!(body(&told).starts_with("127.0.0.1:"), "{form}: {told}");
    }
}

#[tokio::test]
async fn haproxy_hears_the_name_of_a_host_that_passes_through_or_ends_here() {
    if !is_installed("haproxy") {
        return;
    }
    let authority = Authority::new();
    let identity = authority.issue("api.test");
    let both = identity.chain.with_extension("both.pem");
    std::fs::write(&both, [&identity.chain, &identity.key].map(|file| std::fs::read_to_string(file).unwrap()).concat()).unwrap();
    for ends_here in [false, true] {
        let haproxy = haproxy_behind(&if ends_here { String::new() } else { format!("ssl crt {}", both.display()) }).await;
        let target = if ends_here { "{ upstream = \"web\", terminate = \"public\" }" } else { "\"web\"" };
        let gate = Gate::start(&format!(
            "[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n[routes.map.hosts]\n\"api.test\" = {target}\n\
             [upstream.web]\nservers = [\"127.0.0.1:{}\"]\nsend_proxy_protocol = {ALL}\n{}",
            haproxy.port,
            authority.profile("public", &["api.test"], "")
        ));
        let mut tls = connect_tls(gate.address("https"), "api.test", authority.trusted()).await;
        tls.write_all(REQUEST).await.unwrap();
        let told = String::from_utf8(heard(&mut tls).await.unwrap()).unwrap();
        assert!(body(&told).contains("<api.test> <32>"), "{told}");
    }
}

#[tokio::test]
async fn a_gate_believes_nginx() {
    if !is_installed("nginx") {
        return;
    }
    let gate = telling(&format!("respond = \"{TELL}\""));
    let address = gate.address("https");
    let nginx = Nginx::start(|port, _| {
        format!("{STREAM}stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass {address}; proxy_protocol on; }} }}")
    })
    .await;
    let mut client = client(nginx.port).await;
    let own = client.local_addr().unwrap();
    let told = said(&mut client).await;
    assert!(told.starts_with(&format!("{own} 127.0.0.1 127.0.0.1:{} ", nginx.port)), "{told}");
}

#[tokio::test]
async fn nginx_believes_a_gate_in_both_versions() {
    if !is_installed("nginx") {
        return;
    }
    let nginx = Nginx::start(|port, _| {
        let told = "$remote_addr $proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_addr:$proxy_protocol_server_port";
        format!("{STREAM}stream {{ server {{ listen 127.0.0.1:{port} proxy_protocol; set_real_ip_from 127.0.0.1; return \"{told}\"; }} }}")
    })
    .await;
    for form in ["\"v1\"", "\"v2\"", ALL] {
        let gate = announcing(nginx.port, form);
        let mut client = client(gate.address("https").port()).await;
        let own = client.local_addr().unwrap();
        assert_eq!(said(&mut client).await, format!("{CLIENT} {own} {}", gate.address("https")), "{form}");
    }
}

#[tokio::test]
async fn nginx_of_today_reads_every_field_of_a_gate() {
    let Some(program) = sid_nginx() else { return };
    let authority = Authority::new();
    let nginx = Nginx::start_by(&program, |port, _| {
        let fields = ["authority", "alpn", "unique_id", "ssl_version", "ssl_cn", "ssl_cipher", "ssl_verify"];
        let told: String = fields.iter().map(|field| format!(" $proxy_protocol_tlv_{field}")).collect();
        format!("{STREAM}stream {{ server {{ listen 127.0.0.1:{port} proxy_protocol; return \"$proxy_protocol_addr{told}\"; }} }}")
    })
    .await;
    let profile = format!("alpn = [\"h2\"]\nclient_auth = {{ ca = \"{}\", mode = \"request\" }}", authority.file().display());
    let profile = authority.profile("public", &["api.test"], &profile);
    let gate = Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nterminate = \"public\"\nupstream = \"web\"\n\
         [upstream.web]\nservers = [\"127.0.0.1:{}\"]\nsend_proxy_protocol = {ALL}\n{profile}",
        nginx.port
    ));
    let mut shows = (*authority.showing(&[&rustls::version::TLS13], &authority.issue("jane"))).clone();
    shows.alpn_protocols = vec![b"h2".to_vec()];
    let mut tls = handshake(connect(gate.address("https")).await, "api.test", shows.into()).await.unwrap();
    let told = said(&mut tls).await;
    let words: Vec<_> = told.split(' ').collect();
    let [address, authority, alpn, id, version, name, cipher, verify] = words[..] else { panic!("{told}") };
    assert_eq!((address, authority, alpn, version, name, verify), ("127.0.0.1", "api.test", "h2", "TLSv1.3", "jane", "0"));
    assert!(id.len() == 32 && cipher.starts_with("TLS_AES_"), "{told}");
}
