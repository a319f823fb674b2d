//! Certificates are read from their files, keys found for them, and what is wrong is told.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};

use super::{Certificate, Certificates, checks};
use crate::tls::ocsp::{self, Unsent};
use crate::tls::passwords::{FromPipes, Passwords};
use crate::tls::pem::{self, PemError};
use crate::tls::settings::{CertificateFiles, Finding, Part, is_pattern};
use crate::tls::x509::Facts;

/// A chain and a key, as they were read.
pub(super) struct Read {
    /// The number of its entry.
    pub(super) entry: usize,
    pub(super) file: PathBuf,
    pub(super) key_file: PathBuf,
    /// Whether everybody on the machine may read the key.
    pub(super) is_open_to_all: bool,
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// Those of the chain.
    pub(super) facts: Vec<Facts>,
    pub(super) key: Arc<dyn SigningKey>,
}

impl Certificates {
    /// Reads them. What can't be used is among the findings.
    pub(in crate::tls) fn load(entries: &[CertificateFiles], pipes: &FromPipes, findings: &mut Vec<Finding>) -> Self {
        let mut all = Vec::new();
        for (index, files) in entries.iter().enumerate() {
            let entry = Entry { index, files, pipes };
            all.extend(entry.read(findings));
        }
        let now = SystemTime::now();
        checks::check(&all, now, findings);
        let staples = staples(entries, &all, now, findings);
        let certificates = all.into_iter().zip(staples).filter_map(|(read, ocsp)| {
            let facts = read.facts.into_iter().next()?;
            // Not by rustls's own check that the key fits, which cannot read version 1.
            let certified = CertifiedKey { ocsp, ..CertifiedKey::new(read.chain, read.key) };
            Some(Certificate::new(read.file, facts, certified))
        });
        Self::new(certificates.collect())
    }
}

/// An entry of `certificates`, which may stand for several.
struct Entry<'e> {
    index: usize,
    files: &'e CertificateFiles,
    pipes: &'e FromPipes,
}

impl Entry<'_> {
    fn read(&self, findings: &mut Vec<Finding>) -> Vec<Read> {
        let passwords = match self.files.password_file.as_deref().map(|path| self.pipes.read(path)) {
            None => Passwords::none(),
            Some(Ok(passwords)) => passwords,
            Some(Err(error)) => {
                findings.push(found(Part::PasswordFile(self.index), &error));
                return Vec::new();
            }
        };
        if !self.files.has_clear_key() {
            findings.push(self.unclear_key());
            return Vec::new();
        }
        let files = match self.chains() {
            Ok(files) => files,
            Err(finding) => {
                findings.push(finding);
                return Vec::new();
            }
        };
        let read = files.into_iter().map(|file| self.read_one(file, &passwords));
        read.filter_map(|read| read.map_err(|finding| findings.push(finding)).ok()).collect()
    }

    fn unclear_key(&self) -> Finding {
        let key = self.files.key.as_deref().unwrap_or(Path::new("")).display();
        let problem =
            format!("{key} does not say which key each chain has: a pattern of keys has the folders of the chains, and one file name");
        Finding::error(Part::Key(self.index), problem).help("chain = \"live/*/fullchain.pem\", key = \"live/*/privkey.pem\"")
    }

    /// The files that the entry's pattern stands for.
    fn chains(&self) -> Result<Vec<PathBuf>, Finding> {
        let written = &self.files.chain;
        let text = written.to_string_lossy();
        if !is_pattern(written) {
            return Ok(vec![written.clone()]);
        }
        let wrong = |problem: String| Finding::error(Part::Chain(self.index), problem);
        let paths = glob::glob(&text).map_err(|error| wrong(format!("{text} is no pattern of file names: {}", error.msg)))?;
        let paths: Result<Vec<_>, _> = paths.collect();
        let mut paths = paths.map_err(|error| wrong(format!("{} can't be read: {}", error.path().display(), error.error())))?;
        // A key that lies beside its certificate under a name of the same form.
        paths.retain(|path| path.is_file() && !pem::certificates(path).is_err_and(|error| error.is_empty()));
        match paths.is_empty() {
            true => Err(wrong(format!("no certificate is in a file of the form {text}"))),
            false => Ok(paths),
        }
    }

    fn read_one(&self, file: PathBuf, passwords: &Passwords) -> Result<Read, Finding> {
        let wrong = |problem: String| Finding::error(Part::Chain(self.index), problem);
        let chain = pem::certificates(&file).map_err(|error| found(Part::Chain(self.index), &error))?;
        let facts = chain.iter().enumerate().map(|(number, certificate)| {
            Facts::of(certificate)
                .map_err(|error| wrong(format!("certificate {} of {} can't be used: {error}", number + 1, file.display())))
        });
        let facts = facts.collect::<Result<_, _>>()?;
        let (key_file, key) = self.key(&file, passwords)?;
        let key = any_supported_type(&key).map_err(|_| {
            Finding::error(Part::Key(self.index), format!("the key in {} is of a kind that is not used here", key_file.display()))
                .help("RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, Ed25519")
        })?;
        let is_open_to_all = is_open_to_all(&key_file);
        Ok(Read { entry: self.index, file, key_file, is_open_to_all, chain, facts, key })
    }

    /// The key that is written, else the one in the file, else the one beside it.
    fn key(&self, chain: &Path, passwords: &Passwords) -> Result<(PathBuf, PrivateKeyDer<'static>), Finding> {
        if let Some(key) = self.files.key_for(chain) {
            return self.key_in(&key, passwords);
        }
        match pem::key_with(chain, passwords) {
            Err(error) if error.is_empty() => {}
            _ => return self.key_in(chain, passwords),
        }
        let beside = chain.with_extension("key");
        if beside.exists() {
            return self.key_in(&beside, passwords);
        }
        let problem = format!("there is no key for {}: neither in it nor beside it ({})", chain.display(), beside.display());
        Err(Finding::error(Part::Chain(self.index), problem).help("{ chain = \"CHAIN\", key = \"KEY\" }"))
    }

    fn key_in(&self, file: &Path, passwords: &Passwords) -> Result<(PathBuf, PrivateKeyDer<'static>), Finding> {
        let part = |error: &PemError| match error {
            PemError::Locked { .. } if self.files.password_file.is_some() => Part::PasswordFile(self.index),
            _ => Part::Key(self.index),
        };
        let key = pem::key_with(file, passwords).map_err(|error| found(part(&error), &error))?;
        Ok((file.into(), key))
    }
}

/// The OCSP answer that goes with each certificate.
fn staples(entries: &[CertificateFiles], all: &[Read], now: SystemTime, findings: &mut Vec<Finding>) -> Vec<Option<Vec<u8>>> {
    let mut staples = vec![None; all.len()];
    for (index, path) in entries.iter().enumerate().filter_map(|(index, entry)| Some((index, entry.ocsp.as_deref()?))) {
        let staple = match std::fs::read(path) {
            Ok(staple) => staple,
            Err(error) => {
                findings.push(Finding::error(Part::Ocsp(index), format!("{} can't be read: {error}", path.display())));
                continue;
            }
        };
        let mut problem = None;
        for (read, place) in all.iter().zip(&mut staples).filter(|(read, _)| read.entry == index) {
            let Some(leaf) = read.facts.first() else { continue };
            match ocsp::check(&staple, leaf, now) {
                Ok(()) => *place = Some(staple.clone()),
                // Of several certificates that an entry stands for, it is about one.
                Err(Unsent::Foreign) if problem.is_some() => {}
                Err(error) => problem = Some(error),
            }
        }
        let is_sent = all.iter().zip(&staples).any(|(read, staple)| read.entry == index && staple.is_some());
        findings.extend(problem.filter(|_| !is_sent).map(|error| unsent(index, path, error)));
    }
    staples
}

/// What cannot be asked is not open: it has been read by now.
fn is_open_to_all(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
}

fn unsent(entry: usize, path: &Path, error: Unsent) -> Finding {
    let problem = format!("the OCSP answer in {} is not sent: {error}", path.display());
    match error {
        Unsent::Broken => Finding::error(Part::Ocsp(entry), format!("{}: {error}", path.display())),
        _ => Finding::warning("unsent-staple", Part::Ocsp(entry), problem),
    }
}

fn found(part: Part, error: &PemError) -> Finding {
    let finding = Finding::error(part, error.to_string());
    match error.help() {
        Some(help) => finding.help(help),
        None => finding,
    }
}
