//! The few calls that no crate offers safely. Each file holds one of them, with its proof; `unsafe` is denied
//! everywhere else.

mod bind_address_no_port;
mod defer_accept;
mod give_back_memory;
mod ipv6_dont_fragment;
mod watch;

pub use bind_address_no_port::set_bind_address_no_port;
pub use defer_accept::set_defer_accept;
pub use give_back_memory::give_back_memory;
pub use ipv6_dont_fragment::allow_ipv6_fragments;
pub use watch::watch_readable;
