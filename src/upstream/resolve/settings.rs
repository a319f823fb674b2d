//! Who is asked for names, and how long what was heard is good.

use std::net::SocketAddr;

use tokio::time::Duration;

/// `[resolver]`, or `resolver` of an upstream, with the defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResolverSettings {
    /// The servers that are asked; absent is what the system's resolv.conf says, with its hosts file.
    pub nameservers: Option<Vec<SocketAddr>>,
    /// How long an answer is good, whatever its TTL says.
    pub valid: Option<Duration>,
    /// How long one look-up may take in all.
    pub timeout: Duration,
    /// Whether IPv6 addresses are asked for.
    pub ipv6: bool,
}

impl Default for ResolverSettings {
    fn default() -> Self {
        Self { nameservers: None, valid: None, timeout: Duration::from_secs(5), ipv6: true }
    }
}

impl ResolverSettings {
    /// How long records with this TTL are good.
    pub(super) fn good_for(&self, ttl: Duration) -> Duration {
        self.valid.unwrap_or(ttl.clamp(SHORTEST, LONGEST))
    }

    /// How long it is believed that there are no records.
    pub(super) fn none_for(&self, negative_ttl: Duration) -> Duration {
        self.valid.unwrap_or(negative_ttl.clamp(SHORTEST, LONGEST_NONE))
    }

    /// How long is waited after a look-up that failed, as nginx does.
    pub(super) fn retry(&self) -> Duration {
        self.timeout.max(SHORTEST)
    }
}

/// A record's TTL of 0 must not become a flood of questions.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3600);
/// A name that is made a moment too late should not be missed for hours.
const LONGEST_NONE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_ttl_is_kept_within_bounds_that_valid_knows_nothing_of() {
        let by_ttl = ResolverSettings::default();
        assert_eq!([0, 60, 999_999].map(|ttl| by_ttl.good_for(seconds(ttl))), [1, 60, 3600].map(seconds));
        assert_eq!([0, 20, 999_999].map(|ttl| by_ttl.none_for(seconds(ttl))), [1, 20, 30].map(seconds));
        let fixed = ResolverSettings { valid: Some(Duration::from_millis(50)), ..by_ttl };
        assert_eq!([fixed.good_for(seconds(60)), fixed.none_for(seconds(60))], [Duration::from_millis(50); 2]);
    }

    #[test]
    fn the_next_look_up_after_a_failure_is_a_second_away_at_least() {
        let retry = |timeout| ResolverSettings { timeout, ..ResolverSettings::default() }.retry();
        assert_eq!([Duration::from_millis(20), seconds(7)].map(retry), [seconds(1), seconds(7)]);
    }
}
