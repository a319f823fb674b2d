//! placeholder
pub mod address;
pub mod hello;
pub mod host;
pub mod net;
pub mod peek;
pub mod relay;
pub mod route;
pub mod session;
pub mod sys;
pub mod template;
pub mod units;
pub mod variables;
pub mod log;
