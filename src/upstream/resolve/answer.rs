//! What is asked, and what comes of it.

use std::fmt;
use std::net::IpAddr;

use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, RecordType};
use tokio::time::Duration;

use crate::host::Hostname;

/// A name, and which of its records are wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    pub(super) name: Hostname,
    pub(super) kind: Kind,
}

/// A type of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Where a service is.
    Srv,
}

/// Why a question has no answer. That there are no records is an answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ResolveError {
    /// The resolver could not be set up.
    #[error("the resolver could not be set up: {0}")]
    SetUp(#[source] NetError),
    /// No name server has an answer.
    #[error("{question} cannot be looked up: {why}")]
    Failed {
        /// What was asked.
        question: Box<Question>,
        /// Who was asked, and what came of it.
        why: Box<str>,
    },
    /// The name has no address.
    #[error("{0} has no address: {1}")]
    NoAddress(Hostname, Lack),
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Stopping,
}

/// What is missing of a name that has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// There is no such name.
    Name,
    /// It has no records of the kind.
    Records,
    /// It has SRV records, whose targets have no address.
    Targets,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "there is no such name",
            Self::Records => "the name has no such records",
            Self::Targets => "nor have its targets",
        })
    }
}

/// Records, none if there are none, and how long that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) records: Records,
    pub(super) good_for: Duration,
}

/// What records say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    /// Of an A or AAAA question; sorted.
    pub(super) addresses: Vec<IpAddr>,
    /// Of a SRV question; sorted, those that are asked first in front.
    pub(super) services: Vec<Service>,
    /// How many there were, if that is more than are kept.
    pub(super) cut: Option<usize>,
    /// Whether there is not even the name.
    pub(super) no_such_name: bool,
}

/// A SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Service {
    pub(super) priority: u16,
    pub(super) target: Hostname,
    pub(super) port: u16,
    pub(super) weight: u16,
}

impl Question {
    /// The questions for all addresses of a name.
    pub(super) fn addresses(name: &Hostname, ipv6: bool) -> impl Iterator<Item = Self> {
        let kinds = [Some(Kind::A), ipv6.then_some(Kind::Aaaa)];
        kinds.into_iter().flatten().map(|kind| Self { name: name.clone(), kind })
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, RecordType::from(self.kind))
    }
}

impl From<Kind> for RecordType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::A => Self::A,
            Kind::Aaaa => Self::AAAA,
            Kind::Srv => Self::SRV,
        }
    }
}

impl Records {
    /// Those of a look-up, as many as are kept: how many there are is decided elsewhere.
    pub(super) fn of(found: &Lookup) -> Self {
        let data = || found.answers().iter().map(|record| &record.data);
        let mut addresses: Vec<_> = data().filter_map(RData::ip_addr).collect();
        // An answer comes in any order.
        addresses.sort_unstable();
        addresses.dedup();
        let mut services: Vec<_> = data().filter_map(Service::read).collect();
        services.sort_unstable();
        services.dedup();
        let cut = (addresses.len() > MOST_ADDRESSES || services.len() > MOST_SERVICES).then(|| addresses.len().max(services.len()));
        addresses.truncate(MOST_ADDRESSES);
        services.truncate(MOST_SERVICES);
        Self { addresses, services, cut, no_such_name: false }
    }
}

impl Service {
    /// What a record says; nothing if it says that there is no such service, or names no host.
    fn read(data: &RData) -> Option<Self> {
        let RData::SRV(record) = data else { return None };
        let target = Hostname::parse(&record.target.to_ascii()).ok()?;
        let service = Self { priority: record.priority, target, port: record.port, weight: record.weight };
        (service.port > 0).then_some(service)
    }
}

/// The TTL of what was found: that of its shortest-lived record, CNAMEs included.
pub(super) fn ttl(found: &Lookup) -> Duration {
    let shortest = found.answers().iter().map(|record| record.ttl).min();
    Duration::from_secs(shortest.unwrap_or_default().into())
}

/// For how long there are no records, if that is what the error says.
pub(super) fn negative_ttl(error: &NetError) -> Option<Duration> {
    let NetError::Dns(hickory_resolver::net::DnsError::NoRecordsFound(none)) = error else { return None };
    let is_answer = matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError);
    is_answer.then(|| Duration::from_secs(none.negative_ttl.unwrap_or_default().into()))
}

/// The most addresses of a name, and the most SRV records of a service, that are used.
const MOST_ADDRESSES: usize = 256;
const MOST_SERVICES: usize = 64;
