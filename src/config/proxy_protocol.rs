//! The PROXY protocol: who may tell whom a connection is from.

use figment::value::Value;
use serde::{Serialize, Serializer};

use super::read::{Read, Reader};
use super::values::{Word, unknown_word, words};
use super::words as kinds;

words! {
    /// Whether a PROXY header comes before anything else of a connection.
    AcceptProxyProtocol, "a way to accept PROXY headers", {
        /// None does; what looks like one is the client's.
        Off = "off",
        /// One may.
        Allow = "allow",
        /// One must.
        Require = "require",
    }
}

words! {
    /// The form of a header that is sent.
    ProxyVersion, "a version of the PROXY protocol", {
        /// A line of text.
        V1 = "v1",
        /// Binary.
        V2 = "v2",
    }
}

words! {
    /// What a header of version 2 can say besides addresses.
    ProxyTlv, "what a PROXY header can say", {
        /// The host name that the client asked for.
        Authority = "authority",
        /// The application protocol that was agreed on.
        Alpn = "alpn",
        /// What is known of the client's TLS, where it ends here.
        Ssl = "ssl",
        /// A number that no other connection has.
        UniqueId = "unique_id",
        /// A checksum.
        Crc32c = "crc32c",
    }
}

/// `send_proxy_protocol`: a version, or a table with what else is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendProxyProtocol {
    /// Nothing is sent, whatever `[defaults.upstream]` says.
    Off,
    /// A header is.
    On {
        /// The form.
        version: ProxyVersion,
        /// What it says besides addresses.
        tlvs: Vec<ProxyTlv>,
    },
}

impl Read for SendProxyProtocol {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        if !matches!(value, Value::Dict(..)) {
            if value.as_str() == Some(OFF) {
                return Some(Self::Off);
            }
            if value.to_bool().is_some() || value.as_str() == Some("on") {
                reader.unfit(&value, "a version of the PROXY protocol").label("\"v1\", as nginx's `proxy_protocol on`, \"v2\" or \"off\"");
                return None;
            }
            let words = ProxyVersion::ALL.iter().map(|&(word, _)| word).chain([OFF]);
            if let Some(text) = value.as_str().filter(|text| !ProxyVersion::ALL.iter().any(|(word, _)| word == text)) {
                unknown_word(text, ProxyVersion::WHAT, words, reader);
                return None;
            }
            return Some(Self::On { version: ProxyVersion::read(value, reader)?, tlvs: Vec::new() });
        }
        let mut table = reader.table(value, &kinds::SEND_PROXY_PROTOCOL)?;
        let version = reader.require(&mut table, "version", "\"v2\"");
        let tlvs = reader.take(&mut table, "tlvs").unwrap_or_default();
        Some(Self::On { version: version?, tlvs })
    }
}

impl Serialize for SendProxyProtocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'w> {
            version: ProxyVersion,
            tlvs: &'w [ProxyTlv],
        }
        match self {
            Self::Off => OFF.serialize(serializer),
            Self::On { version, tlvs } if tlvs.is_empty() => version.serialize(serializer),
            Self::On { version, tlvs } => Written { version: *version, tlvs }.serialize(serializer),
        }
    }
}

const OFF: &str = "off";
