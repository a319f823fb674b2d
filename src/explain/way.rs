//! The way of a session as `gateway/stream.rs` goes it: let in, routed, its TLS ended, sent on. What is passed is noted.

use std::net::IpAddr;
use std::sync::Arc;

use super::explanation::{self, Entry, Outcome, Taken};
use super::origins::Table;
use super::question::{Heard, Question};
use super::upstreams::Meeting;
use super::{Explainer, admitted, entries, guards, maps, outcome, profile, settings};
use crate::config::{Key, path_to};
use crate::session::{CloseReason, Session};
use crate::snapshot::{Action, Choice, Destination, ForwardRules, Listener, RateRule, Target, named_by_text};
use crate::tls::agreed_facts;
use crate::upstream::Pool;
use crate::variables::{Text, rendered};

/// A session on its way.
pub(super) struct Way<'w> {
    explainer: &'w Explainer<'w>,
    listener: &'w Listener,
    heard: &'w Heard,
    client: Option<IpAddr>,
    session: Session,
    pub(super) entries: Vec<Entry>,
    pub(super) targets: Vec<explanation::Target>,
    pub(super) taken: Option<Taken>,
}

impl<'w> Way<'w> {
    pub(super) fn new(explainer: &'w Explainer<'w>, listener: &'w Listener, heard: &'w Heard, question: &Question) -> Self {
        let (client, session) = (question.from.ip(), question.session(listener, heard));
        Self { explainer, listener, heard, client, session, entries: Vec::new(), targets: Vec::new(), taken: None }
    }

    pub(super) fn go(&mut self) -> Outcome {
        if !admitted::access(&self.listener.admission, self.client).allowed {
            return outcome::refused(CloseReason::AccessDenied, None, None);
        }
        if let Heard::Malformed(malformed) = self.heard {
            return outcome::refused(CloseReason::MalformedHello(malformed.alert()), self.session.hello, Some(malformed.to_string()));
        }
        match self.route() {
            Ok((path, target)) => {
                self.note_target(&path, target);
                self.follow(target)
            }
            Err((reason, why)) => outcome::refused(reason, self.session.hello, Some(why.into())),
        }
    }

    /// The target with its path: of the entry that wins, the first whose guards all fit.
    fn route(&mut self) -> Result<(Vec<Key>, &'w Target), (CloseReason, &'static str)> {
        let (listener, places) = (self.listener, self.explainer.origins.places);
        let (first, hello) = (self.heard.first_name(listener), self.heard.client_hello());
        self.entries = entries::told(listener, &listener.routes.explain(first), places);
        let no_entry = if *self.heard == Heard::NotTls { CloseReason::NotTls } else { CloseReason::NoRoute };
        let choice = listener.routes.choose(first, self.client, hello).ok_or((no_entry, "nothing stands for it"))?;
        if listener.map.is_some() {
            choice.note(&mut self.session);
        }
        let Choice { found, target } = choice;
        let path = entries::path(listener, found.rank, &found.entry.written);
        let taken = target.map(|(index, _)| index);
        self.targets = guards::told(&found.entry.target, taken, &path, self.client, hello, places);
        let (index, target) = target.ok_or((CloseReason::NoTarget, "the guards of no target fit"))?;
        Ok(([&path[..], &path_to![index]].concat(), target))
    }

    /// What there is to say of the target, with all that its texts need to be filled.
    fn note_target(&mut self, path: &[Key], target: &'w Target) {
        let (origins, session) = (&self.explainer.origins, &mut self.session);
        if let Some((terminator, hello)) = target.terminate.as_ref().zip(self.heard.client_hello()) {
            session.tls = Some(Box::new(agreed_facts(hello, terminator.settings())));
        }
        session.upstream = upstream(&target.action, session);
        // Without a map the listener's own table is the target's.
        let own = self.listener.map.is_some().then(|| Table::target(path));
        let tables: Vec<_> = own.into_iter().chain([Table::listener(&self.listener.name), Table::defaults()]).collect();
        let maintenance = || origins.places.key(&[path, &path_to!["maintenance"]].concat()).to_string();
        let texts = self.texts(target);
        let session = &self.session;
        self.taken = Some(Taken {
            number: self.targets.iter().position(|target| target.fits == Some(true)).map_or(1, |index| index + 1),
            access: admitted::access(&target.admission, self.client),
            limits: admitted::limits(&target.admission, self.client),
            note: target.note.as_deref().map(Into::into),
            maintenance: target.in_maintenance.then(maintenance),
            tls: target.terminate.as_ref().map(|terminator| profile::told(terminator, self.heard.name(), origins)),
            maps: maps::told(texts.iter().copied(), session, origins.places),
            unknown: maps::unknown(texts.iter().copied(), session),
            settings: settings::told(target, self.listener, session, &origins.of(&tables)),
        });
    }

    /// What becomes of a session whose target is known.
    fn follow(&self, target: &Target) -> Outcome {
        let session = &self.session;
        if !admitted::access(&target.admission, self.client).allowed {
            return outcome::refused(CloseReason::AccessDenied, session.hello, None);
        }
        if let Some((reason, detail)) = target.terminate.as_ref().and_then(|terminator| outcome::unfit(self.heard, terminator.settings())) {
            return outcome::refused(reason, session.hello, Some(detail));
        }
        // Where TLS has ended nothing is said in the clear any more.
        let hello = session.hello.filter(|_| session.tls.is_none());
        match &target.action {
            Action::Forward(destination) => match self.pool(destination) {
                Ok(pool) => self.forwarded(pool, target),
                Err(rules) => outcome::address(session.upstream.as_deref().unwrap_or_default(), rules, hello),
            },
            Action::Reject(alert) => outcome::refused(CloseReason::Rejected(*alert), hello, Some("as the entry says".into())),
            Action::Show => Outcome::ShowsUpstreams,
            Action::Respond(text) => Outcome::Answered { text: rendered(text, session) },
        }
    }

    fn forwarded(&self, pool: &Pool, target: &Target) -> Outcome {
        let source = match target.source.as_ref().and_then(|rule| rule.of(&self.session)) {
            Some(Err(text)) => {
                return outcome::refused(CloseReason::NoSource, None, Some(format!("the source {text:?} is no address")));
            }
            Some(Ok(source)) => Some(source.address.ip()),
            None => None,
        };
        let Explainer { snapshot, origins } = *self.explainer;
        Outcome::Forwarded { upstreams: Meeting { session: &self.session, source, pools: &snapshot.pools, origins }.all(pool) }
    }

    /// The upstream that is meant; of a text that names none, the rules for the address that it may be.
    fn pool<'p>(&'p self, destination: &'p Destination) -> Result<&'p Pool, &'p ForwardRules> {
        match destination {
            Destination::Pool(pool) => Ok(pool),
            Destination::Template(_, rules) => {
                let named = self.session.upstream.as_ref().and_then(|name| named_by_text(&self.explainer.snapshot.pools, name));
                named.map(|pool| &**pool).ok_or(rules)
            }
        }
    }

    /// The texts that are filled for this session.
    fn texts<'t>(&'t self, target: &'t Target) -> Vec<&'t Text> {
        let mut texts = Vec::new();
        match &target.action {
            Action::Forward(destination) => {
                texts.extend(if let Destination::Template(text, _) = destination { Some(text) } else { None });
                texts.extend(self.pool(destination).ok().and_then(|pool| pool.hash_key.as_ref()));
            }
            Action::Respond(text) => texts.push(text),
            Action::Reject(_) | Action::Show => {}
        }
        for rate in [&target.rates.upload, &target.rates.download] {
            texts.extend(if let RateRule::Template(text) = rate { Some(text) } else { None });
        }
        texts
    }
}

/// What a target's text says: the name of an upstream, or an address.
fn upstream(action: &Action, session: &Session) -> Option<Arc<str>> {
    match action {
        Action::Forward(Destination::Pool(pool)) => Some(pool.upstream.name().clone()),
        Action::Forward(Destination::Template(template, _)) => Some(rendered(template, session).into()),
        Action::Reject(_) | Action::Respond(_) | Action::Show => None,
    }
}
