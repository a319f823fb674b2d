//! When a session of datagrams is over: they know no end of their own, so it is told by counting (nginx's
//! `proxy_requests` and `proxy_responses`) and by silence.

use tokio::time::Duration;

/// What a session of datagrams keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatagramLimits {
    /// Datagrams of a client after which its next one begins another session; 0 is no limit.
    pub requests: u32,
    /// Datagrams that a server answers to each of the client's; absent is nobody knows.
    pub responses: Option<u32>,
    /// No datagram in either direction for this long ends it.
    pub idle_timeout: Duration,
}

/// What was counted of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    requests: u64,
    responses: u64,
}

impl Exchange {
    /// How many more datagrams of the client belong to the session.
    #[must_use]
    pub fn room(&self, limits: &DatagramLimits) -> usize {
        match limits.requests {
            0 => usize::MAX,
            most => usize::try_from(u64::from(most).saturating_sub(self.requests)).unwrap_or(usize::MAX),
        }
    }

    /// Notes datagrams that went to the server.
    pub fn sent(&mut self, count: usize) {
        self.requests += count as u64;
    }

    /// Notes datagrams that came from it.
    pub fn answered(&mut self, count: usize) {
        self.responses += count as u64;
    }

    /// Whether all has come that is to come.
    #[must_use]
    pub fn is_over(&self, limits: &DatagramLimits) -> bool {
        let expects_more = limits.requests > 0 && self.requests < u64::from(limits.requests);
        let has_begun = self.requests > 0;
        limits.responses.is_some() && has_begun && !expects_more && !self.lacks_responses(limits)
    }

    /// Whether the server owes answers.
    #[must_use]
    pub fn lacks_responses(&self, limits: &DatagramLimits) -> bool {
        limits.responses.is_some_and(|each| self.responses < u64::from(each).saturating_mul(self.requests))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(requests: u32, responses: Option<u32>) -> DatagramLimits {
        DatagramLimits { requests, responses, idle_timeout: Duration::from_secs(600) }
    }

    fn exchange(sent: usize, answered: usize) -> Exchange {
        let mut exchange = Exchange::default();
        exchange.sent(sent);
        exchange.answered(answered);
        exchange
    }

    #[test]
    fn without_a_number_of_responses_only_silence_ends_a_session() {
        for limits in [limits(0, None), limits(2, None)] {
            assert!(!exchange(2, 100).is_over(&limits));
            assert!(!exchange(2, 0).lacks_responses(&limits), "and nothing is owed");
        }
    }

    #[test]
    fn each_datagram_of_the_client_is_answered_by_so_many() {
        let limits = limits(0, Some(2));
        assert!(!exchange(2, 3).is_over(&limits));
        assert!(exchange(2, 3).lacks_responses(&limits));
        assert!(exchange(2, 4).is_over(&limits));
    }

    #[test]
    fn what_has_not_begun_is_not_over() {
        for responses in [0, 1] {
            assert!(!exchange(0, 0).is_over(&limits(0, Some(responses))));
        }
    }

    #[test]
    fn without_responses_it_is_over_when_the_datagram_is_sent() {
        assert!(exchange(1, 0).is_over(&limits(0, Some(0))));
        assert!(!exchange(1, 0).is_over(&limits(2, Some(0))), "two are to come");
        assert!(exchange(2, 0).is_over(&limits(2, Some(0))));
    }

    #[test]
    fn with_a_number_of_requests_all_of_them_are_waited_for() {
        let limits = limits(3, Some(1));
        assert!(!exchange(2, 2).is_over(&limits));
        assert!(exchange(3, 3).is_over(&limits));
        assert_eq!(exchange(2, 0).room(&limits), 1);
        assert_eq!(exchange(3, 0).room(&limits), 0);
    }
}
