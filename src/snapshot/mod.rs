//! What runs: `routes.toml` compiled. Immutable, linked, and made without opening a socket, so that `check`,
//! `route` and `run` see the same.

mod admission;
mod choice;
mod compile;
mod entry;
mod forward;
mod proxied;
mod rate;
mod source;
mod target;
mod targets;
mod told;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::Duration;

use crate::address::ListenAddress;
use crate::admit::Ranges;
use crate::log::{AccessLogSettings, LogSettings};
use crate::net::Keepalive;
use crate::peek::PeekLimits;
use crate::route::RouteTable;
use crate::session::Protocol;
use crate::tls::{Reread, Terminator};
use crate::upstream::{Pool, ResolverSettings, Upstream};

pub use admission::{Admission, Denied, KeyedLimit, Notice};
pub use choice::{Choice, first_name};
pub use compile::Compiled;
pub use entry::{entry_path, entry_place};
pub use forward::{ForwardError, ForwardRules};
pub use proxied::ProxyRule;
pub use rate::{RateRule, RateRules};
pub use source::SourceRule;
pub use target::{Action, Destination, Guards, Target, TargetLimits};
pub use targets::{ListName, Listed, Targets};
pub use verdict::{Door, Outcome, Verdict};

/// A whole configuration, ready to serve.
#[derive(Debug)]
pub struct Snapshot {
    /// `[process]`.
    pub process: Process,
    /// `[log]`.
    pub log: LogSettings,
    /// `[access_log.NAME]`, in the order of their names.
    pub access_logs: Vec<AccessLogSettings>,
    /// The listeners, in the order of their names.
    pub listeners: Vec<Arc<Listener>>,
    /// `[resolver]`: who is asked for the names that templates give.
    pub resolver: Arc<ResolverSettings>,
    /// `[terminate.NAME]`: the profiles under which TLS ends here.
    pub terminators: Terminators,
    /// `[limit.NAME]`.
    pub limits: Limits,
    /// `[networks]`.
    pub networks: Networks,
    /// All TLS whose files may change under the gateway, towards clients and servers.
    pub rereads: Vec<Arc<Reread>>,
    /// The upstreams that have a name.
    pub pools: Arc<Pools>,
    /// All upstreams, those that are made of a written address too.
    pub every_pool: Vec<Arc<Pool>>,
    /// Whether a target has servers see an address that this machine may not have.
    pub is_transparent: bool,
    /// Whether a text tells the gateway's own address.
    pub names_server_address: bool,
    /// The lints of which nothing is to be told.
    pub quiet: BTreeSet<Box<str>>,
    /// How many `tests` its maps have, all of which hold.
    pub tests: usize,
    /// How many hosts stand in files of `hosts_files`.
    pub listed_hosts: usize,
}

impl Snapshot {
    /// Every upstream, those that are made of a written address too, each once.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.every_pool.iter().map(|pool| &pool.upstream)
    }

    /// Whether a log or another text tells the gateway's own address.
    #[must_use]
    pub fn tells_server_address(&self) -> bool {
        self.names_server_address || self.access_logs.iter().any(AccessLogSettings::tells_server_address)
    }

    /// Whether another address here has the same port and, as a wildcard or beside one, overlaps with this one.
    #[must_use]
    pub fn shares_port(&self, address: &ListenAddress) -> bool {
        let overlaps = |one: &ListenAddress, other: &ListenAddress| match (one, other) {
            (ListenAddress::Ip(one), ListenAddress::Ip(other)) => {
                one != other && one.port() == other.port() && one.port() != 0 && (one.ip().is_unspecified() || other.ip().is_unspecified())
            }
            _ => false,
        };
        self.listeners.iter().flat_map(|listener| &listener.addresses).any(|other| overlaps(address, other))
    }
}

impl Listener {
    /// Whether a failed bind may be passed over: of an address for both families, IPv6 on a machine without it.
    #[must_use]
    pub fn can_do_without(&self, address: &ListenAddress, error: &std::io::Error) -> bool {
        let ListenAddress::Ip(ip) = address else { return false };
        let v4 = ListenAddress::Ip((std::net::Ipv4Addr::UNSPECIFIED, ip.port()).into());
        ip.is_ipv6() && ip.ip().is_unspecified() && self.addresses.contains(&v4) && error.raw_os_error() == Some(libc::EAFNOSUPPORT)
    }
}

/// The profiles by name.
pub type Terminators = BTreeMap<Arc<str>, Arc<Terminator>>;

/// The limits by name.
pub type Limits = BTreeMap<Arc<str>, KeyedLimit>;

/// The networks by name.
pub type Networks = BTreeMap<Arc<str>, Arc<Ranges>>;

/// The upstreams by name.
pub type Pools = BTreeMap<Arc<str>, Arc<Pool>>;

/// The upstream that a text names which was filled in for a session. Those of a team's own file are left out: it chose their
/// names, and with them what the text would come to.
#[must_use]
pub fn named_by_text<'p>(pools: &'p Pools, text: &str) -> Option<&'p Arc<Pool>> {
    pools.get(text).filter(|pool| pool.is_for_texts)
}

/// `[process]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Threads on the data path; absent is one for each core.
    pub workers: Option<usize>,
    /// Sessions at once; absent is what the descriptor limit allows.
    pub max_connections: Option<usize>,
    /// How long sessions may go on after the gateway was told to stop.
    pub shutdown_timeout: Duration,
    /// Whether TLS files that change are read anew by themselves.
    pub watches_certificates: bool,
}

/// Where connections come in, and what becomes of them.
#[derive(Debug)]
pub struct Listener {
    /// `$listener`.
    pub name: Arc<str>,
    /// Each address once, in the order they are written.
    pub addresses: Vec<ListenAddress>,
    /// What is spoken on each of them.
    pub protocols: Vec<Protocol>,
    /// How its sockets are bound.
    pub binding: Binding,
    /// Sessions of this listener at once, if it has a number of its own.
    pub max_connections: Option<usize>,
    /// Who may come in at all, asked before anything is read but a PROXY header.
    pub admission: Admission,
    /// Whether a PROXY header comes before everything else.
    pub proxy: Option<ProxyRule>,
    /// Whether and how far first bytes are read before anything else.
    pub peek: Option<PeekLimits>,
    /// The map; a listener that names an upstream has one with only a default.
    pub routes: RouteTable<Targets>,
    /// The name of its `[routes.NAME]`, if it has one.
    pub map: Option<Arc<str>>,
}

/// How a listener's sockets are bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Connections that may wait to be accepted, per socket.
    pub backlog: u32,
    /// Whether an IPv6 wildcard leaves IPv4 alone.
    pub ipv6_only: bool,
    /// Whether each worker has a socket of its own.
    pub reuse_port: bool,
    /// Whether the kernel holds connections back until their first bytes are there.
    pub defer_accept: bool,
    /// Whether and when the kernel asks a silent client if it is still there.
    pub keepalive: Option<Keepalive>,
    /// Bytes that the kernel holds for us of what a client sends; absent is its own choice.
    pub receive_buffer: Option<usize>,
    /// Bytes that the kernel holds for a client.
    pub send_buffer: Option<usize>,
    /// The permissions of a unix socket; absent is what the umask leaves.
    pub mode: Option<u32>,
    /// Whether an address may be bound that this machine does not have.
    pub free_bind: bool,
    /// The only network interface that is listened on.
    pub interface: Option<Arc<str>>,
}
