//! One name server: what is asked of it, and what the log says when it fails while another answers.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use hickory_resolver::TokioResolver;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use tokio::time::{Duration, Instant};

/// A name server, if there is one: without any, names that need none (`localhost`) are still known.
pub(super) struct NameServer {
    pub(super) resolver: TokioResolver,
    address: Option<SocketAddr>,
    /// Since when it fails, as far as that was told.
    failing: Mutex<Option<Instant>>,
}

impl NameServer {
    pub(super) fn new(resolver: TokioResolver, address: Option<SocketAddr>) -> Self {
        Self { resolver, address, failing: Mutex::new(None) }
    }

    /// What became of a question to it, in words. Without an error it is silent until now.
    pub(super) fn outcome(&self, error: Option<&NetError>, limit: Duration) -> String {
        match self.address {
            None => "no name server is known".into(),
            Some(address) => format!("{}: {}", named(address), why(error, limit)),
        }
    }

    /// It has no answer to what another one answers.
    pub(super) fn fails(&self, error: Option<&NetError>, limit: Duration) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if failing.is_none() {
            *failing = Some(Instant::now());
            drop(failing);
            tracing::warn!("name server {}; another one answers", self.outcome(error, limit));
        }
    }

    /// It answers. One that changes its mind all the time is not told of each time.
    pub(super) fn answers(&self) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if failing.take_if(|since| since.elapsed() >= QUIET).is_some()
            && let Some(address) = self.address
        {
            drop(failing);
            tracing::info!("name server {} answers again", named(address));
        }
    }
}

/// Without the port that all have.
fn named(address: SocketAddr) -> String {
    if address.port() == 53 { address.ip().to_string() } else { address.to_string() }
}

/// One wording for each cause.
fn why(error: Option<&NetError>, limit: Duration) -> String {
    match error {
        None | Some(NetError::Timeout) => format!("no answer within {limit:?}"),
        Some(NetError::Io(error)) if error.kind() == ErrorKind::TimedOut => format!("no answer within {limit:?}"),
        Some(NetError::Io(error)) if error.kind() == ErrorKind::ConnectionRefused => "nothing listens there".into(),
        Some(NetError::Dns(DnsError::ResponseCode(code))) => said(*code),
        Some(NetError::Dns(DnsError::NoRecordsFound(none))) => said(none.response_code),
        Some(error) => error.to_string(),
    }
}

fn said(code: ResponseCode) -> String {
    match code {
        ResponseCode::ServFail => "it says SERVFAIL".into(),
        ResponseCode::Refused => "it says REFUSED".into(),
        code => format!("it says {code}"),
    }
}

/// How far apart a failure and its end are at least that are both told.
const QUIET: Duration = Duration::from_secs(10);
