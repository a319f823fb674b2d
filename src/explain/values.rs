//! Values as they may be written.

use rustls::SupportedProtocolVersion;

use crate::config::TlsVersion;
use crate::net::Keepalive;
use crate::units::written;

/// Bytes, in the largest unit that divides them.
pub(super) fn bytes(number: u64) -> String {
    let unit = [("g", 30), ("m", 20), ("k", 10)].into_iter().find(|(_, shift)| number > 0 && number.trailing_zeros() >= *shift);
    unit.map_or_else(|| number.to_string(), |(unit, shift)| format!("{}{unit}", number >> shift))
}

pub(super) fn list<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    texts.into_iter().collect::<Vec<_>>().join(", ")
}

pub(super) fn protocols(alpn: &[Vec<u8>]) -> String {
    let texts: Vec<_> = alpn.iter().map(|protocol| protocol.escape_ascii().to_string()).collect();
    if texts.is_empty() { "none".into() } else { texts.join(", ") }
}

pub(super) fn versions(versions: &[&SupportedProtocolVersion]) -> String {
    list(versions.iter().filter_map(|version| TlsVersion::of_number(version.version.into())).map(TlsVersion::name))
}

pub(super) fn keepalive(keepalive: Option<Keepalive>) -> String {
    let Some(Keepalive { idle, interval, count }) = keepalive else { return "off".into() };
    let times = [("idle", idle.map(written)), ("interval", interval.map(written)), ("count", count.map(|count| count.to_string()))];
    let said: Vec<_> = times.into_iter().filter_map(|(key, time)| Some(format!("{key} {}", time?))).collect();
    if said.is_empty() { "on".into() } else { said.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_largest_unit_that_divides_them() {
        let texts = [0, 1, 1023, 1024, 1 << 20, (1 << 20) + 1024, 3 << 30].map(bytes);
        assert_eq!(texts, ["0", "1", "1023", "1k", "1m", "1025k", "3g"]);
    }
}
