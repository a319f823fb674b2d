//! What is known of a name: of each question the last answer that was good, whatever failed since. No look-up is made
//! here, and no clock is read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use tokio::time::Instant;

use super::answer::{Answer, Kind, Lack, Question, Records, ResolveError, Service};
use crate::host::Hostname;

/// What is looked up for a server's line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// The addresses of a name.
    Addresses(Hostname),
    /// The SRV records of a name, and the addresses of the hosts that they name.
    Service(Hostname),
}

/// What is known of a subject.
#[derive(Debug)]
pub(super) struct Known {
    subject: Subject,
    ipv6: bool,
    facts: BTreeMap<Question, Fact>,
}

/// What is known by one question.
#[derive(Debug, Default)]
struct Fact {
    records: Records,
    /// When that was heard; nothing was heard yet if this is absent.
    good_at: Option<Instant>,
    failing: Option<Failing>,
}

/// Since when look-ups fail, and how the last one did.
#[derive(Clone, Debug)]
pub struct Failing {
    /// When the first failed that was not followed by a good one.
    pub since: Instant,
    /// What was wrong with the last.
    pub why: ResolveError,
}

/// An address that a subject leads to, and the SRV record that led there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) address: IpAddr,
    pub(super) service: Option<Service>,
    /// Whether another record comes before, by a lesser priority value.
    pub(super) backup: bool,
}

/// What an outcome changed about a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It could be looked up before, or was not yet looked up, and fails now.
    BeginsToFail {
        /// Whether there is an answer from before.
        last_good: bool,
    },
    /// It failed before, and has an answer now.
    IsBack,
    /// Neither.
    GoesOn,
}

impl Known {
    pub(super) fn new(subject: Subject, ipv6: bool) -> Self {
        Self { subject, ipv6, facts: BTreeMap::new() }
    }

    /// The questions to be asked by what is known so far.
    pub(super) fn questions(&self) -> Vec<Question> {
        match &self.subject {
            Subject::Addresses(name) => Question::addresses(name, self.ipv6).collect(),
            Subject::Service(name) => {
                let asked = Question { name: name.clone(), kind: Kind::Srv };
                let targets = self.services().iter().flat_map(|service| Question::addresses(&service.target, self.ipv6));
                let mut questions: Vec<_> = targets.chain([asked]).collect();
                questions.sort_unstable();
                questions.dedup();
                questions
            }
        }
    }

    /// Takes in what came of a question. What is no question any more is forgotten.
    pub(super) fn learn(&mut self, question: Question, outcome: Result<Answer, ResolveError>, now: Instant) -> Turn {
        let fact = self.facts.entry(question).or_default();
        let failed_before = fact.failing.is_some();
        let turn = match outcome {
            Ok(answer) => {
                (fact.records, fact.good_at, fact.failing) = (answer.records, Some(now), None);
                if failed_before { Turn::IsBack } else { Turn::GoesOn }
            }
            Err(why) => {
                let since = fact.failing.take().map_or(now, |failing| failing.since);
                fact.failing = Some(Failing { since, why });
                if failed_before { Turn::GoesOn } else { Turn::BeginsToFail { last_good: fact.good_at.is_some() } }
            }
        };
        let asked = self.questions();
        self.facts.retain(|question, _| asked.contains(question));
        turn
    }

    /// Forgets what was good last before this time, where look-ups have failed since.
    pub(super) fn forget_before(&mut self, time: Instant) {
        let is_old = |fact: &&mut Fact| fact.failing.is_some() && fact.good_at.is_some_and(|good_at| good_at < time);
        for fact in self.facts.values_mut().filter(is_old) {
            (fact.records, fact.good_at) = (Records::default(), None);
        }
    }

    /// Whether each question had its first outcome, good or not.
    pub(super) fn is_settled(&self) -> bool {
        self.questions().iter().all(|question| self.facts.contains_key(question))
    }

    /// Whether it cannot be said yet where the subject leads: a host that a service names was not looked up, or nobody
    /// knows of any.
    pub(super) fn is_open(&self) -> bool {
        let is_unheard = |service: &Service| self.facts(&service.target).all(|fact| fact.good_at.is_none());
        !self.is_settled() || self.services().iter().any(is_unheard) && self.located().is_empty()
    }

    /// A question with more records than are used: how many there are, and how many are used.
    pub(super) fn cut(&self) -> Option<(&Question, usize, usize)> {
        self.facts.iter().find_map(|(question, Fact { records, .. })| {
            Some((question, records.cut?, records.addresses.len().max(records.services.len())))
        })
    }

    /// What is missing where there is no address.
    pub(super) fn lack(&self) -> Lack {
        if !self.services().is_empty() {
            Lack::Targets
        } else if self.facts.values().all(|fact| fact.records.no_such_name) {
            Lack::Name
        } else {
            Lack::Records
        }
    }

    /// Targets of a service of which it is known that they have no address.
    pub(super) fn lost_targets(&self) -> BTreeSet<&Hostname> {
        let has_none = |question| self.facts.get(&question).is_some_and(|fact| fact.failing.is_none() && fact.records.addresses.is_empty());
        let targets = self.services().iter().map(|service| &service.target);
        targets.filter(|target| Question::addresses(target, self.ipv6).all(has_none)).collect()
    }

    /// Where the subject leads: for a service, those that are asked first in front.
    pub(super) fn located(&self) -> Vec<Located> {
        match &self.subject {
            Subject::Addresses(name) => self.addresses(name).map(|address| Located { address, service: None, backup: false }).collect(),
            Subject::Service(_) => {
                let first = self.first_priority();
                let at = |service: &Service| {
                    let (service, backup) = (service.clone(), Some(service.priority) != first);
                    move |address| Located { address, service: Some(service.clone()), backup }
                };
                self.services().iter().flat_map(|service| self.addresses(&service.target).map(at(service))).take(MOST_LOCATED).collect()
            }
        }
    }

    /// When the last good answer came.
    pub(super) fn good_at(&self) -> Option<Instant> {
        self.facts.values().filter_map(|fact| fact.good_at).max()
    }

    /// The question that has failed for longest.
    pub(super) fn failing(&self) -> Option<&Failing> {
        self.facts.values().filter_map(|fact| fact.failing.as_ref()).min_by_key(|failing| failing.since)
    }

    /// The least priority value of all; as in nginx hosts without an address do not count, once that is known of them.
    fn first_priority(&self) -> Option<u16> {
        let counts = |service: &&Service| !self.is_settled() || self.addresses(&service.target).next().is_some();
        self.services().iter().find(counts).map(|service| service.priority)
    }

    fn addresses(&self, name: &Hostname) -> impl Iterator<Item = IpAddr> {
        self.facts(name).flat_map(|fact| fact.records.addresses.iter().copied())
    }

    /// What is known of a name's addresses.
    fn facts(&self, name: &Hostname) -> impl Iterator<Item = &Fact> {
        Question::addresses(name, self.ipv6).filter_map(|question| self.facts.get(&question))
    }

    fn services(&self) -> &[Service] {
        let is_of_services = |(question, _): &(&Question, &Fact)| question.kind == Kind::Srv;
        self.facts.iter().find(is_of_services).map_or(&[], |(_, fact)| &fact.records.services)
    }
}

/// The most servers that one service stands for.
const MOST_LOCATED: usize = 256;

#[cfg(test)]
mod tests {
    use tokio::time::Duration;

    use super::*;

    fn name(text: &str) -> Hostname {
        Hostname::parse(text).unwrap()
    }

    fn question(text: &str, kind: Kind) -> Question {
        Question { name: name(text), kind }
    }

    fn plain() -> Known {
        Known::new(Subject::Addresses(name("web.test")), true)
    }

    fn addresses(all: &[&str]) -> Result<Answer, ResolveError> {
        let addresses = all.iter().map(|address| address.parse().unwrap()).collect();
        Ok(Answer { records: Records { addresses, ..Records::default() }, good_for: Duration::ZERO })
    }

    fn services(all: &[(u16, &str)]) -> Result<Answer, ResolveError> {
        let service = |&(priority, target): &(u16, &str)| Service { priority, target: name(target), port: 80, weight: 1 };
        Ok(Answer { records: Records { services: all.iter().map(service).collect(), ..Records::default() }, good_for: Duration::ZERO })
    }

    fn failure() -> Result<Answer, ResolveError> {
        Err(ResolveError::Stopping)
    }

    fn located(known: &Known) -> Vec<String> {
        known.located().iter().map(|located| located.address.to_string()).collect()
    }

    #[test]
    fn a_family_that_fails_keeps_its_addresses_and_the_other_has_its_new_ones() {
        let (mut known, now) = (plain(), Instant::now());
        let [four, six] = [question("web.test", Kind::A), question("web.test", Kind::Aaaa)];
        assert_eq!(known.learn(four.clone(), addresses(&["10.0.0.1"]), now), Turn::GoesOn);
        assert!(!known.is_settled());
        known.learn(six.clone(), addresses(&["fd00::1"]), now);
        assert!(known.is_settled());
        assert_eq!(known.learn(six.clone(), failure(), now), Turn::BeginsToFail { last_good: true });
        known.learn(four, addresses(&["10.0.0.2"]), now);
        assert_eq!(located(&known), ["10.0.0.2", "fd00::1"]);
        assert_eq!(known.learn(six.clone(), addresses(&[]), now), Turn::IsBack);
        assert_eq!(located(&known), ["10.0.0.2"], "an empty answer is an answer");
    }

    #[test]
    fn a_name_fails_since_its_first_failure() {
        let (mut known, now) = (plain(), Instant::now());
        let four = question("web.test", Kind::A);
        assert_eq!(known.learn(four.clone(), failure(), now), Turn::BeginsToFail { last_good: false });
        assert_eq!(known.learn(four.clone(), failure(), now + Duration::from_secs(9)), Turn::GoesOn);
        assert_eq!(known.failing().map(|failing| failing.since), Some(now));
        known.learn(four, addresses(&[]), now);
        assert!(known.failing().is_none());
    }

    #[test]
    fn a_service_leads_where_its_targets_are() {
        let mut known = Known::new(Subject::Service(name("_http._tcp.web.test")), true);
        let srv = question("_http._tcp.web.test", Kind::Srv);
        assert_eq!(known.questions(), std::slice::from_ref(&srv));
        known.learn(srv.clone(), services(&[(1, "a.test"), (2, "b.test")]), Instant::now());
        assert_eq!(known.questions().len(), 5);
        assert!(!known.is_settled());
        known.learn(question("b.test", Kind::A), addresses(&["10.0.0.2"]), Instant::now());
        known.learn(question("a.test", Kind::A), addresses(&["10.0.0.1"]), Instant::now());
        assert_eq!(located(&known), ["10.0.0.1", "10.0.0.2"]);
        known.learn(srv.clone(), failure(), Instant::now());
        assert_eq!(located(&known), ["10.0.0.1", "10.0.0.2"], "the last good records stay");
        known.learn(srv, services(&[(2, "b.test")]), Instant::now());
        assert_eq!((located(&known), known.questions().len()), (vec!["10.0.0.2".to_owned()], 3));
    }

    #[test]
    fn those_with_the_least_priority_that_lead_anywhere_are_no_backups() {
        let mut known = Known::new(Subject::Service(name("_http._tcp.web.test")), false);
        let now = Instant::now();
        known.learn(question("_http._tcp.web.test", Kind::Srv), services(&[(1, "a.test"), (2, "b.test"), (3, "c.test")]), now);
        known.learn(question("b.test", Kind::A), addresses(&["10.0.0.2"]), now);
        known.learn(question("c.test", Kind::A), addresses(&["10.0.0.3"]), now);
        let backups = |known: &Known| known.located().iter().map(|located| located.backup).collect::<Vec<_>>();
        assert_eq!(backups(&known), [true, true], "a.test may still be found");
        known.learn(question("a.test", Kind::A), addresses(&[]), now);
        assert_eq!(backups(&known), [false, true]);
        known.learn(question("a.test", Kind::A), addresses(&["10.0.0.1"]), now);
        assert_eq!(backups(&known), [false, true, true]);
    }

    #[test]
    fn where_a_service_leads_is_open_until_a_host_of_it_is_found_or_is_none() {
        let mut known = Known::new(Subject::Service(name("_http._tcp.web.test")), false);
        let now = Instant::now();
        known.learn(question("_http._tcp.web.test", Kind::Srv), services(&[(1, "a.test"), (1, "b.test")]), now);
        known.learn(question("a.test", Kind::A), addresses(&["10.0.0.1"]), now);
        assert!(known.is_open(), "b.test was not looked up");
        known.learn(question("b.test", Kind::A), failure(), now);
        assert!(!known.is_open(), "there is a.test");
        known.learn(question("a.test", Kind::A), addresses(&[]), now);
        assert!(known.is_open(), "nobody knows of b.test");
        known.learn(question("b.test", Kind::A), addresses(&[]), now);
        assert!(!known.is_open());
    }

    #[test]
    fn what_comes_late_of_a_question_that_is_none_any_more_is_forgotten() {
        let mut known = Known::new(Subject::Service(name("_http._tcp.web.test")), false);
        known.learn(question("gone.test", Kind::A), failure(), Instant::now());
        assert!(known.failing().is_none() && !known.is_settled());
    }

    #[test]
    fn only_what_failed_since_is_forgotten_for_its_age() {
        let (mut known, now) = (plain(), Instant::now());
        known.learn(question("web.test", Kind::A), addresses(&["10.0.0.1"]), now);
        known.learn(question("web.test", Kind::Aaaa), addresses(&["fd00::1"]), now);
        known.learn(question("web.test", Kind::A), failure(), now);
        known.forget_before(now);
        assert_eq!(located(&known), ["10.0.0.1", "fd00::1"]);
        known.forget_before(now + Duration::from_secs(1));
        assert_eq!(located(&known), ["fd00::1"]);
    }
}
