//! Handshakes in memory: real clients against a profile, without a socket.

mod boundary;
mod clients;
mod lifetimes;
mod peer;
mod reminders;
mod site;

use super::Terminator;
use super::settings::{Part, ServerSettings};

/// A profile at work, of which nothing is to be told.
fn load(profile: ServerSettings) -> Terminator {
    loaded(profile, None, &[])
}

/// The same after a previous one, with the parts that are to be warned of and the warnings.
fn loaded(profile: ServerSettings, previous: Option<&Terminator>, warnings: &[(Part, Option<&'static str>)]) -> Terminator {
    let mut findings = Vec::new();
    let loaded = Terminator::load(profile, previous, &mut findings);
    // Who may read a key depends on the user who runs the tests.
    findings.retain(|finding| finding.lint != Some("open-private-key"));
    let told: Vec<_> = findings.iter().map(|finding| (finding.part, finding.lint)).collect();
    assert_eq!(told, warnings, "{findings:#?}");
    loaded.unwrap()
}
