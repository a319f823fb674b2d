//! The command line: what is typed, what is seen, and the exit status (0, 1 if the run failed, 2 if the command line
//! or the configuration is wrong).

mod against;
mod authority;
mod certs;
mod check;
mod client;
mod demo;
mod demo_certificates;
mod names;
mod route;
mod run;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Diagnostics, Loaded, Paint, Places};
use crate::snapshot::{Compiled, Snapshot};

/// The front door of a DMZ: routes TLS connections by host name, untouched or decrypted, and plain TCP and UDP beside them, to shared upstream pools.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway in the foreground.
    ///
    /// SIGTERM and SIGQUIT stop accepting and let open sessions end within `[process] shutdown_timeout`; SIGINT
    /// (Ctrl-C) stops at once.
    Run(Configuration),
    /// Run an example: a gateway, HTTPS servers behind it, and what to try.
    ///
    /// Needs no file, no privilege and no other program. Certificates are made under `certs/demo/` at the first use.
    Demo,
    /// Read the configuration, run the `tests` of its maps, and say everything that is wrong with it.
    Check(check::Check),
    /// Explain where a connection would go: which entry wins and why, what it beat, which servers it would meet.
    Route(route::Asked),
    /// Print the JSON Schema of `routes.toml`, with which editors complete keys, tell what they are for and mark what is wrong.
    ///
    /// `vestibule schema > routes.schema.json`, and `#:schema ./routes.schema.json` as the first line of the file.
    Schema,
    /// Make certificates for development under `certs/`, and an authority that clients can be told to trust.
    ///
    /// The authority (`certs/ca.pem`, its key in `certs/ca.key`) is made once and used from then on. Nothing that is
    /// there is written over.
    Certs(certs::Wanted),
}

/// Where the configuration comes from.
#[derive(Args, Clone, Debug)]
struct Configuration {
    /// The file; without it, `routes.toml` in this folder, then `/etc/vestibule/routes.toml`.
    #[arg(short, long = "config", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set a key over the file and the environment, e.g. `log.level=debug`. May be given several times.
    ///
    /// The environment sets single values of `[process]`, `[log]`, `[resolver]` and `[defaults]`: VESTIBULE_LOG__LEVEL=debug.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// Runs the command that was typed.
#[must_use]
pub fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let done = match command {
        Command::Run(configuration) => run::run(&configuration),
        Command::Demo => demo::demo(),
        Command::Check(wanted) => check::check(&wanted),
        Command::Route(asked) => route::route(&asked),
        Command::Schema => print(&format!("{:#}\n", config::schema())),
        Command::Certs(wanted) => certs::certs(&wanted),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Why a command did not do what it was asked to.
#[derive(Debug)]
enum Failure {
    /// The run failed: exit status 1.
    Run(String),
    /// The configuration is wrong: exit status 2.
    Configuration(Diagnostics),
    /// The same, and it has been said.
    Told,
    /// The command line is wrong, or names no configuration: exit status 2.
    Usage(String),
}

impl Failure {
    fn run(error: impl ToString) -> Self {
        Self::Run(error.to_string())
    }

    fn report(self) -> ExitCode {
        match self {
            Self::Run(problem) => {
                say(&format!("vestibule: {problem}\n"));
                ExitCode::from(1)
            }
            Self::Configuration(diagnostics) => {
                say(&diagnostics.render(paint()));
                ExitCode::from(2)
            }
            Self::Told => ExitCode::from(2),
            Self::Usage(problem) => {
                say(&format!("vestibule: {problem}\n"));
                ExitCode::from(2)
            }
        }
    }
}

impl Configuration {
    /// What runs with the places of everything, and no warnings: who asks about one connection has not asked for them.
    fn snapshot_and_places(&self) -> Result<(Snapshot, Places), Failure> {
        let Compiled { snapshot, places, diagnostics, .. } = Snapshot::check(self.load()?);
        snapshot.map(|snapshot| (snapshot, places)).ok_or(Failure::Configuration(diagnostics))
    }

    fn load(&self) -> Result<Loaded, Failure> {
        config::load(&self.file()?, &self.sets, environment()).map_err(Failure::Configuration)
    }

    fn file(&self) -> Result<PathBuf, Failure> {
        if let Some(file) = &self.config {
            return Ok(file.clone());
        }
        let found = PLACES.iter().map(Path::new).find(|place| place.exists());
        found.map(Path::to_owned).ok_or_else(|| {
            Failure::Usage(format!(
                "there is no configuration: neither {} exists. Name one with -c FILE, or try `vestibule demo`, which needs none.",
                PLACES.join(" nor ")
            ))
        })
    }
}

/// What runs; warnings are said at once.
fn compile(loaded: Loaded) -> Result<Snapshot, Failure> {
    let Compiled { snapshot, diagnostics, .. } = Snapshot::check(loaded);
    match snapshot {
        Some(snapshot) => {
            if !diagnostics.is_empty() {
                say(&diagnostics.render(paint()));
            }
            Ok(snapshot)
        }
        None => Err(Failure::Configuration(diagnostics)),
    }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// What the environment sets; names that are no text cannot be meant for us. Values that are none are told where they are asked for.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
}

fn paint() -> Paint {
    let wanted = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if wanted { Paint::Colours } else { Paint::Plain }
}

/// Says something on stderr. Where that is closed, nobody wants to hear it.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Prints a command's answer. A reader that went away early, as `head` does, has what it wanted.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Run(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Where the configuration is looked for.
const PLACES: [&str; 2] = ["routes.toml", "/etc/vestibule/routes.toml"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }
}
