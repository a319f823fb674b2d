//! What may happen to a group of servers, drawn from a seed: who the servers are, and then what comes, step by step.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// How both choose, in the words of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Balance {
    RoundRobin,
    LeastConn,
    Hash,
    ConsistentHash,
}

/// A group of servers, and what happens to it.
#[derive(Debug)]
pub(super) struct History {
    pub(super) seed: u64,
    pub(super) balance: Balance,
    pub(super) servers: Vec<Line>,
    pub(super) steps: Vec<Step>,
}

/// What stands in the configuration of a server, but for its address and its `fail_timeout`.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) weight: usize,
    pub(super) max_fails: usize,
    pub(super) max_conns: usize,
    pub(super) backup: bool,
    pub(super) down: bool,
}

/// One thing that happens. Servers and sessions are counted from 0.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A client with this last byte in its address opens a session.
    Open(usize),
    /// The client of this session, or of the one that has its number modulo their count, ends it.
    Close(usize),
    /// A server no longer listens. Its sessions go on.
    Stop(usize),
    /// A server no longer listens, and resets its sessions.
    Fall(usize),
    /// A server listens again.
    Listen(usize),
    /// So long that the `fail_timeout` of each failed server is over.
    Forgive,
}

impl Balance {
    pub(super) fn hashes(self) -> bool {
        matches!(self, Self::Hash | Self::ConsistentHash)
    }
}

impl History {
    pub(super) fn new(balance: Balance, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let count = 1 + seed as usize % 5;
        let servers: Vec<_> = (0..count).map(|number| Line::drawn(&mut dice, balance, number)).collect();
        let step = |number| if number % CHAPTER == 0 { Step::Forgive } else { Step::drawn(&mut dice, count) };
        let steps = (1..CHAPTERS * CHAPTER).map(step).collect();
        Self { seed, balance, servers, steps }
    }

    /// The group as nginx's configuration has it.
    pub(super) fn nginx(&self, addresses: &[SocketAddr], fail_timeout: Duration) -> String {
        let word = match self.balance {
            Balance::RoundRobin => "",
            Balance::LeastConn => "least_conn;",
            Balance::Hash => "hash $remote_addr;",
            Balance::ConsistentHash => "hash $remote_addr consistent;",
        };
        let servers = self.servers.iter().zip(addresses).map(|(line, address)| {
            let Line { weight, max_fails, max_conns, backup, down } = line;
            let flags = [(backup, " backup"), (down, " down")].map(|(set, word)| if *set { word } else { "" }).concat();
            let seconds = fail_timeout.as_secs();
            format!("server {address} weight={weight} max_fails={max_fails} max_conns={max_conns} fail_timeout={seconds}s{flags};\n")
        });
        format!("{word}\n{}", servers.collect::<String>())
    }

    /// The group as routes.toml has it.
    pub(super) fn routes_toml(&self, addresses: &[SocketAddr], fail_timeout: Duration) -> String {
        let word = match self.balance {
            Balance::RoundRobin => "round_robin",
            Balance::LeastConn => "least_conn",
            Balance::Hash => "hash",
            Balance::ConsistentHash => "consistent_hash",
        };
        let servers = self.servers.iter().zip(addresses).map(|(line, address)| {
            let Line { weight, max_fails, max_conns, backup, down } = line;
            let seconds = fail_timeout.as_secs();
            format!(
                "{{ address = \"{address}\", weight = {weight}, max_fails = {max_fails}, max_conns = {max_conns}, \
                 fail_timeout = \"{seconds}s\", backup = {backup}, down = {down} }},\n"
            )
        });
        format!("balance = \"{word}\"\nservers = [\n{}]\n", servers.collect::<String>())
    }
}

impl Line {
    fn drawn(dice: &mut Dice, balance: Balance, number: usize) -> Self {
        Self {
            weight: if dice.one_in(2) { 1 } else { 1 + dice.roll(5) },
            max_fails: dice.roll(4),
            max_conns: if dice.one_in(3) { 1 + dice.roll(4) } else { 0 },
            // nginx wants a server that is none, and refuses them where it hashes.
            backup: number > 0 && !balance.hashes() && dice.one_in(4),
            down: dice.one_in(10),
        }
    }
}

impl Step {
    fn drawn(dice: &mut Dice, servers: usize) -> Self {
        match dice.roll(100) {
            0..60 => Self::Open(2 + dice.roll(200)),
            60..78 => Self::Close(dice.roll(1000)),
            78..85 => Self::Stop(dice.roll(servers)),
            85..88 => Self::Fall(dice.roll(servers)),
            _ => Self::Listen(dice.roll(servers)),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(client) => write!(f, "127.0.0.{client} opens a session"),
            Self::Close(session) => write!(f, "session {session}, modulo their count, is closed"),
            Self::Stop(server) => write!(f, "server {server} stops"),
            Self::Fall(server) => write!(f, "server {server} falls"),
            Self::Listen(server) => write!(f, "server {server} listens"),
            Self::Forgive => f.write_str("all fail_timeouts pass"),
        }
    }
}

/// Numbers that look drawn and follow from the seed alone (splitmix64).
struct Dice(u64);

impl Dice {
    /// One of this many numbers, from 0.
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides as u64) as usize
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }
}

/// After how many steps servers that failed have another chance, and how often.
const CHAPTER: usize = 30;
const CHAPTERS: usize = 4;
