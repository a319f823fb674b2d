//! One question to the name servers: the next is asked when one fails or is silent, a truncated answer is asked for
//! again over TCP. Nothing is kept here, so an answer is never older than the question.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Hosts, TokioResolver};
use tokio::task::JoinSet;
use tokio::time::{Duration, timeout};

use super::answer::{Answer, Question, Records, ResolveError, negative_ttl, ttl};
use super::name_server::NameServer;
use super::settings::ResolverSettings;
use crate::host::Hostname;

/// The name servers of one setting.
pub(super) struct NameServers {
    /// One each, so that it is decided here who is asked when.
    servers: Vec<NameServer>,
    /// The one that answered last is asked first.
    first: AtomicUsize,
    hosts: Hosts,
    search: Search,
    pub(super) settings: ResolverSettings,
}

/// What is tried behind a short name.
#[derive(Default)]
struct Search {
    domains: Vec<Name>,
    /// With so many dots a name is tried as it is before.
    dots: usize,
}

impl NameServers {
    /// Those of a setting. Must be called on the runtime that does the work.
    ///
    /// # Errors
    /// When the resolver refuses its configuration.
    pub(super) fn new(settings: &ResolverSettings) -> Result<Self, ResolveError> {
        let (configs, hosts, search) = match &settings.nameservers {
            Some(written) => (written.iter().map(|&address| name_server(address)).collect(), Hosts::default(), Search::default()),
            None => system(),
        };
        // Without any, names that need no server (`localhost`) are still known.
        let each = if configs.is_empty() { vec![vec![]] } else { configs.into_iter().map(|config| vec![config]).collect() };
        let built: Result<Vec<_>, _> = each.into_iter().map(|servers| server(servers, settings.timeout)).collect();
        let servers = built.map_err(ResolveError::SetUp)?;
        Ok(Self { servers, first: AtomicUsize::new(0), hosts, search, settings: settings.clone() })
    }

    /// Asks. All that it takes is done within `timeout`.
    ///
    /// # Errors
    /// When no name server has an answer in time.
    pub(super) async fn ask(&self, question: &Question) -> Result<Answer, ResolveError> {
        let mut asked = Asked::new();
        let why = match timeout(self.settings.timeout, self.search(question, &mut asked)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) if asked.is_empty() => error.to_string(),
            Ok(Err(_)) | Err(_) => self.outcomes(&asked),
        };
        Err(ResolveError::Failed { question: Box::new(question.clone()), why: why.into() })
    }

    /// What became of a question that has no answer, in words.
    fn outcomes(&self, asked: &Asked) -> String {
        let outcome =
            |(index, error): (&usize, &Option<NetError>)| Some(self.servers.get(*index)?.outcome(error.as_ref(), self.settings.timeout));
        asked.iter().filter_map(outcome).collect::<Vec<_>>().join(", ")
    }

    /// Tries the name with each search domain. One that could not be asked for ends the search: a failure must not
    /// pass for "there is no such name" because of what stands behind it.
    async fn search(&self, question: &Question, asked: &mut Asked) -> Result<Answer, NetError> {
        let kind = question.kind.into();
        let (mut none_for, mut no_such_name) = (Duration::ZERO, true);
        for (turn, name) in self.search.names(&question.name).enumerate() {
            let name = name?;
            if turn == 0
                && let Some(answer) = self.in_hosts_file(&question.name, kind)?
            {
                return Ok(answer);
            }
            match self.ask_servers(&name, kind, asked).await {
                Ok(found) => return Ok(self.found(&found)),
                Err(error) => {
                    no_such_name &= error.is_nx_domain();
                    none_for = negative_ttl(&error).ok_or(error)?;
                }
            }
        }
        let records = Records { no_such_name, ..Records::default() };
        Ok(Answer { records, good_for: self.settings.none_for(none_for) })
    }

    /// What the hosts file says. A name that it has with one family only has none of the other, as for getaddrinfo(3).
    fn in_hosts_file(&self, name: &Hostname, kind: RecordType) -> Result<Option<Answer>, NetError> {
        let name = Name::from_ascii(name.as_str())?;
        let look = |kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind));
        let other = match kind {
            RecordType::A if self.settings.ipv6 => RecordType::AAAA,
            RecordType::AAAA => RecordType::A,
            kind => kind,
        };
        let none = || Answer { records: Records::default(), good_for: self.settings.good_for(Duration::MAX) };
        Ok(look(kind).map(|found| self.found(&found)).or_else(|| look(other).map(|_| none())))
    }

    /// Tells when one answers what others that were asked before did not.
    fn tell(&self, answered: usize, others: &Asked, patience: Duration) {
        for (index, error) in others {
            if let Some(server) = self.servers.get(*index) {
                server.fails(error.as_ref(), patience);
            }
        }
        if let Some(server) = self.servers.get(answered) {
            server.answers();
        }
    }

    fn found(&self, found: &Lookup) -> Answer {
        Answer { records: Records::of(found), good_for: self.settings.good_for(ttl(found)) }
    }

    /// Asks one name server after the other: the next at once when one fails, and soon when one is silent, which may
    /// still answer then. The first answer counts.
    async fn ask_servers(&self, name: &Name, kind: RecordType, asked_of: &mut Asked) -> Result<Lookup, NetError> {
        asked_of.clear();
        let first = self.first.load(Ordering::Relaxed);
        // The last of them has as much time as the others.
        let patience = self.settings.timeout / u32::try_from(self.servers.len() + 1).unwrap_or(u32::MAX);
        let mut left = (0..self.servers.len()).map(|turn| (first + turn) % self.servers.len());
        let mut asked = JoinSet::new();
        let mut last = NetError::NoConnections;
        loop {
            let next = left.next();
            if let Some((index, server)) = next.and_then(|index| Some((index, self.servers.get(index)?.resolver.clone()))) {
                asked_of.insert(index, None);
                let name = name.clone();
                asked.spawn(async move { (index, server.lookup(name, kind).await) });
            }
            let heard = match left.len() {
                0 => asked.join_next().await,
                _ => match timeout(patience, asked.join_next()).await {
                    Ok(heard) => heard,
                    Err(_) => continue,
                },
            };
            match heard {
                Some(Ok((index, heard))) if is_answer(&heard) => {
                    self.first.store(index, Ordering::Relaxed);
                    asked_of.remove(&index);
                    self.tell(index, asked_of, patience);
                    return heard;
                }
                Some(Ok((index, Err(error)))) => {
                    asked_of.insert(index, Some(error.clone()));
                    last = error;
                }
                Some(_) => {}
                None if left.len() == 0 => return Err(last),
                None => {}
            }
        }
    }
}

/// Who was asked, and with what outcome; without one so far, it is silent.
type Asked = BTreeMap<usize, Option<NetError>>;

impl Search {
    /// The names to ask for, in their order, all absolute.
    fn names(&self, name: &Hostname) -> impl Iterator<Item = Result<Name, NetError>> {
        let as_it_is = Name::from_ascii(format!("{name}."));
        let relative = Name::from_ascii(name.as_str());
        let dots = name.as_str().bytes().filter(|&byte| byte == b'.').count();
        let (before, behind) = if dots >= self.dots { (Some(as_it_is), None) } else { (None, Some(as_it_is)) };
        let searched = self.domains.iter().map(move |domain| relative.clone().and_then(|name| name.append_domain(domain)));
        before.into_iter().chain(searched).chain(behind).map(|name| Ok(name?))
    }
}

/// Whether a name server knows, be it that there is nothing.
fn is_answer(heard: &Result<Lookup, NetError>) -> bool {
    match heard {
        Ok(_) => true,
        Err(error) => negative_ttl(error).is_some(),
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut config = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut config.connections {
        connection.port = address.port();
    }
    config
}

/// What the system says. Without a readable resolv.conf only the hosts file is asked.
fn system() -> (Vec<NameServerConfig>, Hosts, Search) {
    let hosts = Hosts::from_system().unwrap_or_default();
    let (config, options) = match read_system_conf() {
        Ok(read) => read,
        Err(error) => {
            static TOLD: Once = Once::new();
            TOLD.call_once(|| tracing::warn!("resolv.conf cannot be used, so only the hosts file is asked for names: {error}"));
            return (Vec::new(), hosts, Search::default());
        }
    };
    let (domain, search, servers) = config.into_parts();
    let mut domains: Vec<Name> = domain.into_iter().chain(search).filter(|domain| !domain.is_root()).collect();
    let mut seen = Vec::new();
    domains.retain(|domain| !seen.contains(domain) && (seen.push(domain.clone()), true).1);
    (servers, hosts, Search { domains, dots: options.ndots })
}

fn server(servers: Vec<NameServerConfig>, timeout: Duration) -> Result<NameServer, NetError> {
    let port = |config: &NameServerConfig| config.connections.first().map_or(53, |connection| connection.port);
    let address = servers.first().map(|config| SocketAddr::new(config.ip, port(config)));
    let config = ResolverConfig::from_name_servers(servers);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options: &mut ResolverOpts = builder.options_mut();
    // A question over UDP is repeated within its time; what fails is asked of the next server instead.
    (options.timeout, options.attempts) = (timeout, 0);
    // Nothing but what was heard now: how long it is good is decided by those who ask.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    Ok(NameServer::new(builder.build()?, address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::resolve::answer::Kind;

    #[tokio::test]
    async fn of_a_name_of_the_hosts_file_nobody_else_is_asked() {
        // Nobody answers at port 1, so that an answer can only be the file's.
        let nameservers = Some(vec![SocketAddr::from(([127, 0, 0, 1], 1))]);
        let settings = ResolverSettings { nameservers, timeout: Duration::from_millis(200), ..ResolverSettings::default() };
        let mut servers = NameServers::new(&settings).unwrap();
        servers.hosts.read_hosts_conf(&b"10.0.0.1 four.test\nfd00::1 six.test\n"[..]).unwrap();
        let mut found = Vec::new();
        for (name, kind) in [("four.test", Kind::A), ("four.test", Kind::Aaaa), ("six.test", Kind::A), ("six.test", Kind::Aaaa)] {
            let answer = servers.ask(&Question { name: Hostname::parse(name).unwrap(), kind }).await.unwrap();
            found.push(answer.records.addresses.len());
        }
        assert_eq!(found, [1, 0, 0, 1]);
        let other = servers.ask(&Question { name: Hostname::parse("other.test").unwrap(), kind: Kind::A }).await;
        let told = other.unwrap_err().to_string();
        assert!(told.starts_with("other.test (A) cannot be looked up: 127.0.0.1:1: "), "{told}");
    }
}
