//! vestibule: the front door of a DMZ. It accepts connections, reads just enough of each to learn which host it is
//! for, and joins it to a server of that host's upstream, bytes untouched or decrypted. Plain TCP and UDP stand beside that.
//!
//! The modules stand in layers (`tests/layering.rs` holds them to it); within a layer, in the order in which a
//! session meets them.

// Layer 0: plain values, plain calls.
pub mod address;
pub mod host;
pub mod sys;
pub mod template;
pub mod units;

// Layer 1: routes.toml as written.
pub mod config;

// Layer 2: pure.
pub mod proxy_protocol;

pub mod admit;

pub mod hello;
pub mod route;
pub mod session;

// Layer 3: sockets.
pub mod net;

// Layer 4: what is done with them.
pub mod peek;
pub mod relay;
pub mod tls;
pub mod variables;

// Layer 5: servers; what is written down.
pub mod log;
pub mod upstream;

// Layer 6: what was written becomes what runs.
pub mod snapshot;

// Layer 7: a life.
pub mod gateway;

// Layer 8: what would become of a session.
pub mod explain;

// Layer 9: process and terminal.
pub mod cli;
