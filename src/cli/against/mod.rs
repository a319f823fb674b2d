//! `vestibule check --against OLD`: what a new configuration does to connections that the old one served. Reasoned over
//! the tables and not tried out, so that what is not told does not change.

mod listeners;
mod maps;
mod meanings;
mod parts;
mod tables;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Configuration, Failure};
use crate::config::{self, Places};
use crate::snapshot::{Compiled, Snapshot};

/// A configuration that is usable.
pub(super) struct Side {
    /// What its file is called.
    pub(super) name: String,
    pub(super) snapshot: Snapshot,
    pub(super) places: Places,
    /// What was read: the file, those that it includes, and lists.
    pub(super) files: Vec<PathBuf>,
    /// `[map.NAME]` as they are written.
    pub(super) maps: BTreeMap<String, config::Map>,
}

/// All that changes.
#[derive(Serialize)]
pub(super) struct Report {
    old: String,
    /// The files that both sides read: what changed in these since OLD is in both.
    read_by_both: Vec<String>,
    listeners: Vec<parts::Part>,
    routes: Vec<maps::Map>,
    upstreams: Vec<parts::Part>,
    terminate: Vec<parts::Part>,
    limits: Vec<parts::Part>,
    networks: Vec<parts::Part>,
    maps: Vec<parts::Part>,
}

/// What a configuration changes for those who ran the file `old` before.
pub(super) fn report(old: &Path, configuration: &Configuration, new: &Side) -> Result<Report, Failure> {
    let old = std::mem::ManuallyDrop::new(read(old, configuration)?);
    Ok(Report::of(&old, new))
}

/// Reads the old configuration, under the same environment and `--set`; what it warns of is nobody's business any more.
fn read(file: &Path, new: &Configuration) -> Result<Side, Failure> {
    if file == Path::new("running") {
        let problem = "--against running asks a gateway what it runs, and gateways cannot be asked yet: \
                       name the file that it was started with (./running is a file of that name)";
        return Err(Failure::Usage(problem.into()));
    }
    let configuration = Configuration { config: Some(file.to_owned()), sets: new.sets.clone() };
    let loaded = configuration.load()?;
    let (name, maps) = (loaded.diagnostics.name().to_owned(), loaded.config.map.clone());
    let Compiled { snapshot, places, diagnostics, files } = Snapshot::check(loaded);
    let snapshot = snapshot.ok_or(Failure::Configuration(diagnostics))?;
    Ok(Side { name, snapshot, places, files, maps })
}

impl Report {
    /// What the new one changes.
    fn of(old: &Side, new: &Side) -> Self {
        Self {
            old: old.name.clone(),
            read_by_both: read_by_both(&old.files, &new.files),
            listeners: parts::listeners(&old.snapshot, &new.snapshot),
            routes: maps::maps(old, new),
            upstreams: parts::upstreams(&old.snapshot, &new.snapshot),
            terminate: parts::terminators(&old.snapshot, &new.snapshot),
            limits: parts::limits(&old.snapshot, &new.snapshot),
            networks: parts::networks(&old.snapshot, &new.snapshot),
            maps: tables::tables(&old.maps, &new.maps),
        }
    }
}

/// The files of the new side that are files of the old one, too, by whatever way they were named.
fn read_by_both(old: &[PathBuf], new: &[PathBuf]) -> Vec<String> {
    let whole = |file: &PathBuf| file.canonicalize().ok();
    let known: BTreeSet<PathBuf> = old.iter().filter_map(whole).collect();
    let is_known = |file: &&PathBuf| whole(file).is_some_and(|file| known.contains(&file));
    new.iter().filter(is_known).map(|file| file.display().to_string()).collect()
}
