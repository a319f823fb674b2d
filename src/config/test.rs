//! What a map must do: its `tests`.

use figment::value::Value;
use serde::Serialize;

use super::habits::Spoken;
use super::read::{Read, Reader};
use super::routes::TlsVersion;
use super::values::OneOrMany;
use super::words as kinds;

/// One of a map's `tests`: a client, and where it must go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Test {
    /// The name that it sends.
    pub sni: Option<String>,
    /// Whether it sends none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_sni: bool,
    /// Whether it does not speak TLS at all.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub not_tls: bool,
    /// The protocols that it offers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alpn: Vec<String>,
    /// The versions of TLS that it offers; none written are those that most offer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<TlsVersion>,
    /// Its address.
    pub from: Option<String>,
    /// The listener that it comes to, where several have the map.
    pub listener: Option<String>,
    /// The target that must be taken.
    pub expect: String,
}

impl Read for Test {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::TEST)?;
        let which = reader.only_one(&table, ["sni", "no_sni", "not_tls"]);
        let sni = reader.take(&mut table, "sni");
        let no_sni = reader.take(&mut table, "no_sni").unwrap_or_default();
        let not_tls = reader.take(&mut table, "not_tls").unwrap_or_default();
        let alpn: Option<OneOrMany<String>> = reader.take(&mut table, "alpn");
        let versions: Option<Vec<Spoken>> = reader.take(&mut table, "versions");
        let from = reader.take(&mut table, "from");
        let listener = reader.take(&mut table, "listener");
        let expect = reader.require(&mut table, "expect", "\"UPSTREAM\"");
        which?;
        Some(Self {
            sni,
            no_sni,
            not_tls,
            alpn: alpn.map(|all| all.0).unwrap_or_default(),
            versions: versions.unwrap_or_default().into_iter().map(|Spoken(version)| version).collect(),
            from,
            listener,
            expect: expect?,
        })
    }
}
