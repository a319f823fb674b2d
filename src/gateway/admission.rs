//! Lets sessions in, or not: what [`Admission`] says, in terms of the session's end and of the log.

use tokio::time::Instant;

use super::live::{Ledger, Live};
use super::refusal::Refusal;
use crate::admit::Permits;
use crate::session::{CloseReason, Peer, Session};
use crate::snapshot::{Admission, Denied, Notice};

/// Asks whether a session may come in. It is counted for as long as the permits live.
pub(super) fn admit(admission: &Admission, session: &mut Session, ledger: &Ledger) -> Result<Permits, Refusal> {
    if admission.is_open() {
        return Ok(Permits::default());
    }
    let (listener, client) = (session.listener.clone(), session.client);
    Ok(admission.admit(session, Instant::now(), |notice| tell(&notice, &listener, client, ledger))?)
}

impl Live {
    /// Lets the session in, counted until its end.
    pub(super) fn admit(&mut self, admission: &Admission) -> Result<(), Refusal> {
        let permits = admit(admission, &mut self.session, &self.ledger)?;
        self.permits.append(permits);
        Ok(())
    }
}

/// Of each limit once in a while: strangers can cause it.
fn tell(notice: &Notice, listener: &str, client: Peer, ledger: &Ledger) {
    let client = client.socket_address().map(tracing::field::display);
    match notice {
        Notice::DryRun(refused, key) if ledger.may_tell(&refused.limit, "dry_run") => {
            let key = key.as_deref();
            tracing::info!(listener, client, key, "{refused}, and sessions would be refused: dry_run lets them in");
        }
        Notice::LongKey(limit) if ledger.may_tell(limit, "long_key") => {
            tracing::warn!(
                listener,
                client,
                "[limit.{limit}]: sessions with a key of more than {} bytes are not counted",
                crate::admit::MOST_KEY
            );
        }
        Notice::DryRun(..) | Notice::LongKey(_) => {}
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let reason = match &denied {
            Denied::Access(_) => CloseReason::AccessDenied,
            Denied::Limit(..) => CloseReason::LimitReached,
        };
        Self { reason, detail: Some(denied.to_string().into()) }
    }
}
