//! Names of servers' lines, followed for as long as their upstreams live: each question is asked again when its
//! answer is no longer good, and whatever is new is told to all lines that go by the name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::AbortOnDrop;
use super::answer::{Answer, Question, ResolveError};
use super::ask::NameServers;
use super::found::found;
use super::known::{Known, Located, Subject, Turn};
use crate::address::Address;
use crate::host::Hostname;
use crate::upstream::{NameStatus, Upstream};

/// What is followed for some lines.
pub(super) struct Followed {
    subject: Subject,
    lines: Vec<Line>,
    servers: Arc<NameServers>,
    known: Known,
    /// Where that leads, as the lines were told.
    located: Vec<Located>,
    settled: bool,
    /// What was said of records: that too many are cut off, that there are none, which targets have no address.
    said: Said,
}

/// A line of an upstream. It does not keep the upstream alive.
pub(super) struct Line {
    upstream: Weak<Upstream>,
    /// The upstream's name, for the log.
    name: Arc<str>,
    number: usize,
}

#[derive(Default)]
struct Said {
    cut: bool,
    none: bool,
    lost: BTreeSet<Hostname>,
}

type Outcome = (Question, Result<Answer, ResolveError>);

impl Subject {
    /// What is to be looked up for an address, if anything is.
    pub(super) fn of(address: &Address) -> Option<Self> {
        match address {
            Address::Name(name, _) => Some(Self::Addresses(name.clone())),
            Address::Service(name) => Some(Self::Service(name.clone())),
            Address::Ip(_) | Address::Unix(_) => None,
        }
    }

    fn name(&self) -> &Hostname {
        match self {
            Self::Addresses(name) | Self::Service(name) => name,
        }
    }
}

impl Line {
    /// The lines of an upstream that go by a name. From now on they count as about to be looked up.
    pub(super) fn all(upstream: &Arc<Upstream>) -> impl Iterator<Item = (Subject, Self)> {
        let lines = upstream.lines().iter().enumerate();
        lines.filter_map(|(number, line)| {
            let subject = Subject::of(&line.address)?;
            upstream.names.begin();
            Some((subject, Self { upstream: Arc::downgrade(upstream), name: upstream.name().clone(), number }))
        })
    }

    /// Its upstream, as long as somebody else has it.
    pub(super) fn upstream(&self) -> Option<Arc<Upstream>> {
        self.upstream.upgrade()
    }
}

impl Followed {
    pub(super) fn new(subject: Subject, lines: Vec<Line>, servers: Arc<NameServers>) -> Self {
        let known = Known::new(subject.clone(), servers.settings.ipv6);
        Self { subject, lines, servers, known, located: Vec::new(), settled: false, said: Said::default() }
    }

    /// Goes on until no upstream is left that wants to know: they keep the task.
    pub(super) async fn follow(mut self) {
        let (tell, mut told) = mpsc::channel(1);
        let mut asking = BTreeMap::new();
        loop {
            self.ask(&mut asking, &tell);
            let Some((question, outcome)) = told.recv().await else { return };
            if asking.contains_key(&question) {
                self.learn(question, outcome);
            }
        }
    }

    /// Keeps asking all that is to be asked now, and nothing else.
    fn ask(&self, asking: &mut BTreeMap<Question, AbortOnDrop<()>>, tell: &mpsc::Sender<Outcome>) {
        let wanted: BTreeSet<_> = self.known.questions().into_iter().collect();
        asking.retain(|question, _| wanted.contains(question));
        for question in wanted {
            let start = || AbortOnDrop(tokio::spawn(keep_asking(self.servers.clone(), question.clone(), tell.clone())));
            asking.entry(question.clone()).or_insert_with(start);
        }
    }

    fn learn(&mut self, question: Question, outcome: Result<Answer, ResolveError>) {
        let now = Instant::now();
        let error = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let turn = self.known.learn(question.clone(), outcome, now);
        // While nobody knows where new hosts of a service are, sessions go where they went before.
        let stays = self.settled && self.known.is_open();
        let after = if stays { self.located.clone() } else { self.known.located() };
        self.tell_turn(turn, &question, &error, !after.is_empty());
        let before = std::mem::replace(&mut self.located, after);
        if before != self.located {
            self.tell_change(&before, &self.located);
        }
        self.tell_limits();
        self.publish(before != self.located, now);
    }

    /// Tells the upstreams: where their servers are first, then how the name stands.
    fn publish(&mut self, has_changed: bool, now: Instant) {
        // The second family of a first answer comes no later than the first.
        let late = self.settled.then_some(now);
        let settles = !self.settled && self.known.is_settled();
        self.settled |= settles;
        for line in &self.lines {
            let Some(upstream) = line.upstream() else { continue };
            let found =
                upstream.lines().get(line.number).map(|written| found(written, upstream.balance(), &self.located)).unwrap_or_default();
            let addresses: Vec<SocketAddr> = found.iter().map(|found| found.address).collect();
            if has_changed {
                upstream.replace_servers(line.number, found, late);
            }
            let (good_at, failing) = (self.known.good_at(), self.known.failing().cloned());
            upstream.names.publish(NameStatus { line: line.number, name: self.subject.name().clone(), addresses, good_at, failing });
            if settles {
                upstream.names.settle();
            }
        }
    }

    fn tell_turn(&self, turn: Turn, question: &Question, error: &str, has_others: bool) {
        let upstream = self.upstreams();
        match turn {
            Turn::BeginsToFail { last_good } => {
                let left = match last_good {
                    true => "the last good answer stays",
                    false if has_others => "its other addresses serve",
                    // The other family may still be on its way.
                    false if !self.known.is_settled() => "there is no answer from before",
                    false => "its server is left out until there is an answer",
                };
                let retry = self.servers.settings.retry();
                tracing::warn!(upstream, "{error}; {left}; the next look-up is in {retry:?}");
            }
            Turn::IsBack => tracing::info!(upstream, "{question} is looked up again"),
            Turn::GoesOn => {}
        }
    }

    fn tell_limits(&mut self) {
        let (upstream, name) = (self.upstreams(), self.subject.name());
        if let Some((question, all, used)) = self.known.cut()
            && !std::mem::replace(&mut self.said.cut, true)
        {
            tracing::warn!(upstream, "{question} has {all} records, of which the first {used} are used");
        }
        let lost: BTreeSet<_> =
            if self.located.is_empty() { BTreeSet::new() } else { self.known.lost_targets().into_iter().cloned().collect() };
        for target in lost.difference(&self.said.lost) {
            tracing::warn!(upstream, "{target}, a target of {name}, has no address; the others serve");
        }
        self.said.lost = lost;
        // While a look-up fails, that has been said, and what is missing may be there.
        let has_none = self.located.is_empty() && self.known.is_settled() && self.known.failing().is_none();
        if has_none && !std::mem::replace(&mut self.said.none, true) {
            tracing::warn!(upstream, "{name} has no address: {}; its server is left out until it has one", self.known.lack());
        }
        self.said.none = has_none;
    }

    fn tell_change(&self, before: &[Located], after: &[Located]) {
        let (upstream, name) = (self.upstreams(), self.subject.name());
        let joined = listed(after.iter().filter(|located| !before.contains(located)));
        let left = listed(before.iter().filter(|located| !after.contains(located)));
        match (joined, left) {
            (Some(joined), Some(left)) => tracing::info!(upstream, "{name}: {joined} joined, {left} left"),
            (Some(joined), None) => tracing::info!(upstream, "{name}: {joined} joined"),
            (None, Some(left)) => tracing::info!(upstream, "{name}: {left} left"),
            // Only their order is new.
            (None, None) => {}
        }
    }

    /// The upstreams that go by the name.
    fn upstreams(&self) -> String {
        let mut names: Vec<&str> = self.lines.iter().map(|line| &*line.name).collect();
        names.dedup();
        names.join(", ")
    }
}

async fn keep_asking(servers: Arc<NameServers>, question: Question, tell: mpsc::Sender<Outcome>) {
    loop {
        let outcome = servers.ask(&question).await;
        let wait = outcome.as_ref().map_or_else(|_| servers.settings.retry(), |answer| answer.good_for);
        if tell.send((question.clone(), outcome)).await.is_err() {
            return;
        }
        sleep(wait).await;
    }
}

/// Addresses for a line of the log, if there are any; not all of very many.
fn listed<'l>(all: impl Iterator<Item = &'l Located>) -> Option<String> {
    let mut texts: Vec<_> = all.map(Located::to_string).collect();
    let more = texts.len().saturating_sub(MOST_LISTED);
    texts.truncate(MOST_LISTED);
    if more > 0 {
        texts.push(format!("{more} more"));
    }
    (!texts.is_empty()).then(|| texts.join(", "))
}

const MOST_LISTED: usize = 16;
