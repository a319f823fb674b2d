//! What becomes of a client, as far as the configuration decides it: by the choice that traffic makes, with nothing opened
//! and no limit counting. A map's `tests` ask for it.

use std::sync::Arc;

use super::{Action, Choice, Destination, ForwardError, Listener, Pools, Target, Targets, first_name, named_by_text};
use crate::admit::{Access, Rule};
use crate::hello::{ClientHello, ServerName};
use crate::route::RouteTable;
use crate::session::{CloseReason, Farewell, Hello, Session};
use crate::tls::{agreed_facts, nothing_in_common};
use crate::variables::rendered;

/// Where a client comes in: who may, and the map that it meets.
#[derive(Clone, Copy, Debug)]
pub struct Door<'t> {
    /// The listener's rules.
    pub access: &'t Access,
    /// The map.
    pub routes: &'t RouteTable<Targets>,
}

/// What became of a client, and by what.
#[derive(Debug)]
pub struct Verdict<'t> {
    /// The entry and the target; absent if no entry stands for it, or if it was not let in.
    pub choice: Option<Choice<'t>>,
    /// The rule of `access` that keeps it out: the listener's if there is no choice, else the target's.
    pub denied: Option<&'t Rule>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What becomes of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes to the upstream of this name, or to this address.
    Forwarded(Arc<str>),
    /// It is answered with this.
    Answered(Box<str>),
    /// It is answered with how the upstreams stand.
    Shown,
    /// It is refused.
    Refused {
        /// The reason.
        reason: CloseReason,
        /// The alert that it hears; without one, the connection is closed.
        alert: Option<u8>,
        /// What more there is to say.
        detail: Option<Box<str>>,
    },
}

impl Outcome {
    /// The same refusal with more to say of it.
    fn with_detail(mut self, more: String) -> Self {
        if let Self::Refused { detail, .. } = &mut self {
            *detail = Some(more.into());
        }
        self
    }
}

impl<'t> From<&'t Listener> for Door<'t> {
    fn from(listener: &'t Listener) -> Self {
        Self { access: &listener.admission.access, routes: &listener.routes }
    }
}

impl<'t> Door<'t> {
    /// What becomes of a client that says this; without a hello it does not speak TLS. The session learns what it would of a
    /// connection.
    #[must_use]
    pub fn judge(self, hello: Option<&ClientHello>, pools: &Pools, session: &mut Session) -> Verdict<'t> {
        let client = session.client.ip();
        if let Some(rule) = denying(self.access, session) {
            // Nothing has been read yet, so nobody knows whether it would understand an alert.
            return Verdict { choice: None, denied: Some(rule), outcome: refused(CloseReason::AccessDenied, None) };
        }
        note(hello, session);
        let Some(choice) = self.routes.choose(first_name(hello), client, hello) else {
            let reason = if hello.is_some() { CloseReason::NoRoute } else { CloseReason::NotTls };
            return Verdict { choice: None, denied: None, outcome: refused(reason, hello) };
        };
        choice.note(session);
        let denied = choice.target.and_then(|(_, target)| denying(&target.admission.access, session));
        let outcome = match choice.target {
            None => refused(CloseReason::NoTarget, hello),
            Some(_) if denied.is_some() => refused(CloseReason::AccessDenied, hello),
            Some((_, target)) => handshake(target, hello, session).unwrap_or_else(|| done(target, hello, pools, session)),
        };
        Verdict { choice: Some(choice), denied, outcome }
    }
}

/// The rule that keeps the client out.
fn denying<'t>(access: &'t Access, session: &Session) -> Option<&'t Rule> {
    access.deciding(session.client.ip()).filter(|rule| !rule.allows)
}

/// What a connection's first bytes are to its session.
fn note(hello: Option<&ClientHello>, session: &mut Session) {
    let Some(said) = hello else {
        session.hello = Some(Hello::NotTls);
        return;
    };
    session.note_hello(said.protocol(), &said.alpn_text(), said.ech);
    session.hello = Some(match &said.server_name {
        ServerName::None => Hello::Unnamed,
        ServerName::Host { sent, .. } => {
            session.server_name = Some(sent.clone());
            Hello::Named
        }
    });
}

/// What becomes of a client at a target where its TLS ends, if it does not come through the handshake.
fn handshake(target: &Target, hello: Option<&ClientHello>, session: &mut Session) -> Option<Outcome> {
    let settings = target.terminate.as_ref()?.settings();
    let Some(said) = hello else { return Some(refused(CloseReason::NotTls, None)) };
    if let Some((reason, why)) = nothing_in_common(said, settings) {
        return Some(refused(reason, hello).with_detail(why));
    }
    session.tls = Some(Box::new(agreed_facts(said, settings)));
    None
}

fn done(target: &Target, hello: Option<&ClientHello>, pools: &Pools, session: &mut Session) -> Outcome {
    match &target.action {
        Action::Forward(Destination::Pool(pool)) => Outcome::Forwarded(pool.upstream.name().clone()),
        Action::Forward(Destination::Template(template, rules)) => {
            let text = rendered(template, session);
            match named_by_text(pools, &text).is_some() {
                true => Outcome::Forwarded(text.into()),
                // Where its TLS has ended by then, it hears no alert.
                false => rules.address(&text).map_or_else(
                    |error| unforwarded(&error, hello.filter(|_| target.terminate.is_none())),
                    |_| Outcome::Forwarded(text.as_str().into()),
                ),
            }
        }
        Action::Reject(alert) => refused(CloseReason::Rejected(*alert), hello),
        Action::Respond(text) => Outcome::Answered(rendered(text, session).into()),
        Action::Show => Outcome::Shown,
    }
}

/// What a refused client hears; one that does not speak TLS hears no alert.
fn refused(reason: CloseReason, hello: Option<&ClientHello>) -> Outcome {
    let alert = match reason.farewell() {
        Farewell::Alert(alert) => hello.map(|_| alert),
        Farewell::Close | Farewell::Reset => None,
    };
    Outcome::Refused { reason, alert, detail: None }
}

fn unforwarded(error: &ForwardError, hello: Option<&ClientHello>) -> Outcome {
    let reason = match error {
        ForwardError::NoAddress { .. } => CloseReason::Unresolved,
        ForwardError::Refused { .. } => CloseReason::ForwardRefused,
    };
    refused(reason, hello).with_detail(error.to_string())
}
