//! What can be told of certificates once all are read: keys that do not fit, dates, the order of chains, names twice.

use std::time::SystemTime;

use super::load::Read;
use super::standing::{Standing, date};
use super::{SCHEMES, listed};
use crate::tls::settings::{Finding, Part};
use crate::tls::x509::{CertificateName, Facts};

pub(super) fn check(all: &[Read], now: SystemTime, findings: &mut Vec<Finding>) {
    for (index, read) in all.iter().enumerate() {
        match read.fits() {
            false => findings.push(misfit(read, all)),
            true => findings.extend(disorder(read)),
        }
        findings.extend(read.facts.iter().filter_map(|facts| untimely(read, facts, now)));
        findings.extend(all[..index].iter().find_map(|earlier| twice(earlier, read)));
        findings.extend(open(read).filter(|_| !all[..index].iter().any(|earlier| earlier.key_file == read.key_file)));
    }
}

impl Read {
    fn fits(&self) -> bool {
        self.facts.first().is_some_and(|leaf| self.is_key_of(leaf))
    }

    fn is_key_of(&self, facts: &Facts) -> bool {
        // A key that does not tell its public half is taken at its word.
        self.key.public_key().is_none_or(|spki| facts.is_key(&spki))
    }
}

fn misfit(read: &Read, all: &[Read]) -> Finding {
    let (file, key) = (read.file.display(), read.key_file.display());
    let finding = Finding::error(Part::Key(read.entry), format!("the key in {key} does not fit the certificate in {file}"));
    if let Some(number) = read.facts.iter().position(|facts| read.is_key_of(facts)) {
        return finding.help(format!("it fits certificate {} of that file; the server's own certificate comes first", number + 1));
    }
    match all.iter().find(|other| other.facts.first().is_some_and(|leaf| read.is_key_of(leaf))) {
        Some(other) => finding.help(format!("it fits {}", other.file.display())),
        None => finding,
    }
}

fn open(read: &Read) -> Option<Finding> {
    let name = read.key_file.display();
    let problem = format!("everybody on this machine may read the private key in {name}");
    read.is_open_to_all.then(|| Finding::warning("open-private-key", Part::Key(read.entry), problem).help(format!("chmod o= {name}")))
}

/// Each certificate is followed by the one of its issuer; the last one's is with the client.
fn disorder(read: &Read) -> Option<Finding> {
    let number = read.facts.windows(2).position(|pair| pair[0].issuer_der != pair[1].subject_der)?;
    let (before, after) = (&read.facts[number], &read.facts[number + 1]);
    let file = read.file.display();
    let problem = format!("{file} is no chain: \"{}\" does not vouch for \"{}\", which it follows", after.subject, before.subject);
    let next = read.facts.iter().position(|facts| facts.subject_der == before.issuer_der);
    let help = match next {
        Some(next) if next == number => format!("\"{}\" vouches for itself, so nothing follows it", before.subject),
        Some(next) => format!("certificate {} of the file, \"{}\", comes here", next + 1, before.issuer),
        None => format!("\"{}\" comes here, which is not in the file", before.issuer),
    };
    Some(Finding::warning("chain-order", Part::Chain(read.entry), problem).help(help))
}

fn untimely(read: &Read, facts: &Facts, now: SystemTime) -> Option<Finding> {
    let (file, subject) = (read.file.display(), &facts.subject);
    let warning = |lint, problem| Some(Finding::warning(lint, Part::Chain(read.entry), problem));
    match Standing::of(facts, now) {
        Standing::Good => None,
        Standing::Ended => {
            warning("expired-certificate", format!("the certificate of \"{subject}\" in {file} has expired on {}", date(facts.not_after)))
        }
        Standing::Early => warning(
            "early-certificate",
            format!("the certificate of \"{subject}\" in {file} is not good before {}", date(facts.not_before)),
        ),
        Standing::Ending => {
            warning("expiring-certificate", format!("the certificate of \"{subject}\" in {file} expires on {}", date(facts.not_after)))
        }
    }
}

/// The earlier one is served for the names that both have, if their keys sign alike.
fn twice(earlier: &Read, read: &Read) -> Option<Finding> {
    let names = |read: &Read| read.facts.first().map(|leaf| leaf.names.clone()).unwrap_or_default();
    let taken = names(earlier);
    let both: Vec<CertificateName> = names(read).into_iter().filter(|name| taken.contains(name)).collect();
    let signs = |read: &Read, scheme| read.key.choose_scheme(&[scheme]).is_some();
    let is_alike = SCHEMES.into_iter().all(|scheme| signs(earlier, scheme) == signs(read, scheme));
    if both.is_empty() || !is_alike {
        return None;
    }
    let (file, earlier) = (read.file.display(), earlier.file.display());
    let problem = format!("{file} is never served for {}: {earlier} is before it, with a key of the same kind", listed(&both));
    Some(Finding::warning("certificate-twice", Part::Chain(read.entry), problem))
}
