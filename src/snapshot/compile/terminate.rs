//! `[terminate.NAME]`, and who uses it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs as provider;
use rustls::version::{TLS12, TLS13};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

use super::Compiler;
use crate::config::{self, ClientAuthMode, Config, Key, OrOff, SessionCache, SessionTickets, TerminateKeys, TlsVersion, path_to, suggest};
use crate::tls::{
    CertificateFiles, ClientAuthSettings, Files, Finding, Part, Reread, Seen, ServerSettings, Terminator, Tickets, Tls, cipher,
    cipher_names, group, group_names,
};

/// What is written of a profile, on both levels.
struct Written<'c> {
    profile: &'c str,
    own: &'c TerminateKeys,
    default: &'c TerminateKeys,
}

impl<'c> Written<'c> {
    /// What a key says, and where; where none says anything, the place is the profile's own.
    fn key<T>(&self, key: &str, says: impl Fn(&'c TerminateKeys) -> Option<T>) -> (Option<T>, Vec<Key>) {
        let own = path_to!["terminate", self.profile, key].to_vec();
        match (says(self.own), says(self.default)) {
            (None, Some(default)) => (Some(default), path_to!["defaults", "terminate", key].to_vec()),
            (said, _) => (said, own),
        }
    }

    fn list(&self, key: &str, list: impl Fn(&'c TerminateKeys) -> &'c [String]) -> (&'c [String], Vec<Key>) {
        let (list, path) = self.key(key, |keys| Some(list(keys)).filter(|list| !list.is_empty()));
        (list.unwrap_or_default(), path)
    }
}

impl Compiler {
    /// Reads the files of every profile, those that nobody uses too.
    pub(super) fn compile_terminators(&mut self, config: &Config) {
        self.check_terminate_defaults(&config.defaults.terminate);
        for (name, written) in &config.terminate {
            let keys = Written { profile: name, own: &written.keys, default: &config.defaults.terminate };
            let default_is_lost =
                written.keys.client_auth.is_none() && self.places.was_cut(&path_to!["defaults", "terminate", "client_auth"]);
            if default_is_lost || self.places.was_cut(&path_to!["terminate", name, "client_auth"]) {
                continue;
            }
            let Some(settings) = self.server_settings(&keys, &written.certificates) else { continue };
            let mut findings = Vec::new();
            let files = Files::of_server(&settings);
            let seen = Seen::of(&files);
            let previous = self.previous_terminators.get(name.as_str()).map(|previous| &**previous);
            let terminator = Terminator::load(settings, previous, &mut findings).map(Arc::new);
            findings.into_iter().for_each(|finding| self.once(|compiler| compiler.found(&keys, finding)));
            let Some(terminator) = terminator else { continue };
            let place = format!("[terminate.{}]", Key::from(name.as_str()));
            self.rereads.push(Arc::new(Reread::new(place, Tls::Server(terminator.clone()), files, seen)));
            self.terminators.insert(name.as_str().into(), terminator);
        }
    }

    /// The profile of this name, which stands at this path.
    pub(super) fn terminator(&mut self, path: &[Key], name: &str, config: &Config) -> Option<Arc<Terminator>> {
        if let Some((name, terminator)) = self.terminators.get_key_value(name) {
            self.used.profiles.insert(name.clone());
            return Some(terminator.clone());
        }
        // What is wrong with one that is there was said where it stands.
        if !config.terminate.contains_key(name) && !self.places.was_cut(&path_to!["terminate", name]) {
            let similar = suggest(name, config.terminate.keys().map(String::as_str));
            let place = similar.map(|similar| self.places.key(&path_to!["terminate", similar]));
            let error = self.wrong(path, format!("no TLS profile is named {name:?}"));
            match similar.zip(place) {
                Some((similar, place)) => error.label(format!("did you mean \"{similar}\" ({place})?")),
                None => error.help(format!("[terminate.{}] with certificates = [\"certs/site.pem\"]", Key::from(name))),
            };
        }
        None
    }

    /// Complains about what no profile might inherit, too.
    fn check_terminate_defaults(&mut self, defaults: &TerminateKeys) {
        let nothing = TerminateKeys::default();
        let _ = self.server_settings(&Written { profile: "", own: &nothing, default: defaults }, &[]);
    }

    /// The settings of a profile; what is wrong with an inherited one is said once.
    fn server_settings(&mut self, written: &Written<'_>, certificates: &[config::Certificate]) -> Option<ServerSettings> {
        let ((ciphers, ciphers_path), (groups, groups_path)) =
            (written.list("ciphers", |keys| &keys.ciphers), written.list("groups", |keys| &keys.groups));
        let own_order = !ciphers.is_empty();
        let ciphers = self.once(|compiler| compiler.chosen(&ciphers_path, ciphers, "cipher suite", cipher, cipher_names().collect()));
        let groups =
            self.once(|compiler| compiler.chosen(&groups_path, groups, "group of the key exchange", group, group_names().collect()));
        let (versions, path) = written.key("versions", |keys| Some(&keys.versions[..]).filter(|versions| !versions.is_empty()));
        let versions = self.once(|compiler| compiler.versions(&path, versions.unwrap_or_default()));
        let (alpn, path) = written.key("alpn", |keys| keys.alpn.as_deref());
        let alpn = self.once(|compiler| compiler.protocols(&path, alpn.unwrap_or_default()));
        let (versions, ciphers) = (versions?, ciphers?);
        self.check_idle_ciphers(&path_to!["terminate", written.profile, "ciphers"], &written.own.ciphers, &versions);
        Some(ServerSettings {
            name: written.profile.into(),
            certificates: self.certificate_files(written.profile, certificates),
            ciphers: suites(ciphers.unwrap_or_default(), &versions),
            versions,
            own_order,
            groups: groups?.unwrap_or_else(|| provider::default_provider().kx_groups),
            alpn: alpn?,
            session_cache: match written.key("session_cache", |keys| keys.session_cache).0 {
                Some(SessionCache::Off) => 0,
                Some(SessionCache::Bytes(bytes)) => bytes,
                None => 10 << 20,
            },
            session_timeout: written.key("session_timeout", |keys| keys.session_timeout).0.unwrap_or(Duration::from_secs(300)),
            tickets: match written.key("session_tickets", |keys| keys.session_tickets.as_ref()) {
                (Some(SessionTickets::Off), _) => Tickets::Off,
                (Some(SessionTickets::OwnKeys) | None, _) => Tickets::OwnKeys,
                (Some(SessionTickets::KeyFiles(keys)), path) => {
                    Tickets::KeyFiles(self.files(&[&path[..], &path_to!["keys"]].concat(), keys))
                }
            },
            handshake_timeout: written.key("handshake_timeout", |keys| keys.handshake_timeout).0.unwrap_or(Duration::from_secs(60)),
            client_auth: self.client_auth(written),
        })
    }

    fn client_auth(&self, written: &Written<'_>) -> Option<ClientAuthSettings> {
        let (auth, path) = written.key("client_auth", |keys| keys.client_auth.as_ref());
        let at = |key: &str| [&path[..], &path_to![key]].concat();
        auth.and_then(OrOff::on).map(|auth| ClientAuthSettings {
            ca: self.places.file(&at("ca"), &auth.ca),
            is_required: auth.mode == ClientAuthMode::Require,
            crls: self.files(&at("crl"), &auth.crl),
            subjects: auth.subjects.iter().map(|subject| subject.as_str().into()).collect(),
        })
    }

    fn certificate_files(&self, name: &str, written: &[config::Certificate]) -> Vec<CertificateFiles> {
        let file = |index: usize, key: &str, file: &str| self.places.file(&path_to!["terminate", name, "certificates", index, key], file);
        let all = written.iter().enumerate().map(|(index, written)| CertificateFiles {
            chain: file(index, "chain", &written.chain),
            key: written.key.as_deref().map(|key| file(index, "key", key)),
            password_file: written.password_file.as_deref().map(|passwords| file(index, "password_file", passwords)),
            ocsp: written.ocsp.as_deref().map(|ocsp| file(index, "ocsp", ocsp)),
        });
        all.collect()
    }

    fn files(&self, path: &[Key], written: &[String]) -> Vec<PathBuf> {
        written.iter().enumerate().map(|(index, file)| self.places.file(&[path, &path_to![index]].concat(), file)).collect()
    }

    /// What names stand for; nothing inside if none is written, nothing at all if one is unknown.
    fn chosen<T>(
        &mut self,
        path: &[Key],
        written: &[String],
        what: &str,
        find: impl Fn(&str) -> Option<T>,
        known: Vec<&str>,
    ) -> Option<Option<Vec<T>>> {
        let mut all = Some(Vec::new());
        for (index, name) in written.iter().enumerate() {
            match find(name) {
                Some(found) => {
                    all = all.map(|mut all| {
                        all.push(found);
                        all
                    })
                }
                None => {
                    all = None;
                    let error = self.wrong(&[path, &path_to![index]].concat(), format!("no {what} is named {name:?}"));
                    match suggest(name, known.iter().copied()) {
                        Some(similar) => error.label(format!("did you mean \"{similar}\"?")),
                        None => error.help(format!("one of {}", known.join(", "))),
                    };
                }
            }
        }
        all.map(|all| (!all.is_empty()).then_some(all))
    }

    /// Warns of cipher suites of a version that is not spoken.
    fn check_idle_ciphers(&mut self, path: &[Key], written: &[String], versions: &[&'static SupportedProtocolVersion]) {
        for (index, name) in written.iter().enumerate() {
            if cipher(name).is_none_or(|suite| versions.contains(&suite.version())) {
                continue;
            }
            let place = self.places.value(&[path, &path_to![index]].concat());
            let problem = format!("{name:?} has no effect: it is a cipher suite of a version that is not spoken here");
            self.diagnostics.warning("idle-key", place, problem).help("leave it out, or add the version to `versions`");
        }
    }

    /// The versions that are spoken; the best first, whatever order they are written in.
    pub(super) fn versions(&mut self, path: &[Key], written: &[TlsVersion]) -> Option<Vec<&'static SupportedProtocolVersion>> {
        let mut versions = Vec::new();
        let mut is_good = true;
        for (index, version) in written.iter().enumerate() {
            match version {
                TlsVersion::V1_2 => versions.push(&TLS12),
                TlsVersion::V1_3 => versions.push(&TLS13),
                TlsVersion::V1_0 | TlsVersion::V1_1 => {
                    is_good = false;
                    self.wrong(&[path, &path_to![index]].concat(), "TLS before 1.2 is broken and not spoken (RFC 8996)")
                        .label("leave it out; a host that needs it can be passed through");
                }
            }
        }
        if written.is_empty() {
            versions = vec![&TLS13, &TLS12];
        }
        is_good.then_some(versions)
    }

    /// Protocols of ALPN (RFC 7301 §3.1); nothing at all if one cannot be sent.
    pub(super) fn protocols(&mut self, path: &[Key], written: &[String]) -> Option<Vec<Vec<u8>>> {
        let mut is_good = true;
        for (index, protocol) in written.iter().enumerate().filter(|(_, protocol)| protocol.is_empty() || protocol.len() > 255) {
            is_good = false;
            let problem = format!("a protocol of ALPN has 1 to 255 bytes, this one {}", protocol.len());
            self.wrong(&[path, &path_to![index]].concat(), problem).label("\"h2\" or \"http/1.1\", for example");
        }
        is_good.then(|| written.iter().map(|protocol| protocol.clone().into_bytes()).collect())
    }

    /// Notes what was found about a profile's files at the place that they are written at.
    fn found(&mut self, written: &Written<'_>, finding: Finding) {
        let at = |rest: &[Key]| [&path_to!["terminate", written.profile][..], rest].concat();
        let tickets = || written.key("session_tickets", |keys| keys.session_tickets.as_ref()).1;
        let auth = |rest: &[Key]| [&written.key("client_auth", |keys| keys.client_auth.as_ref()).1[..], rest].concat();
        let certificate = |index: usize, key: &str| at(&path_to!["certificates", index, key]);
        let path = match finding.part {
            Part::Whole | Part::ServerCa => at(&[]),
            Part::Chain(index) => certificate(index, "chain"),
            Part::Key(index) => certificate(index, "key"),
            Part::PasswordFile(index) => certificate(index, "password_file"),
            Part::Ocsp(index) => certificate(index, "ocsp"),
            Part::TicketKey(index) => [&tickets()[..], &path_to!["keys", index]].concat(),
            Part::ClientCa => auth(&path_to!["ca"]),
            Part::Crls => auth(&path_to!["crl"]),
            Part::Crl(index) => auth(&path_to!["crl", index]),
        };
        let place = self.places.value(&path);
        let diagnostic = match finding.lint {
            None => self.diagnostics.error(place, finding.problem),
            Some(lint) => self.diagnostics.warning(lint, place, finding.problem),
        };
        if let Some(help) = finding.help {
            diagnostic.help(help);
        }
    }
}

/// The cipher suites that are chosen, and all those of versions of which none is.
fn suites(mut chosen: Vec<SupportedCipherSuite>, versions: &[&'static SupportedProtocolVersion]) -> Vec<SupportedCipherSuite> {
    let is_of = |suite: &SupportedCipherSuite, version: &SupportedProtocolVersion| suite.version() == version;
    let unsaid = versions.iter().filter(|version| !chosen.iter().any(|suite| is_of(suite, version)));
    let own: Vec<_> =
        unsaid.flat_map(|version| provider::DEFAULT_CIPHER_SUITES.iter().copied().filter(|suite| is_of(suite, version))).collect();
    chosen.extend(own);
    chosen
}
