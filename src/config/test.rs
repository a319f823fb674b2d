//! What a map must do: its `tests`.

use figment::value::Value;
use serde::Serialize;

use super::habits::Spoken;
use super::places::Places;
use super::read::{Read, Reader, Table};
use super::routes::Action;
use super::tls_version::TlsVersion;
use super::values::OneOrMany;
use super::words as kinds;

/// One of a map's `tests`: a client, and what must become of it.
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
    /// The listener that it comes to; without it, every one that has the map.
    pub listener: Option<String>,
    /// What must become of it.
    pub expect: Expect,
}

/// What must become of a test's client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Expect {
    /// It goes to an upstream, or to an address; or an entry as it is written takes it.
    Named(String),
    /// The same in so many words.
    Told {
        /// The entry that wins.
        entry: Option<String>,
        /// What becomes of the client, as a target would say it.
        #[serde(flatten)]
        action: Option<Action>,
    },
}

impl Read for Test {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, &kinds::TEST)?;
        let which = reader.only_one(&table, ["sni", "no_sni", "not_tls"]);
        let sni = reader.take(&mut table, "sni");
        let no_sni = mark(&mut table, reader, "no_sni");
        let not_tls = mark(&mut table, reader, "not_tls");
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

/// A key that is there to say `true`.
fn mark(table: &mut Table, reader: &mut Reader<'_>, key: &'static str) -> bool {
    let said: Option<bool> = reader.take(table, key);
    if said == Some(false) {
        let place = reader.entry(key, Places::written_value);
        reader.error(place, format!("`{key} = false` does not say what the client sends")).label("true, or `sni` in its place");
        reader.cut(key);
    }
    said == Some(true)
}

impl Read for Expect {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        if !matches!(value, Value::Dict(..)) {
            return String::read(value, reader).map(Self::Named);
        }
        let mut table = reader.table(value, &kinds::EXPECT)?;
        let has_action = ACTIONS.iter().any(|key| table.has(key) || reader.was_cut(key));
        let entry = reader.take(&mut table, "entry");
        if entry.is_some() && !has_action {
            return Some(Self::Told { entry, action: None });
        }
        let action = Action::take(&mut table, reader)?;
        Some(Self::Told { entry, action: Some(action) })
    }
}

const ACTIONS: [&str; 3] = ["upstream", "reject", "respond"];
