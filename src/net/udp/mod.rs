//! UDP sockets: those that listen, and those that are connected to one server. Several datagrams come and go with one
//! call where they come in bursts; what a datagram is worth stays as it was sent, from nothing to 65,507 bytes.

mod bind;
mod link;
mod listener;
mod options;
mod run;
mod send;
mod slots;

pub use bind::bind_udp;
pub use link::{UdpLink, dial_udp};
pub use listener::{Arrival, UdpListener};
pub use options::Offload;
pub use run::Run;
