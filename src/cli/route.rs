//! `vestibule route`: what is asked on the command line, and the answer.

use std::path::PathBuf;

use clap::Args;

use super::client::Client;
use super::names::{self, Common, Form};
use super::{Configuration, Failure, print};
use crate::config::TlsVersion;
use crate::explain::{Explainer, Explanation, First, Outcome, Question};
use crate::snapshot::{Listener, Snapshot};

/// What to explain.
#[derive(Args, Debug)]
pub(super) struct Asked {
    #[command(flatten)]
    configuration: Configuration,
    /// The listener; only needed if there are several.
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// The server name that the client sends; without it, a hello that has none.
    #[arg(long, value_name = "HOST", conflicts_with = "not_tls")]
    sni: Option<String>,
    /// A protocol that the client offers by ALPN. May be given several times, or with commas: h2,http/1.1.
    #[arg(long, value_name = "PROTOCOL", conflicts_with = "not_tls", value_delimiter = ',', value_parser = protocol)]
    alpn: Vec<String>,
    /// A version of TLS that the client offers, such as 1.2. May be given several times; without it, 1.2 and 1.3.
    #[arg(long, value_name = "VERSION", conflicts_with = "not_tls", value_delimiter = ',', value_parser = version)]
    versions: Vec<TlsVersion>,
    /// The client's address, with its port or without, or `unix:`. Without it, somebody on this machine.
    #[arg(long, value_name = "IP")]
    from: Option<Client>,
    /// A client that does not speak TLS.
    #[arg(long)]
    not_tls: bool,
    /// A file of names, or `-` for standard input: a line is answered with a line.
    ///
    /// A line is a host name, or `-` for a hello without one, and may say more: `shop.example from=192.0.2.7 alpn=h2 versions=1.2,1.3`.
    /// What stands behind a # is not read.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sni", "not_tls"])]
    names: Option<PathBuf>,
    /// All that there is to say as JSON; with --names an object on each line.
    #[arg(long)]
    json: bool,
}

pub(super) fn route(asked: &Asked) -> Result<(), Failure> {
    let (snapshot, places) = asked.configuration.snapshot_and_places()?;
    let listener = asked.listener(&snapshot)?;
    let explainer = Explainer::new(&snapshot, &places);
    if let Some(file) = &asked.names {
        let form = if asked.json { Form::Json } else { Form::Text };
        return names::answer(file, &asked.common(listener), &explainer, listener, form);
    }
    let explanation = explainer.explain(listener, &asked.question(listener));
    if let (Outcome::Refused { reason: "malformed_hello", detail, .. }, Some(sent)) = (&explanation.outcome, &asked.sni) {
        let why = detail.as_deref().unwrap_or_default();
        return Err(Failure::Usage(format!("a hello with the name {sent:?} is refused as malformed: {why}")));
    }
    print(&asked.told(&explanation)?)
}

impl Asked {
    fn client(&self, listener: &Listener) -> Client {
        self.from.unwrap_or_else(|| Client::of(listener))
    }

    fn common(&self, listener: &Listener) -> Common {
        Common { from: self.client(listener), alpn: self.alpn.clone(), versions: self.versions.clone() }
    }

    fn question(&self, listener: &Listener) -> Question {
        let tls = First::Tls { name: self.sni.clone(), alpn: self.alpn.clone(), versions: self.versions.clone() };
        Question { from: self.client(listener).0, first: if self.not_tls { First::NotTls } else { tls } }
    }

    fn told(&self, explanation: &Explanation) -> Result<String, Failure> {
        if self.json { Ok(serde_json::to_string_pretty(explanation).map_err(Failure::run)? + "\n") } else { Ok(explanation.to_string()) }
    }

    fn listener<'s>(&self, snapshot: &'s Snapshot) -> Result<&'s Listener, Failure> {
        let names = || snapshot.listeners.iter().map(|listener| &*listener.name).collect::<Vec<_>>().join(", ");
        match (&self.listener, snapshot.listeners.as_slice()) {
            (None, [only]) => Ok(only),
            (None, all) => {
                // A name is looked up in a map; where only one listener has one, that is meant.
                let mut with_map = all.iter().filter(|listener| listener.map.is_some());
                match (with_map.next(), with_map.next()) {
                    (Some(only), None) => Ok(only),
                    _ => Err(Failure::Usage(format!("which listener? --listener with one of {}", names()))),
                }
            }
            (Some(name), all) => {
                let found = all.iter().find(|listener| *listener.name == **name);
                found
                    .map(|listener| &**listener)
                    .ok_or_else(|| Failure::Usage(format!("no listener is named {name:?}; there are {}", names())))
            }
        }
    }
}

fn version(text: &str) -> Result<TlsVersion, String> {
    TlsVersion::named(text).ok_or_else(|| "one of 1.0, 1.1, 1.2, 1.3".into())
}

pub(super) fn protocol(text: &str) -> Result<String, String> {
    let fits = (1..=255).contains(&text.len());
    fits.then(|| text.to_owned()).ok_or_else(|| "a protocol of ALPN has 1 to 255 bytes".into())
}
