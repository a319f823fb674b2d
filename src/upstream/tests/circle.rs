//! What a consistent hash is for: when servers come, go or change, no key moves that need not.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const KEYS: u16 = 200;

/// Servers by a look-up, each with the last byte of its address and its weight.
fn found(servers: &[(u8, u32)]) -> Vec<Found> {
    let one = |&(last, weight): &(u8, u32)| {
        let text = Some(format!("10.0.0.{last}:443").into());
        Found { address: (ip(last), 443).into(), weight: Some(weight), backup: false, text }
    };
    servers.iter().map(one).collect()
}

/// The same by a file.
fn written(servers: &[(u8, u32)]) -> Arc<Upstream> {
    upstream(Balance::ConsistentHash, servers.iter().map(|&(last, weight)| weighted(&format!("10.0.0.{last}:443"), weight)))
}

/// Whom each key meets first.
fn owners(upstream: &Arc<Upstream>) -> Vec<String> {
    let now = Instant::now();
    let first = |key: u16| upstream.pick(&key.to_be_bytes(), &mut Tried::default(), now).unwrap().address_text().to_string();
    (0..KEYS).map(first).collect()
}

fn address(server: (u8, u32)) -> String {
    format!("10.0.0.{}:443", server.0)
}

fn servers() -> impl Strategy<Value = Vec<(u8, u32)>> {
    vec(1..6u32, 3..7).prop_map(|weights| (1..).zip(weights).collect())
}

proptest! {
    #[test]
    fn who_leaves_loses_its_keys_and_who_joins_gets_them_back(servers in servers(), which in any::<Index>()) {
        let mover = which.index(servers.len());
        let rest: Vec<_> = servers.iter().copied().filter(|server| *server != servers[mover]).collect();
        let (full, less) = (owners(&written(&servers)), owners(&written(&rest)));
        let mut moved = 0;
        for (before, after) in full.iter().zip(&less) {
            // A key is with another server without it exactly if it was its own.
            prop_assert_eq!(before != after, *before == address(servers[mover]));
            moved += usize::from(before != after);
        }
        prop_assert!(moved < usize::from(KEYS), "somebody stayed");

        let following = upstream(Balance::ConsistentHash, [line("web.internal:443")]);
        for (servers, owned) in [(&servers, &full), (&rest, &less), (&servers, &full)] {
            following.set_servers(0, found(servers), Instant::now());
            prop_assert_eq!(&owners(&following), owned, "a look-up moves the same keys as a file, there and back");
        }
    }

    #[test]
    fn a_server_that_grows_takes_keys_and_gives_none(servers in servers(), which in any::<Index>(), more in 1..5u32) {
        let grower = which.index(servers.len());
        let mut grown = servers.clone();
        grown[grower].1 += more;
        let (small, large) = (owners(&written(&servers)), owners(&written(&grown)));
        for (before, after) in small.iter().zip(&large).filter(|(before, after)| before != after) {
            prop_assert_eq!(after, &address(servers[grower]), "a key of {} moved elsewhere", before);
        }
    }

    #[test]
    fn where_a_failed_server_is_left_alone_only_its_own_keys_move(servers in servers(), which in any::<Index>()) {
        let upstream = written(&servers);
        let full = owners(&upstream);
        let failing = address(servers[which.index(servers.len())]);
        let now = Instant::now();
        if let Some(key) = full.iter().position(|owner| *owner == failing) {
            upstream.pick(&(key as u16).to_be_bytes(), &mut Tried::default(), now).unwrap().failed(now);
            for (before, after) in full.iter().zip(&owners(&upstream)) {
                prop_assert_eq!(before != after, *before == failing);
            }
        }
    }

    #[test]
    fn the_circle_is_that_of_the_servers_that_are_there_however_they_came(changes in vec(vec((1..6u8, 1..4u32), 0..5), 1..5)) {
        let changes: Vec<Vec<(u8, u32)>> = changes.into_iter().map(|mut servers| {
            servers.sort_unstable();
            servers.dedup_by_key(|server| server.0);
            servers
        }).collect();
        let following = upstream(Balance::ConsistentHash, [line("web.internal:443"), line("10.0.0.9:443")]);
        for servers in &changes {
            following.set_servers(0, found(servers), Instant::now());
        }
        let last: Vec<_> = changes.last().into_iter().flatten().copied().chain([(9, 1)]).collect();
        prop_assert_eq!(owners(&following), owners(&written(&last)));
    }
}
