//! Handshakes in memory: real clients against a profile, without a socket.

mod boundary;
//mod clients;
//mod lifetimes;
mod peer;
mod site;
