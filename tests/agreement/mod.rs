//! What is told of a client is what becomes of it: over random maps and clients, what `route` explains, what a map's `tests`
//! judge by, the target that sessions take, an oracle that shares no code with them, and real connections all agree.

mod client;
mod oracle;
mod table;

use std::net::SocketAddr;
use std::time::SystemTime;

use fastrand::Rng;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use vestibule::config::{self, Places};
use vestibule::explain::{self, Explainer};
use vestibule::hello::{Assembler, Parse};
use vestibule::session::{Peer, Session, alert};
use vestibule::snapshot::{self, Door, Listener, Snapshot};

use crate::harness::{Gate, Server, connect, heard, within};
use client::Client;
use oracle::{Arrival, End};
use table::{Table, UPSTREAMS};

/// How many maps, and clients of each.
const MAPS: u64 = 500;
const CLIENTS: usize = 200;

/// The same through sockets.
const GATES: u64 = 20;
const CONNECTIONS: usize = 150;

#[test]
fn a_hundred_thousand_clients_are_told_where_they_would_go() {
    let mut ends = Ends::default();
    for seed in 0..MAPS {
        let mut rng = Rng::with_seed(seed);
        let table = Table::random(&mut rng);
        let text = table.text(&(0..UPSTREAMS).map(|number| format!("10.9.0.{number}:443")).collect::<Vec<_>>());
        let gate = Compiled::of(&text);
        for _ in 0..CLIENTS {
            let client = Client::random(&table, &mut rng);
            let expected = oracle::arrival(&table, &client);
            assert_eq!(gate.judged(&client), expected, "seed {seed}: judged {client:?}\n{text}");
            assert_eq!(gate.explained(&client), expected, "seed {seed}: explained {client:?}\n{text}");
            ends.count(&expected);
        }
    }
    ends.are_all_there(MAPS as usize * CLIENTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_connections_arrive_where_they_are_told_to() {
    let names: Vec<String> = (0..UPSTREAMS).map(|number| format!("server {number}")).collect();
    let mut servers = Vec::new();
    for name in &names {
        servers.push(Server::named(name).await);
    }
    let addresses: Vec<String> = servers.iter().map(|server| server.address.to_string()).collect();
    let mut ends = Ends::default();
    for seed in (0..GATES).map(|number| 1_000_000 + number) {
        let mut rng = Rng::with_seed(seed);
        let table = Table::random(&mut rng);
        let text = table.text(&addresses);
        let (gate, compiled) = (Gate::start(&text), Compiled::of(&text));
        let address = gate.address("https");
        let clients: Vec<Client> = (0..CONNECTIONS).map(|_| Client::random(&table, &mut rng)).collect();
        let under_way: Vec<_> = clients.iter().cloned().map(|client| tokio::spawn(end(address, client))).collect();
        for (client, end) in clients.iter().zip(under_way) {
            let (seen, told) = (end.await.unwrap(), compiled.explained(client));
            assert_eq!(told, oracle::arrival(&table, client), "seed {seed}: explained {client:?}\n{text}");
            assert_eq!(seen, told.end, "seed {seed}: {client:?} {told:?}\n{text}");
            ends.count(&told);
        }
    }
    ends.are_all_there(GATES as usize * CONNECTIONS);
}

/// A configuration as it is asked.
struct Compiled {
    snapshot: Snapshot,
    places: Places,
}

impl Compiled {
    fn of(text: &str) -> Self {
        let snapshot::Compiled { snapshot, places, diagnostics, .. } =
            Snapshot::check(config::parse("routes.toml", text, &[], []).unwrap());
        Self { snapshot: snapshot.unwrap_or_else(|| panic!("{diagnostics}\n{text}")), places }
    }

    fn listener(&self) -> &Listener {
        let [only] = &self.snapshot.listeners[..] else { panic!("there is one listener") };
        only
    }

    /// What `route` tells.
    fn explained(&self, client: &Client) -> Arrival {
        let told = Explainer::new(&self.snapshot, &self.places).explain(self.listener(), &client.question());
        let winner = told.entries.iter().find(|entry| entry.verdict == explain::Verdict::Wins);
        let end = match told.outcome {
            explain::Outcome::Forwarded { upstreams } => upstream(&upstreams[0].name),
            explain::Outcome::Answered { text } => End::Answer(text),
            explain::Outcome::Refused { alert: Some(name), .. } => End::Alert(alert::by_name(name).unwrap()),
            explain::Outcome::Refused { alert: None, .. } => End::Closed,
            other => panic!("{client:?}: {other:?}"),
        };
        let target = told.target.map(|taken| taken.number - 1);
        Arrival { entry: winner.and_then(|entry| entry.written.clone()), target, end }
    }

    /// The target that sessions take, and the verdict that `tests` judge by.
    fn judged(&self, client: &Client) -> Arrival {
        let listener = self.listener();
        let hello = match Assembler::new(1 << 16).push(&client.first_bytes()) {
            Parse::Complete(hello) => Some(hello),
            Parse::NotTls => None,
            // It gets no further, and no test may be about it.
            Parse::Malformed(malformed) => {
                let is_let_in = listener.admission.access.allows(Some(client.from));
                let end = if is_let_in { End::Alert(malformed.alert()) } else { End::Closed };
                return Arrival { entry: None, target: None, end };
            }
            other => panic!("{client:?}: {other:?}"),
        };
        let peer = Peer::Ip((client.from, 40_000).into());
        let mut session = Session::new(1, listener.name.clone(), peer, Peer::Unix, Instant::now(), SystemTime::now());
        let verdict = Door::from(listener).judge(hello.as_ref(), &self.snapshot.pools, &mut session);
        let choice = verdict.choice.as_ref();
        let end = match verdict.outcome {
            snapshot::Outcome::Forwarded(to) => upstream(&to),
            snapshot::Outcome::Answered(text) => End::Answer(text.into()),
            snapshot::Outcome::Refused { alert: Some(alert), .. } => End::Alert(alert),
            snapshot::Outcome::Refused { alert: None, .. } => End::Closed,
            snapshot::Outcome::Shown => panic!("no map shows upstreams"),
        };
        let target = choice.and_then(|choice| choice.target).map(|(index, _)| index);
        Arrival { entry: choice.map(|choice| choice.found.entry.written.to_string()), target, end }
    }
}

fn upstream(name: &str) -> End {
    End::Upstream(name["up".len()..].parse().unwrap())
}

/// How a connection ends, as its client sees it.
async fn end(gate: SocketAddr, client: Client) -> End {
    let mut stream = connect(gate).await;
    within(stream.write_all(&[client.header(), client.first_bytes()].concat())).await.unwrap();
    within(stream.shutdown()).await.unwrap();
    match &heard(&mut stream).await.expect("an orderly end, not a reset")[..] {
        [] => End::Closed,
        [21, 3, 3, 0, 2, 2, alert] => End::Alert(*alert),
        text => {
            let text = String::from_utf8(text.to_vec()).unwrap();
            text.strip_prefix("server ").map_or_else(|| End::Answer(text.clone()), |number| End::Upstream(number.parse().unwrap()))
        }
    }
}

/// How often clients came to each end: what is never met is not tested.
#[derive(Debug, Default)]
struct Ends {
    all: usize,
    upstreams: usize,
    answers: usize,
    alerts: usize,
    closes: usize,
    patterns: usize,
    later_targets: usize,
    no_target: usize,
}

impl Ends {
    fn count(&mut self, arrival: &Arrival) {
        self.all += 1;
        match &arrival.end {
            End::Upstream(_) => self.upstreams += 1,
            End::Answer(_) => self.answers += 1,
            End::Alert(_) => self.alerts += 1,
            End::Closed => self.closes += 1,
        }
        self.patterns +=
            usize::from(arrival.entry.as_ref().is_some_and(|entry| entry.contains(['[', '(', '|']) || entry.starts_with("_.*")));
        self.later_targets += usize::from(arrival.target.is_some_and(|index| index > 0));
        self.no_target += usize::from(arrival.entry.is_some() && arrival.target.is_none());
    }

    fn are_all_there(&self, all: usize) {
        println!("{self:?}");
        assert_eq!(self.all, all);
        let shares = [self.upstreams, self.answers, self.alerts, self.closes, self.patterns, self.later_targets, self.no_target];
        assert!(shares.iter().all(|&share| share * 200 > all), "each is at least half of a percent: {self:?}");
    }
}
