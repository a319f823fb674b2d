//! No sockets, and a clock that goes on when nobody has anything to do.

use std::cell::RefCell;
use std::num::NonZeroU64;
use std::task::Waker;

use tokio::time::advance;

use super::*;

/// A side that says so many bytes, then ends or stays silent, and takes everything.
struct Side {
    left: Cell<usize>,
    ends: bool,
    taken: RefCell<Vec<(Instant, usize)>>,
    heard_end: Cell<Option<Instant>>,
    broken: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Side {
    fn saying(bytes: usize) -> Self {
        Self {
            left: Cell::new(bytes),
            ends: false,
            taken: RefCell::default(),
            heard_end: Cell::default(),
            broken: Cell::default(),
            waiting: RefCell::default(),
        }
    }

    fn and_ends(self) -> Self {
        Self { ends: true, ..self }
    }

    fn breaks(&self) {
        self.broken.set(true);
        self.waiting.take().expect("somebody watches").wake();
    }

    fn taken(&self) -> usize {
        self.taken.borrow().iter().map(|(_, bytes)| bytes).sum()
    }
}

impl Stream for Side {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        assert!(!buffer.is_empty(), "nothing would pass for an end");
        let bytes = self.left.get().min(buffer.len());
        if bytes == 0 && !self.ends {
            *self.waiting.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.left.set(self.left.get() - bytes);
        Poll::Ready(Ok(bytes))
    }

    fn poll_write(&self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.taken.borrow_mut().push((Instant::now(), bytes.len()));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(&self, _: &mut Context<'_>, _: &mut bool) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_end(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.heard_end.set(Some(Instant::now()));
        Poll::Ready(Ok(()))
    }

    fn poll_broken(&self, cx: &mut Context<'_>) -> Poll<()> {
        *self.waiting.borrow_mut() = Some(cx.waker().clone());
        if self.broken.get() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn expect_bytes(&self) {}
}

fn rates(upload: u64, download: u64) -> Option<Box<Rates>> {
    Rates { upload: NonZeroU64::new(upload), download: NonZeroU64::new(download) }.some()
}

/// How it ends, if that is within ten seconds, and after how many milliseconds.
async fn ten_seconds(client: &Side, server: &Side, first: usize, idle: u64, rates: Option<Box<Rates>>) -> (Option<RelayEnd>, u128) {
    let limits = RelayLimits { idle_timeout: Duration::from_millis(idle), half_close: true };
    let (counts, start) = (Counts::default(), Instant::now());
    let going = relay(client, server, vec![b'x'; first], 0, &limits, rates, &counts);
    let end = tokio::time::timeout(Duration::from_secs(10), going).await;
    (end.ok(), start.elapsed().as_millis())
}

#[tokio::test(start_paused = true)]
async fn each_direction_keeps_its_own_rate() {
    let (client, server) = (Side::saying(usize::MAX), Side::saying(usize::MAX));
    let (end, _) = ten_seconds(&client, &server, 0, 1000, rates(1000, 5 << 20)).await;
    assert_eq!(end, None);
    for (side, rate) in [(&server, 1000.0), (&client, 5.0 * 1048576.0)] {
        let ratio = side.taken() as f64 / (10.0 * rate);
        assert!((0.99..=1.0101).contains(&ratio), "{ratio} of {rate} bytes in a second");
    }
}

#[tokio::test(start_paused = true)]
async fn a_direction_without_a_rate_goes_as_fast_as_it_can_beside_one_that_has_one() {
    let (client, server) = (Side::saying(usize::MAX), Side::saying(50 << 20));
    assert_eq!(ten_seconds(&client, &server, 0, 1000, rates(100, 0)).await.0, None);
    assert_eq!(client.taken(), 50 << 20);
    assert_eq!(client.taken.borrow().first().map(|(at, _)| *at), client.taken.borrow().last().map(|(at, _)| *at));
    assert!((990..=1010).contains(&server.taken()), "{}", server.taken());
}

#[tokio::test(start_paused = true)]
async fn no_more_than_a_tenth_of_a_second_goes_at_once() {
    let (client, server) = (Side::saying(0), Side::saying(usize::MAX));
    ten_seconds(&client, &server, 0, 1000, rates(0, 100_000)).await;
    let taken = client.taken.take();
    let start = taken.first().unwrap().0;
    let mut sum = 0.0;
    for (at, bytes) in taken {
        sum += bytes as f64;
        assert!(sum <= 100_000.0 * ((at - start).as_secs_f64() + 0.1) + 1.0, "{sum} bytes after {:?}", at - start);
    }
}

#[tokio::test(start_paused = true)]
async fn first_bytes_count() {
    let (client, server) = (Side::saying(1000), Side::saying(0));
    let start = Instant::now();
    ten_seconds(&client, &server, 600, 20_000, rates(100, 0)).await;
    let taken = server.taken.take();
    assert_eq!((taken[0].0 - start, taken[0].1), (Duration::ZERO, 600), "they are not held back themselves");
    let next = (taken[1].0 - start).as_millis();
    assert!((5950..=5960).contains(&next), "the next came after {next} ms");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_idle_while_a_rate_holds_a_direction() {
    let (client, server) = (Side::saying(0), Side::saying(0));
    let (end, after) = ten_seconds(&client, &server, 600, 1000, rates(100, 0)).await;
    assert_eq!(end, Some(RelayEnd::Idle));
    assert!((6950..=7000).contains(&after), "a second from when more might have come, not {after} ms from the start");
}

#[tokio::test(start_paused = true)]
async fn a_side_that_has_nothing_to_say_is_idle_though_it_has_a_rate() {
    let (client, server) = (Side::saying(50), Side::saying(50));
    let (end, after) = ten_seconds(&client, &server, 0, 1000, rates(1000, 1000)).await;
    assert_eq!(end, Some(RelayEnd::Idle));
    assert!((1000..=1100).contains(&after), "after {after} ms");
}

#[tokio::test(start_paused = true)]
async fn a_reset_is_noticed_while_a_rate_holds_that_side() {
    let (client, server) = (Side::saying(usize::MAX), Side::saying(0));
    let breaking = async {
        advance(Duration::from_secs(2)).await;
        client.breaks();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        (end, after) = ten_seconds(&client, &server, 600, 20_000, rates(100, 0)) => {
            assert_eq!(end, Some(RelayEnd::ClientReset));
            assert!((2000..=2010).contains(&after), "after {after} ms");
        }
        () = breaking => {}
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_is_passed_on_behind_the_last_byte_and_the_other_direction_goes_on() {
    let (client, server) = (Side::saying(300).and_ends(), Side::saying(800).and_ends());
    let start = Instant::now();
    let (end, after) = ten_seconds(&client, &server, 0, 20_000, rates(100, 100)).await;
    assert_eq!((end, server.taken(), client.taken()), (Some(RelayEnd::ClientClosed), 300, 800));
    let heard = (server.heard_end.get().unwrap() - start).as_millis();
    assert!((2900..=3100).contains(&heard), "the server heard of the end after {heard} ms");
    assert!((7900..=8100).contains(&after), "and all was over after {after} ms");
}
