//! `vestibule check`: everything that is wrong with a configuration, for people and for programs.

use std::path::PathBuf;

use clap::Args;

use super::against::{self, Side};
use super::{Configuration, Failure, count, paint, print, say};
use crate::config::{Config, Diagnostics, lints, suggest};
use crate::snapshot::{Compiled, Snapshot};

/// How strict a check is, and who reads what it says.
#[derive(Args, Debug)]
pub(super) struct Check {
    #[command(flatten)]
    configuration: Configuration,
    /// End with status 2 if there is a warning, too, as a pipeline should.
    #[arg(long)]
    deny_warnings: bool,
    /// Say it as JSON: an object with `usable`, and `diagnostics` with file, line and column of each.
    #[arg(long)]
    json: bool,
    /// Tell what changes for those who ran OLD before: which names, wildcards and patterns lead elsewhere, each with a name
    /// that does; upstreams, certificates and listeners, too.
    ///
    /// In a pipeline: git worktree add ../before HEAD && vestibule check --against ../before/routes.toml; git worktree remove ../before
    #[arg(long, value_name = "OLD")]
    against: Option<PathBuf>,
    /// Explain a warning by its name, or list all there are with `all`, and look at no file.
    #[arg(long, value_name = "LINT", conflicts_with_all = ["config", "sets", "deny_warnings", "json", "against"])]
    explain: Option<String>,
}

/// What a check has come to.
struct Checked {
    diagnostics: Diagnostics,
    /// What is there, if it is usable: `2 listeners, 40 hosts`.
    counts: Option<String>,
    /// The same to compare with another.
    usable: Option<Side>,
}

pub(super) fn check(check: &Check) -> Result<(), Failure> {
    if let Some(lint) = &check.explain {
        return print(&explained(lint)?);
    }
    let Checked { diagnostics, counts, usable } = checked(&check.configuration)?;
    let refused = check.deny_warnings && diagnostics.warnings() > 0;
    let report = match (&check.against, &usable) {
        (Some(file), Some(new)) => Some(against::report(file, &check.configuration, new)?),
        _ => None,
    };
    // The process ends here, and what it has goes with it: to give 100,000 names back one by one would only take time.
    std::mem::forget(usable);
    if check.json {
        let mut json = diagnostics.to_json();
        if let (Some(report), Some(object)) = (&report, json.as_object_mut()) {
            object.insert("against".into(), serde_json::to_value(report).map_err(Failure::run)?);
        }
        print(&format!("{json:#}\n"))?;
        return if refused || counts.is_none() { Err(Failure::Told) } else { Ok(()) };
    }
    let Some(counts) = counts else { return Err(Failure::Configuration(diagnostics)) };
    if !diagnostics.is_empty() {
        say(&diagnostics.render(paint()));
        say("`vestibule check --explain NAME` says more of a warning, and how to allow it\n");
    }
    if refused {
        let what = if diagnostics.warnings() == 1 { "the warning" } else { "the warnings" };
        return Err(Failure::Usage(format!("refused for {what}, since --deny-warnings is given")));
    }
    let allowed = match diagnostics.allowed() {
        0 => String::new(),
        some => format!(" ({} allowed)", count(some, "warning")),
    };
    let changes = report.map(|report| report.text()).unwrap_or_default();
    print(&format!("{}: {counts}: usable{allowed}\n{changes}", diagnostics.subject()))
}

fn checked(configuration: &Configuration) -> Result<Checked, Failure> {
    let loaded = match configuration.load() {
        Ok(loaded) => loaded,
        Err(Failure::Configuration(diagnostics)) => return Ok(Checked { diagnostics, counts: None, usable: None }),
        Err(failure) => return Err(failure),
    };
    let (hosts, patterns) = entries(&loaded.config);
    let maps = loaded.config.map.clone();
    let Compiled { snapshot, places, diagnostics, files } = Snapshot::check(loaded);
    let counts = snapshot.as_ref().map(|snapshot| {
        let hosts = hosts + snapshot.listed_hosts;
        let (listeners, upstreams) = (snapshot.listeners.len(), snapshot.upstreams().count());
        let mut counts = vec![count(listeners, "listener"), count(hosts, "host"), count(patterns, "pattern"), count(upstreams, "upstream")];
        if snapshot.tests > 0 {
            counts.push(count(snapshot.tests, "test") + " passed");
        }
        counts.join(", ")
    });
    let usable = snapshot.map(|snapshot| Side { name: diagnostics.name().to_owned(), snapshot, places, files, maps });
    Ok(Checked { diagnostics, counts, usable })
}

/// How many hosts and patterns there are.
fn entries(config: &Config) -> (usize, usize) {
    let maps = || config.routes.values();
    (maps().map(|map| map.hosts.len()).sum(), maps().map(|map| map.patterns.len()).sum())
}

/// The page of a lint, or the list of all.
fn explained(name: &str) -> Result<String, Failure> {
    if name == "all" {
        let width = lints::names().map(str::len).max().unwrap_or_default();
        return Ok(lints::LINTS.iter().map(|lint| format!("{:width$}  {}\n", lint.name, lint.sees)).collect());
    }
    if let Some(page) = lints::find(name).and_then(|lint| lint.page()) {
        return Ok(format!("{page}\n\n{}", allowing(name)));
    }
    let instead = match suggest(name, lints::names()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => "`vestibule check --explain all` lists them".into(),
    };
    Err(Failure::Usage(format!("no lint is named {name:?}: {instead}")))
}

/// How a lint is allowed. What a comment says of comments is not asked.
fn allowing(name: &str) -> String {
    let there = format!(
        "Allow it at one place, behind the line that the warning names or right above it:\n\n    # vestibule: allow({name}) why it is meant\n\n"
    );
    let there = if name == "needless-allow" { String::new() } else { there };
    format!("{there}Allow it everywhere, in the main file:\n\n    [lints]\n    {name} = \"allow\"\n")
}
