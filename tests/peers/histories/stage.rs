//! A real nginx and a gateway side by side over the same servers, and what each of them does at each step.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::history::{History, Line, Step};
use crate::harness::{Fickle, Gate, connect_from, heard, until, within};
use crate::peers::nginx::Nginx;

/// What came of a history.
pub(super) enum Outcome {
    /// Both did the same, and this was seen on the way.
    Alike(Seen),
    /// They parted. What happened, to the step where they did.
    Apart(String),
    /// The machine was so slow that a `fail_timeout` may have ended at another step for one than for the other.
    TooSlow,
}

/// How often it happened that a history tells more than who has the next turn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// A session opened.
    pub(super) sessions: usize,
    /// No server was left.
    pub(super) nobody: usize,
    /// A backup served.
    pub(super) backups: usize,
    /// There was a server that had as many sessions as it may.
    pub(super) full: usize,
    /// There was a server that refused.
    pub(super) refusing: usize,
    /// A server that had stopped served again.
    pub(super) back: usize,
    /// The same of one that was alone, which no failure rules out.
    pub(super) back_alone: usize,
}

/// One client's session over each of the two.
struct Pair {
    nginx: TcpStream,
    vestibule: TcpStream,
    server: usize,
}

struct Stage<'h> {
    history: &'h History,
    servers: Vec<Fickle>,
    /// Which servers have stopped and not served since.
    stopped: Vec<bool>,
    nginx: Nginx,
    gate: Gate,
    sessions: Vec<Pair>,
    seen: Seen,
}

/// Plays a history with this `fail_timeout`, in whole seconds, as nginx counts.
pub(super) async fn play(history: &History, fail_timeout: Duration) -> Outcome {
    let mut stage = Stage::set(history, fail_timeout).await;
    let mut told = stage.told(fail_timeout);
    let mut since = Instant::now();
    for step in &history.steps {
        let answers = stage.step(*step, fail_timeout).await;
        if matches!(step, Step::Forgive) {
            since = Instant::now();
        } else if since.elapsed() >= fail_timeout {
            return Outcome::TooSlow;
        }
        writeln!(told, "{step}").unwrap();
        if let Some([nginx, vestibule]) = answers {
            writeln!(told, "  nginx: {}, vestibule: {}", server(nginx), server(vestibule)).unwrap();
            if nginx != vestibule {
                return Outcome::Apart(told + &stage.nginx.log());
            }
        }
    }
    Outcome::Alike(stage.seen)
}

impl<'h> Stage<'h> {
    async fn set(history: &'h History, fail_timeout: Duration) -> Self {
        let mut servers: Vec<_> = ports(history.servers.len()).into_iter().map(Fickle::at).collect();
        servers.iter_mut().for_each(Fickle::listen);
        let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
        let group = history.nginx(&addresses, fail_timeout);
        // The first listener is for whoever waits for nginx to be there, so that the group is not touched.
        let nginx = Nginx::start_by(&super::nginx().expect("it is there, or nobody plays"), |port, _| {
            format!(
                "load_module modules/ngx_stream_module.so;\nevents {{}}\nstream {{ upstream group {{ {group} }}\n\
                 server {{ listen 127.0.0.1:{port}; return here; }}\nserver {{ listen {NGINX}:{port}; proxy_pass group; }} }}"
            )
        })
        .await;
        let gate = Gate::start(&format!(
            "[process]\nworkers = 2\n[listener.tcp]\nlisten = \"127.0.0.1:0\"\nupstream = \"group\"\n[upstream.group]\n{}",
            history.routes_toml(&addresses, fail_timeout)
        ));
        let stopped = vec![false; servers.len()];
        Self { history, servers, stopped, nginx, gate, sessions: Vec::new(), seen: Seen::default() }
    }

    /// The history's beginning, as it is told when they part: how to play it again, and the group.
    fn told(&self, fail_timeout: Duration) -> String {
        let History { seed, balance, .. } = self.history;
        let addresses: Vec<_> = self.servers.iter().map(|server| server.address).collect();
        let ports: Vec<_> = addresses.iter().map(|address| address.port().to_string()).collect();
        let group = self.history.nginx(&addresses, fail_timeout);
        format!("{balance:?}, VESTIBULE_HISTORY_SEED={seed} VESTIBULE_HISTORY_PORTS={}\n{group}", ports.join(","))
    }

    /// Takes a step. Where a session opens: the servers to which it came.
    async fn step(&mut self, step: Step, fail_timeout: Duration) -> Option<[Option<usize>; 2]> {
        match step {
            Step::Open(client) => return Some(self.open(&format!("127.0.0.{client}")).await),
            Step::Close(session) => self.close(session).await,
            Step::Stop(server) => {
                self.servers[server].stop().await;
                self.stopped[server] = true;
            }
            Step::Fall(server) => self.fall(server).await,
            Step::Listen(server) => self.servers[server].listen(),
            // nginx counts whole seconds, and cuts what is begun.
            Step::Forgive => sleep(fail_timeout + Duration::from_millis(1100)).await,
        }
        None
    }

    async fn open(&mut self, client: &str) -> [Option<usize>; 2] {
        self.note_state();
        let mut nginx = connect_from(client, SocketAddr::new(NGINX, self.nginx.port)).await;
        let mut vestibule = connect_from(client, self.gate.address("tcp")).await;
        let answers = [self.greeter(&mut nginx).await, self.greeter(&mut vestibule).await];
        if let [Some(server), Some(other)] = answers
            && server == other
        {
            self.seen.backups += usize::from(self.history.servers[server].backup);
            let back = usize::from(std::mem::take(&mut self.stopped[server]));
            self.seen.back += back;
            self.seen.back_alone += if self.servers.len() == 1 && self.history.servers[0].max_fails > 0 { back } else { 0 };
            self.sessions.push(Pair { nginx, vestibule, server });
        }
        self.seen.nobody += usize::from(answers == [None, None]);
        answers
    }

    /// The server that greets this client, or nobody.
    async fn greeter(&self, stream: &mut TcpStream) -> Option<usize> {
        let mut greeting = String::new();
        // An end and a reset are one: there is no session.
        let _ = within(BufReader::new(stream).read_line(&mut greeting)).await;
        let greets = |server: &Fickle| greeting == format!("{}\n", server.address);
        let found = self.servers.iter().position(greets);
        assert!(found.is_some() || greeting.is_empty(), "{greeting:?} is no greeting");
        found
    }

    fn note_state(&mut self) {
        let is_full = |(number, line): (usize, &Line)| {
            line.max_conns > 0 && self.sessions.iter().filter(|pair| pair.server == number).count() == line.max_conns
        };
        self.seen.sessions += 1;
        self.seen.full += usize::from(self.history.servers.iter().enumerate().any(is_full));
        self.seen.refusing += usize::from(self.servers.iter().any(|server| !server.listens()));
    }

    async fn close(&mut self, session: usize) {
        if let Some(session) = session.checked_rem(self.sessions.len()) {
            drop(self.sessions.remove(session));
            self.settle().await;
        }
    }

    async fn fall(&mut self, server: usize) {
        self.servers[server].fall().await;
        self.stopped[server] = true;
        for mut pair in self.sessions.extract_if(.., |pair| pair.server == server) {
            // How it ends is not the matter here.
            let _ = (heard(&mut pair.nginx).await, heard(&mut pair.vestibule).await);
        }
        self.settle().await;
    }

    /// Waits until both have noticed which sessions are over. nginx gives a server's place free before it closes the
    /// connection to it; the gateway has done so when it counts the session no more.
    async fn settle(&self) {
        let open = self.sessions.len();
        until(|| self.servers.iter().map(Fickle::open).sum::<usize>() == 2 * open).await;
        self.gate.until(|totals| totals.open == open).await;
    }
}

/// Any, unless a history is played again: a circle of points depends on them.
fn ports(count: usize) -> Vec<u16> {
    match std::env::var("VESTIBULE_HISTORY_PORTS") {
        Ok(ports) => ports.split(',').map(|port| port.parse().expect("VESTIBULE_HISTORY_PORTS are numbers")).collect(),
        Err(_) => vec![0; count],
    }
}

fn server(number: Option<usize>) -> String {
    number.map_or_else(|| "closes".into(), |number| number.to_string())
}

/// Where nginx serves the group.
const NGINX: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1));
