//! An explanation for people. All of it is from the facts, so that programs are told no less.

use std::fmt;

use super::explanation::{
    Access, Entry, Explanation, Guard, Level, Limit, Origin, Outcome, Profile, Rule, Setting, Taken, Target, Verdict,
};
use super::text_servers;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.headline(f)?;
        if let Some(header) = self.proxy_header {
            row(f, 2, "PROXY header", &format!("{header}: the client is whom it names"), None)?;
        }
        if !self.refused_before_all() || self.access.has_rules {
            access(f, 2, &self.access)?;
        }
        if self.access.allowed {
            limits(f, 2, &self.limits)?;
        }
        self.entries.iter().try_for_each(|entry| self.entry(f, entry))?;
        // One that is for everybody need not be chosen.
        if self.targets.len() > 1 || self.targets.iter().any(|target| !target.guards.is_empty()) {
            self.targets.iter().try_for_each(|one| target(f, one))?;
        }
        if let Some(taken) = &self.target {
            if taken.access.has_rules {
                access(f, 4, &taken.access)?;
            }
            if taken.access.allowed {
                limits(f, 4, &taken.limits)?;
            }
        }
        self.outcome(f)
    }
}

impl Explanation {
    fn headline(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.hello, &self.name, &self.sent) {
            (None, ..) if self.is_of_datagrams() => f.write_str("any datagram")?,
            (None, ..) => f.write_str("any connection")?,
            (_, Some(name), Some(sent)) if name != sent => write!(f, "{name} (sent: {sent})")?,
            (_, Some(name), _) => f.write_str(name)?,
            (Some("malformed"), _, sent) => write!(f, "TLS with the name {:?}", sent.as_deref().unwrap_or_default())?,
            (Some("not_tls"), ..) => f.write_str("what is not TLS")?,
            (_, None, Some(sent)) => write!(f, "TLS with the address {sent} for a name, which counts as none,")?,
            (_, None, None) => f.write_str("TLS without a server name")?,
        }
        writeln!(f, " from {} on {}", self.from, self.listener)?;
        if !self.unread.is_empty() {
            let unread: Vec<_> = self.unread.iter().map(|what| format!("--{}", what.replace('_', "-"))).collect();
            let are = if unread.len() == 1 { "is" } else { "are" };
            let why =
                if self.is_of_datagrams() { "no hello is read of datagrams" } else { "the listener reads no hello (preread = \"none\")" };
            writeln!(f, "  {why}, so {} {are} not seen", unread.join(" and "))?;
        }
        Ok(())
    }

    fn is_of_datagrams(&self) -> bool {
        self.protocols == ["udp"]
    }

    /// Whether nobody looked what the connection is for.
    fn refused_before_all(&self) -> bool {
        self.entries.is_empty()
    }

    fn entry(&self, f: &mut fmt::Formatter<'_>, entry: &Entry) -> fmt::Result {
        let written = entry.written.clone().unwrap_or_default();
        let label = match (entry.rule, entry.number) {
            (Rule::Listener, _) => format!("[listener.{}]", self.listener),
            (Rule::LeadingWildcard | Rule::TrailingWildcard, _) => written,
            (Rule::Pattern, number) => format!("pattern {}", number.unwrap_or_default()),
            (Rule::Exact, _) => "exact".into(),
            (Rule::NoSni, _) => "no_sni".into(),
            (Rule::NotTls, _) => "not_tls".into(),
            (Rule::Default, _) => "default".into(),
        };
        let taken: Vec<_> = entry.captures.iter().map(|taken| format!(", {}={}", taken.group, taken.text)).collect();
        let taken = taken.concat();
        match entry.verdict {
            Verdict::NoEntry => row(f, 2, &label, "no entry", None),
            Verdict::NotAsked => row(f, 2, &label, "not asked", None),
            Verdict::Wins => row(f, 2, &label, &format!("WINS{taken}"), entry.at.as_deref()),
            Verdict::Beaten => row(f, 2, &label, &format!("would match{taken}: beaten"), entry.at.as_deref()),
        }
    }

    fn outcome(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = !matches!(self.outcome, Outcome::Refused { .. });
        if let Some(taken) = self.target.as_ref().filter(|_| ends) {
            taken.tls.iter().try_for_each(|tls| self.profile(f, tls))?;
            for map in &taken.maps {
                row(f, 2, &map.variable, &format!("\"{}\" for \"{}\"", map.answer, map.asked), Some(&map.at))?;
            }
        }
        match &self.outcome {
            Outcome::Refused { reason, alert, detail } => self.refused(f, reason, *alert, detail.as_deref())?,
            Outcome::Answered { text } => writeln!(f, "  -> answered with {text:?} and closed")?,
            Outcome::ShowsUpstreams => writeln!(f, "  -> answered with how the upstreams stand, and closed")?,
            Outcome::ForwardedToAddress { address, looked_up, decided_by_client } => {
                write!(f, "  -> the address {address}, ")?;
                if *looked_up {
                    f.write_str("looked up by DNS and ")?;
                }
                let guarded = if *looked_up && *decided_by_client { ", unless that is the gateway itself or its links" } else { "" };
                writeln!(f, "{}{guarded}; {}", self.how(), self.times())?;
            }
            Outcome::Forwarded { upstreams } => {
                if let Some(first) = upstreams.first() {
                    writeln!(f, "  -> upstream {}, {}{}; {}", first.name, self.how(), text_servers::asked(first), self.times())?;
                }
                for (index, upstream) in upstreams.iter().enumerate() {
                    text_servers::told(f, upstream, index > 0)?;
                }
            }
        }
        self.target.as_ref().filter(|_| ends).map_or(Ok(()), |taken| remarks(f, taken))
    }

    fn refused(&self, f: &mut fmt::Formatter<'_>, reason: &str, alert: Option<&str>, detail: Option<&str>) -> fmt::Result {
        let how = match (alert, reason) {
            (Some(alert), _) => format!("refused with the alert {alert}"),
            (None, "access_denied") if self.is_of_datagrams() => "its datagrams are dropped".into(),
            (None, _) if self.refused_before_all() => "closed before anything is read".into(),
            // The log's word, where it says more.
            (None, "unresolved" | "no_source") => format!("closed as {reason}"),
            (None, _) => "closed".into(),
        };
        match detail {
            Some(detail) if reason == "rejected" => writeln!(f, "  -> {how}, {detail}"),
            Some(detail) => writeln!(f, "  -> {how}: {detail}"),
            None => writeln!(f, "  -> {how}"),
        }
    }

    fn how(&self) -> &'static str {
        match *self.protocols {
            _ if self.target.as_ref().is_some_and(|taken| taken.tls.is_some()) => "decrypted",
            ["udp"] => "passed through as datagrams (UDP)",
            ["tcp"] => "passed through",
            _ => "passed through, over TCP and UDP",
        }
    }

    /// The two settings that every session hangs on.
    fn times(&self) -> String {
        let settings = self.target.iter().flat_map(|taken| &taken.settings).filter_map(|setting| Some((short(&setting.key)?, setting)));
        let times: Vec<_> = settings.map(|(word, setting)| format!("{word} {} ({})", setting.value, setting.origin)).collect();
        times.join(", ")
    }

    fn profile(&self, f: &mut fmt::Formatter<'_>, tls: &Profile) -> fmt::Result {
        writeln!(f, "  -> TLS ends under [terminate.{}] ({})", crate::config::Key::from(&*tls.profile), tls.at)?;
        for (index, certificate) in tls.certificates.iter().enumerate() {
            let begin = if index == 0 { "with" } else { "or, as the client's algorithms have it, with" };
            let super::Certificate { kind, file, names, lasts } = certificate;
            writeln!(f, "     {begin} the {kind} certificate {file} for {names}, which {lasts}")?;
        }
        if let Some(name) = self.name.as_ref().filter(|_| !tls.covered) {
            writeln!(f, "     no certificate is for {name}, so clients will not trust it")?;
        }
        tls.settings.iter().try_for_each(|setting| told(f, setting))
    }
}

/// What else is written of the target that is taken.
fn remarks(f: &mut fmt::Formatter<'_>, taken: &Taken) -> fmt::Result {
    taken.settings.iter().filter(|setting| short(&setting.key).is_none()).try_for_each(|setting| told(f, setting))?;
    if !taken.unknown.is_empty() {
        writeln!(f, "     not known here, and so empty: {}", taken.unknown.join(", "))?;
    }
    if let Some(at) = &taken.maintenance {
        writeln!(f, "     in maintenance ({at}): in place of what the target says")?;
    }
    taken.note.iter().try_for_each(|note| writeln!(f, "     note: {note}"))
}

fn access(f: &mut fmt::Formatter<'_>, indent: usize, access: &Access) -> fmt::Result {
    let said = match (&access.rule, access.has_rules) {
        (None, false) => "allowed, no rule".into(),
        (None, true) => "allowed, no rule fits".into(),
        (Some(rule), _) => format!("{} by {rule:?}", if access.allowed { "allowed" } else { "denied" }),
    };
    row(f, indent, "access", &said, None)
}

fn limits(f: &mut fmt::Formatter<'_>, indent: usize, limits: &[Limit]) -> fmt::Result {
    let one = |limit: &Limit| match (limit.exempt, limit.dry_run) {
        (true, _) => format!("{} (exempt)", limit.name),
        (false, true) => format!("{} (dry run)", limit.name),
        (false, false) => limit.name.clone(),
    };
    let all: Vec<_> = limits.iter().map(one).collect();
    if all.is_empty() { Ok(()) } else { row(f, indent, "limits", &all.join(", "), None) }
}

fn target(f: &mut fmt::Formatter<'_>, target: &Target) -> fmt::Result {
    let verdict = match target.fits {
        Some(true) => "fits",
        Some(false) => "does not fit",
        None => "not asked",
    };
    row(f, 4, &format!("target {}", target.number), verdict, Some(&target.at))?;
    target.guards.iter().filter(|_| target.fits.is_some()).try_for_each(|one| guard(f, one))
}

fn guard(f: &mut fmt::Formatter<'_>, guard: &Guard) -> fmt::Result {
    let misfit = if guard.guard == "from" { "the client is not in it" } else { "not offered" };
    let said = match (&guard.by, guard.fits) {
        (Some(by), true) => format!("fits ({by})"),
        (None, true) => "fits".into(),
        (_, false) => misfit.into(),
    };
    row(f, 6, &format!("{} {}", guard.guard, guard.wants.join(", ")), &said, None)
}

/// A setting on a line of its own.
pub(super) fn told(f: &mut fmt::Formatter<'_>, setting: &Setting) -> fmt::Result {
    writeln!(f, "     {} {} ({})", setting.key, setting.value, setting.origin)
}

/// A label, what is said of it, and where that stands, in columns.
fn row(f: &mut fmt::Formatter<'_>, indent: usize, label: &str, said: &str, at: Option<&str>) -> fmt::Result {
    let width = 22 - indent;
    match at {
        Some(at) => writeln!(f, "{:indent$}{label:<width$} {said:<38} {at}", ""),
        None => writeln!(f, "{:indent$}{label:<width$} {said}", ""),
    }
}

/// The words of the settings that stand on the line of the upstream.
fn short(key: &str) -> Option<&'static str> {
    match key {
        "idle_timeout" => Some("idle"),
        "connect_timeout" => Some("connect"),
        _ => None,
    }
}

/// As a setting has it in brackets: `[defaults], routes.toml:2`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.as_deref().unwrap_or_default();
        match (self.level, &self.table) {
            (Level::BuiltIn, _) => f.write_str("built in"),
            (Level::Environment | Level::Set, _) => f.write_str(at),
            (_, Some(table)) => write!(f, "{table}, {at}"),
            (_, None) => write!(f, "the target, {at}"),
        }
    }
}
