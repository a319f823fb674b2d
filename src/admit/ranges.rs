//! Sets of addresses, as large as a list of all that is blocked.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

/// Addresses of both families. Finding one takes as many steps as the number of ranges has bits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ranges {
    v4: Box<[Span<u32>]>,
    v6: Box<[Span<u128>]>,
}

/// The addresses from a first one to a last one. Those of a set stand in order, none of them touching the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Span<A> {
    first: A,
    last: A,
}

/// The addresses of several sets, as a list of ranges and networks in `routes.toml` has them. A network is one set, however
/// many lists it stands in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeList(Box<[Arc<Ranges>]>);

impl Ranges {
    /// The addresses of all of these.
    #[must_use]
    pub fn new(ranges: &[IpNet]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for range in ranges {
            match canonical(range) {
                IpNet::V4(net) => v4.push(Span { first: u32::from(net.network()), last: u32::from(net.broadcast()) }),
                IpNet::V6(net) => v6.push(Span { first: u128::from(net.network()), last: u128::from(net.broadcast()) }),
            }
        }
        Self::of(v4, v6)
    }

    fn of(v4: Vec<Span<u32>>, v6: Vec<Span<u128>>) -> Self {
        Self { v4: joined(v4, |address| address.checked_add(1)), v6: joined(v6, |address| address.checked_add(1)) }
    }

    /// Whether an address is among them; an IPv4 address in IPv6's clothes is one.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(v4) => has(&self.v4, u32::from(v4), u32::from(v4)),
            IpAddr::V6(v6) => has(&self.v6, u128::from(v6), u128::from(v6)),
        }
    }

    fn range_of(&self, address: IpAddr) -> Option<IpNet> {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let Span { first, last } = *nearest(&self.v4, v4.into()).filter(|span| u32::from(v4) <= span.last)?;
                Ipv4Subnets::new(first.into(), last.into(), 0).find(|net| net.contains(&v4)).map(IpNet::V4)
            }
            IpAddr::V6(v6) => {
                let Span { first, last } = *nearest(&self.v6, v6.into()).filter(|span| u128::from(v6) <= span.last)?;
                Ipv6Subnets::new(first.into(), last.into(), 0).find(|net| net.contains(&v6)).map(IpNet::V6)
            }
        }
    }

    /// Whether others have addresses, and all of these are among them.
    #[must_use]
    pub fn covers(&self, others: &Self) -> bool {
        !others.is_empty()
            && others.v4.iter().all(|other| has(&self.v4, other.first, other.last))
            && others.v6.iter().all(|other| has(&self.v6, other.first, other.last))
    }

    /// The addresses of both.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        Self::of([&self.v4[..], &others.v4].concat(), [&self.v6[..], &others.v6].concat())
    }

    /// The addresses that others have not.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        Self {
            v4: without(&self.v4, &others.v4, |address| address.checked_sub(1), |address| address.checked_add(1)),
            v6: without(&self.v6, &others.v6, |address| address.checked_sub(1), |address| address.checked_add(1)),
        }
    }

    /// The same addresses as the fewest ranges, in order.
    pub fn nets(&self) -> impl Iterator<Item = IpNet> {
        let v4 = self.v4.iter().flat_map(|span| Ipv4Subnets::new(span.first.into(), span.last.into(), 0)).map(IpNet::V4);
        let v6 = self.v6.iter().flat_map(|span| Ipv6Subnets::new(span.first.into(), span.last.into(), 0)).map(IpNet::V6);
        v4.chain(v6)
    }

    /// Whether no address is among them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

impl RangeList {
    /// The addresses of all of these.
    #[must_use]
    pub fn new(sets: impl IntoIterator<Item = Arc<Ranges>>) -> Self {
        Self(sets.into_iter().collect())
    }

    /// Whether an address is among them; an IPv4 address in IPv6's clothes is one.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|set| set.contains(address))
    }

    /// The range that has an address, where ranges that touch count as one.
    #[must_use]
    pub fn range_of(&self, address: IpAddr) -> Option<IpNet> {
        self.0.iter().find_map(|set| set.range_of(address))
    }

    /// Whether no address is among them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|set| set.is_empty())
    }

    /// The sets that it is made of.
    pub fn sets(&self) -> impl Iterator<Item = &Arc<Ranges>> {
        self.0.iter()
    }

    /// All of them as one set.
    #[must_use]
    pub fn joined(&self) -> Ranges {
        self.0.iter().fold(Ranges::default(), |all, set| all.and(set))
    }
}

/// What of some spans is in none of others.
fn without<A: Copy + Ord>(
    spans: &[Span<A>],
    others: &[Span<A>],
    before: impl Fn(A) -> Option<A>,
    behind: impl Fn(A) -> Option<A>,
) -> Box<[Span<A>]> {
    let mut left = Vec::new();
    for span in spans {
        let mut from = Some(span.first);
        let met = others.partition_point(|other| other.last < span.first);
        for other in others.iter().skip(met).take_while(|other| other.first <= span.last) {
            if let (Some(first), Some(last)) = (from, before(other.first))
                && first <= last
            {
                left.push(Span { first, last });
            }
            from = behind(other.last);
        }
        left.extend(from.filter(|first| *first <= span.last).map(|first| Span { first, last: span.last }));
    }
    left.into()
}

/// Spans in order, where they overlap or touch made into one.
fn joined<A: Copy + Ord>(mut spans: Vec<Span<A>>, next: impl Fn(A) -> Option<A>) -> Box<[Span<A>]> {
    spans.sort_unstable_by_key(|span| span.first);
    let mut joined: Vec<Span<A>> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(before) if next(before.last).is_none_or(|behind| span.first <= behind) => before.last = before.last.max(span.last),
            _ => joined.push(span),
        }
    }
    joined.into()
}

/// Whether one of the spans has all addresses from a first one to a last one.
fn has<A: Copy + Ord>(spans: &[Span<A>], first: A, last: A) -> bool {
    nearest(spans, first).is_some_and(|span| last <= span.last)
}

/// The only span that may have an address: the last that begins no later.
fn nearest<A: Copy + Ord>(spans: &[Span<A>], address: A) -> Option<&Span<A>> {
    let begin_before = spans.partition_point(|span| span.first <= address);
    begin_before.checked_sub(1).and_then(|nearest| spans.get(nearest))
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
        fn an_address_is_in_a_list_where_any_of_its_sets_has_it(sets in proptest::collection::vec(proptest::collection::vec(net(), 0..4), 0..4), asked in net()) {
            let list = RangeList::new(sets.iter().map(|ranges| Arc::new(Ranges::new(ranges))));
            for address in [asked.network(), asked.broadcast()] {
                let expected = sets.iter().flatten().any(|range| range.contains(&address));
                prop_assert_eq!(list.contains(address), expected, "{} in {:?}", address, sets);
                prop_assert_eq!(list.joined().contains(address), expected, "{} in {:?}", address, sets);
            }
        }

        #[test]
        fn ranges_cover_others_where_they_have_each_address_of_theirs(ranges in proptest::collection::vec(net(), 0..12), other in v4()) {
            let set = Ranges::new(&ranges);
            let all = IpNet::hosts(&other).chain([other.network(), other.broadcast()]).all(|address| set.contains(address));
            prop_assert_eq!(set.covers(&Ranges::new(&[other])), all, "{} in {:?}", other, ranges);
        }
    }

    proptest! {
        #[test]
        fn what_is_left_without_others_is_what_they_have_not(
            ranges in proptest::collection::vec(net(), 0..12),
            others in proptest::collection::vec(net(), 0..12),
            asked in net(),
        ) {
            let (set, others) = (Ranges::new(&ranges), Ranges::new(&others));
            let left = set.without(&others);
            for address in [asked.network(), asked.broadcast()] {
                prop_assert_eq!(left.contains(address), set.contains(address) && !others.contains(address), "{}", address);
            }
            prop_assert_eq!(Ranges::new(&left.nets().collect::<Vec<_>>()), left.clone());
            prop_assert!(left.without(&set).is_empty() && left.without(&others) == left);
        }
    }

    #[test]
    fn a_family_can_lose_its_ends() {
        let all = Ranges::new(&["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]);
        let ends = ["0.0.0.0/1", "255.255.255.255/32", "8000::/1", "::/128"].map(|net| net.parse().unwrap());
        let left = all.without(&Ranges::new(&ends));
        for (address, is_left) in [("127.255.255.255", false), ("128.0.0.0", true), ("255.255.255.254", true), ("255.255.255.255", false)] {
            assert_eq!(left.contains(address.parse().unwrap()), is_left, "{address}");
        }
        for (address, is_left) in [("::", false), ("::1", true), ("7fff::", true), ("8000::", false), ("ffff::", false)] {
            assert_eq!(left.contains(address.parse().unwrap()), is_left, "{address}");
        }
        assert!(all.without(&all).is_empty());
    }

    #[test]
    fn ranges_up_to_the_last_address_of_a_family_are_whole() {
        let all = Ranges::new(&["0.0.0.0/0".parse().unwrap(), "255.255.255.255/32".parse().unwrap(), "::/0".parse().unwrap()]);
        for address in ["0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] {
            assert!(all.contains(address.parse().unwrap()), "{address}");
        }
        let halves = Ranges::new(&["128.0.0.0/1".parse().unwrap(), "0.0.0.0/1".parse().unwrap()]);
        assert!(halves.covers(&Ranges::new(&["0.0.0.0/0".parse().unwrap()])), "two halves are the whole");
        assert!(!halves.covers(&Ranges::default()), "nothing is covered by nobody");
    }

    /// What a look-up costs: `cargo test --release --lib ranges -- --ignored --nocapture`.
    #[test]
    #[ignore = "prints a measurement"]
    fn the_cost_of_a_look_up_among_100_000_ranges() {
        let mut seed = 1_u64;
        let mut random = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let v4: Vec<IpNet> = (0..50_000).map(|_| IpNet::new(IpAddr::from((random() as u32).to_be_bytes()), 28).unwrap().trunc()).collect();
        let v6 = (0..50_000).map(|_| IpNet::new(IpAddr::from((u128::from(random()) << 64).to_be_bytes()), 48).unwrap().trunc());
        let set = Ranges::new(&v4.into_iter().chain(v6).collect::<Vec<_>>());
        for (family, asked) in [
            ("IPv4", (0..1_000_000).map(|_| IpAddr::from((random() as u32).to_be_bytes())).collect::<Vec<_>>()),
            ("IPv6", (0..1_000_000).map(|_| IpAddr::from((u128::from(random()) << 64).to_be_bytes())).collect()),
        ] {
            let begun = std::time::SystemTime::now();
            let found = asked.iter().filter(|address| set.contains(**address)).count();
            let each = begun.elapsed().unwrap_or_default().as_nanos() / asked.len() as u128;
            println!("{family}: {each} ns for a look-up among 100,000 ranges ({found} of {} found)", asked.len());
        }
    }

    #[test]
    fn the_range_that_has_an_address_is_told_with_those_that_touch_it() {
        let nets = ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/25", "192.0.2.128/25", "fd00::/8"].map(|net| net.parse().unwrap());
        let list = RangeList::new([Arc::new(Ranges::new(&nets[..2])), Arc::new(Ranges::new(&nets[2..]))]);
        let of = |address: &str| list.range_of(address.parse().unwrap()).map(|range| range.to_string());
        for (address, range) in [("10.1.2.3", "10.0.0.0/8"), ("::ffff:192.0.2.200", "192.0.2.0/24"), ("fd12::1", "fd00::/8")] {
            assert_eq!(of(address).as_deref(), Some(range), "{address}");
        }
        assert_eq!([of("11.0.0.0"), of("192.0.3.0"), of("fe00::")], [None, None, None]);
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
