//! How sessions are shared out: exactly where it can be exact, within proven bounds otherwise.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

fn of_weights(balance: Balance, weights: &[u32]) -> Arc<Upstream> {
    upstream(balance, weights.iter().enumerate().map(|(place, &weight)| weighted(&format!("10.0.0.1:{}", place + 1), weight)))
}

/// The places of the servers of so many sessions that end at once.
fn places(upstream: &Arc<Upstream>, sessions: u32) -> Vec<usize> {
    ports(upstream, sessions as usize, Instant::now()).into_iter().map(|port| usize::from(port) - 1).collect()
}

fn counts(picks: &[usize], servers: usize) -> Vec<u32> {
    let mut counts = vec![0; servers];
    picks.iter().for_each(|&place| counts[place] += 1);
    counts
}

/// 1 + 1/2 + ... + 1/n.
fn harmonic(n: usize) -> f64 {
    (1..=n).map(|k| 1.0 / k as f64).sum()
}

proptest! {
    #[test]
    fn a_round_gives_each_its_weight(weights in vec(1..20u32, 2..6), rounds in 1..4u32) {
        let total: u32 = weights.iter().sum();
        let picks = places(&of_weights(Balance::RoundRobin, &weights), rounds * total);
        for round in picks.chunks(total as usize) {
            prop_assert_eq!(&counts(round, weights.len()), &weights);
        }
    }

    /// With k servers, the weights' sum W, and n picks of one of weight w among the first t: n - t*w/W is at most
    /// 1 - 1/k and at least 1 - H(k), H being the harmonic numbers.
    ///
    /// Why: let each server's debt after t picks be d = t*w/W - n, its `current` over W. Debts sum up to 0. A pick adds
    /// w/W to each debt, 1 in all, and takes 1 from the greatest. Right before that the greatest is at least the mean,
    /// 1/k: so no debt falls below 1/k - 1. And the j greatest debts have a mean of at most H(k) - H(j): for j = k it is
    /// 0. If the one picked is among the j, their sum did not grow. If not, it was at least as great as each of them, so
    /// their mean is not more than that of these j + 1 before 1 was taken: H(k) - H(j+1), and at most 1/(j+1) that came
    /// to it. So no debt, j being 1, is over H(k) - 1.
    ///
    /// And so from one pick of a server to its next there are at most 1 + H(k-1)*W/w: right after the one its debt is at
    /// least 1/k - 1, right before the other at most H(k) - 1, and each pick between adds w/W.
    #[test]
    fn turns_are_spread_smoothly(weights in vec(1..30u32, 2..9)) {
        let (servers, total) = (weights.len(), weights.iter().sum::<u32>());
        let picks = places(&of_weights(Balance::RoundRobin, &weights), 2 * total);
        prop_assert_eq!(picks.len(), 2 * total as usize);
        for (place, &weight) in weights.iter().enumerate() {
            let part = f64::from(weight) / f64::from(total);
            let (mut picked, mut latest) = (0, None);
            for (turn, &pick) in picks.iter().enumerate() {
                if pick == place {
                    picked += 1;
                    let distance = latest.replace(turn).map_or(0, |latest| turn - latest);
                    prop_assert!(distance as f64 <= 1.0 + harmonic(servers - 1) / part + 1e-9, "{} turns for {:?}", distance, weights);
                }
                let debt = (turn + 1) as f64 * part - f64::from(picked);
                prop_assert!(debt >= 1.0 / servers as f64 - 1.0 - 1e-9, "{} has {} too many of {:?}", place, -debt, weights);
                prop_assert!(debt <= harmonic(servers) - 1.0 + 1e-9, "{} lacks {} of {:?}", place, debt, weights);
            }
        }
    }

    /// While sessions only begin, each server got its latest one when nobody had less for its weight, and the others have
    /// no less since: without that one, it has no more for its weight than any other has.
    #[test]
    fn least_conn_keeps_loads_within_one_session(weights in vec(1..20u32, 2..6), sessions in 1..100usize) {
        let upstream = of_weights(Balance::LeastConn, &weights);
        let mut leases = Vec::new();
        for _ in 0..sessions {
            leases.extend(upstream.pick(b"", &mut Tried::default(), Instant::now()));
            let status = upstream.status();
            for one in &status {
                for other in &status {
                    let without_latest = one.sessions.saturating_sub(1) * other.weight as usize;
                    prop_assert!(without_latest <= other.sessions * one.weight as usize, "{:?}", status);
                }
            }
        }
        prop_assert_eq!(leases.len(), sessions);
    }

    #[test]
    fn least_conn_never_picks_one_with_more_to_do(weights in vec(1..20u32, 2..6), events in vec((any::<bool>(), any::<Index>()), 1..150)) {
        let upstream = of_weights(Balance::LeastConn, &weights);
        let mut leases: Vec<Lease> = Vec::new();
        for (begins, which) in events {
            if !begins && !leases.is_empty() {
                leases.swap_remove(which.index(leases.len()));
                continue;
            }
            let mut counts = vec![0; weights.len()];
            leases.iter().for_each(|lease| counts[lease.line_number()] += 1);
            let lease = upstream.pick(b"", &mut Tried::default(), Instant::now()).unwrap();
            let picked = lease.line_number();
            for (place, count) in counts.iter().enumerate() {
                prop_assert!(counts[picked] * weights[place] <= count * weights[picked], "{} of {:?} over {:?}", picked, counts, weights);
            }
            leases.push(lease);
        }
    }
}

/// Not by proptest: with fixed seeds and weights it holds today and always.
#[test]
fn chance_keeps_to_the_weights_within_its_bounds() {
    const SESSIONS: u32 = 4000;
    let mut rng = fastrand::Rng::with_seed(42);
    for round in 0..30 {
        let weights: Vec<_> = (0..rng.usize(2..6)).map(|_| rng.u32(1..20)).collect();
        let upstream = of_weights(Balance::Random, &weights);
        upstream.group().seed(round);
        let picks = places(&upstream, SESSIONS);
        assert_eq!(picks.len(), SESSIONS as usize);
        for (count, weight) in counts(&picks, weights.len()).into_iter().zip(&weights) {
            let part = f64::from(*weight) / f64::from(weights.iter().sum::<u32>());
            let expected = part * f64::from(SESSIONS);
            let deviation = (expected * (1.0 - part)).sqrt();
            assert!((f64::from(count) - expected).abs() < 4.0 * deviation, "{count} of {expected} over {weights:?}");
        }
    }
}
