//! `vestibule check --against OLD`: what a new configuration does to connections that the old one served. Reasoned over
//! the tables and not tried out, so that what is not told does not change.

mod maps;
mod parts;
mod text;

use std::path::Path;

use serde::Serialize;

use super::{Configuration, Failure};
use crate::config::Places;
use crate::snapshot::{Compiled, Snapshot};

/// A configuration that is usable.
pub(super) struct Side {
    /// What its file is called.
    pub(super) name: String,
    pub(super) snapshot: Snapshot,
    pub(super) places: Places,
}

/// All that changes.
#[derive(Serialize)]
pub(super) struct Report {
    old: String,
    listeners: Vec<parts::Part>,
    routes: Vec<maps::Map>,
    upstreams: Vec<parts::Part>,
    terminate: Vec<parts::Part>,
    limits: Vec<parts::Part>,
}

/// Reads the old configuration, under the same environment and `--set`; what it warns of is nobody's business any more.
pub(super) fn old(file: &Path, new: &Configuration) -> Result<Side, Failure> {
    if file == Path::new("running") {
        let problem = "--against running asks a gateway what it runs, and gateways cannot be asked yet: \
                       name the file that it was started with (./running is a file of that name)";
        return Err(Failure::Usage(problem.into()));
    }
    let configuration = Configuration { config: Some(file.to_owned()), sets: new.sets.clone() };
    let loaded = configuration.load()?;
    let name = loaded.diagnostics.name().to_owned();
    let Compiled { snapshot, places, diagnostics } = Snapshot::check(loaded);
    let snapshot = snapshot.ok_or(Failure::Configuration(diagnostics))?;
    Ok(Side { name, snapshot, places })
}

impl Report {
    /// What the new one changes.
    pub(super) fn of(old: &Side, new: &Side) -> Self {
        Self {
            old: old.name.clone(),
            listeners: parts::listeners(&old.snapshot, &new.snapshot),
            routes: maps::maps(old, new),
            upstreams: parts::upstreams(&old.snapshot, &new.snapshot),
            terminate: parts::terminators(&old.snapshot, &new.snapshot),
            limits: parts::limits(&old.snapshot, &new.snapshot),
        }
    }
}
