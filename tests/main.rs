//! What a user could notice, one module per behaviour.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed, as it should")]

mod harness;

mod passthrough; // what is forwarded is what came
mod peers; // real clients, real servers
