//! Sockets: binding and accepting (`listen`), connecting (`dial`), one type for TCP and unix streams, and `udp`.
//! Nothing here knows what the bytes mean.

mod crowd;
mod dial;
mod explain;
mod listen;
mod near_end;
mod reactor;
mod scratch;
mod socket;
mod stream;
mod udp;
mod unix_listener;

pub use crowd::Crowd;
pub use dial::{DialError, dial_tcp, dial_unix, is_out_of_descriptors};
pub use listen::{Acceptor, BindError, ListenOptions, bind, local};
pub use near_end::{Keepalive, Silence, Source, SourceError, may_be_transparent};
pub use reactor::drive;
pub use scratch::{SCRATCH_SIZE, with_scratch};
pub use socket::{FirstBytes, Socket};
pub use stream::Stream;
pub use udp::{Arrival, Offload, Run, UdpLink, UdpListener, bind_udp, dial_udp};
