//! `vestibule route`: what is asked on the command line, and the answer.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::Args;

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
    /// A protocol that the client offers by ALPN. May be given several times.
    #[arg(long, value_name = "PROTOCOL", conflicts_with = "not_tls", value_parser = protocol)]
    alpn: Vec<String>,
    /// A version of TLS that the client offers, such as 1.2. May be given several times; without it, 1.2 and 1.3.
    #[arg(long, value_name = "VERSION", conflicts_with = "not_tls", value_delimiter = ',', value_parser = version)]
    versions: Vec<TlsVersion>,
    /// The client's address, with its port or without.
    #[arg(long, value_name = "IP", default_value_t = Client(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)))]
    from: Client,
    /// A client that does not speak TLS.
    #[arg(long)]
    not_tls: bool,
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn route(asked: &Asked) -> Result<(), Failure> {
    let (snapshot, places) = asked.configuration.snapshot_and_places()?;
    let listener = asked.listener(&snapshot)?;
    let explanation = Explainer::new(&snapshot, &places).explain(listener, &asked.question());
    if let (Outcome::Refused { reason: "malformed_hello", detail, .. }, Some(sent)) = (&explanation.outcome, &asked.sni) {
        let why = detail.as_deref().unwrap_or_default();
        return Err(Failure::Usage(format!("a hello with the name {sent:?} is refused as malformed: {why}")));
    }
    print(&asked.told(&explanation)?)
}

impl Asked {
    fn question(&self) -> Question {
        let tls = First::Tls { name: self.sni.clone(), alpn: self.alpn.clone(), versions: self.versions.clone() };
        Question { from: self.from.0, first: if self.not_tls { First::NotTls } else { tls } }
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

/// A client's address; port 0 is one that nobody said.
#[derive(Clone, Copy, Debug)]
struct Client(SocketAddr);

impl std::str::FromStr for Client {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let alone = || text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 0));
        text.parse().or_else(|_| alone()).map(Self).map_err(|_| "an IP address belongs here, such as 192.0.2.7 or 192.0.2.7:40000")
    }
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.ip().fmt(f)
    }
}

fn version(text: &str) -> Result<TlsVersion, String> {
    TlsVersion::named(text).ok_or_else(|| "one of 1.0, 1.1, 1.2, 1.3".into())
}

fn protocol(text: &str) -> Result<String, String> {
    let fits = (1..=255).contains(&text.len());
    fits.then(|| text.to_owned()).ok_or_else(|| "a protocol of ALPN has 1 to 255 bytes".into())
}
