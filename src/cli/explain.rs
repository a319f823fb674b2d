//! `vestibule route`: where a connection would go, told by the very code that traffic takes.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

use super::question::Question;
use super::{Failure, admitted, limits, mapped, print, served, servers};
use crate::address::{Address, ListenAddress};
use crate::config::{Key, Places, path_to};
use crate::hello::{ClientHello, ServerName};
use crate::host::Hostname;
use crate::route::{Captures, Considered, FirstName, Match, Rank, Verdict};
use crate::session::{Hello, Peer, Protocol, Session};
use crate::snapshot::{Action, Admission, Destination, ForwardError, ForwardRules, Guards, Listener, Snapshot, Target, Targets};
use crate::tls::{Terminator, Trust};
use crate::upstream::Pool;
use crate::variables::{Text, render};

pub(super) fn explain(question: &Question) -> Result<(), Failure> {
    let (snapshot, places) = question.configuration.snapshot_and_places()?;
    let listener = question.listener(&snapshot)?;
    let mut told = Told { question, snapshot: &snapshot, places: &places, listener, text: String::new() };
    told.tell()?;
    print(&told.text)
}

/// An explanation in the making.
struct Told<'a> {
    question: &'a Question,
    snapshot: &'a Snapshot,
    places: &'a Places,
    listener: &'a Listener,
    text: String,
}

impl Told<'_> {
    fn tell(&mut self) -> Result<(), Failure> {
        let hello = self.question.hello(self.listener)?;
        let name = hello.as_ref().and_then(|hello| match &hello.server_name {
            ServerName::Host { name, .. } => Some(name),
            ServerName::None => None,
        });
        self.headline(name);
        if !self.admission("  ", &self.listener.admission) {
            self.line(format_args!("  -> closed before anything is read"));
            return Ok(());
        }
        let asked = match (&self.listener.map, &hello, name) {
            (None, ..) | (Some(_), Some(_), None) => FirstName::NoName,
            (Some(_), None, _) => FirstName::NotTls,
            (Some(_), Some(_), Some(name)) => FirstName::Name(name),
        };
        let considered = self.listener.routes.explain(asked);
        // Where there is no map there is nothing to beat.
        let told = |rule: &&Considered<'_, _>| self.listener.map.is_some() || rule.verdict == Verdict::Wins;
        for rule in considered.iter().filter(told) {
            self.rule(rule);
        }
        let mut session = self.session(hello.as_ref(), &considered);
        let refused = if self.question.not_tls { "closed" } else { "refused with the alert unrecognized_name" };
        let winner = considered.iter().find(|rule| rule.verdict == Verdict::Wins);
        let Some(winner) = winner.and_then(|rule| Some(Match { entry: rule.entry?, rank: rule.rank, captures: None })) else {
            self.line(format_args!("  -> {refused}: nothing stands for it"));
            return Ok(());
        };
        match self.fitting(&winner.entry.target, hello.as_ref()) {
            Some((index, target)) => {
                let path = [&self.path(winner.rank, &winner.entry.written)[..], &path_to![index]].concat();
                session.upstream = upstream(&target.action, &session);
                let limits = limits::told(&path, &self.listener.name, target, &session, self.places);
                if !self.admission("    ", &target.admission) {
                    let how = if self.question.not_tls { "closed" } else { "refused with the alert access_denied" };
                    self.line(format_args!("  -> {how}"));
                    return Ok(());
                }
                if let Some(terminator) = &target.terminate {
                    self.certificate(terminator, name);
                }
                self.action(target, &session, &limits);
                self.remarks(target, &path);
            }
            None => self.line(format_args!("  -> {refused}: the guards of no target fit")),
        }
        Ok(())
    }

    fn headline(&mut self, name: Option<&Hostname>) {
        let asked = match (name, &self.question.sni) {
            _ if *self.listener.protocols == [Protocol::Udp] => "any datagram".into(),
            _ if self.listener.peek.is_none() => "any connection".into(),
            (Some(name), Some(sent)) if name.as_str() == sent => name.to_string(),
            (Some(name), Some(sent)) => format!("{name} (sent: {sent})"),
            (None, Some(sent)) => format!("TLS with the address {sent} for a name, which counts as none,"),
            _ if self.question.not_tls => "what is not TLS".into(),
            _ => "TLS without a server name".into(),
        };
        let (from, listener) = (self.question.from, &self.listener.name);
        let line = format!("{asked} from {from} on {listener}");
        self.line(format_args!("{line}"));
        let unread = self.question.unread(self.listener);
        if !unread.is_empty() {
            let are = if unread.len() == 1 { "is" } else { "are" };
            self.line(format_args!("  the listener reads no hello (preread = \"none\"), so {} {are} not seen", unread.join(" and ")));
        }
    }

    fn rule(&mut self, rule: &Considered<'_, Targets>) {
        let label = match (rule.rank, rule.entry) {
            _ if self.listener.map.is_none() => format!("[listener.{}]", self.listener.name),
            (Rank::Leading | Rank::Trailing, Some(entry)) => entry.written.to_string(),
            (rank, _) => rank.to_string(),
        };
        let verdict = match (rule.verdict, captures(rule.captures.as_ref())) {
            (Verdict::NoEntry, _) => "no entry".into(),
            (Verdict::NotAsked, _) => "not asked".into(),
            (Verdict::Wins, None) => "WINS".into(),
            (Verdict::Wins, Some(taken)) => format!("WINS, {taken}"),
            (Verdict::Beaten, None) => "would match: beaten".into(),
            (Verdict::Beaten, Some(taken)) => format!("would match, {taken}: beaten"),
        };
        let place = if matches!(rule.verdict, Verdict::Wins | Verdict::Beaten) { self.place(rule) } else { String::new() };
        let line = format!("  {label:<20} {verdict:<38} {place}");
        self.line(format_args!("{}", line.trim_end()));
    }

    /// What rules and limits say of the client, and whether it is let in.
    fn admission(&mut self, indent: &str, admission: &Admission) -> bool {
        let from = self.question.from;
        let width = 23 - indent.len();
        let access = admitted::access(admission, from);
        if let Some((_, text)) = &access {
            self.line(format_args!("{indent}{:<width$}{text}", "access"));
        }
        let is_let_in = access.is_none_or(|(is_allowed, _)| is_allowed);
        if let Some(limits) = admitted::limits(admission, from).filter(|_| is_let_in) {
            self.line(format_args!("{indent}{:<width$}{limits}", "limits"));
        }
        is_let_in
    }

    /// What else is written of the target that is taken.
    fn remarks(&mut self, target: &Target, path: &[Key]) {
        if target.in_maintenance {
            let place = self.places.key(&[path, &path_to!["maintenance"]].concat());
            self.line(format_args!("     in maintenance ({place}): in place of what the target says"));
        }
        if let Some(note) = &target.note {
            self.line(format_args!("     note: {note}"));
        }
    }

    /// Where the entry of a rule is written.
    fn place(&self, rule: &Considered<'_, Targets>) -> String {
        let Some(entry) = rule.entry else { return String::new() };
        if let Some(listed) = entry.target.listed_at() {
            return listed.to_string();
        }
        let path = self.path(rule.rank, &entry.written);
        let place = match rule.rank {
            Rank::Pattern(_) => self.places.value(&[&path[..], &path_to!["host"]].concat()),
            _ => self.places.key(&path),
        };
        place.to_string()
    }

    /// The path of an entry; of a listener without a map, the listener's.
    fn path(&self, rank: Rank, written: &str) -> Vec<Key> {
        match (&self.listener.map, rank) {
            (None, _) => path_to!["listener", &*self.listener.name].to_vec(),
            (Some(map), Rank::Pattern(index)) => path_to!["routes", &**map, "patterns", index].to_vec(),
            (Some(map), Rank::Default | Rank::NoSni | Rank::NotTls) => path_to!["routes", &**map, written].to_vec(),
            (Some(map), _) => path_to!["routes", &**map, "hosts", written].to_vec(),
        }
    }

    /// The session as the gateway would see it, for templates and hash keys.
    fn session(&self, hello: Option<&ClientHello>, considered: &[Considered<'_, Targets>]) -> Session {
        let client = Peer::Ip(SocketAddr::new(self.question.from, 0));
        let local = self.listener.addresses.first().map_or(Peer::Unix, local);
        let mut session = Session::new(0, self.listener.name.clone(), client, local, Instant::now(), SystemTime::now());
        if *self.listener.protocols == [Protocol::Udp] {
            session.protocol = Protocol::Udp;
        }
        session.hello = self.listener.peek.as_ref().map(|_| match hello.map(|hello| &hello.server_name) {
            Some(ServerName::Host { .. }) => Hello::Named,
            Some(ServerName::None) => Hello::Unnamed,
            None => Hello::NotTls,
        });
        if let Some(hello) = hello {
            session.note_hello(hello.protocol(), &hello.alpn_text(), hello.ech);
            if let ServerName::Host { sent, .. } = &hello.server_name {
                session.server_name = Some(sent.clone());
            }
        }
        let winner = considered.iter().find(|rule| rule.verdict == Verdict::Wins);
        let route = winner.and_then(|rule| rule.entry).map(|entry| entry.written.clone());
        session.route = route.filter(|_| self.listener.map.is_some());
        if let Some(captures) = winner.and_then(|rule| rule.captures.as_ref()) {
            session.captures = captures.groups().map(|(name, taken)| (name.map(Into::into), taken.into())).collect();
        }
        session
    }

    /// The target that is taken; where there are guards, each target is told.
    fn fitting<'t>(&mut self, targets: &'t [Target], hello: Option<&ClientHello>) -> Option<(usize, &'t Target)> {
        let client = Some(self.question.from);
        for (index, target) in targets.iter().enumerate() {
            let misfit = misfit(&target.guards, client, hello);
            if targets.len() > 1 || misfit.is_some() {
                let verdict = misfit.map_or_else(|| "fits".into(), |guard| format!("does not fit: {guard}"));
                let line = format!("    target {:<12} {verdict}", index + 1);
                self.line(format_args!("{line}"));
            }
            if misfit.is_none() {
                return Some((index, target));
            }
        }
        None
    }

    /// Under which profile TLS ends, and what the client gets for it.
    fn certificate(&mut self, terminator: &Terminator, name: Option<&Hostname>) {
        let profile = Key::from(&*terminator.settings().name);
        let place = self.places.key(&path_to!["terminate", &*terminator.settings().name]);
        self.line(format_args!("  -> TLS ends under [terminate.{profile}] ({place})"));
        for line in served::told(&terminator.certificates(), name) {
            self.line(format_args!("     {line}"));
        }
    }

    fn action(&mut self, target: &Target, session: &Session, limits: &str) {
        let how = match *self.listener.protocols {
            _ if target.terminate.is_some() => "decrypted",
            [Protocol::Udp] => "passed through as datagrams (UDP)",
            [Protocol::Tcp] => "passed through",
            _ => "passed through, over TCP and UDP",
        };
        match &target.action {
            Action::Forward(Destination::Pool(pool)) => self.forward(pool, how, limits, session),
            Action::Forward(Destination::Template(template, rules)) => {
                self.maps(template, session);
                let text = session.upstream.as_deref().unwrap_or_default();
                match self.snapshot.pools.get(text) {
                    Some(pool) => self.forward(pool, how, limits, session),
                    None => self.address(text, rules, how, limits),
                }
            }
            Action::Reject(None) => self.line(format_args!("  -> closed, as the entry says")),
            Action::Reject(Some(alert)) => {
                let name = crate::session::alert::NAMES.iter().find(|(_, number)| number == alert).map_or("", |(name, _)| name);
                self.line(format_args!("  -> refused with the alert {name}, as the entry says"));
            }
            Action::Show => self.line(format_args!("  -> answered with how the upstreams stand, and closed")),
            Action::Respond(text) => {
                self.maps(text, session);
                let mut answer = Vec::new();
                render(text, session, &mut answer);
                let answer = String::from_utf8_lossy(&answer).into_owned();
                self.line(format_args!("  -> answered with {answer:?} and closed"));
            }
        }
    }

    /// What the maps in a template say.
    fn maps(&mut self, template: &Text, session: &Session) {
        for mapped::Mapped { name, answer, place } in mapped::told(template, session, self.places) {
            self.line(format_args!("  {name:<20} {answer:<38} {place}"));
        }
    }

    /// A template's text that is no upstream's name. Nothing is looked up here.
    fn address(&mut self, text: &str, rules: &ForwardRules, how: &str, limits: &str) {
        match rules.address(text) {
            Err(error @ ForwardError::NoAddress { .. }) => self.line(format_args!("  -> closed as unresolved: {error}")),
            Err(error @ ForwardError::Refused { .. }) => self.line(format_args!("  -> refused with the alert access_denied: {error}")),
            Ok(Address::Name(..)) => {
                let guarded = if rules.decided_by_client { ", unless that is the gateway itself or its links" } else { "" };
                self.line(format_args!("  -> the address {text}, looked up by DNS and {how}{guarded}; {limits}"));
            }
            Ok(_) => self.line(format_args!("  -> the address {text}, {how}; {limits}")),
        }
    }

    fn forward(&mut self, pool: &Pool, how: &str, limits: &str, session: &Session) {
        self.line(format_args!("  -> upstream {}, {how}{}; {limits}", pool.upstream.name(), asked(pool)));
        self.line(format_args!("     {}", servers::told(&pool.upstream, &pool.key(session))));
        for fallback in std::iter::successors(pool.fallback(), |pool| pool.fallback()) {
            let name = fallback.upstream.name();
            match self.snapshot.pools.contains_key(name) {
                true => {
                    let servers = servers::told(&fallback.upstream, &fallback.key(session));
                    self.line(format_args!("     then upstream {name}{}: {servers}", asked(fallback)));
                }
                false => self.line(format_args!("     then {name}")),
            }
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to memory cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// What a target's text says: the name of an upstream, or an address.
fn upstream(action: &Action, session: &Session) -> Option<Arc<str>> {
    match action {
        Action::Forward(Destination::Pool(pool)) => Some(pool.upstream.name().clone()),
        Action::Forward(Destination::Template(template, _)) => {
            let mut text = Vec::new();
            render(template, session, &mut text);
            Some(String::from_utf8_lossy(&text).into())
        }
        Action::Reject(_) | Action::Respond(_) | Action::Show => None,
    }
}

/// Whether servers are asked over TLS; nothing of those that are not.
fn asked(pool: &Pool) -> &'static str {
    match pool.encryption.as_ref().map(|encryption| &encryption.originator.settings().trust) {
        None => "",
        Some(Trust::Anybody) => ", its servers asked over TLS, not verified",
        Some(Trust::System | Trust::File(_)) => ", its servers asked over TLS, verified",
    }
}

/// The gateway's end of a connection to this address.
fn local(address: &ListenAddress) -> Peer {
    match address {
        ListenAddress::Ip(ip) => Peer::Ip(*ip),
        ListenAddress::Unix(_) => Peer::Unix,
    }
}

/// The first guard that does not fit.
fn misfit(guards: &Guards, client: Option<IpAddr>, hello: Option<&ClientHello>) -> Option<&'static str> {
    let checks = [(guards.fits_from(client), "from"), (guards.fits_alpn(hello), "alpn"), (guards.fits_versions(hello), "versions")];
    checks.into_iter().find(|(fits, _)| !fits).map(|(_, guard)| guard)
}

fn captures(captures: Option<&Captures>) -> Option<String> {
    let groups = captures?.groups().enumerate().skip(1);
    let taken: Vec<_> =
        groups.map(|(number, (name, taken))| format!("{}={taken}", name.map_or_else(|| number.to_string(), Into::into))).collect();
    (!taken.is_empty()).then(|| taken.join(", "))
}
