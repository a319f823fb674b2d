//! How and where the gateway listens: many ports, unix sockets, options that accepted connections have from their listener.

use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use vestibule::address::ListenAddress;
use vestibule::gateway::Gateway;

use crate::harness::program::Folder;
use crate::harness::{Gate, Server, answer, compile, connect, heard, hello, kernel, read, said, until};

/// Ports in a row that are free now: a range of them for a test. Another process may take one, and then there are others.
fn gate_with_ports(count: u16) -> Gate {
    for first in (20_000..32_000).step_by(usize::from(count)) {
        let routes = format!("[listener.range]\nlisten = \"127.0.0.77:{first}-{}\"\nrespond = \"$server_port\"", first + count - 1);
        if let Ok(gate) = Gate::try_start(&routes) {
            return gate;
        }
    }
    panic!("no {count} ports in a row are free");
}

#[tokio::test]
async fn a_range_of_hundreds_of_ports_is_listened_on_and_each_knows_its_own() {
    let gate = gate_with_ports(300);
    let bound: Vec<_> = gate.gateway().addresses("range").cloned().collect();
    assert_eq!(bound.len(), 300);
    for address in bound.iter().step_by(37) {
        let ListenAddress::Ip(ip) = address else { panic!("{address} is no IP address") };
        assert_eq!(said(&mut connect(*ip).await).await, ip.port().to_string());
    }
}

#[tokio::test]
async fn a_port_alone_is_listened_on_in_both_families() {
    let gate = Gate::start("[listener.a]\nlisten = \":0\"\nrespond = \"$remote_addr\"");
    let bound: Vec<_> = gate.gateway().addresses("a").cloned().collect();
    let ip = |address: &ListenAddress| match address {
        ListenAddress::Ip(ip) => *ip,
        ListenAddress::Unix(_) => panic!("{address} is no IP address"),
    };
    assert!(!bound.is_empty());
    for address in bound.iter().map(ip) {
        let loopback = if address.is_ipv4() { "127.0.0.1" } else { "::1" };
        let mut client = connect((loopback.parse::<std::net::IpAddr>().unwrap(), address.port()).into()).await;
        assert_eq!(said(&mut client).await, loopback);
    }
}

#[tokio::test]
async fn a_unix_socket_has_the_mode_that_is_written_and_goes_with_the_gateway() {
    let routes =
        |folder: &Folder| format!("[listener.a]\nlisten = \"unix:{}\"\nmode = \"0666\"\nrespond = \"in\"", folder.path("a.sock").display());
    let folder = Folder::empty();
    let gate = Gate::start(&routes(&folder));
    assert_eq!(std::fs::metadata(folder.path("a.sock")).unwrap().permissions().mode() & 0o777, 0o666);
    assert_eq!(heard(&mut UnixStream::connect(folder.path("a.sock")).await.unwrap()).await.unwrap(), b"in");
    drop(gate);
    assert!(!folder.path("a.sock").exists());
}

#[tokio::test]
async fn a_file_that_a_dead_process_left_is_replaced_and_a_live_one_is_not() {
    let folder = Folder::empty();
    let path = folder.path("a.sock");
    let routes = format!("[listener.a]\nlisten = \"unix:{}\"\nrespond = \"in\"", path.display());
    let live = UnixListener::bind(&path).unwrap();
    let snapshot = compile(&routes);
    let error = Gateway::start(&snapshot).err().expect("another one listens there").to_string();
    assert!(error.contains("another process listens there"), "{error}");
    // To close it is not enough: a process that another test is starting has all descriptors for a moment.
    SockRef::from(&live).shutdown(Shutdown::Both).unwrap();
    drop(live);
    let gate = Gate::start(&routes);
    assert_eq!(heard(&mut UnixStream::connect(&path).await.unwrap()).await.unwrap(), b"in");
    drop(gate);
}

#[tokio::test]
async fn a_socket_that_another_process_put_in_place_of_ours_is_left_alone() {
    let folder = Folder::empty();
    let path = folder.path("a.sock");
    let gate = Gate::start(&format!("[listener.a]\nlisten = \"unix:{}\"\nrespond = \"in\"", path.display()));
    std::fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    drop(gate);
    assert!(path.exists());
}

#[tokio::test]
async fn an_address_that_is_not_there_yet_can_be_listened_on() {
    let gate = Gate::start("[listener.a]\nlisten = [\"192.0.2.77:0\", \"[2001:db8::77]:0\"]\nfree_bind = true\nrespond = \"in\"");
    assert_eq!(gate.gateway().addresses("a").count(), 2);
}

#[tokio::test]
async fn a_listener_of_one_interface_hears_no_other() {
    let routes = |interface: &str| format!("[listener.https]\nlisten = \"127.0.0.1:0\"\ninterface = \"{interface}\"\nrespond = \"in\"\n");
    let gate = Gate::start(&routes("lo"));
    assert_eq!(said(&mut gate.connect().await).await, "in");
    let error = Gateway::start(&compile(&routes("nosuch0"))).err().expect("there is no such interface").to_string();
    let known = ["this machine has no network interface \"nosuch0\"", "`interface` needs root or CAP_NET_RAW"];
    assert!(known.iter().any(|known| error.contains(known)), "{error}");
}

#[tokio::test]
async fn clients_are_asked_whether_they_are_still_there() {
    let server = Server::echo().await;
    let gate = Gate::start(&format!(
        "[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"{}\"\nkeepalive = {{ idle = \"61s\" }}",
        server.address
    ));
    let mut client = gate.connect().await;
    client.write_all(b"x").await.unwrap();
    assert_eq!(read(&mut client, 1).await, b"x");
    let (ours, theirs) = (gate.address("https"), client.local_addr().unwrap());
    // Timer 2 is that of keepalive (proc_net_tcp). Until the client's kernel has said that the byte came, another one runs.
    let is_asked =
        || kernel::connections().iter().any(|row| row.is_from(ours) && row.is_to(theirs) && row.timer.0 == 2 && row.timer.1 <= 6100);
    until(is_asked).await;
}

#[tokio::test]
async fn first_bytes_are_read_where_the_defaults_say_so_unless_the_listener_does_not() {
    let server = Server::named("a").await;
    let gate = Gate::start(&format!(
        "[defaults]\npreread = \"tls\"\n[listener.https]\nlisten = \"127.0.0.1:0\"\nupstream = \"{0}\"\n\
         [listener.plain]\nlisten = \"127.0.0.1:0\"\nupstream = \"{0}\"\npreread = \"none\"\n\
         [listener.text]\nlisten = \"127.0.0.1:0\"\nrespond = \"in\"\n\
         [access_log.a]\nfile = \"{{folder}}/log\"\nformat = \"$listener $ssl_preread_server_name\"",
        server.address
    ));
    assert_eq!(said(&mut connect(gate.address("text")).await).await, "in", "nothing is waited for");
    assert_eq!(gate.ask("a.test").await, "a");
    assert_eq!(answer(&mut connect(gate.address("plain")).await, &hello("a.test")).await, "a");
    assert_eq!(gate.lines("log", 3).await, ["text -", "https a.test", "plain -"]);
}
