//! Values of address ranges, of which the longest that holds an address counts. Ranges lie within each other or apart, so
//! they are cut once into segments of one value each, and a look-up is a binary search.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

/// Ranges with their values, ready to be asked.
#[derive(Debug)]
pub struct Ranges<V> {
    v4: Vec<Segment<V>>,
    v6: Vec<Segment<V>>,
}

/// The addresses from a first one up to the next segment's.
#[derive(Debug)]
struct Segment<V> {
    first: u128,
    value: Option<V>,
}

/// [`Ranges`] in the making.
#[derive(Debug)]
pub struct RangesBuilder<V> {
    v4: Vec<(Span, V)>,
    v6: Vec<(Span, V)>,
}

/// The addresses of a range.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: u128,
    last: u128,
}

impl<V> Default for RangesBuilder<V> {
    fn default() -> Self {
        Self { v4: Vec::new(), v6: Vec::new() }
    }
}

impl<V: Clone> RangesBuilder<V> {
    /// Adds a range. Of two that are the same the later one counts.
    pub fn add(&mut self, range: IpNet, value: V) {
        match range {
            IpNet::V4(net) => self.v4.push((Span::new(u32::from(net.network()), u32::from(net.broadcast())), value)),
            IpNet::V6(net) => self.v6.push((Span::new(net.network(), net.broadcast()), value)),
        }
    }

    /// Makes the table.
    #[must_use]
    pub fn build(self) -> Ranges<V> {
        Ranges { v4: segments(self.v4), v6: segments(self.v6) }
    }
}

impl<V> Ranges<V> {
    /// The value of the longest range that an address is in. What has no address counts as 255.255.255.255, as in nginx.
    #[must_use]
    pub fn find(&self, address: Option<IpAddr>) -> Option<&V> {
        match address.unwrap_or(Ipv4Addr::BROADCAST.into()).to_canonical() {
            IpAddr::V4(v4) => find(&self.v4, u32::from(v4).into()),
            IpAddr::V6(v6) => find(&self.v6, v6.into()),
        }
    }
}

impl Span {
    fn new(first: impl Into<u128>, last: impl Into<u128>) -> Self {
        Self { first: first.into(), last: last.into() }
    }
}

fn find<V>(segments: &[Segment<V>], address: u128) -> Option<&V> {
    let behind = segments.partition_point(|segment| segment.first <= address);
    segments.get(behind.checked_sub(1)?)?.value.as_ref()
}

/// Cuts ranges into segments, in order. A range's value holds where no range within it has its own.
fn segments<V: Clone>(mut ranges: Vec<(Span, V)>) -> Vec<Segment<V>> {
    // A range stands before those within it.
    ranges.sort_by_key(|(span, _)| (span.first, u128::MAX - span.last));
    let mut segments: Vec<Segment<V>> = Vec::with_capacity(ranges.len());
    // Those that hold the place that has been reached, the innermost last.
    let mut around: Vec<(Span, V)> = Vec::new();
    for (span, value) in ranges {
        close(&mut around, &mut segments, span.first);
        begin(&mut segments, span.first, Some(value.clone()));
        around.push((span, value));
    }
    while let Some((ended, _)) = around.pop() {
        end(ended, around.last(), &mut segments);
    }
    segments
}

/// Ends the ranges that lie before an address.
fn close<V: Clone>(around: &mut Vec<(Span, V)>, segments: &mut Vec<Segment<V>>, before: u128) {
    while let Some((ended, _)) = around.pop_if(|(span, _)| span.last < before) {
        end(ended, around.last(), segments);
    }
}

/// Behind a range the one around it goes on.
fn end<V: Clone>(ended: Span, outer: Option<&(Span, V)>, segments: &mut Vec<Segment<V>>) {
    let goes_on = outer.filter(|(span, _)| span.last > ended.last);
    if let (Some(next), true) = (ended.last.checked_add(1), goes_on.is_some() || outer.is_none()) {
        begin(segments, next, goes_on.map(|(_, value)| value.clone()));
    }
}

/// Begins a segment, in place of an empty one that begins there.
fn begin<V>(segments: &mut Vec<Segment<V>>, first: u128, value: Option<V>) {
    segments.pop_if(|last| last.first == first);
    segments.push(Segment { first, value });
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Ranges that often lie within each other.
    fn net() -> impl Strategy<Value = IpNet> {
        let v4 = (any::<[bool; 2]>(), 0..=3_u8, 24..=32_u8).prop_map(|([high, middle], low, length)| {
            let address = Ipv4Addr::new(if high { 255 } else { 10 }, if middle { 255 } else { 0 }, 255, low + 252);
            IpNet::new(address.into(), length).unwrap().trunc()
        });
        let v6 = (any::<bool>(), 0..=3_u8, 120..=128_u8).prop_map(|(high, low, length)| {
            let mut address = if high { [255; 16] } else { [0; 16] };
            address[15] = if high { low + 252 } else { low };
            IpNet::new(address.into(), length).unwrap().trunc()
        });
        prop_oneof![v4, v6, Just("0.0.0.0/0".parse().unwrap()), Just("::/0".parse().unwrap())]
    }

    proptest! {
        #[test]
        fn the_table_agrees_with_a_linear_search(nets in vec(net(), 0..12), asked in vec(net(), 1..12)) {
            let mut builder = RangesBuilder::default();
            nets.iter().enumerate().for_each(|(index, net)| builder.add(*net, index));
            let table = builder.build();
            for address in asked.iter().flat_map(|net| [net.network(), net.broadcast()]) {
                // IPv4 in IPv6's clothes is asked for as what it is.
                let address = address.to_canonical();
                let around = nets.iter().enumerate().filter(|(_, net)| net.contains(&address));
                let longest = around.max_by_key(|(index, net)| (net.prefix_len(), *index)).map(|(index, _)| index);
                prop_assert_eq!(table.find(Some(address)).copied(), longest, "{}", address);
            }
        }
    }
}
