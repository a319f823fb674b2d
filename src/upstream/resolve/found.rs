//! From what look-ups located to the servers of a line, by nginx's rules for SRV records.

use std::fmt;
use std::net::SocketAddr;

use super::answer::Service;
use super::known::Located;
use crate::address::Address;
use crate::upstream::{Balance, Found, ServerLine};

/// The servers that a line stands for, in an order that does not hang on that of an answer.
pub(super) fn found(line: &ServerLine, balance: Balance, located: &[Located]) -> Vec<Found> {
    // A weight is memory there: a circle has 160 points for each unit.
    let scale = Scale::of(located, matches!(balance, Balance::ConsistentHash));
    let mut found: Vec<_> = located
        .iter()
        .filter_map(|located| match (&located.service, &line.address) {
            (Some(service), _) => Some(Found {
                address: SocketAddr::new(located.address, service.port),
                weight: (!line.own_weight).then(|| scale.weight(service)),
                backup: located.backup,
                text: Some(format!("{}:{}", service.target, service.port).into()),
            }),
            (None, Address::Name(_, port)) => {
                Some(Found { address: SocketAddr::new(located.address, *port), weight: None, backup: false, text: None })
            }
            (None, _) => None,
        })
        .collect();
    if !has_backups(balance) {
        found.retain(|found| !found.backup);
    }
    // Of two records for one place the heavier one counts.
    found.sort_by(|one, other| (one.backup, one.address, other.weight).cmp(&(other.backup, other.address, one.weight)));
    found.dedup_by_key(|found| (found.backup, found.address));
    found
}

/// Hashes and chance have no use for them: there is always another server to go to.
fn has_backups(balance: Balance) -> bool {
    !balance.is_hash() && !balance.is_random()
}

/// By how much weights are made smaller.
struct Scale {
    sum: u64,
    bounded: bool,
}

impl Scale {
    fn of(located: &[Located], bounded: bool) -> Self {
        let weights = located.iter().filter_map(|located| located.service.as_ref()).map(|service| u64::from(service.weight));
        Self { sum: weights.sum(), bounded }
    }

    /// nginx's rule: the record's weight, of which 0 counts as 1.
    fn weight(&self, service: &Service) -> u32 {
        let weight = u64::from(service.weight);
        let weight = if self.bounded && self.sum > MOST_WEIGHT { weight * MOST_WEIGHT / self.sum } else { weight };
        u32::try_from(weight).unwrap_or(u32::MAX).max(1)
    }
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.service {
            None => self.address.fmt(f),
            Some(service) => {
                let address = SocketAddr::new(self.address, service.port);
                write!(f, "{address} ({}, priority {}, weight {})", service.target, service.priority, service.weight)
            }
        }
    }
}

/// The most that the weights of one service sum up to on a circle.
const MOST_WEIGHT: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Hostname;
    use crate::upstream::tests::line;

    fn located(address: &str, priority: u16, weight: u16) -> Located {
        let target = Hostname::parse("a.test").unwrap();
        let service = Some(Service { priority, target, port: 80, weight });
        Located { address: address.parse().unwrap(), service, backup: priority > 10 }
    }

    fn service_line() -> ServerLine {
        ServerLine { address: Address::Service(Hostname::parse("_http._tcp.web.test").unwrap()), ..line("10.0.0.1:1") }
    }

    fn told(found: &[Found]) -> Vec<(String, Option<u32>, bool)> {
        found.iter().map(|found| (found.address.to_string(), found.weight, found.backup)).collect()
    }

    #[test]
    fn backups_stay_backups_and_a_weight_of_nothing_is_one() {
        let all = [located("10.0.0.2", 20, 7), located("10.0.0.1", 10, 0), located("10.0.0.3", 30, 5)];
        let found = found(&service_line(), Balance::RoundRobin, &all);
        let address = |last| format!("10.0.0.{last}:80");
        assert_eq!(told(&found), [(address(1), Some(1), false), (address(2), Some(7), true), (address(3), Some(5), true)]);
        assert_eq!(found[0].text.as_deref(), Some("a.test:80"));
    }

    #[test]
    fn hashes_and_chance_have_no_backups() {
        let all = [located("10.0.0.2", 20, 7), located("10.0.0.1", 10, 2)];
        for balance in [Balance::Hash, Balance::ConsistentHash, Balance::Random, Balance::RandomTwo] {
            assert_eq!(told(&found(&service_line(), balance, &all)), [("10.0.0.1:80".to_owned(), Some(2), false)]);
        }
    }

    #[test]
    fn a_weight_that_is_written_holds_against_the_records() {
        let line = ServerLine { weight: 3, own_weight: true, ..service_line() };
        assert_eq!(found(&line, Balance::RoundRobin, &[located("10.0.0.1", 10, 9)])[0].weight, None);
    }

    #[test]
    fn records_for_one_place_are_one_server_and_the_heavier_counts() {
        let all = [located("10.0.0.1", 10, 2), located("10.0.0.1", 10, 9), located("10.0.0.1", 10, 5)];
        assert_eq!(told(&found(&service_line(), Balance::RoundRobin, &all)), [("10.0.0.1:80".to_owned(), Some(9), false)]);
    }

    #[test]
    fn weights_on_a_circle_are_bounded_and_keep_their_proportions() {
        let all = [located("10.0.0.1", 10, 60_000), located("10.0.0.2", 10, 20_000), located("10.0.0.3", 10, 0)];
        let weights = |balance| found(&service_line(), balance, &all).iter().filter_map(|found| found.weight).collect::<Vec<_>>();
        assert_eq!(weights(Balance::ConsistentHash), [3072, 1024, 1]);
        assert_eq!(weights(Balance::RoundRobin), [60_000, 20_000, 1]);
    }
}
