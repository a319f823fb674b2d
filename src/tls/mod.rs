//! TLS that the gateway speaks itself, on rustls with aws-lc-rs: towards clients it ends it ([`Terminator`]),
//! towards servers it begins it ([`Originator`]).
//! Nothing here knows of routes or servers' groups; a session that only passes through never comes here.

mod accept;
mod boundary;
mod certificates;
mod client_auth;
mod client_settings;
mod clock;
mod failure;
mod files;
mod handshake;
mod in_common;
mod ocsp;
mod originate;
mod passwords;
mod pem;
mod policy;
mod reread;
mod resumption;
mod roots;
mod server_identity;
mod settings;
mod stream;
mod subjects;
mod suites;
mod terminator;
mod tickets;
mod verify;
pub mod x509;

pub(crate) use certificates::listed;
pub use certificates::{Certificate, Certificates};
pub use client_settings::{ClientSettings, Trust};
pub use failure::{of_client, of_server};
pub use files::Files;
pub use handshake::HandshakeError;
pub use in_common::{NoVersion, agreed_facts, nothing_in_common, version_in_common};
pub use originate::{ExpectedName, Originator};
pub use passwords::Passwords;
pub use pem::{PemError, certificates as certificates_of, crls as crls_of, key as key_of, key_with as key_with_passwords};
pub use policy::Policy;
pub use reread::{Outcome, Reread, Seen, Tls};
pub use roots::SystemRoots;
pub use settings::{CertificateFiles, ClientAuthSettings, Finding, Part, ServerSettings, Tickets};
pub use stream::{Layer, TlsStream};
pub use suites::{cipher, cipher_name, cipher_names, group, group_names, version_name};
pub use terminator::Terminator;
pub use tickets::{Secret, open as open_ticket};

#[cfg(test)]
mod tests;
