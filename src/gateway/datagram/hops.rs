//! How often a datagram has come by. An upstream that leads back to the gateway would send it round for ever, through one
//! more session each time: so of each port that a session sends from it is known how many sessions are before it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Of each port of this machine, how many sessions a datagram from there has been through.
#[derive(Debug)]
pub(in crate::gateway) struct Hops(Box<[AtomicU8]>);

/// The port of a session, known for as long as this lives.
pub(super) struct OwnPort {
    hops: Arc<Hops>,
    port: u16,
}

impl Default for Hops {
    fn default() -> Self {
        Self((0..=u16::MAX).map(|_| AtomicU8::new(0)).collect())
    }
}

impl Hops {
    /// How many sessions a datagram will have been through with the next; none if that is one too many. It is from here
    /// if it comes from a loopback address, or from that which it is sent to.
    pub(super) fn after(&self, client: SocketAddr, local: IpAddr) -> Option<u8> {
        // On a socket of both families an IPv4 client wears IPv6's clothes, and what it wrote to may not.
        let from = client.ip().to_canonical();
        let is_from_here = from.is_loopback() || from == local.to_canonical();
        let before = if is_from_here { self.of(client.port()).load(Ordering::Relaxed) } else { 0 };
        (before < MOST_HOPS).then_some(before + 1)
    }

    /// Notes the port of a session.
    pub(super) fn note(self: &Arc<Self>, port: u16, hops: u8) -> OwnPort {
        self.of(port).store(hops, Ordering::Relaxed);
        OwnPort { hops: self.clone(), port }
    }

    fn of(&self, port: u16) -> &AtomicU8 {
        &self.0[usize::from(port)]
    }
}

impl Drop for OwnPort {
    fn drop(&mut self) {
        self.hops.of(self.port).store(0, Ordering::Relaxed);
    }
}

/// More listeners than anybody has behind one another.
const MOST_HOPS: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_that_comes_from_here_is_known() {
        let hops = Arc::new(Hops::default());
        let (here, there) = (SocketAddr::from(([127, 0, 0, 1], 4000)), SocketAddr::from(([192, 0, 2, 1], 4000)));
        let local = IpAddr::from([192, 0, 2, 9]);
        let port = hops.note(4000, MOST_HOPS - 1);
        assert_eq!(hops.after(here, local), Some(MOST_HOPS));
        assert_eq!(hops.after(there, local), Some(1));
        let last = hops.note(4001, MOST_HOPS);
        assert_eq!(hops.after(SocketAddr::from(([192, 0, 2, 9], 4001)), local), None);
        assert_eq!(hops.after("[::ffff:192.0.2.9]:4001".parse().unwrap(), local), None, "on a socket of both families");
        drop((port, last));
        assert_eq!(hops.after(here, local), Some(1));
    }
}
