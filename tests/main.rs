//! What a user could notice, one module per behaviour.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, reason = "a test that panics has failed, as it should")]

mod harness;

mod broken_config; // everything that is wrong, at once, with its place
mod check; // the command line: what is typed, what is seen, which status
mod demo; // the example, as a new user meets it
mod passthrough; // what is forwarded is what came
mod peers; // real clients, real servers
mod route; // the explanation, and that traffic goes the same way
