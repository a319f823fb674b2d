//! `hosts_files` of `[routes.NAME]`: entries that stand in lists, one a line. Of 100,000 lines most lead to one of a few
//! upstreams, so what a target is made of is made once for each upstream.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use super::Compiler;
use super::lists::place_in;
use super::targets::{Above, Stands};
use super::terminated::{Covered, ended_before};
use crate::config::{self, Diagnostic, HostLine, Key, Place, Severity, Source, host_lines, path_to};
use crate::host::HostPattern;
use crate::route::{Builder, Entry};
use crate::snapshot::{Action, Destination, ListName, Listed, Target, Targets};

/// What the lists of a map have, for those who look for slips in the whole.
#[derive(Default)]
pub(super) struct ListedHosts {
    /// How many entries there are.
    pub(super) count: usize,
    /// The upstreams and addresses that they lead to, each with where it stands first.
    pub(super) leads: BTreeMap<String, Place>,
    /// The lists.
    pub(super) sources: Vec<Arc<Source>>,
}

/// What lines that lead to the same upstream have in common.
struct Known {
    targets: Arc<[Target]>,
    /// What is wrong with each of them.
    errors: Vec<Diagnostic>,
    /// Which of the list's upstreams that are asked over TLS it is.
    twice: Option<usize>,
}

/// An upstream into whose TLS that of hosts passes through.
struct Twice {
    upstream: String,
    /// The first line that leads there, and the numbers of the others.
    place: Place,
    more: Vec<usize>,
}

/// A file under way.
struct List<'a> {
    /// Where it is named.
    path: &'a [Key],
    source: Arc<Source>,
    name: Arc<ListName>,
    /// The profiles under which TLS has ended before its hosts are asked for.
    profiles: &'a mut [Profile],
    twice: Vec<Twice>,
}

/// A profile, and the first host of a list that it has no certificate for.
struct Profile {
    covered: Covered,
    lacking: Option<(Place, String)>,
    more: usize,
}

impl Compiler {
    /// Adds the entries of a map's lists.
    pub(super) fn hosts_files(&mut self, map: &str, written: &config::Routes, above: &Above<'_>, table: &mut Builder<Targets>) {
        let mut seen: BTreeSet<PathBuf> = BTreeSet::new();
        let mut all = ListedHosts::default();
        let profiles: BTreeSet<&str> = ended_before(above.config, map).map(|(_, profile)| profile).collect();
        let profiles = profiles.into_iter().filter_map(|profile| self.covered(profile));
        let mut profiles: Vec<_> = profiles.map(|covered| Profile { covered, lacking: None, more: 0 }).collect();
        for (index, text) in written.hosts_files.iter().enumerate() {
            let path = path_to!["routes", map, "hosts_files", index];
            for file in self.list_files(&path, text) {
                if !seen.insert(file.clone()) {
                    self.wrong(&path, format!("{} is named twice", file.display()))
                        .label("leave it out, or the pattern that means it, too");
                    continue;
                }
                let Some(source) = self.list(&path, &file) else { continue };
                let name = Arc::new(ListName(source.name().into()));
                let before = all.count;
                let (noted, errors) = (self.diagnostics.len(), self.diagnostics.errors());
                let mut list = List { path: &path, source: Arc::clone(&source), name, profiles: &mut profiles, twice: Vec::new() };
                self.hosts_file(&mut list, above, table, &mut all);
                if self.diagnostics.errors() > errors {
                    self.incomplete_maps.insert(map.to_owned());
                }
                // Another map has named it, too.
                if !self.lists_told.insert(file.clone()) {
                    self.diagnostics.drop_said(noted);
                }
                if all.count == before {
                    self.warn_of_empty_list(&path, &file, "no host is in it");
                }
                all.sources.push(source);
            }
        }
        self.listed_hosts.insert(map.to_owned(), all);
    }

    /// Adds the entries of a list; lines that should have been some count as well.
    fn hosts_file(&mut self, list: &mut List<'_>, above: &Above<'_>, table: &mut Builder<Targets>, all: &mut ListedHosts) {
        let mut known: HashMap<&str, Known> = HashMap::new();
        table.reserve(list.source.lines());
        let source = Arc::clone(&list.source);
        for line in host_lines(source.text()) {
            all.count += 1;
            let line = match line {
                Ok(line) => line,
                Err(wrong) => {
                    let place = place_in(&list.source, wrong.span.start, wrong.span.len());
                    self.wrong_at(place, wrong.problem).label(wrong.instead);
                    continue;
                }
            };
            let targets = match known.get(line.upstream) {
                Some(known) => self.known_target(list, &line, known),
                None => {
                    let (new, targets) = self.listed_target(list, &line, above);
                    known.insert(line.upstream, new);
                    let place = || place_in(&list.source, line.upstream_at, line.upstream.len());
                    all.leads.entry(line.upstream.to_owned()).or_insert_with(place);
                    targets
                }
            };
            self.listed_host(list, &line, targets, table);
        }
        for Twice { upstream, place, more } in std::mem::take(&mut list.twice) {
            let named = self.places.value(list.path);
            self.warn_of_twice_encrypted(place, &upstream, more.len()).for_lines(more, named);
        }
        for profile in &mut *list.profiles {
            if let Some((place, lacking)) = profile.lacking.take() {
                self.warn_of_uncovered(place, &profile.covered, &lacking, std::mem::take(&mut profile.more));
            }
        }
    }

    /// The target of the first line that leads to an upstream. What is said of it is said of the line.
    fn listed_target(&mut self, list: &mut List<'_>, line: &HostLine<'_>, above: &Above<'_>) -> (Known, Arc<[Target]>) {
        let noted = self.diagnostics.len();
        let targets: Arc<[Target]> = match self.check_no_template(list, line) {
            true => self.target(list.path, &config::Target::plain(line.upstream), Stands::ForTls, above).into_iter().collect(),
            false => [].into(),
        };
        let place = place_in(&list.source, line.upstream_at, line.upstream.len());
        let said = self.diagnostics.take_since(noted);
        said.iter().for_each(|one| self.diagnostics.repeat(one, place.clone()));
        let is_twice = matches!(&*targets, [Target { terminate: None, action: Action::Forward(Destination::Pool(pool)), .. }]
            if pool.encryption.is_some());
        let twice = is_twice.then(|| {
            list.twice.push(Twice { upstream: line.upstream.to_owned(), place, more: Vec::new() });
            list.twice.len() - 1
        });
        let errors = said.into_iter().filter(|one| one.severity() == Severity::Error).collect();
        (Known { targets: Arc::clone(&targets), errors, twice }, targets)
    }

    fn known_target(&mut self, list: &mut List<'_>, line: &HostLine<'_>, known: &Known) -> Arc<[Target]> {
        for error in &known.errors {
            self.diagnostics.repeat(error, place_in(&list.source, line.upstream_at, line.upstream.len()));
        }
        if let Some(twice) = known.twice.and_then(|index| list.twice.get_mut(index)) {
            twice.more.push(line.number as usize);
        }
        Arc::clone(&known.targets)
    }

    /// Programs write lists, and of what else: a template among 100,000 lines would be a forward that nobody has read.
    fn check_no_template(&mut self, list: &List<'_>, line: &HostLine<'_>) -> bool {
        let is_template = line.upstream.contains('$') && !self.pools.contains_key(line.upstream);
        if is_template {
            self.wrong(list.path, format!("{:?} has a variable, and a list has none", line.upstream))
                .label("an upstream's name, or an address; templates stand in routes.toml");
        }
        !is_template
    }

    fn listed_host(&mut self, list: &mut List<'_>, line: &HostLine<'_>, targets: Arc<[Target]>, table: &mut Builder<Targets>) {
        let source = Arc::clone(&list.source);
        let place = || place_in(&source, line.at, line.host.len());
        let path = list.path;
        let map = || path[..2].to_vec();
        let pattern = match HostPattern::parse(line.host) {
            Ok(pattern) => pattern,
            Err(error) => return self.no_host_at(place(), &map(), line.host, error),
        };
        for profile in &mut *list.profiles {
            match (profile.covered.lacks(line.host, &pattern), &profile.lacking) {
                (Some(lacking), None) => profile.lacking = Some((place(), lacking)),
                (Some(_), Some(_)) => profile.more += 1,
                (None, _) => {}
            }
        }
        let listed = Listed::new(Arc::clone(&list.name), line.number);
        let entry = Entry { written: pattern.written(line.host), target: Targets::listed(targets, listed) };
        let Err(earlier) = table.host(pattern, entry) else { return };
        let first = match earlier.target.listed_at() {
            Some(listed) => listed.to_string(),
            None => self.places.key(&[&map()[..], &path_to!["hosts", &*earlier.written]].concat()).to_string(),
        };
        self.same_name_twice(place(), line.host, &earlier.written, &first, "the same name");
    }
}
