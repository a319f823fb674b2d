//! `tls` of an upstream: its own keys over those of `[defaults.upstream]`, and what is wrong at the place of each.

use std::sync::Arc;

use rustls::SupportedProtocolVersion;

use super::Compiler;
use crate::address::Address;
use crate::config::{Config, Diagnostic, Key, OrOff, Place, UpstreamKeys, UpstreamTls, path_to};
use crate::tls::{CertificateFiles, ClientSettings, ExpectedName, Files, Finding, Originator, Part, Reread, Seen, Tls, Trust};
use crate::upstream::{Encryption, ServerLine, own_name};
use crate::variables::Text;

/// What is written of it, on both levels.
struct Written<'c> {
    upstream: &'c str,
    own: Option<&'c UpstreamTls>,
    default: Option<&'c UpstreamTls>,
}

impl<'c> Written<'c> {
    /// The table, where it is said that TLS is spoken at all.
    fn path(&self) -> Vec<Key> {
        match self.own {
            Some(_) => path_to!["upstream", self.upstream, "tls"].to_vec(),
            None => path_to!["defaults", "upstream", "tls"].to_vec(),
        }
    }

    /// What a key says, and where.
    fn key<T>(&self, key: &str, says: impl Fn(&'c UpstreamTls) -> Option<T>) -> Option<(T, Vec<Key>)> {
        if let Some(said) = self.own.and_then(&says) {
            return Some((said, path_to!["upstream", self.upstream, "tls", key].to_vec()));
        }
        let said = self.default.and_then(&says)?;
        Some((said, path_to!["defaults", "upstream", "tls", key].to_vec()))
    }
}

impl Compiler {
    /// TLS towards the servers of an upstream, if it is spoken. `lines` come with their numbers.
    pub(super) fn encryption<'c>(&mut self, name: &'c str, config: &'c Config, lines: &[(usize, ServerLine)]) -> Option<Encryption> {
        let keys = config.upstream.get(name).map(|written| &written.keys);
        let defaults = &config.defaults.upstream.keys;
        if !keys.is_some_and(|keys| keys.speaks_tls(defaults)) {
            return None;
        }
        let table = |keys: &'c UpstreamKeys| keys.tls.as_ref().and_then(OrOff::on);
        let written = Written { upstream: name, own: keys.and_then(table), default: table(defaults) };
        let server_name = written.key("server_name", |tls| tls.server_name.as_deref());
        let template = server_name.as_ref().map(|(text, path)| self.server_name(path, text));
        let trust = self.trust(&written);
        let is_cut = self.places.was_cut(&[&written.path()[..], &path_to!["server_name"]].concat());
        if server_name.is_none() && trust != Trust::Anybody && !is_cut {
            self.check_names(name, lines);
        }
        let (identity, alpn, versions) = (self.identity(&written), self.offered(&written), self.spoken(&written));
        let settings = ClientSettings {
            name: name.into(),
            trust,
            identity: identity?,
            alpn: alpn?,
            versions: versions?,
            session_reuse: written.key("session_reuse", |tls| tls.session_reuse).is_none_or(|(reuse, _)| reuse),
        };
        Some(Encryption { originator: self.originator(&written, settings)?, server_name: template.flatten() })
    }

    /// Warns of upstreams that are asked over TLS, and in the clear once their servers fail: whoever breaks the one comes to
    /// read the other. What stays on this machine is nobody's to read.
    pub(super) fn check_clear_fallbacks(&mut self, config: &Config) {
        let defaults = &config.defaults.upstream.keys;
        let speaks_tls = |name: &str| config.upstream.get(name).is_some_and(|written| written.keys.speaks_tls(defaults));
        for (name, written) in config.upstream.iter().filter(|(name, _)| speaks_tls(name)) {
            let Some(fallback) = self.pools.get(name.as_str()).and_then(|pool| pool.fallback()) else { continue };
            let other = fallback.upstream.name();
            if speaks_tls(other) || fallback.upstream.lines().iter().all(|line| is_on_this_machine(&line.address)) {
                continue;
            }
            let problem = format!("upstream {name:?} is asked over TLS, and {other:?}, which stands in for it, in the clear");
            let place = match written.keys.fallback {
                Some(_) => self.places.value(&path_to!["upstream", name, "fallback"]),
                None => self.places.value(&path_to!["defaults", "upstream", "fallback"]),
            };
            let help = match config.upstream.contains_key(&**other) {
                true => format!("[upstream.{}.tls] for that one, too", Key::from(&**other)),
                false => "an [upstream.NAME] with a `tls` of its own in place of the address".into(),
            };
            self.diagnostics.warning("clear-fallback", place, problem).help(help);
        }
    }

    /// Reads the files.
    fn originator(&mut self, written: &Written<'_>, settings: ClientSettings) -> Option<Arc<Originator>> {
        let files = Files::of_client(&settings);
        let seen = Seen::of(&files);
        let mut findings = Vec::new();
        let originator = Originator::load(settings, &self.system_roots, &mut findings).map(Arc::new);
        for finding in findings {
            self.found_of_servers(written, finding);
        }
        let originator = originator?;
        let place = format!("[upstream.{}.tls]", Key::from(written.upstream));
        self.rereads.push(Arc::new(Reread::new(place, Tls::Client(originator.clone()), files, seen)));
        Some(originator)
    }

    fn server_name(&mut self, path: &[Key], written: &str) -> Option<Text> {
        let text = self.once(|compiler| compiler.early_text(path, written, None))?;
        if text.variables().next().is_none() && ExpectedName::parse(written).is_none() {
            let problem = format!("{written:?} is no host name, and no server has it");
            self.once(|compiler| {
                compiler.wrong(path, problem).label("\"web.internal\"; or leave it out for the name that each server is written with");
            });
        }
        Some(text)
    }

    fn trust(&mut self, written: &Written<'_>) -> Trust {
        if let Some((false, path)) = written.key("verify", |tls| tls.verify) {
            let place = self.places.value(&path);
            let problem = "servers are not verified: whoever stands between can answer in their place";
            self.once(|compiler| {
                let warning = compiler.diagnostics.warning("unverified-servers", place, problem);
                warning.help("ca = \"certs/servers-ca.pem\" has those believed that it vouches for, or that stand in it");
            });
            return Trust::Anybody;
        }
        match written.key("ca", |tls| tls.ca.as_deref()) {
            Some((ca, path)) => Trust::File(self.places.file(&path, ca)),
            None => Trust::System,
        }
    }

    /// Each server that is verified needs a name to be verified for.
    fn check_names(&mut self, name: &str, lines: &[(usize, ServerLine)]) {
        for (index, line) in lines.iter().filter(|(_, line)| own_name(&line.address, &line.written).is_none()) {
            let problem = format!("{} has no name that its certificate could be verified for", line.written);
            self.wrong(&path_to!["upstream", name, "servers", *index, "address"], problem)
                .help(format!("server_name = \"web.internal\" in [upstream.{}.tls]; or verify = false there", Key::from(name)));
        }
    }

    /// The gateway's own certificate; nothing at all if a part of it is missing.
    fn identity(&mut self, written: &Written<'_>) -> Option<Option<CertificateFiles>> {
        let chain = written.key("certificate", |tls| tls.certificate.as_deref());
        let key = written.key("key", |tls| tls.key.as_deref());
        let passwords = written.key("password_file", |tls| tls.password_file.as_deref());
        match (chain, key) {
            (Some((chain, chain_path)), Some((key, key_path))) => Some(Some(CertificateFiles {
                chain: self.places.file(&chain_path, chain),
                key: Some(self.places.file(&key_path, key)),
                password_file: passwords.map(|(file, path)| self.places.file(&path, file)),
                ocsp: None,
            })),
            (None, None) => match passwords {
                Some((_, path)) => {
                    self.lacks(&path, "these passwords are for a key, and there is none", "certificate = \"…\" and key = \"…\"")
                }
                None => Some(None),
            },
            (Some((_, path)), None) => self.lacks(&path, "a certificate is shown with its key", "key = \"certs/gateway.key\" as well"),
            (None, Some((_, path))) => {
                self.lacks(&path, "a key is used with its certificate", "certificate = \"certs/gateway.pem\" as well")
            }
        }
    }

    fn lacks<T>(&mut self, path: &[Key], problem: &str, label: &str) -> Option<T> {
        // A part that can't be read was complained of.
        let table = &path[..path.len() - 1];
        let is_cut = ["certificate", "key"].iter().any(|key| self.places.was_cut(&[table, &path_to![*key]].concat()));
        if !is_cut {
            self.once(|compiler| {
                compiler.wrong_key(path, problem).label(label);
            });
        }
        None
    }

    /// The versions that are spoken.
    fn spoken(&mut self, written: &Written<'_>) -> Option<Vec<&'static SupportedProtocolVersion>> {
        let versions = written.key("versions", |tls| (!tls.versions.is_empty()).then_some(&tls.versions[..]));
        let (versions, path) = versions.unwrap_or_default();
        self.once(|compiler| compiler.versions(&path, versions))
    }

    /// The protocols that are offered; nothing at all if one cannot be.
    fn offered(&mut self, written: &Written<'_>) -> Option<Vec<Vec<u8>>> {
        let Some((protocols, path)) = written.key("alpn", |tls| tls.alpn.as_ref()) else {
            return Some(Vec::new());
        };
        self.once(|compiler| compiler.protocols(&path, protocols))
    }

    /// Notes what was found about files at the place that they are written at.
    fn found_of_servers(&mut self, written: &Written<'_>, finding: Finding) {
        let path = match finding.part {
            Part::ServerCa => written.key("ca", |tls| tls.ca.as_ref()).map(|(_, path)| path),
            Part::Chain(_) => written.key("certificate", |tls| tls.certificate.as_ref()).map(|(_, path)| path),
            Part::Key(_) => written.key("key", |tls| tls.key.as_ref()).map(|(_, path)| path),
            Part::PasswordFile(_) => written.key("password_file", |tls| tls.password_file.as_ref()).map(|(_, path)| path),
            _ => None,
        };
        let place = match path {
            Some(path) => self.places.value(&path),
            None => self.places.key(&written.path()),
        };
        self.once(|compiler| compiler.note(place, finding));
    }

    fn note(&mut self, place: Place, finding: Finding) {
        let diagnostic: &mut Diagnostic = match finding.lint {
            None => self.diagnostics.error(place, finding.problem),
            Some(lint) => self.diagnostics.warning(lint, place, finding.problem),
        };
        if let Some(help) = finding.help {
            diagnostic.help(help);
        }
    }

    /// Compiles something that others may compile as well, whose complaints are made once.
    pub(super) fn once<T>(&mut self, compile: impl FnOnce(&mut Self) -> T) -> T {
        let noted = self.diagnostics.len();
        let compiled = compile(self);
        self.diagnostics.drop_repeated(noted);
        compiled
    }
}

fn is_on_this_machine(address: &Address) -> bool {
    match address {
        Address::Unix(_) => true,
        Address::Ip(address) => address.ip().is_loopback(),
        Address::Name(..) | Address::Service(_) => false,
    }
}
