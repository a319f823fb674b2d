//! Sets of addresses, as large as a list of all that is blocked.

use std::net::IpAddr;

use ipnet::IpNet;

/// Addresses of both families. Finding one takes as many steps as the number of ranges has bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// Sorted, and none of them overlaps with another.
    apart: Vec<IpNet>,
}

impl Ranges {
    /// The addresses of all of these.
    #[must_use]
    pub fn new(ranges: &[IpNet]) -> Self {
        let mut apart = IpNet::aggregate(&ranges.iter().map(canonical).collect());
        apart.sort_unstable_by_key(IpNet::network);
        Self { apart }
    }

    /// Whether an address is among them; an IPv4 address in IPv6's clothes is one.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.beginning_before(address).is_some_and(|range| range.contains(&address))
    }

    /// Whether others have addresses, and all of these are among them.
    #[must_use]
    pub fn covers(&self, others: &Self) -> bool {
        let is_within = |other: &IpNet| self.beginning_before(other.network()).is_some_and(|range| range.contains(other));
        !others.apart.is_empty() && others.apart.iter().all(is_within)
    }

    /// The addresses of both.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        Self::new(&[&self.apart[..], &others.apart].concat())
    }

    /// The only range that may have this address.
    fn beginning_before(&self, address: IpAddr) -> Option<&IpNet> {
        let begin_before = self.apart.partition_point(|range| range.network() <= address);
        begin_before.checked_sub(1).and_then(|last| self.apart.get(last))
    }

    /// Whether there are addresses of this one's family among them.
    #[must_use]
    pub fn has_family_of(&self, address: IpAddr) -> bool {
        let is_v4 = address.to_canonical().is_ipv4();
        self.apart.iter().any(|range| range.network().is_ipv4() == is_v4)
    }
}

/// A range of IPv4 addresses that is written as one of IPv6's.
fn canonical(range: &IpNet) -> IpNet {
    let v4 = |range: &ipnet::Ipv6Net| {
        let (address, length) = (range.network().to_ipv4_mapped()?, range.prefix_len().checked_sub(96)?);
        ipnet::Ipv4Net::new(address, length).ok()
    };
    match range {
        IpNet::V6(v6) => v4(v6).map_or(*range, IpNet::V4),
        IpNet::V4(_) => *range,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v4() -> impl Strategy<Value = IpNet> {
        // Few bits differ, so that ranges overlap, touch and contain one another.
        let v4 = (0u8..4, 0u8..8, 20u8..=32)
            .prop_map(|(third, last, length)| IpNet::new(IpAddr::from([10, 0, third, last]), length).expect("a length within 32"));
        v4.prop_map(|net| net.trunc())
    }

    fn net() -> impl Strategy<Value = IpNet> {
        let v6 = (0u16..4, 110u8..=128).prop_map(|(last, length)| {
            IpNet::new(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]), length).expect("a length within 128")
        });
        prop_oneof![v4(), v6.prop_map(|net| net.trunc())]
    }

    proptest! {
        #[test]
        fn an_address_is_found_where_any_range_has_it(ranges in proptest::collection::vec(net(), 0..12), asked in net()) {
            let set = Ranges::new(&ranges);
            for address in [asked.network(), asked.broadcast()] {
                prop_assert_eq!(set.contains(address), ranges.iter().any(|range| range.contains(&address)), "{} in {:?}", address, ranges);
            }
        }

        #[test]
        fn ranges_cover_others_where_they_have_each_address_of_theirs(ranges in proptest::collection::vec(net(), 0..12), other in v4()) {
            let set = Ranges::new(&ranges);
            let all = IpNet::hosts(&other).chain([other.network(), other.broadcast()]).all(|address| set.contains(address));
            prop_assert_eq!(set.covers(&Ranges::new(&[other])), all, "{} in {:?}", other, ranges);
        }
    }

    #[test]
    fn ipv4_in_ipv6s_clothes_is_ipv4_on_both_sides() {
        let v4 = Ranges::new(&["10.0.0.0/8".parse().unwrap()]);
        assert!(v4.contains("::ffff:10.1.2.3".parse().unwrap()));
        let mapped = Ranges::new(&["::ffff:10.0.0.0/104".parse().unwrap()]);
        assert!(mapped.contains("10.1.2.3".parse().unwrap()));
        assert!(!mapped.contains("11.1.2.3".parse().unwrap()));
        let all = Ranges::new(&["::/0".parse().unwrap()]);
        assert!(!all.contains("10.1.2.3".parse().unwrap()), "a rule of one family says nothing of the other");
    }
}
