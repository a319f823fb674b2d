use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn flow(port: u16) -> Flow {
    Flow { socket: 0, client: SocketAddr::from(([192, 0, 2, 1], port)), local: None, speaks_for: None }
}

/// All whose time is over, however many are looked at.
fn expired(table: &mut UdpTable<u16>, now: u64) -> Vec<u16> {
    std::iter::from_fn(|| table.expired(now, &mut 1000)).collect()
}

#[test]
fn a_flow_leads_to_its_session_and_no_other() {
    let mut table = UdpTable::new(10);
    let first = table.admit(flow(1), 1, 100, 0).unwrap();
    let same_port = Flow { client: SocketAddr::from(([192, 0, 2, 2], 1)), ..flow(1) };
    let other_local = Flow { local: Some(IpAddr::from([10, 0, 0, 1])), ..flow(1) };
    let other_socket = Flow { socket: 1, ..flow(1) };
    assert_eq!(table.find(&flow(1)), Some(first));
    for other in [same_port, other_local, other_socket] {
        assert_eq!(table.find(&other), None);
    }
    assert_eq!(FlowId::from_u64(first.to_u64()), first);
}

#[test]
fn a_session_ends_when_it_was_not_used_for_its_time() {
    let mut table = UdpTable::new(10);
    table.admit(flow(1), 1, 100, 0).unwrap();
    let used = table.admit(flow(2), 2, 100, 0).unwrap();
    assert!(table.used(used, 90).is_some());
    assert!(expired(&mut table, 80).is_empty());
    assert_eq!(expired(&mut table, 112), [1]);
    assert!(expired(&mut table, 189).is_empty());
    assert_eq!(expired(&mut table, 208), [2]);
    assert_eq!((table.len(), table.next_due()), (0, None));
}

#[test]
fn what_is_in_use_for_a_while_stays_so_though_it_is_used_meanwhile() {
    let mut table = UdpTable::new(10);
    let held = table.admit(flow(1), 1, 100, 0).unwrap();
    assert!(table.used(held, 1000).is_some(), "a rate holds its answers until then");
    assert!(table.used(held, 50).is_some(), "and its client goes on");
    assert!(expired(&mut table, 1099).is_empty());
    assert_eq!(expired(&mut table, 1104), [1]);
}

#[test]
fn who_is_gone_is_not_mistaken_for_who_has_its_place() {
    let mut table = UdpTable::new(1);
    let first = table.admit(flow(1), 1, 100, 0).unwrap();
    assert_eq!(table.remove(first), Some(1));
    let second = table.admit(flow(2), 2, 100, 0).unwrap();
    assert_eq!((table.remove(first), table.get_mut(first)), (None, None));
    assert_eq!(table.get_mut(second), Some(&mut 2));
}

#[test]
fn room_is_made_by_the_oldest_without_an_answer_alone() {
    let mut table = UdpTable::new(3);
    let ids: Vec<_> = (1..=3).map(|port| table.admit(flow(port), port, 100, 0).unwrap()).collect();
    assert_eq!(table.admit(flow(4), 4, 100, 0), Err(4));
    table.answered(ids[0]);
    assert_eq!(table.make_room(|_| true), Some(2));
    table.admit(flow(4), 4, 100, 0).unwrap();
    assert_eq!(table.make_room(|_| true), Some(3));
    assert_eq!(table.make_room(|_| true), Some(4));
    assert_eq!(table.make_room(|_| true), None, "who is served is not pushed out");
}

#[test]
fn room_may_be_asked_of_one_socket() {
    let mut table = UdpTable::new(10);
    let of = |socket| Flow { socket, ..flow(socket as u16) };
    for socket in [2, 0, 1, 0] {
        assert!(table.admit(of(socket), socket as u16, 100, 0).is_ok());
    }
    assert_eq!(table.make_room(|socket| socket < 2), Some(0));
    assert_eq!(table.make_room(|_| true), Some(2));
    assert!(table.can_make_room(|socket| socket < 2) && !table.can_make_room(|socket| socket > 1));
    assert_eq!(table.make_room(|socket| socket > 1), None);
}

#[test]
fn who_is_unbound_lives_on_beside_the_flows_next_session() {
    let mut table = UdpTable::new(3);
    let first = table.admit(flow(1), 1, 100, 0).unwrap();
    table.unbind(first);
    assert_eq!(table.find(&flow(1)), None);
    let second = table.admit(flow(1), 2, 100, 0).unwrap();
    assert_eq!(table.remove(first), Some(1));
    assert_eq!(table.find(&flow(1)), Some(second), "the end of the first is none of the second");
}

#[test]
fn no_more_are_looked_at_than_the_budget_lets() {
    let mut table = UdpTable::new(100);
    (0..100).for_each(|port| assert!(table.admit(flow(port), port, 10, 0).is_ok()));
    let mut budget = 30;
    let gone = std::iter::from_fn(|| table.expired(1000, &mut budget)).count();
    assert_eq!((gone, budget, table.len()), (30, 0, 70));
    assert!(table.next_due().is_some_and(|due| due <= 1000), "the rest is due at once");
    assert_eq!(expired(&mut table, 1000).len(), 70);
}

#[test]
fn the_room_of_a_crowd_is_given_back() {
    let mut table = UdpTable::new(usize::MAX);
    for round in 0..2_u64 {
        (0..2000).for_each(|port| assert!(table.admit(flow(port), port, 10, round * 1000).is_ok()));
        assert_eq!(expired(&mut table, round * 1000 + 100).len(), 2000);
        assert!(table.rows.capacity() <= KEPT, "{}", table.rows.capacity());
    }
}

/// What can happen to a table: to whom, how much time passes before.
#[derive(Clone, Debug)]
enum Step {
    Datagram(u16),
    Answer(u16),
    Unbind(u16),
    Remove(u16),
    Look,
}

fn step() -> impl Strategy<Value = (Step, u64)> {
    let who = 0_u16..20;
    let step = prop_oneof![
        who.clone().prop_map(Step::Datagram),
        who.clone().prop_map(Step::Datagram),
        who.clone().prop_map(Step::Answer),
        who.clone().prop_map(Step::Unbind),
        who.prop_map(Step::Remove),
        Just(Step::Look),
    ];
    (step, prop_oneof![0_u64..50, 0_u64..5000])
}

proptest! {
    /// Whatever happens, a table is what a list of sessions would be: within its cap, each session there until its
    /// time is over, nobody pushed out who has had an answer; and with time it is empty.
    #[test]
    fn a_table_keeps_to_its_cap_and_drains(steps in proptest::collection::vec(step(), 1..300), most in 1_usize..12) {
        let mut table = UdpTable::new(most);
        // By serial: the port, when it was used, whether it was answered.
        let mut model: BTreeMap<u32, (FlowId, u16, u64, bool)> = BTreeMap::new();
        let (mut now, mut serial) = (0, 0_u32);
        const IDLE: u64 = 700;
        for (step, pause) in steps {
            now += pause;
            match step {
                Step::Datagram(port) => match table.find(&flow(port)) {
                    Some(id) => {
                        let value = *table.used(id, now).unwrap();
                        model.get_mut(&value).unwrap().2 = now;
                    }
                    None => {
                        if table.len() == most {
                            let oldest = model.iter().find(|(_, (.., answered))| !answered).map(|(serial, _)| *serial);
                            let gone = table.make_room(|_| true);
                            prop_assert_eq!(gone, oldest);
                            gone.map(|serial| model.remove(&serial));
                        }
                        serial += 1;
                        if let Ok(id) = table.admit(flow(port), serial, IDLE, now) {
                            model.insert(serial, (id, port, now, false));
                        }
                    }
                },
                Step::Answer(port) => {
                    if let Some(id) = table.find(&flow(port)) {
                        table.answered(id);
                        let value = *table.get_mut(id).unwrap();
                        model.get_mut(&value).unwrap().3 = true;
                    }
                }
                Step::Unbind(port) => {
                    if let Some(id) = table.find(&flow(port)) {
                        table.unbind(id);
                        prop_assert_eq!(table.find(&flow(port)), None);
                    }
                }
                Step::Remove(port) => {
                    if let Some(id) = table.find(&flow(port)) {
                        let value = table.remove(id).unwrap();
                        prop_assert!(model.remove(&value).is_some());
                    }
                }
                Step::Look => {
                    let gone: Vec<_> = std::iter::from_fn(|| table.expired(now, &mut 1000)).collect();
                    for value in gone {
                        let (_, _, used, _) = model.remove(&value).unwrap();
                        prop_assert!(used + IDLE <= now, "nobody goes before its time");
                    }
                    prop_assert!(model.values().all(|(_, _, used, _)| used + IDLE + TICK > now), "nobody stays much longer");
                }
            }
            prop_assert_eq!(table.len(), model.len());
            prop_assert!(table.len() <= most);
            prop_assert!(model.iter().all(|(serial, (id, ..))| table.get_mut(*id) == Some(&mut serial.to_owned())));
        }
        let gone = std::iter::from_fn(|| table.expired(now + IDLE + TICK, &mut 1000)).count();
        prop_assert_eq!(gone, model.len());
        prop_assert!(table.is_empty() && table.next_due().is_none());
        prop_assert!((0..20).all(|port| table.find(&flow(port)).is_none()));
    }
}

#[test]
fn nearly_all_of_a_crowd_takes_its_room_with_it() {
    let mut table = UdpTable::new(10_000);
    let first = table.admit(flow(0), 0, 1_000_000, 0).unwrap();
    let crowd: Vec<_> = (1..10_000).map(|port| table.admit(flow(port), port, 1000, 0).unwrap()).collect();
    table.answered(crowd[7]);
    assert_eq!(expired(&mut table, 2000).len(), 9_999);
    assert_eq!((table.len(), table.find(&flow(0))), (1, Some(first)));
    assert!(table.rows.capacity() < 1000 && table.by_flow.capacity() < 1000, "{} {}", table.rows.capacity(), table.by_flow.capacity());
    for port in 1..10_000 {
        table.admit(flow(port), port, 1000, 2000).unwrap();
    }
    assert_eq!(table.len(), 10_000);
    assert!(table.remove(crowd[9_000]).is_none(), "who is gone stays so");
    assert_eq!(table.make_room(|_| true), Some(0), "the oldest");
    assert_eq!(expired(&mut table, 4000).len(), 9_999);
    assert!(table.is_empty());
}
