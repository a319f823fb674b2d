//! TLS that the gateway speaks itself, on rustls with aws-lc-rs: towards clients it ends it ([`Terminator`]).
//! Nothing here knows of routes or servers' groups; a session that only passes through never comes here.

mod accept;
mod boundary;
mod certificates;
mod client_auth;
mod clock;
mod handshake;
mod passwords;
mod pem;
mod policy;
mod resumption;
mod settings;
mod stream;
mod subjects;
mod suites;
mod terminator;
mod tickets;
mod verify;
pub mod x509;

#[cfg(test)]
mod tests;

pub use handshake::HandshakeError;
pub use passwords::Passwords;
pub use pem::{PemError, certificates as certificates_of, crls as crls_of, key as key_of, key_with as key_with_passwords};
pub use settings::{CertificateFiles, ClientAuthSettings, Finding, Part, ServerSettings, Tickets};
pub use stream::{Layer, TlsStream};
pub use suites::{cipher, cipher_name, cipher_names, group, group_names, version_name};
pub use terminator::Terminator;
