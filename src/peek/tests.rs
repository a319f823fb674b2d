//! The deadline, with the clock paused: bytes come at instants that each test says.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;

use tokio::time::{Sleep, sleep_until};

use super::*;
use crate::hello::tests::hellos;

const LIMITS: PeekLimits = PeekLimits { timeout: Duration::from_secs(30), size: 65_536 };

/// Says each of its words at its instant, then nothing any more.
struct Script(RefCell<VecDeque<Word>>);

type Word = (Pin<Box<Sleep>>, Vec<u8>);

impl Script {
    fn new(begun: Instant, says: impl IntoIterator<Item = (u64, Vec<u8>)>) -> Self {
        let at = |milliseconds| Box::pin(sleep_until(begun + Duration::from_millis(milliseconds)));
        Self(RefCell::new(says.into_iter().map(|(milliseconds, bytes)| (at(milliseconds), bytes)).collect()))
    }
}

impl Source for Script {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut says = self.0.borrow_mut();
        let Some((at, _)) = says.front_mut() else { return Poll::Pending };
        std::task::ready!(at.as_mut().poll(cx));
        let (_, bytes) = says.pop_front().unwrap_or_else(|| unreachable!());
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Poll::Ready(Ok(bytes.len()))
    }
}

fn hello() -> Vec<u8> {
    hellos::client_hello(&hellos::Spec::named("api.test"))
}

/// A hello of which a byte comes every so many milliseconds.
fn trickle(begun: Instant, every: u64) -> Script {
    Script::new(begun, (1..).map(|nth| nth * every).zip(hello().into_iter().map(|byte| vec![byte])))
}

#[tokio::test(start_paused = true)]
async fn no_byte_extends_the_deadline() {
    let accepted = Instant::now();
    let mut read = Vec::new();
    let error = first_bytes(&trickle(accepted, 1_000), &LIMITS, accepted, &mut read).await.unwrap_err();
    assert!(matches!(error, PeekError::Timeout), "{error}");
    assert_eq!(accepted.elapsed().as_secs(), 30);
    assert!(hello().starts_with(&read) && (29..=30).contains(&read.len()), "what came is there: {}", read.len());
}

#[tokio::test(start_paused = true)]
async fn the_deadline_counts_from_accept() {
    let accepted = Instant::now();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let error = first_bytes(&Script::new(accepted, []), &LIMITS, accepted, &mut Vec::new()).await.unwrap_err();
    assert!(matches!(error, PeekError::Timeout), "{error}");
    assert_eq!(accepted.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_hello_that_is_whole_just_in_time_is_read() {
    let accepted = Instant::now();
    let begun = hello();
    let script = Script::new(accepted, [(0, begun[..100].to_vec()), (29_990, begun[100..].to_vec())]);
    let mut read = Vec::new();
    let first = first_bytes(&script, &LIMITS, accepted, &mut read).await.unwrap();
    assert!(matches!(first, First::Named(_)));
    assert_eq!(read, begun);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_tls_waits_for_nothing() {
    let accepted = Instant::now();
    let first = first_bytes(&Script::new(accepted, [(0, b"G".to_vec())]), &LIMITS, accepted, &mut Vec::new()).await.unwrap();
    assert_eq!(first, First::NotTls);
    assert!(accepted.elapsed() < Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn an_end_before_the_hello_is_whole_is_no_answer() {
    let accepted = Instant::now();
    let script = Script::new(accepted, [(0, hello()[..100].to_vec()), (1, Vec::new())]);
    let error = first_bytes(&script, &LIMITS, accepted, &mut Vec::new()).await.unwrap_err();
    assert!(matches!(error, PeekError::Gone), "{error}");
}
