//! Servers that see the client's own address (`transparent`), with real routing: a client, the gateway and a server in
//! network namespaces of their own, and on the gateway's the rules that docs/configuration.md shows.

use std::process::Command;

use super::is_installed;
use crate::harness::Process;

/// Three namespaces: the client's, the gateway's between both, and the server's. They go when dropped.
struct Lab {
    client: String,
    gateway: String,
    server: String,
}

impl Lab {
    /// Nothing, where the programs or the privilege for it are missing and need not be there.
    fn open(name: &str) -> Option<Self> {
        if !is_installed("ip") || !is_installed("bash") {
            return None;
        }
        let is_root = rustix::process::geteuid().is_root();
        let required = std::env::var_os("VESTIBULE_TEST_PEERS").is_some_and(|value| value == "required");
        assert!(is_root || !required, "network namespaces take root");
        if !is_root {
            eprintln!("left out, for it takes root: {name}");
            return None;
        }
        let namespace = |who: &str| format!("vestibule-{}-{name}-{who}", std::process::id());
        let lab = Self { client: namespace("client"), gateway: namespace("gateway"), server: namespace("server") };
        let mut shell = Command::new("sh");
        shell.args(["-ec", SET_UP]).env("C", &lab.client).env("G", &lab.gateway).env("S", &lab.server);
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(lab)
    }

    /// A vestibule in one of the namespaces.
    async fn vestibule(namespace: &str, routes: &str) -> Process {
        Process::start_by(&["ip", "netns", "exec", namespace], routes).await
    }

    /// What a client hears that connects to the gateway and says nothing.
    async fn ask(&self, address: &str, port: u16) -> String {
        let mut command = tokio::process::Command::new("ip");
        let script = format!("exec 3<>/dev/tcp/{address}/{port} && cat <&3");
        command.args(["netns", "exec", &self.client, "timeout", "20", "bash", "-c", &script]).kill_on_drop(true);
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in [&self.client, &self.gateway, &self.server] {
            // One that was never made cannot be deleted, which is no matter.
            let _ = Command::new("ip").args(["netns", "delete", namespace]).output();
        }
    }
}

const SET_UP: &str = "
ip netns add $C
ip netns add $G
ip netns add $S
ip -n $G link add clients type veth peer name gateway netns $C
ip -n $G link add servers type veth peer name gateway netns $S
ip -n $G address add 10.66.1.1/24 dev clients
ip -n $G address add fd66:1::1/64 dev clients nodad
ip -n $G address add 10.66.2.1/24 dev servers
ip -n $G address add fd66:2::1/64 dev servers nodad
ip -n $C address add 10.66.1.2/24 dev gateway
ip -n $C address add fd66:1::2/64 dev gateway nodad
ip -n $S address add 10.66.2.2/24 dev gateway
ip -n $S address add fd66:2::2/64 dev gateway nodad
for link in lo clients servers; do ip -n $G link set $link up; done
for link in lo gateway; do ip -n $C link set $link up; ip -n $S link set $link up; done
# The servers send their answers to clients by way of the gateway.
ip -n $S route add default via 10.66.2.1
ip -n $S -6 route add default via fd66:2::1
# And the gateway takes these answers for its own.
for family in -4 -6; do
  ip -n $G $family rule add iif servers ipproto tcp sport 443 lookup 100
  ip -n $G $family route add local default dev lo table 100
done
";

/// Says whom it sees.
const SERVER: &str = "[listener.https]\nlisten = [\"10.66.2.2:443\", \"[fd66:2::2]:443\"]\nrespond = \"$remote_addr $remote_port\"\n";

/// A gateway to it, by these session keys.
fn gateway(keys: &str) -> String {
    format!(
        "[defaults]\n{keys}\n[access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$remote_addr $remote_port\"\n\
         [listener.https]\nlisten = \"10.66.1.1:443\"\nupstream = \"10.66.2.2:443\"\n\
         [listener.six]\nlisten = \"[fd66:1::1]:443\"\nupstream = \"[fd66:2::2]:443\"\n"
    )
}

#[tokio::test]
async fn a_server_sees_the_clients_own_address_and_port() {
    let Some(lab) = Lab::open("port") else { return };
    let _server = Lab::vestibule(&lab.server, SERVER).await;
    let gate = Lab::vestibule(&lab.gateway, &gateway("source = \"$remote_addr:$remote_port\"\ntransparent = true")).await;
    let seen = [lab.ask("10.66.1.1", 443).await, lab.ask("fd66:1::1", 443).await];
    assert!(seen[0].starts_with("10.66.1.2 ") && seen[1].starts_with("fd66:1::2 "), "{seen:?}");
    let log = std::fs::read_to_string(gate.path("log")).unwrap();
    assert_eq!(log.lines().collect::<Vec<_>>(), seen, "the very ports that the clients have");
}

#[tokio::test]
async fn a_server_sees_the_clients_own_address_from_a_port_of_the_kernels_choice() {
    let Some(lab) = Lab::open("address") else { return };
    let _server = Lab::vestibule(&lab.server, SERVER).await;
    let _gate = Lab::vestibule(&lab.gateway, &gateway("source = \"$remote_addr\"\ntransparent = true")).await;
    let seen = [lab.ask("10.66.1.1", 443).await, lab.ask("fd66:1::1", 443).await];
    assert!(seen[0].starts_with("10.66.1.2 ") && seen[1].starts_with("fd66:1::2 "), "{seen:?}");
}

#[tokio::test]
async fn a_foreign_source_is_not_to_be_had_without_transparency() {
    let Some(lab) = Lab::open("foreign") else { return };
    let _server = Lab::vestibule(&lab.server, SERVER).await;
    let gate = Lab::vestibule(&lab.gateway, &gateway("source = \"$remote_addr\"")).await;
    assert_eq!(lab.ask("10.66.1.1", 443).await, "");
    gate.says("the source 10.66.1.2:0 cannot be bound to").await;
}
