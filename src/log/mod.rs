//! What is written down: one line per session in the access logs ([`AccessLog`]), and what the gateway says of
//! itself ([`start`]). Lines are whole or absent, nothing a stranger sends can forge one, and no session waits for one.

mod access;
mod direct;
mod format;
mod lost;
mod open;
mod outlet;
mod own;
mod path;
mod paths;
mod queue;
mod sink;
mod syslog;

pub use access::{AccessLog, AccessLogOutput, AccessLogSettings};
pub use format::Format;
pub use open::LogError;
pub use own::{LogSettings, OwnLog, start};
pub use path::PathTemplate;
pub use queue::Gather;
pub use sink::Output;
pub use syslog::SyslogSettings;
