//! What the user wrote: `routes.toml`, under the environment, under `--set`. Values only; what they mean together is
//! decided when they are compiled. Every value knows its place ([`Places`]), and everything that is wrong is found in
//! one go ([`Diagnostics`]): an error leaves out the smallest part it can, and reading goes on.

mod allow;
mod delegation;
mod diagnostic;
mod document;
mod environment;
mod file_pattern;
mod gather;
mod grant;
mod habits;
mod hidden;
mod host_list;
mod hosts;
mod include;
mod json;
mod keepalive;
mod layer;
mod limit;
mod lint;
pub mod lints;
mod list;
mod listener;
mod log_file;
mod map;
mod merge;
mod misfiled;
mod mode;
mod network;
mod open;
mod or_off;
mod place;
mod places;
mod print;
mod process;
mod proxy_protocol;
mod rate;
mod read;
mod render;
mod resolver;
mod routes;
mod schema;
mod sockets;
mod source;
mod spot;
mod syntax;
mod syslog;
mod terminate;
mod test;
#[cfg(test)]
mod tests;
mod tls_version;
mod upstream;
mod values;
mod words;

use std::collections::BTreeMap;
use std::path::Path;

use figment::value::{Tag, Value};
use serde::Serialize;

use environment::Environment;
use layer::Layer;
use read::{Read, Reader};

pub use crate::path_to;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use file_pattern::{FilePattern, FilePatternError};
pub use gather::FilesRead;
pub use host_list::{HostLine, NoHostLine, host_lines};
pub use include::Include;
pub use keepalive::{Keepalive, KeepaliveTimes};
pub use limit::{Frequency, Limit, Per};
pub use lint::LintLevel;
pub use list::{Line, ListError, lines, read_list};
pub use listener::{Defaults, Listener, ListenerAction, Listening, Preread, Protocol, SessionKeys, Show};
pub use log_file::LogFile;
pub use map::{Map, MapPattern, Share};
pub use mode::Mode;
pub use network::Network;
pub use or_off::OrOff;
pub use place::Place;
pub use places::{Key, Places};
pub use process::{AccessLog, AccessLogFormat, Count, Gzip, Log, LogFormat, LogLevel, Process, Watch};
pub use proxy_protocol::{AcceptProxyProtocol, ProxyTlv, ProxyVersion, SendProxyProtocol};
pub use rate::Rate;
pub use render::Paint;
pub use resolver::Resolver;
pub use routes::{Action, Guards, Pattern, Routes, Target, Targets};
pub use schema::schema;
pub use source::Source;
pub use syslog::{Syslog, SyslogFormat, SyslogServer, SyslogSeverity};
pub use terminate::{Certificate, ClientAuth, ClientAuthMode, SessionCache, SessionTickets, Terminate, TerminateKeys, UpstreamTls};
pub use test::{Expect, Test};
pub use tls_version::TlsVersion;
pub use upstream::{Balance, Server, ServerKeys, Upstream, UpstreamDefaults, UpstreamKeys};
pub use words::suggest;

/// `routes.toml`, as written.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Config {
    /// More files; what they have is merged in already.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Include>,
    /// `[lints]`: which warnings are wanted.
    pub lints: BTreeMap<String, LintLevel>,
    /// `[process]`.
    pub process: Process,
    /// `[log]`.
    pub log: Log,
    /// `[access_log.NAME]`.
    pub access_log: BTreeMap<String, AccessLog>,
    /// `[resolver]`; absent is the system's.
    pub resolver: Option<Resolver>,
    /// `[networks]`: names for address ranges.
    pub networks: BTreeMap<String, Network>,
    /// `[defaults]`.
    pub defaults: Defaults,
    /// `[listener.NAME]`.
    pub listener: BTreeMap<String, Listener>,
    /// `[routes.NAME]`.
    pub routes: BTreeMap<String, Routes>,
    /// `[limit.NAME]`: how many may come.
    pub limit: BTreeMap<String, Limit>,
    /// `[map.NAME]`: variables of the user's own.
    pub map: BTreeMap<String, Map>,
    /// `[terminate.NAME]`: profiles of TLS.
    pub terminate: BTreeMap<String, Terminate>,
    /// `[upstream.NAME]`.
    pub upstream: BTreeMap<String, Upstream>,
}

/// A configuration that could be read, perhaps not all of it.
#[derive(Debug)]
pub struct Loaded {
    /// What is left without what is wrong.
    pub config: Config,
    /// Where everything stands.
    pub places: Places,
    /// What is wrong so far.
    pub diagnostics: Diagnostics,
    /// Which files it was read from.
    pub files: FilesRead,
}

/// Reads a file and those that it includes, then what the environment and `--set` (as `log.level=debug`, in their order) put over it.
///
/// # Errors
/// When the file can't be read or is no TOML; anything else, and what is wrong with files that it includes, is among the diagnostics of what was loaded.
pub fn load(file: &Path, sets: &[String], environment: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, Diagnostics> {
    let name = source::shown(file);
    let bytes = std::fs::read(file).map_err(|error| {
        let mut diagnostics = Diagnostics::new(&name);
        diagnostics.error(Place::Whole, format!("{name} can't be read: {error}"));
        diagnostics
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let shown = String::from_utf8_lossy(error.as_bytes());
        open::not_text(Source::of_file(file, shown), error.utf8_error().valid_up_to())
    })?;
    read_all(Source::of_file(file, text), Some(file), sets, environment)
}

/// As [`load`], from a text instead of a file; `name` is what messages call it.
///
/// # Errors
/// When the text is no TOML.
pub fn parse(
    name: &str,
    text: impl Into<String>,
    sets: &[String],
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Diagnostics> {
    read_all(Source::new(name, text), None, sets, environment)
}

fn read_all(
    source: Source,
    file: Option<&Path>,
    sets: &[String],
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Diagnostics> {
    let mut diagnostics = Diagnostics::new(source.name());
    let environment: Environment = environment.into_iter().collect();
    let mut gathered = gather::gather(source, file, &environment, &mut diagnostics)?;
    diagnostics.with_more_files(gathered.read.files.len().saturating_sub(1));
    let (is_partial, files, cuts) = (gathered.is_partial, gathered.read.clone(), std::mem::take(&mut gathered.cuts));
    let mut layers = vec![Layer::files(gathered)];
    layers.extend(environment.iter().filter_map(|(name, value)| Layer::environment(name, value, &mut diagnostics)));
    layers.extend(sets.iter().filter_map(|item| Layer::set(item, &mut diagnostics)));
    let (values, mut places) = layer::merge(layers);
    if is_partial {
        places.set_partial();
    }
    cuts.iter().for_each(|path| places.cut(path));
    let config = Config::read(Value::Dict(Tag::Default, values), &mut Reader::new(&mut places, &mut diagnostics));
    Ok(Loaded { config: config.unwrap_or_default(), places, diagnostics, files })
}

impl Read for Config {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &words::FILE)?;
        Some(Self {
            include: reader.take(&mut table, "include").unwrap_or_default(),
            lints: reader.take_with(&mut table, "lints", lint::levels).unwrap_or_default(),
            process: reader.take(&mut table, "process").unwrap_or_default(),
            log: reader.take(&mut table, "log").unwrap_or_default(),
            access_log: reader.take_with(&mut table, "access_log", values::named).unwrap_or_default(),
            resolver: reader.take(&mut table, "resolver"),
            networks: reader.take_with(&mut table, "networks", values::entries).unwrap_or_default(),
            defaults: reader.take(&mut table, "defaults").unwrap_or_default(),
            listener: reader.take_with(&mut table, "listener", values::named).unwrap_or_default(),
            routes: reader.take_with(&mut table, "routes", values::named).unwrap_or_default(),
            limit: reader.take_with(&mut table, "limit", values::named).unwrap_or_default(),
            map: reader.take_with(&mut table, "map", values::named).unwrap_or_default(),
            terminate: reader.take_with(&mut table, "terminate", values::named).unwrap_or_default(),
            upstream: reader.take_with(&mut table, "upstream", values::named).unwrap_or_default(),
        })
    }
}
