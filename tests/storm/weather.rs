//! Five servers and the gateway before them: all well, or three of them each with a trouble of its own.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::SHARES;
use super::load::Played;
use super::report::{Told, tell};
use crate::harness::{BlackHole, Fickle, Gate};

/// For how long a server that failed is left alone.
pub(super) const FAIL_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connect may hang; shorter than the above.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// How long the fickle server is well, and then not.
const WELL: Duration = Duration::from_millis(4000);
const FALLEN: Duration = Duration::from_millis(1500);

pub(super) struct Weather {
    pub(super) gate: Gate,
    servers: Addresses,
    _kept: Vec<Fickle>,
    _hole: Option<BlackHole>,
    falling: Option<(oneshot::Sender<()>, JoinHandle<Vec<Fall>>)>,
}

/// Who the servers are, as the log has them.
#[derive(Debug)]
pub(super) struct Addresses {
    pub(super) well: [String; 2],
    pub(super) fickle: String,
    pub(super) refusing: String,
    pub(super) hole: String,
}

/// A server's fall: from when it was about to, until it had.
#[derive(Debug)]
pub(super) struct Fall {
    pub(super) begins: Instant,
    pub(super) over: Instant,
}

impl Weather {
    /// All five are well.
    pub(super) async fn calm() -> Self {
        let servers = five();
        let [a, b, hole, refusing, fickle] = servers.each_ref().map(|server| server.address.to_string());
        Self::over(Addresses { well: [a, b], fickle, refusing, hole }, servers.into())
    }

    /// Two are well, one refuses, one is a black hole, and one falls and comes back.
    pub(super) async fn storm() -> Self {
        let ([a, b, mut refusing, fickle, _], hole) = (five(), BlackHole::open().await);
        refusing.stop().await;
        let addresses = Addresses {
            well: [&a, &b].map(|server| server.address.to_string()),
            fickle: fickle.address.to_string(),
            refusing: refusing.address.to_string(),
            hole: hole.address.to_string(),
        };
        let (stop, stopped) = oneshot::channel();
        let falling = Some((stop, tokio::spawn(fall_and_come_back(fickle, stopped))));
        Self { _hole: Some(hole), falling, ..Self::over(addresses, vec![a, b, refusing]) }
    }

    fn over(servers: Addresses, kept: Vec<Fickle>) -> Self {
        let Addresses { well: [a, b], fickle, refusing, hole } = &servers;
        Self { gate: gate(&[a, hole, fickle, refusing, b]), servers, _kept: kept, _hole: None, falling: None }
    }

    /// What became of the sessions, by what clients saw and what the log says.
    pub(super) async fn tell(self, played: Played) -> Told {
        let falls = match self.falling {
            Some((stop, falling)) => {
                drop(stop);
                falling.await.unwrap()
            }
            None => Vec::new(),
        };
        let lines = self.gate.lines("log", played.sessions.len()).await;
        tell(played, &lines, self.servers, falls)
    }
}

/// A gate whose hosts `*.BALANCE.test` each have an upstream of these servers by that balance.
fn gate(servers: &[&String]) -> Gate {
    let hosts: String = SHARES.map(|(balance, _)| format!("\"*.{balance}.test\" = \"{balance}\"\n")).concat();
    let upstreams: String =
        SHARES.map(|(balance, _)| format!("[upstream.{balance}]\nbalance = \"{balance}\"\nservers = {servers:?}\n")).concat();
    Gate::start(&format!(
        "[process]\nworkers = 2\n[defaults.upstream]\nserver = {{ fail_timeout = \"{FAIL_TIMEOUT:?}\" }}\n\
         [listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\nconnect_timeout = \"{CONNECT_TIMEOUT:?}\"\n\
         [access_log.main]\nfile = \"{{folder}}/log\"\nformat = \"$ssl_preread_server_name $status $upstream_addr\"\n\
         [routes.map.hosts]\n{hosts}{upstreams}"
    ))
}

fn five() -> [Fickle; 5] {
    let mut servers = [(); 5].map(|()| Fickle::new());
    servers.iter_mut().for_each(Fickle::listen);
    servers
}

async fn fall_and_come_back(mut server: Fickle, mut stopped: oneshot::Receiver<()>) -> Vec<Fall> {
    let mut falls = Vec::new();
    loop {
        tokio::select! {
            _ = &mut stopped => return falls,
            () = tokio::time::sleep(WELL) => {}
        }
        let begins = Instant::now();
        server.fall().await;
        falls.push(Fall { begins, over: Instant::now() });
        tokio::time::sleep(FALLEN).await;
        server.listen();
    }
}
