//! TLS files that change under a running gateway are noticed and read anew: each profile whole or not at all. Where the
//! kernel does not tell of changes (as on network file systems) or cannot, the files are looked at every now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Duration, sleep, timeout};

use crate::tls::{Outcome, Reread, SystemRoots};

/// All profiles whose files may change.
#[derive(Clone, Debug)]
pub(super) struct Certificates {
    all: Arc<[Arc<Reread>]>,
    /// The lints of which nothing is told.
    quiet: Arc<BTreeSet<Box<str>>>,
}

/// What became of reading all files anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rereading {
    /// Profiles whose files were read and are in use.
    pub read: usize,
    /// Of these, the ones in whose files something is new.
    pub new: usize,
    /// Profiles whose files cannot be used; each goes on with those it has.
    pub unusable: usize,
}

impl Certificates {
    pub(super) fn new(all: &[Arc<Reread>], quiet: &BTreeSet<Box<str>>) -> Self {
        Self { all: all.into(), quiet: Arc::new(quiet.clone()) }
    }

    /// Reads all files anew, whether or not they have changed.
    pub(super) fn read(&self) -> Rereading {
        let system = SystemRoots::default();
        let mut rereading = Rereading::default();
        for profile in &*self.all {
            let outcome = profile.read(&system);
            self.tell(profile, &outcome);
            match outcome {
                Outcome::Same => {}
                Outcome::Read { is_new, .. } => {
                    rereading.read += 1;
                    rereading.new += usize::from(is_new);
                }
                Outcome::Unusable(_) => rereading.unusable += 1,
            }
        }
        rereading
    }

    /// Reads anew what has changed, for as long as the gateway runs.
    pub(super) async fn follow(self) {
        if self.all.is_empty() {
            return;
        }
        let (told, mut hears) = mpsc::channel(1);
        let mut round = Round { certificates: self, told, watched: None, is_blind: false };
        loop {
            // Files may be slow.
            let looked = tokio::task::spawn_blocking(move || {
                round.watch();
                round.certificates.look();
                round
            });
            round = match looked.await {
                Ok(round) => round,
                Err(error) => return tracing::error!("TLS files that change are no longer noticed: {error}"),
            };
            let pause = if round.watched.is_some() { SELDOM } else { OFTEN };
            if timeout(pause, hears.recv()).await.is_ok() {
                settle(&mut hears).await;
            }
        }
    }

    fn look(&self) {
        let system = SystemRoots::default();
        for profile in &*self.all {
            self.tell(profile, &profile.look(&system));
            profile.remind(SystemTime::now());
        }
    }

    fn folders(&self) -> Folders {
        self.all.iter().flat_map(|profile| profile.folders()).collect()
    }

    fn tell(&self, profile: &Reread, outcome: &Outcome) {
        let place = profile.place();
        match outcome {
            Outcome::Same | Outcome::Read { is_new: false, .. } => {}
            Outcome::Read { findings, .. } => {
                tracing::info!("the files of {place} have changed and are in use");
                profile.log_days_left();
                for finding in findings.iter().filter(|finding| finding.lint.is_none_or(|lint| !self.quiet.contains(lint))) {
                    tracing::warn!("{place}: {}", finding.problem);
                }
            }
            Outcome::Unusable(findings) => {
                for finding in findings.iter().filter(|finding| finding.is_error()) {
                    tracing::error!("the files of {place} cannot be used, those before them stay in use: {}", finding.problem);
                }
            }
        }
    }
}

/// Folders, each with what tells it from another of the same name.
type Folders = BTreeMap<PathBuf, (u64, u64)>;

/// What is kept from one look to the next.
struct Round {
    certificates: Certificates,
    told: mpsc::Sender<()>,
    watched: Option<(Folders, RecommendedWatcher)>,
    /// Whether it was said that the kernel cannot be asked.
    is_blind: bool,
}

impl Round {
    /// Watches the folders as they are now. A folder that took the place of another is another one.
    fn watch(&mut self) {
        let folders = self.certificates.folders();
        if self.watched.as_ref().is_some_and(|(watched, _)| *watched == folders) {
            return;
        }
        match watcher(&folders, self.told.clone()) {
            Ok(watcher) => {
                self.watched = Some((folders, watcher));
                self.is_blind = false;
            }
            Err(error) => {
                self.watched = None;
                if !std::mem::replace(&mut self.is_blind, true) {
                    tracing::warn!("TLS files cannot be watched ({error}): they are looked at every {} s", OFTEN.as_secs());
                }
            }
        }
    }
}

fn watcher(folders: &Folders, told: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let tell = move |event: notify::Result<Event>| {
        if event.as_ref().map_or(true, may_be_a_change) {
            // If it is full, there is word on its way already.
            let _ = told.try_send(());
        }
    };
    let mut watcher = notify::recommended_watcher(tell)?;
    for folder in folders.keys() {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// Everything but that a file was looked at, which the gateway does itself.
fn may_be_a_change(event: &Event) -> bool {
    !matches!(event.kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

/// Waits until nothing more happens to the files, but not for ever: in a busy folder something always does.
async fn settle(hears: &mut mpsc::Receiver<()>) {
    for _ in 0..MOST_WAITS {
        sleep(SETTLED).await;
        if hears.try_recv().is_err() {
            return;
        }
    }
}

/// How long nothing happens to files that are whole: a certificate and its key change one after the other.
const SETTLED: Duration = Duration::from_millis(200);
/// How often that is waited for.
const MOST_WAITS: usize = 10;
/// How often files are looked at of which the kernel tells.
const SELDOM: Duration = Duration::from_secs(60);
/// How often if it does not.
const OFTEN: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, ModifyKind, RenameMode};

    use super::*;

    #[test]
    fn that_a_file_was_read_is_no_change() {
        let is_change = |kind| may_be_a_change(&Event::new(kind));
        assert!(!is_change(EventKind::Access(AccessKind::Open(AccessMode::Any))));
        assert!(!is_change(EventKind::Access(AccessKind::Close(AccessMode::Read))));
        assert!(is_change(EventKind::Access(AccessKind::Close(AccessMode::Write))));
        assert!(is_change(EventKind::Create(CreateKind::File)));
        assert!(is_change(EventKind::Modify(ModifyKind::Name(RenameMode::Both))));
    }
}
