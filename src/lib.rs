//! placeholder
pub mod address;
pub mod config;
pub mod hello;
pub mod host;
pub mod route;
pub mod template;
pub mod units;
