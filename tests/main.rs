//! What a user could notice, one module per behaviour.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, reason = "a test that panics has failed, as it should")]

mod harness;

mod broken_config; // everything that is wrong, at once, with its place
mod passthrough; // what is forwarded is what came
mod peers; // real clients, real servers
