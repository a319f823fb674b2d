//! What a storm came to: each session with what its client saw and what the log says of it.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::load::{Answer, Ended, Played};
use super::weather::{Addresses, Fall};

pub(super) struct Told {
    pub(super) sessions: Vec<Ended>,
    pub(super) servers: Addresses,
    pub(super) falls: Vec<Fall>,
    /// When the last session was over.
    pub(super) over: Instant,
    /// From the first session to the last.
    took: Duration,
}

/// Joins what the clients saw with the log's lines: the host, the status, and the servers that were tried.
pub(super) fn tell(played: Played, lines: &[String], servers: Addresses, falls: Vec<Fall>) -> Told {
    let Played { mut sessions, begun, last } = played;
    assert_eq!(lines.len(), sessions.len(), "each session has one line");
    let parts = |line: &String| {
        let [host, status, tries] = line.splitn(3, ' ').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
        (host, (status, tries))
    };
    let mut logged: HashMap<String, (String, String)> = lines.iter().map(parts).collect();
    for session in &mut sessions {
        let (status, tries) = logged.remove(&session.host).unwrap_or_else(|| panic!("no line of {session:?}"));
        (session.status, session.tries) = (status, tries.split(", ").map(str::to_owned).collect());
    }
    let over = sessions.iter().map(|session| session.over).max().expect("there were sessions");
    Told { sessions, servers, falls, over, took: last.duration_since(begun) }
}

impl Told {
    /// The sessions that had their answer and an end in order, with that answer.
    pub(super) fn whole(&self) -> impl Iterator<Item = (&Ended, &Answer)> {
        self.sessions.iter().filter_map(|session| Some((session, session.answer.as_ref().ok()?)))
    }

    pub(super) fn lost(&self) -> impl Iterator<Item = &Ended> {
        self.sessions.iter().filter(|session| session.answer.is_err())
    }

    pub(super) fn summary(&self) -> String {
        let (all, lost, falls) = (self.sessions.len(), self.lost().count(), self.falls.len());
        let rate = all as f64 / self.took.as_secs_f64();
        let lag = Percentiles::of(self.sessions.iter().map(|session| session.began.duration_since(session.due)));
        format!("{all} sessions, {rate:.0} a second, {lost} lost in {falls} falls\n  {:<36}{lag}", "how late they began")
    }
}

/// Of some times, how they are spread.
pub(super) struct Percentiles(Vec<Duration>);

impl Percentiles {
    pub(super) fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut times: Vec<_> = times.collect();
        times.sort_unstable();
        Self(times)
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(times) = self;
        let Some(most) = times.last() else { return f.write_str("nobody") };
        write!(f, "{:>6}:", times.len())?;
        for (name, share) in [("half", 0.5), ("90 %", 0.9), ("99 %", 0.99), ("99.9 %", 0.999)] {
            let time = times[(times.len() as f64 * share) as usize];
            write!(f, " {name} {:.1} ms,", time.as_secs_f64() * 1000.0)?;
        }
        write!(f, " most {:.1} ms", most.as_secs_f64() * 1000.0)
    }
}
