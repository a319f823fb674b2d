//! From what was written to what runs: names are linked, texts parsed, tables built. Every complaint is collected,
//! and nothing is opened, so that `check` sees what `run` would.

mod access;
mod admission;
mod binding;
mod circles;
mod coalescing;
mod datagrams;
mod dots;
mod expected;
mod fallbacks;
mod guarded;
mod hash_keys;
mod hosts_files;
mod idle_keys;
mod limits;
mod listener;
mod lists;
mod log_files;
mod machine;
mod maintenance;
mod map_tests;
mod maps;
mod networks;
mod patience;
mod patterns;
mod plain_ports;
mod process;
mod proxied;
mod rates;
mod reach;
mod resolver;
mod routes;
mod silence;
mod similar;
mod sources;
mod targets;
mod terminate;
mod terminated;
mod texts;
mod tiny;
mod unused;
mod upstream_tls;
mod upstreams;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::{Limits, Pools, Snapshot, Terminators};
use crate::config::{Config, Diagnostic, Diagnostics, Key, LintLevel, Loaded, Place, Places, Source, path_to};
use crate::tls::{Reread, SystemRoots};
use crate::upstream::ResolverSettings;
use crate::variables::Map;

/// What compiling came to.
#[derive(Debug)]
pub struct Compiled {
    /// What runs; absent if there is an error.
    pub snapshot: Option<Snapshot>,
    /// Where everything stands.
    pub places: Places,
    /// What is wrong, or looks wrong.
    pub diagnostics: Diagnostics,
    /// The files that it was read from, and the lists that these name.
    pub files: Vec<PathBuf>,
}

impl Snapshot {
    /// Compiles a configuration.
    ///
    /// # Errors
    /// All complaints, if one of them is an error.
    pub fn compile(loaded: Loaded) -> Result<Self, Diagnostics> {
        let Compiled { snapshot, diagnostics, .. } = Self::check(loaded);
        snapshot.ok_or(diagnostics)
    }

    /// The same for a gateway that goes on from another: TLS profiles keep what they remember of clients, as far as name,
    /// sizes and policy stay, and limits go on from their counts, as far as name and key stay.
    ///
    /// # Errors
    /// All complaints, if one of them is an error.
    pub fn compile_after(loaded: Loaded, previous: &Self) -> Result<Self, Diagnostics> {
        let Compiled { snapshot, diagnostics, .. } = Self::compiled(loaded, previous.terminators.clone(), &previous.limits);
        snapshot.ok_or(diagnostics)
    }

    /// As [`Snapshot::compile`], with the warnings of a configuration that is usable.
    #[must_use]
    pub fn check(loaded: Loaded) -> Compiled {
        Self::compiled(loaded, Terminators::new(), &Limits::new())
    }

    fn compiled(loaded: Loaded, previous_terminators: Terminators, previous_limits: &Limits) -> Compiled {
        let Loaded { config, places, diagnostics, files } = loaded;
        let own_sockets = listener::unix_sockets(&config);
        let mut compiler = Compiler {
            places,
            diagnostics,
            families: access::Families::of_all(&config),
            networks: BTreeMap::new(),
            maps: BTreeMap::new(),
            terminators: Terminators::new(),
            previous_terminators,
            system_roots: SystemRoots::default(),
            rereads: Vec::new(),
            limits: Limits::new(),
            lost_limits: BTreeSet::new(),
            lost_maintenance: BTreeSet::new(),
            resolver: Arc::new(resolver::settings(&[config.resolver.as_ref()])),
            pools: Pools::new(),
            made: Pools::new(),
            own_sockets,
            is_transparent: false,
            names_server_address: false,
            lost_a_source: false,
            announcements_judged: BTreeSet::new(),
            lost_networks: false,
            incomplete_maps: BTreeSet::new(),
            tests_held: 0,
            likened: Cell::new(0),
            lists: BTreeMap::new(),
            lists_told: BTreeSet::new(),
            listed_hosts: BTreeMap::new(),
            used: unused::Used::default(),
        };
        let snapshot = compiler.snapshot(&config, previous_limits);
        let Compiler { places, mut diagnostics, lists, .. } = compiler;
        let files = files.files.into_iter().chain(lists.keys().cloned()).collect();
        let delegated = places.delegated_sources().map(|source| source.name().to_owned()).collect();
        diagnostics.settle(&config.lints, places.sources().chain(lists.into_values().flatten()), &delegated);
        Compiled { snapshot: snapshot.filter(|_| !diagnostics.has_errors()), places, diagnostics, files }
    }
}

/// A compilation under way.
struct Compiler {
    places: Places,
    diagnostics: Diagnostics,
    /// From which families clients come.
    families: access::Families,
    networks: BTreeMap<String, networks::Network>,
    /// `[map.NAME]`; of those without a map, what is wrong has been said.
    maps: BTreeMap<String, Option<Arc<Map>>>,
    terminators: Terminators,
    /// Those of the snapshot before.
    previous_terminators: Terminators,
    /// The system's authorities, for all upstreams that trust them.
    system_roots: SystemRoots,
    rereads: Vec<Arc<Reread>>,
    limits: Limits,
    /// Those of `[limit.NAME]` of which what is wrong has been said.
    lost_limits: BTreeSet<String>,
    /// The `maintenance` of targets of which it has.
    lost_maintenance: BTreeSet<Vec<Key>>,
    /// `[resolver]`, which upstreams without one share.
    resolver: Arc<ResolverSettings>,
    pools: Pools,
    /// The upstreams that were made of written addresses.
    made: Pools,
    /// The unix sockets on which listeners listen.
    own_sockets: Vec<PathBuf>,
    /// Whether a target has servers see an address that this machine may not have.
    is_transparent: bool,
    /// Whether a text tells the gateway's own address.
    names_server_address: bool,
    /// Whether a source that targets would inherit could not be read.
    lost_a_source: bool,
    /// Where a way to announce clients stands that was judged already.
    announcements_judged: BTreeSet<Vec<Key>>,
    /// Whether a part of a network is missing, so that guards and rules are not what they were to be.
    lost_networks: bool,
    /// The maps of which a part is missing for its own error, so that their tests would fail for it too.
    incomplete_maps: BTreeSet<String>,
    /// How many tests hold.
    tests_held: usize,
    /// How many names a similar one was looked for.
    likened: Cell<usize>,
    /// The files with lists that were read; of those without a text, what is wrong has been said.
    lists: BTreeMap<PathBuf, Option<Arc<Source>>>,
    /// Those of hosts of which what is wrong has been said.
    lists_told: BTreeSet<PathBuf>,
    /// What the lists of each map have.
    listed_hosts: BTreeMap<String, hosts_files::ListedHosts>,
    /// What something leads to.
    used: unused::Used,
}

impl Compiler {
    fn snapshot(&mut self, config: &Config, previous_limits: &Limits) -> Option<Snapshot> {
        let errors = self.diagnostics.errors();
        self.networks = self.compile_networks(config);
        self.lost_networks = self.diagnostics.errors() > errors || self.places.was_cut(&path_to!["networks"]);
        self.compile_maps(config);
        self.limits = self.compile_limits(config, previous_limits);
        self.compile_terminators(config);
        self.check_terminated(config);
        self.pools = self.compile_upstreams(config);
        self.link_fallbacks(config);
        self.check_clear_fallbacks(config);
        self.check_all_down(config);
        self.check_sources(config);
        self.check_rates(config);
        self.check_idle_defaults(config);
        let access_logs = self.access_logs(config);
        self.check_log_files(config);
        let listeners = self.compile_listeners(config);
        self.run_tests(config, &listeners);
        self.check_reach(listeners.iter().map(|listener| &**listener), config);
        let every_pool = self.pools.values().chain(self.made.values()).cloned().collect();
        self.check_unused_maps(config);
        self.check_unused_limits(config);
        self.check_maintenance(config);
        self.check_unused(config);
        self.check_circles(config);
        self.check_plain_ports(config);
        self.check_patience(config);
        self.check_tiny(config);
        self.check_coalescing(config);
        self.check_descriptors(config);
        self.check_log_folders(config);
        Some(Snapshot {
            process: process::process(&config.process),
            log: process::log(&config.log, &self.places),
            access_logs: access_logs?,
            listeners,
            resolver: self.resolver.clone(),
            terminators: std::mem::take(&mut self.terminators),
            limits: std::mem::take(&mut self.limits),
            networks: networks::sets(&self.networks),
            rereads: std::mem::take(&mut self.rereads),
            pools: Arc::new(std::mem::take(&mut self.pools)),
            every_pool,
            is_transparent: self.is_transparent,
            names_server_address: self.names_server_address,
            quiet: config.lints.iter().filter(|(_, level)| **level == LintLevel::Allow).map(|(name, _)| name.as_str().into()).collect(),
            tests: self.tests_held,
            listed_hosts: self.listed_hosts.values().map(|listed| listed.count).sum(),
        })
    }

    /// Notes an error at a value.
    fn wrong(&mut self, path: &[Key], problem: impl AsRef<str>) -> &mut Diagnostic {
        let place = self.places.value(path);
        self.wrong_at(place, problem)
    }

    /// Notes an error at a key.
    fn wrong_key(&mut self, path: &[Key], problem: impl AsRef<str>) -> &mut Diagnostic {
        let place = self.places.key(path);
        self.wrong_at(place, problem)
    }

    /// Notes an error inside a text.
    fn wrong_inside(&mut self, path: &[Key], bytes: std::ops::Range<usize>, problem: impl AsRef<str>) -> &mut Diagnostic {
        let place = self.places.inside(path, bytes);
        self.wrong_at(place, problem)
    }

    fn wrong_at(&mut self, place: Place, problem: impl AsRef<str>) -> &mut Diagnostic {
        self.diagnostics.error(place, problem)
    }

    /// Compiles something whose complaints have been made already.
    fn quietly<T>(&mut self, compile: impl FnOnce(&mut Self) -> T) -> T {
        let noted = self.diagnostics.len();
        let compiled = compile(self);
        let _ = self.diagnostics.take_since(noted);
        compiled
    }
}
