//! Sockets: binding and accepting (`listen`), connecting (`dial`), and one type for TCP and unix streams.
//! Nothing here knows what the bytes mean.

mod dial;
mod explain;
mod listen;
mod near_end;
mod reactor;
mod scratch;
mod socket;
mod stream;
mod unix_listener;

pub use dial::{DialError, dial_tcp, dial_unix, is_out_of_descriptors};
pub use listen::{Acceptor, BindError, ListenOptions, bind, local};
pub use near_end::{Keepalive, Silence, Source, SourceError, may_be_transparent};
pub use reactor::drive;
pub use scratch::{SCRATCH_SIZE, with_scratch};
pub use socket::{FirstBytes, Socket};
pub use stream::Stream;
