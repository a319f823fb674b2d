//! What is asked of the machine: descriptors, and folders for logs. Another user, or a service with limits of its own, may
//! have more or less than whoever checks.

use std::path::Path;

use rustix::fs::{Access, access};
use rustix::process::{Resource, getrlimit};

use super::Compiler;
use super::datagrams::protocols;
use crate::address::ListenAddress;
use crate::config::{Config, Count, Key, Listener, LogFile, ServerKeys, Upstream, path_to};

impl Compiler {
    /// Warns of numbers of connections that are written and for which there are not enough descriptors.
    pub(super) fn check_descriptors(&mut self, config: &Config) {
        let Some(limit) = getrlimit(Resource::Nofile).maximum else { return };
        if let Count::Exactly(most) = config.process.max_connections {
            self.check_count(&path_to!["process", "max_connections"], u64::from(most), limit);
        }
        if let Some(most) = config.defaults.listening.max_connections {
            self.check_count(&path_to!["defaults", "max_connections"], u64::from(most), limit);
        }
        for (name, listener) in &config.listener {
            if let Some(most) = listener.listening.max_connections {
                self.check_count(&path_to!["listener", name, "max_connections"], u64::from(most), limit);
            }
        }
        for (name, written) in &config.upstream {
            self.check_servers(name, written, config, limit);
        }
        self.check_listening(config, limit);
    }

    /// The connections that all servers of an upstream may have at once.
    fn check_servers(&mut self, name: &str, written: &Upstream, config: &Config, limit: u64) {
        let defaults = &config.defaults.upstream.server;
        let is_used =
            |keys: &ServerKeys| !keys.down.or(defaults.down).unwrap_or(false) && !keys.backup.or(defaults.backup).unwrap_or(false);
        let servers = written.servers.iter().enumerate().filter(|(_, server)| is_used(&server.keys));
        let own = servers.filter_map(|(index, server)| Some((index, server.keys.max_conns.filter(|most| *most > 0)?)));
        let own: Vec<_> = own.collect();
        let Some((first, _)) = own.first() else { return };
        let sum = own.iter().map(|(_, most)| u64::from(*most)).sum();
        self.check_count(&path_to!["upstream", name, "servers", *first, "max_conns"], sum, limit);
    }

    /// A range of ports may take more sockets than there may be. Each takes two: its own, and a client's that waits for its turn.
    fn check_listening(&mut self, config: &Config, limit: u64) {
        let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let workers = if let Count::Exactly(workers) = config.process.workers { u64::from(workers) } else { cores() };
        let sockets = |listener: &Listener| {
            let each = if listener.listening.reuse_port.or(config.defaults.listening.reuse_port).unwrap_or(true) { workers } else { 1 };
            let addresses = listener.listen.iter().filter_map(|text| ListenAddress::parse(text).ok()).flatten();
            let sockets: u64 = addresses.map(|address| if matches!(address, ListenAddress::Ip(_)) { each } else { 1 }).sum();
            sockets * protocols(listener, config).len() as u64
        };
        let all: Vec<_> = config.listener.iter().map(|(name, listener)| (sockets(listener), name)).collect();
        let sum: u64 = all.iter().map(|(sockets, _)| sockets).sum();
        let Some((_, name)) = all.iter().max().filter(|_| sum.saturating_mul(2) > limit) else { return };
        let place = self.places.value(&path_to!["listener", *name, "listen"]);
        let problem =
            format!("all listeners take {sum} sockets, {} descriptors, and a process may have {limit} here", sum.saturating_mul(2));
        let help = "fewer ports, or `reuse_port = false`: one socket for all workers; LimitNOFILE= of the service";
        self.diagnostics.warning("too-few-descriptors", place, problem).help(help);
    }

    /// A connection takes two: the client's and the server's.
    fn check_count(&mut self, path: &[Key], most: u64, limit: u64) {
        if most.saturating_mul(2) <= limit {
            return;
        }
        let place = self.places.value(path);
        let problem = format!("{most} connections take {} descriptors, and a process may have {limit} here", most.saturating_mul(2));
        let help = "LimitNOFILE= of the service, `ulimit -Hn` of a shell; or fewer connections";
        self.diagnostics.warning("too-few-descriptors", place, problem).help(help);
    }

    /// Warns of folders for logs that are not there, or in which nothing can be written.
    pub(super) fn check_log_folders(&mut self, config: &Config) {
        if let LogFile::Path(file) = &config.log.file {
            self.check_log_folder(&path_to!["log", "file"], file);
        }
        for (name, log) in &config.access_log {
            if let LogFile::Path(file) = &log.file {
                self.check_log_folder(&path_to!["access_log", name, "file"], file);
            }
        }
    }

    fn check_log_folder(&mut self, path: &[Key], written: &str) {
        // What a variable says is another folder in each session.
        let certain = written.split('$').next().unwrap_or_default();
        let folder = certain.rsplit_once('/').map_or("", |(folder, _)| if folder.is_empty() { "/" } else { folder });
        let folder = self.places.file(path, folder);
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        let shown = folder.display();
        let (problem, help) = match folder.metadata() {
            Ok(found) if !found.is_dir() => (format!("{shown} is no folder, and a log belongs in it"), "another `file`".to_owned()),
            Ok(_) if access(folder, Access::WRITE_OK).is_ok() => return,
            Ok(_) => (
                format!("nothing can be written in the folder {shown} by who checks"),
                format!("chown or chmod, for the user who runs it: {shown}"),
            ),
            Err(error) => (format!("the folder {shown} of a log cannot be used: {error}"), format!("mkdir -p {shown}")),
        };
        let place = self.places.value(path);
        self.diagnostics.warning("missing-log-folder", place, problem).help(help);
    }
}
