//! `vestibule run`: the gateway in the foreground, until a signal ends it.

use std::future::poll_fn;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Duration;

use super::{Configuration, Failure, compile};
use crate::gateway::{Gateway, Rereading};
use crate::log::{self, OwnLog};
use crate::session::Protocol;
use crate::snapshot::Snapshot;

pub(super) fn run(configuration: &Configuration) -> Result<(), Failure> {
    let loaded = configuration.load()?;
    let (read_from, is_split) = (loaded.diagnostics.subject(), loaded.files.files.len() > 1);
    let snapshot = compile(loaded)?;
    let own_log = log::start(&snapshot.log).map_err(Failure::run)?;
    if is_split {
        tracing::info!("configured by {read_from}");
    }
    serve(&snapshot, &own_log, |_| Ok(()))
}

/// Starts the gateway, says what is to be said, and waits until a signal has ended it.
pub(super) fn serve(snapshot: &Snapshot, own_log: &OwnLog, greet: impl FnOnce(&Gateway) -> Result<(), Failure>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::run)?;
    runtime.block_on(async {
        // Before the first connection: a signal must not find the default action, which ends the process.
        let mut signals = Signals::new().map_err(Failure::run)?;
        let gateway = Gateway::start(snapshot).map_err(Failure::run)?;
        for (listener, address, protocol) in gateway.bound() {
            let over = if protocol == Protocol::Udp { " (UDP)" } else { "" };
            tracing::info!(listener, "listening on {address}{over}");
        }
        for (profile, terminator) in &snapshot.terminators {
            terminator.certificates().log_days_left(profile);
        }
        greet(&gateway)?;
        signals.obey(&gateway, own_log).await;
        let totals = gateway.totals();
        tracing::info!("stopped after {} sessions", totals.ended);
        Ok(())
    })
}

/// What SIGHUP does so far.
fn reread(gateway: &Gateway) {
    let Rereading { read, new, unusable } = gateway.reread_certificates();
    tracing::info!(
        "SIGHUP: TLS files were read anew: {read} of {} profiles use them, {new} something new, {unusable} failed",
        read + unusable
    );
    tracing::warn!("SIGHUP: this version cannot reload routes.toml: nothing of it is changed");
}

/// What SIGUSR1 does: the log's own messages come last, so that they are in its new file.
fn reopen(gateway: &Gateway, own_log: &OwnLog) {
    let own = own_log.reopen();
    let failed: Vec<_> = gateway.reopen_logs().err().into_iter().flatten().chain(own.err()).collect();
    for error in &failed {
        tracing::error!("SIGUSR1: {error}; the file that was open goes on");
    }
    if failed.is_empty() {
        tracing::info!("SIGUSR1: log files were reopened");
    }
}

/// What the process is told by signals.
struct Signals {
    terminate: Signal,
    quit: Signal,
    interrupt: Signal,
    hangup: Signal,
    user_1: Signal,
    user_2: Signal,
}

#[derive(Clone, Copy)]
enum Told {
    Drain,
    Stop,
    /// Read TLS files anew.
    Reread,
    /// Reopen log files.
    Reopen,
    /// What this version cannot do. Unheard, the signal would end the process.
    NotYet(&'static str),
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user_1: signal(SignalKind::user_defined1())?,
            user_2: signal(SignalKind::user_defined2())?,
        })
    }

    /// Passes signals on until the gateway has ended.
    async fn obey(&mut self, gateway: &Gateway, own_log: &OwnLog) {
        let mut now_and_then = tokio::time::interval(TELL_LOSSES);
        loop {
            let told = tokio::select! {
                told = self.next() => told,
                () = gateway.ended() => return,
                _ = now_and_then.tick() => {
                    own_log.tell_losses();
                    continue;
                }
            };
            match told {
                Told::Drain => {
                    tracing::info!("no longer accepting; {} open sessions may end by themselves", gateway.totals().open);
                    gateway.drain();
                }
                Told::Stop => gateway.stop(),
                Told::Reread => reread(gateway),
                Told::Reopen => reopen(gateway, own_log),
                Told::NotYet(what) => tracing::warn!("{what}: nothing is changed"),
            }
        }
    }

    async fn next(&mut self) -> Told {
        poll_fn(|cx| {
            let asked = [
                (&mut self.interrupt, Told::Stop),
                (&mut self.terminate, Told::Drain),
                (&mut self.quit, Told::Drain),
                (&mut self.hangup, Told::Reread),
                (&mut self.user_1, Told::Reopen),
                (&mut self.user_2, Told::NotYet("SIGUSR2: this version cannot hand over to a new binary")),
            ];
            for (signal, told) in asked {
                if let Poll::Ready(Some(())) = signal.poll_recv(cx) {
                    return Poll::Ready(told);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// How often it is looked whether lines of the gateway's own log are lost.
const TELL_LOSSES: Duration = Duration::from_secs(10);
