//! `[terminate.NAME]`, and who uses it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs as provider;
use rustls::version::{TLS12, TLS13};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

use super::Compiler;
use crate::config::{self, ClientAuthMode, Config, Key, SessionCache, SessionTickets, TlsVersion, path_to, suggest};
use crate::tls::{
    CertificateFiles, ClientAuthSettings, Files, Finding, Part, Reread, Seen, ServerSettings, Terminator, Tickets, Tls, cipher,
    cipher_names, group, group_names,
};

impl Compiler {
    /// Reads the files of every profile, those that nobody uses too.
    pub(super) fn compile_terminators(&mut self, config: &Config) {
        for (name, written) in &config.terminate {
            if self.places.was_cut(&path_to!["terminate", name, "client_auth"]) {
                continue;
            }
            let Some(settings) = self.server_settings(name, written) else { continue };
            let mut findings = Vec::new();
            let files = Files::of_server(&settings);
            let seen = Seen::of(&files);
            let previous = self.previous_terminators.get(name.as_str()).map(|previous| &**previous);
            let terminator = Terminator::load(settings, previous, &mut findings).map(Arc::new);
            findings.into_iter().for_each(|finding| self.found(name, finding));
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

    fn server_settings(&mut self, name: &str, written: &config::Terminate) -> Option<ServerSettings> {
        let at = |key: &str| path_to!["terminate", name, key];
        let keys = &written.keys;
        let ciphers = self.chosen(&at("ciphers"), &keys.ciphers, "cipher suite", cipher, cipher_names().collect());
        let groups = self.chosen(&at("groups"), &keys.groups, "group of the key exchange", group, group_names().collect());
        let versions = self.versions(&at("versions"), &keys.versions);
        let alpn = self.protocols(&at("alpn"), &keys.alpn);
        let (versions, ciphers) = (versions?, ciphers?);
        self.check_idle_ciphers(&at("ciphers"), &keys.ciphers, &versions);
        Some(ServerSettings {
            name: name.into(),
            certificates: self.certificate_files(name, &written.certificates),
            ciphers: suites(ciphers.unwrap_or_default(), &versions),
            versions,
            own_order: !keys.ciphers.is_empty(),
            groups: groups?.unwrap_or_else(|| provider::default_provider().kx_groups),
            alpn: alpn?,
            session_cache: match keys.session_cache {
                Some(SessionCache::Off) => 0,
                Some(SessionCache::Bytes(bytes)) => bytes,
                None => 10 << 20,
            },
            session_timeout: keys.session_timeout.unwrap_or(Duration::from_secs(300)),
            tickets: match &keys.session_tickets {
                Some(SessionTickets::Off) => Tickets::Off,
                Some(SessionTickets::OwnKeys) | None => Tickets::OwnKeys,
                Some(SessionTickets::KeyFiles(keys)) => {
                    Tickets::KeyFiles(self.files(&[&at("session_tickets")[..], &path_to!["keys"]].concat(), keys))
                }
            },
            handshake_timeout: keys.handshake_timeout.unwrap_or(Duration::from_secs(60)),
            client_auth: keys.client_auth.as_ref().map(|auth| ClientAuthSettings {
                ca: self.places.file(&path_to!["terminate", name, "client_auth", "ca"], &auth.ca),
                is_required: auth.mode == ClientAuthMode::Require,
                crls: self.files(&path_to!["terminate", name, "client_auth", "crl"], &auth.crl),
                subjects: auth.subjects.iter().map(|subject| subject.as_str().into()).collect(),
            }),
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
    fn found(&mut self, name: &str, finding: Finding) {
        let at = |rest: &[Key]| [&path_to!["terminate", name][..], rest].concat();
        let certificate = |index: usize, key: &str| at(&path_to!["certificates", index, key]);
        let path = match finding.part {
            Part::Whole | Part::ServerCa => at(&[]),
            Part::Chain(index) => certificate(index, "chain"),
            Part::Key(index) => certificate(index, "key"),
            Part::PasswordFile(index) => certificate(index, "password_file"),
            Part::Ocsp(index) => certificate(index, "ocsp"),
            Part::TicketKey(index) => at(&path_to!["session_tickets", "keys", index]),
            Part::ClientCa => at(&path_to!["client_auth", "ca"]),
            Part::Crls => at(&path_to!["client_auth", "crl"]),
            Part::Crl(index) => at(&path_to!["client_auth", "crl", index]),
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
