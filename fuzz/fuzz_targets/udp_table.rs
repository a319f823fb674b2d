//! Whatever happens to a table of sessions, in any order and at any time: it keeps within its cap, nobody goes before its
//! time, nobody who has had an answer makes room, and with time it is empty. Two bytes are a step: what, and to whom.
#![no_main]

use std::collections::BTreeMap;
use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use vestibule::session::udp_table::{Flow, FlowId, UdpTable};

/// What is expected of a session.
struct Expected {
    id: FlowId,
    used: u64,
    idle_timeout: u64,
    is_answered: bool,
}

fuzz_target!(|steps: &[u8]| {
    let mut table = UdpTable::new(MOST);
    let mut expected: BTreeMap<u32, Expected> = BTreeMap::new();
    let (mut now, mut next) = (0_u64, 0_u32);
    for step in steps.chunks_exact(2) {
        let (what, who) = (step[0], step[1]);
        let flow = Flow { socket: u32::from(who % 2), client: SocketAddr::from(([192, 0, 2, 1], u16::from(who % 16))), local: None, speaks_for: None };
        let known = table.find(&flow);
        match (what % 8, known) {
            (0 | 1, Some(id)) => {
                let number = *table.used(id, now).expect("it was found");
                expected.get_mut(&number).expect("it is known").used = now;
            }
            (0 | 1, None) => {
                if table.len() == MOST {
                    match table.make_room(|_| true) {
                        Some(gone) => assert!(!expected.remove(&gone).expect("it was known").is_answered),
                        None => assert!(expected.values().all(|session| session.is_answered)),
                    }
                }
                next += 1;
                let idle_timeout = 1 << (what / 8);
                if let Ok(id) = table.admit(flow, next, idle_timeout, now) {
                    expected.insert(next, Expected { id, used: now, idle_timeout, is_answered: false });
                }
            }
            (2, Some(id)) => {
                table.answered(id);
                let number = *table.get_mut(id).expect("it was found");
                expected.get_mut(&number).expect("it is known").is_answered = true;
            }
            (3, Some(id)) => {
                table.unbind(id);
                assert_eq!(table.find(&flow), None);
            }
            (4, Some(id)) => {
                let number = table.remove(id).expect("it was found");
                expected.remove(&number).expect("it was known");
            }
            (5, _) => now += u64::from(who),
            (6, _) => now += 1 << (who % 40),
            _ => look(&mut table, &mut expected, now, usize::from(who)),
        }
        assert_eq!(table.len(), expected.len());
        assert!(table.len() <= MOST);
        assert!(expected.iter().all(|(number, session)| table.get_mut(session.id) == Some(&mut number.clone())));
    }
    look(&mut table, &mut expected, now + (1 << 33), usize::MAX);
    assert!(table.is_empty() && expected.is_empty() && table.next_due().is_none());
});

fn look(table: &mut UdpTable<u32>, expected: &mut BTreeMap<u32, Expected>, now: u64, mut budget: usize) {
    while let Some(gone) = table.expired(now, &mut budget) {
        let session = expected.remove(&gone).expect("it was known");
        assert!(session.used + session.idle_timeout <= now, "nobody goes before its time");
    }
    if budget > 0 {
        assert!(expected.values().all(|session| session.used + session.idle_timeout + TICK > now), "nobody stays much longer");
    }
}

const MOST: usize = 8;
/// How finely the table keeps time.
const TICK: u64 = 16;
