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
        let (service, service_path) = match (&written.keys.service, &defaults.service) {
            (Some(own), _) => (own, [path, &path_to!["service"]].concat()),
            (None, Some(default)) => (default, path_to!["defaults", "upstream", "server", "service"].to_vec()),
            (None, None) => return self.address(&address, &written.address),
        };
        if service.is_empty() {
            return self.address(&address, &written.address);
        }
        let prefix = self.service(&service_path, service);
        let host = self.service_host(&address, &written.address);
        let (prefix, host) = (prefix?, host?);
        match Hostname::parse(&format!("{prefix}.{host}")) {
            Ok(name) => Some(Address::Service(name)),
            Err(error) => {
                self.wrong(&service_path, format!("\"{prefix}.{host}\" cannot be asked for: {error}")).label("\"http\"");
                None
            }
        }
    }

    /// What stands before the host's name. nginx's rule: a name with a dot is taken as it is.
    fn service(&mut self, path: &[Key], written: &str) -> Option<String> {
        if written.contains('.') {
            return Some(written.to_owned());
        }
        if let Some(bare) = written.strip_prefix('_') {
            self.wrong(path, format!("the underscore is put there by itself: this would ask for __{bare}._tcp"))
                .label(format!("\"{bare}\", or \"{written}._tcp\""));
            return None;
        }
        Some(format!("_{written}._tcp"))
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
