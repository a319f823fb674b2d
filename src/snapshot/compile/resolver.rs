//! `[resolver]`, `resolver` of an upstream, and `service` of a server: who is asked for names, and for which.

use std::sync::Arc;

use super::Compiler;
use crate::address::{Address, AddressError};
use crate::config::{self, Config, Key, Resolver, ServerKeys, path_to};
use crate::host::Hostname;
use crate::upstream::ResolverSettings;

/// What is written, of the first level that says something of a key, over what is built in.
pub(super) fn settings(levels: &[Option<&Resolver>]) -> ResolverSettings {
    fn first<T>(levels: &[Option<&Resolver>], key: impl Fn(&Resolver) -> Option<T>) -> Option<T> {
        levels.iter().copied().flatten().find_map(key)
    }
    let built_in = ResolverSettings::default();
    ResolverSettings {
        nameservers: first(levels, |written| written.nameservers.clone()),
        valid: first(levels, |written| written.valid),
        timeout: first(levels, |written| written.timeout).unwrap_or(built_in.timeout),
        ipv6: first(levels, |written| written.ipv6).unwrap_or(built_in.ipv6),
    }
}

impl Compiler {
    /// Who is asked for the names of an upstream's servers.
    pub(super) fn resolver(&self, written: &config::Upstream, config: &Config) -> Arc<ResolverSettings> {
        let own = [written.keys.resolver.as_ref(), config.defaults.upstream.keys.resolver.as_ref()];
        match own {
            [None, None] => self.resolver.clone(),
            [own, default] => Arc::new(settings(&[own, default, config.resolver.as_ref()])),
        }
    }

    /// A server's address: through the SRV records of a service, if it has one.
    pub(super) fn server_address(&mut self, path: &[Key], written: &config::Server, defaults: &ServerKeys) -> Option<Address> {
        let address = [path, &path_to!["address"]].concat();
        let prefix = match (&written.keys.service, &defaults.service) {
            (Some(own), _) if !own.is_empty() => self.service(&[path, &path_to!["service"]].concat(), own),
            // Complained of already.
            (None, Some(default)) if !default.is_empty() => self.quietly(|compiler| compiler.default_service(default)),
            _ => return self.address(&address, &written.address),
        };
        let host = self.service_host(&address, &written.address);
        let (prefix, host) = (prefix?, host?);
        let name = Hostname::parse(&format!("{prefix}.{host}"));
        name.map_err(|error| self.wrong(&address, format!("\"{prefix}.{host}\" cannot be asked for: {error}")).label("a shorter name"))
            .ok()
            .map(Address::Service)
    }

    pub(super) fn default_service(&mut self, written: &str) -> Option<String> {
        self.service(&path_to!["defaults", "upstream", "server", "service"], written)
    }

    /// What stands before the host's name. nginx's rule: a name with a dot is taken as it is.
    fn service(&mut self, path: &[Key], written: &str) -> Option<String> {
        if let Some(bare) = written.strip_suffix('.') {
            self.wrong(path, "a service has no dot at its end: the server's name follows").label(format!("{bare:?}"));
            return None;
        }
        let is_whole = written.contains('.');
        if let Some(bare) = written.strip_prefix('_').filter(|_| !is_whole) {
            self.wrong(path, format!("the underscore is put there by itself: this would ask for __{bare}._tcp"))
                .label(format!("\"{bare}\", or \"{written}._tcp\""));
            return None;
        }
        let prefix = if is_whole { written.to_owned() } else { format!("_{written}._tcp") };
        match Hostname::parse(&prefix) {
            Ok(_) => Some(prefix),
            Err(error) => {
                self.wrong(path, format!("no service has such a name: {error}")).label("\"http\"");
                None
            }
        }
    }

    /// The name whose service is asked for: SRV records say the port, and only names have them.
    fn service_host(&mut self, path: &[Key], written: &str) -> Option<Hostname> {
        if written.contains('$') {
            // Complains of variables.
            self.address(path, written)?;
        }
        let host = match Address::parse(written) {
            Ok(Address::Name(name, _)) => {
                self.wrong(path, "with `service` the SRV records say the port").label(format!("\"{name}\""));
                return None;
            }
            Ok(Address::Ip(_) | Address::Unix(_) | Address::Service(_)) | Err(AddressError::UnixPath | AddressError::Brackets) => None,
            Err(_) => Hostname::parse(written).ok(),
        };
        if host.is_none() {
            self.wrong(path, "`service` asks for the SRV records of a name, and this is none").label("\"backend.example\"");
        }
        host
    }
}
