//! Names that clients lead to: looked up when a session needs one, once for all sessions that do, and kept for as long
//! as the answer is good. The names are strangers' words, so only so many are looked up at a time.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, timeout};

use super::answer::{Answer, Question, ResolveError};
use super::ask::NameServers;
use super::known::{Known, Subject};
use crate::host::Hostname;

/// Looks names up when they are needed. A cheap handle.
#[derive(Clone)]
pub struct OnDemand {
    runtime: Handle,
    servers: Arc<NameServers>,
    /// For names that were never good.
    strange: Arc<Semaphore>,
    /// For those that were: strangers who ask for others do not keep them from being looked up again.
    proven: Arc<Semaphore>,
}

/// A name, and what came of its last look-up.
pub struct DemandedName {
    name: Hostname,
    /// Is told of all its addresses after every look-up.
    apply: Box<Apply>,
    state: Mutex<State>,
    /// Tells that a look-up is over.
    done: Notify,
}

struct State {
    known: Known,
    is_looking: bool,
    /// Whether it had addresses, ever.
    is_proven: bool,
    /// What came of it; good until then without another look-up.
    verdict: Option<(Result<(), ResolveError>, Instant)>,
    /// Until when the last good addresses serve though they should be looked up again.
    serves_until: Option<Instant>,
}

/// What a look-up came to.
struct Learned {
    addresses: Vec<IpAddr>,
    verdict: (Result<(), ResolveError>, Instant),
    serves_until: Option<Instant>,
}

/// How a name stands for a session that needs it.
enum Stands {
    /// What came of the last look-up still counts.
    Fresh(Result<(), ResolveError>),
    /// The last good addresses serve, but it is time for new ones.
    Old,
    /// Nothing is known that would serve.
    Unknown,
}

impl OnDemand {
    pub(super) fn new(runtime: Handle, servers: Arc<NameServers>) -> Self {
        let [strange, proven] = [(); 2].map(|()| Arc::new(Semaphore::new(MOST_LOOK_UPS)));
        Self { runtime, servers, strange, proven }
    }

    /// A name that was not looked up yet. `apply` hears on the control runtime where it leads, after every look-up.
    #[must_use]
    pub fn name(&self, name: Hostname, apply: impl Fn(&[IpAddr]) + Send + Sync + 'static) -> Arc<DemandedName> {
        let known = Known::new(Subject::Addresses(name.clone()), self.servers.settings.ipv6);
        let state = Mutex::new(State { known, is_looking: false, is_proven: false, verdict: None, serves_until: None });
        Arc::new(DemandedName { name, apply: Box::new(apply), state, done: Notify::new() })
    }

    /// Comes back once `apply` has heard of addresses that serve. A session that finds old ones waits a moment for new
    /// ones, and does with the old ones then; others that come meanwhile do with them at once.
    ///
    /// # Errors
    /// When the name has no address, or could not be looked up and no good addresses are left.
    pub async fn ready(&self, name: &Arc<DemandedName>) -> Result<(), ResolveError> {
        let mut waited = false;
        loop {
            let mut done = pin!(name.done.notified());
            // It hears of what is over from here on, so nothing is missed between the question and the wait.
            done.as_mut().enable();
            match name.stands() {
                (Stands::Fresh(verdict), _) => return verdict,
                (Stands::Old, is_looking) => {
                    if waited || is_looking || !self.begin_if_free(name) {
                        return Ok(());
                    }
                    if timeout(PATIENCE_WITH_OLD, done).await.is_err() {
                        return Ok(());
                    }
                    waited = true;
                }
                (Stands::Unknown, true) => done.await,
                (Stands::Unknown, false) => {
                    let permit = self.permits(name).acquire_owned().await.map_err(|_| ResolveError::Stopping)?;
                    self.begin(name, permit);
                }
            }
        }
    }

    fn permits(&self, name: &DemandedName) -> Arc<Semaphore> {
        if name.state().is_proven { self.proven.clone() } else { self.strange.clone() }
    }

    fn begin_if_free(&self, name: &Arc<DemandedName>) -> bool {
        self.permits(name).try_acquire_owned().is_ok_and(|permit| self.begin(name, permit))
    }

    /// Begins a look-up, unless another session has by now. It goes on whoever leaves meanwhile: the next has use for it.
    fn begin(&self, name: &Arc<DemandedName>, permit: OwnedSemaphorePermit) -> bool {
        let Some(looking) = Looking::begin(name) else { return false };
        let servers = self.servers.clone();
        self.runtime.spawn(async move {
            let outcomes = ask(&servers, looking.0.questions()).await;
            looking.0.learn(outcomes, &servers);
            drop(looking);
            drop(permit);
        });
        true
    }
}

/// A look-up under way.
struct Looking(Arc<DemandedName>);

impl Looking {
    fn begin(name: &Arc<DemandedName>) -> Option<Self> {
        let mut state = name.state();
        if state.is_looking || matches!(state.stands(Instant::now()), Stands::Fresh(_)) {
            return None;
        }
        state.is_looking = true;
        Some(Self(name.clone()))
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.state().is_looking = false;
        self.0.done.notify_waiters();
    }
}

impl DemandedName {
    /// How it stands, and whether a look-up is under way.
    fn stands(&self) -> (Stands, bool) {
        let state = self.state();
        (state.stands(Instant::now()), state.is_looking)
    }

    fn questions(&self) -> Vec<Question> {
        self.state().known.questions()
    }

    fn learn(&self, outcomes: Vec<Outcome>, servers: &NameServers) {
        let learned = self.state().learn(&self.name, outcomes, servers, Instant::now());
        // Only then do sessions go by it: the addresses are where they look for them.
        (self.apply)(&learned.addresses);
        let mut state = self.state();
        (state.verdict, state.serves_until) = (Some(learned.verdict), learned.serves_until);
    }

    /// Whoever panicked with the lock held left a state that is as good as any.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn stands(&self, now: Instant) -> Stands {
        match &self.verdict {
            Some((verdict, until)) if now < *until => Stands::Fresh(verdict.clone()),
            _ if self.serves_until.is_some_and(|until| now < until) => Stands::Old,
            _ => Stands::Unknown,
        }
    }

    /// Takes in what a look-up came to. Nothing is decided by it until the addresses are told.
    fn learn(&mut self, name: &Hostname, outcomes: Vec<Outcome>, servers: &NameServers, now: Instant) -> Learned {
        let asked = self.known.questions().len();
        let answers = || outcomes.iter().filter_map(|(_, outcome)| outcome.as_ref().ok());
        let good_for = answers().map(|answer| answer.good_for).min();
        let is_whole = answers().count() == asked;
        let failed = outcomes.iter().find_map(|(_, outcome)| outcome.as_ref().err().cloned());
        let serves_until = good_for.map(|good_for| now + good_for + serves_longer(good_for)).or(self.serves_until);
        for (question, outcome) in outcomes {
            self.known.learn(question, outcome, now);
        }
        if serves_until.is_none_or(|until| until <= now) {
            self.known.forget_before(now);
        }
        let addresses: Vec<_> = self.known.located().into_iter().map(|located| located.address).collect();
        let verdict = match (addresses.is_empty(), failed) {
            // A family that is missing makes what there is serve, but not for as long as it might.
            (false, _) if !is_whole => (Ok(()), good_for.map_or(AGAIN, |good_for| good_for.min(servers.settings.retry()))),
            (false, _) => (Ok(()), good_for.unwrap_or(AGAIN)),
            (true, None) => (Err(ResolveError::NoAddress(name.clone(), self.known.lack())), AGAIN),
            (true, Some(error)) => (Err(error), AGAIN),
        };
        let serves_until = serves_until.filter(|_| !addresses.is_empty());
        self.is_proven |= !addresses.is_empty();
        Learned { addresses: in_happy_order(&addresses), verdict: (verdict.0, now + verdict.1), serves_until }
    }
}

type Apply = dyn Fn(&[IpAddr]) + Send + Sync;
type Outcome = (Question, Result<Answer, ResolveError>);

/// Asks all at once. When one has brought addresses, the others get a moment more (RFC 8305 §3).
async fn ask(servers: &Arc<NameServers>, questions: Vec<Question>) -> Vec<Outcome> {
    let mut asking = JoinSet::new();
    for question in questions {
        let servers = servers.clone();
        asking.spawn(async move {
            let outcome = servers.ask(&question).await;
            (question, outcome)
        });
    }
    let brought = |outcomes: &[Outcome]| {
        outcomes.iter().any(|(_, outcome)| outcome.as_ref().is_ok_and(|answer| !answer.records.addresses.is_empty()))
    };
    let mut outcomes = Vec::new();
    loop {
        let next = if brought(&outcomes) {
            timeout(PATIENCE_WITH_THE_OTHER, asking.join_next()).await.unwrap_or_default()
        } else {
            asking.join_next().await
        };
        match next {
            Some(Ok(outcome)) => outcomes.push(outcome),
            // One that panicked has said so on stderr, and has no outcome.
            Some(Err(_)) => {}
            None => return outcomes,
        }
    }
}

/// The families in turn, so that one that is dead costs every second try at most.
fn in_happy_order(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let of = |wanted: fn(&IpAddr) -> bool| addresses.iter().copied().filter(wanted);
    let (mut fours, mut sixes) = (of(IpAddr::is_ipv4), of(IpAddr::is_ipv6));
    let next = move || Some([fours.next(), sixes.next()]).filter(|pair| pair.iter().any(Option::is_some));
    std::iter::from_fn(next).flatten().flatten().take(MOST_ADDRESSES).collect()
}

/// How much longer than they are good addresses serve when they cannot be looked up again.
fn serves_longer(good_for: Duration) -> Duration {
    (good_for * 10).clamp(Duration::from_secs(60), Duration::from_secs(3600))
}

/// How many names are looked up at a time, of those that were never good and of those that were.
const MOST_LOOK_UPS: usize = 64;
/// The most addresses of such a name that are used.
const MOST_ADDRESSES: usize = 32;
/// How long it is believed that there is no address, or that no name server can say.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a session that could do with old addresses waits for new ones.
const PATIENCE_WITH_OLD: Duration = Duration::from_millis(200);
/// How long one family is waited for when the other is there.
const PATIENCE_WITH_THE_OTHER: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::super::answer::Records;
    use super::super::settings::ResolverSettings;
    use super::*;

    #[test]
    fn families_are_tried_in_turn() {
        let order = |all: &[&str]| {
            let all: Vec<IpAddr> = all.iter().map(|address| address.parse().unwrap()).collect();
            in_happy_order(&all).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            order(&["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "fd00::2"]),
            ["10.0.0.1", "fd00::1", "10.0.0.2", "fd00::2", "10.0.0.3"]
        );
        assert_eq!(order(&["fd00::1", "fd00::2"]), ["fd00::1", "fd00::2"]);
        assert_eq!(in_happy_order(&[IpAddr::from([10, 0, 0, 1]); 100]).len(), MOST_ADDRESSES);
    }

    #[tokio::test]
    async fn old_addresses_are_forgotten_when_their_time_is_over() {
        let name = Hostname::parse("web.test").unwrap();
        let settings = ResolverSettings { nameservers: Some(vec!["127.0.0.1:53".parse().unwrap()]), ..ResolverSettings::default() };
        let servers = NameServers::new(&settings).unwrap();
        let known = Known::new(Subject::Addresses(name.clone()), false);
        let mut state = State { known, is_looking: false, is_proven: false, verdict: None, serves_until: None };
        let (begun, good_for) = (Instant::now(), Duration::from_secs(10));
        let mut learn = |answer: Result<Records, ResolveError>, after: u64| {
            let question = state.known.questions().remove(0);
            let outcome = answer.map(|records| Answer { records, good_for });
            let learned = state.learn(&name, vec![(question, outcome)], &servers, begun + Duration::from_secs(after));
            (state.verdict, state.serves_until) = (Some(learned.verdict.clone()), learned.serves_until);
            (learned.addresses.len(), learned.verdict.0.is_ok())
        };
        let good = Records { addresses: vec![[10, 0, 0, 1].into()], ..Records::default() };
        assert_eq!(learn(Ok(good), 0), (1, true));
        // 10 s good, and 100 s more.
        assert_eq!(learn(Err(ResolveError::Stopping), 109), (1, true));
        assert_eq!(learn(Err(ResolveError::Stopping), 110), (0, false));
    }

    #[test]
    fn old_addresses_serve_for_a_bounded_time() {
        let longer = |seconds| serves_longer(Duration::from_secs(seconds)).as_secs();
        assert_eq!([0, 10, 60, 3600].map(longer), [60, 100, 600, 3600]);
    }
}
