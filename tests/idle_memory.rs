//! A session that says nothing costs next to nothing.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;

use crate::harness::{ByHand, Process, routes, until};

const SESSIONS: usize = 2000;
/// The most private memory that an idle session may take.
const MOST_MEMORY: usize = 3000;

/// Room for both ends of all sessions in this process.
pub(crate) fn raise_descriptor_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    }
}

async fn idle_sessions(gate: &Process, by_hand: &mut ByHand) -> Vec<(TcpStream, TcpStream)> {
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(by_hand.join(gate.address()).await);
    }
    sessions
}

#[tokio::test]
async fn an_idle_session_takes_less_than_three_kilobytes() {
    raise_descriptor_limit();
    let mut by_hand = ByHand::start().await;
    let gate = Process::start(&routes(&[("api.test", &by_hand.server)], "[process]\nworkers = 2")).await;
    // The first sessions' costs, of threads and their buffers, are the gateway's.
    let first = [by_hand.join(gate.address()).await, by_hand.join(gate.address()).await];
    let before = gate.private_memory();
    let sessions = idle_sessions(&gate, &mut by_hand).await;
    let full = gate.private_memory();
    let each = full.saturating_sub(before) / SESSIONS;
    assert!(each < MOST_MEMORY, "{each} bytes for each idle session");
    drop(sessions);
    until(|| gate.descriptors() < SESSIONS / 10).await;
    // What was freed is used again: as many sessions once more take no more than they took.
    let sessions = idle_sessions(&gate, &mut by_hand).await;
    let again = gate.private_memory();
    assert!(again < full + full / 10, "{again} bytes the second time, {full} the first");
    drop((first, sessions));
}
