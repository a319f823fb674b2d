//! All lints there are: what may be named in `[lints]`, allowed by a comment, and explained. Each has a section in
//! `docs/lints.md`.

/// A sort of warning.
#[derive(Debug, PartialEq, Eq)]
pub struct Lint {
    /// What it is called.
    pub name: &'static str,
    /// What it has seen, in a line.
    pub sees: &'static str,
    /// Whether the same file may be told of today and not tomorrow, or here and not there: an allowance waits for it.
    pub comes_and_goes: bool,
}

/// Each once, in the order of their names.
pub const LINTS: &[Lint] = &[
    always("all-down", "all servers of an upstream are `down`, and it has no `fallback`"),
    always("certificate-twice", "a certificate is never served: one before it has its names and a key of the same kind"),
    always("chain-order", "a chain's certificate is not followed by its issuer's"),
    always("clear-fallback", "an upstream has `tls`, and its `fallback`, which is not on this machine, has none"),
    always("client-forward", "a target's template yields an address that the client decides"),
    always("coalescing", "HTTP/2 clients may use one connection for hosts of a certificate that are routed apart"),
    always("constant-map", "the `of` of a map has no variable in it, so it is the same text in every session"),
    now("early-certificate", "a certificate of a chain does not hold yet"),
    now("empty-list", "a list of hosts or of ranges has nothing in it"),
    now("empty-pattern", "a pattern of file names begins in a folder that is not there, or a team has no file"),
    always("empty-share", "the shares of a map with `percent` add up to 100, and one without has nothing left"),
    always("everybody-trusted", "`trusted_proxies` has all addresses of a family, so that any client may say who it is"),
    now("expired-certificate", "a certificate of a chain does not hold any more"),
    now("expired-crl", "a list of revoked certificates is out of date, so that nobody whom its issuer vouches for gets in"),
    now("expiring-certificate", "a certificate ends within 14 days, and within the last third of its life"),
    always("heavy-weights", "the weights of a `consistent_hash` add up to more than 10,000"),
    always("host-bits", "a range has bits behind its length, as `10.1.2.3/8`, and they mean nothing"),
    always("idle-key", "a key has no effect where it stands"),
    always("literal-wildcard", "a wildcard stands among the `values` of a map, where it is that very text"),
    always("loop", "a server is this gateway itself, and leads back to where it is asked for"),
    always("loose-dot", "a `.` between the labels of a pattern is not escaped, so it stands for any character"),
    always("maintenance", "a target's sessions go elsewhere for the time being"),
    always("missing-crl", "there are `crl`s, and none of them tells of an authority in `ca`"),
    now("missing-log-folder", "the folder of a log is not there, or nothing can be written in it"),
    always("needless-allow", "a comment allows what is not told at its line"),
    always("nobody-trusted", "a PROXY header is read, and nobody's is believed"),
    always("not-tls-refused", "a port where clients begin in the clear, and a map without `not_tls`"),
    always("open-access", "rules of `access` allow some, and whom none of them is about may come in, too"),
    now("open-private-key", "everybody on the machine may read a private key"),
    now("open-ticket-key", "everybody on the machine may read a file of `session_tickets`"),
    always("overlapping-patterns", "a pattern and an entry that wins over it have names in common, and lead elsewhere"),
    always("shadowed", "nobody comes to an entry or a target, as others take all it could have"),
    always("short-fail-timeout", "a server that does not answer is waited for longer than it is left alone then"),
    always("source-family", "a `source` is written out, and all servers of the upstream have addresses of the other family"),
    always("ticket-key-twice", "a key of `session_tickets` is there twice: a new one is still missing, or an old one"),
    always("tiny-value", "a rate, a timeout or a cache is so small that a unit was probably forgotten"),
    always("tls-in-tls", "a host's TLS passes through to an upstream that is asked over TLS itself"),
    now("too-few-descriptors", "a number of connections or ports takes more descriptors than a process may have here"),
    always("uncovered-host", "TLS of a host ends under a profile without a certificate for its name"),
    always("undecided-patterns", "patterns are too intertwined to say whether each of them wins anywhere"),
    always("unreached-rule", "a rule of `access` never decides: those before it are about all whom it is about"),
    always("unread-hash-key", "a `hash_key` is made of what the listener does not read"),
    always("unread-header", "a server that gets a PROXY header is a listener of our own that reads none"),
    always("unread-rate", "a rate is made of what the listener does not read"),
    always("unread-upstream", "an `upstream` is made of what the listener does not read"),
    now("unsent-staple", "an OCSP answer is about another certificate, has ended, or does not say that it is good"),
    always("unused-limit", "nothing names a limit, so it counts nobody"),
    always("unused-map", "no text has the variable of a map, so it is never asked"),
    always("unused-network", "nothing names one of `[networks]`, so it keeps nobody out and lets nobody in"),
    always("unused-profile", "no TLS ends under a profile"),
    always("unused-routes", "no listener looks names up in a map"),
    always("unused-upstream", "nothing leads to an upstream"),
    always("unverified-servers", "`verify = false`: whoever stands between can answer in a server's place"),
    always("version-1-datagrams", "an upstream with `send_proxy_protocol = \"v1\"` gets datagrams: with these version 2 is sent"),
];

impl Lint {
    /// Its section of `docs/lints.md`: what it sees, why that matters, how to mend or allow it.
    #[must_use]
    pub fn page(&self) -> Option<&'static str> {
        let header = format!("\n## {}\n", self.name);
        let start = PAGES.find(&header)? + 1;
        let section = &PAGES[start..];
        Some(section[..section[1..].find("\n## ").map_or(section.len(), |next| next + 1)].trim_end())
    }
}

/// The lint of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Lint> {
    LINTS.iter().find(|lint| lint.name == name)
}

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    LINTS.iter().map(|lint| lint.name)
}

/// A lint of what the files say.
const fn always(name: &'static str, sees: &'static str) -> Lint {
    Lint { name, sees, comes_and_goes: false }
}

/// A lint of what is so now, or on this machine.
const fn now(name: &'static str, sees: &'static str) -> Lint {
    Lint { name, sees, comes_and_goes: true }
}

const PAGES: &str = include_str!("../../docs/lints.md");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    /// The library's sources without this file and without their tests.
    fn sources(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let read = |path: PathBuf| match path.is_dir() {
            true => sources(&path),
            false if path.ends_with("config/lints.rs") => Vec::new(),
            false => vec![fs::read_to_string(path).unwrap().split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned()],
        };
        entries.flat_map(read).collect()
    }

    fn library() -> Vec<String> {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
    }

    #[test]
    fn every_lint_that_is_noted_is_known() {
        let library = library();
        let first_text = |rest: &str| rest.trim_start().strip_prefix('"')?.split('"').next().map(str::to_owned);
        let noted: BTreeSet<_> = library.iter().flat_map(|source| source.split("warning(").skip(1)).filter_map(first_text).collect();
        assert!(noted.len() > 20, "{noted:?}");
        let unknown: Vec<_> = noted.iter().filter(|name| find(name).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn every_lint_that_is_known_is_noted_somewhere() {
        let library = library();
        let is_noted = |lint: &&Lint| library.iter().any(|source| source.contains(&format!("\"{}\"", lint.name)));
        let forgotten: Vec<_> = LINTS.iter().filter(|lint| !is_noted(lint)).map(|lint| lint.name).collect();
        assert!(forgotten.is_empty(), "{forgotten:?}");
    }

    #[test]
    fn no_two_lints_have_one_name() {
        assert_eq!(names().collect::<BTreeSet<_>>().len(), LINTS.len());
    }
}
