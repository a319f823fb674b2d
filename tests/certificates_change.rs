//! Files of certificates that change under a running gateway: the next handshake has the new one, or, if the new one is
//! no good, the old one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use vestibule::gateway::Rereading;

use crate::harness::tls::connect_tls;
use crate::harness::{Authority, Gate, Process, Server, within};

/// An authority, and a gateway that ends TLS under what lies in a folder.
struct Site {
    authority: Authority,
    folder: PathBuf,
    gate: Gate,
    _server: Server,
}

impl Site {
    /// The gateway is started when the folder has been filled. `{folder}` stands for it in `certificates`.
    async fn open(certificates: &str, more: &str, fill: impl FnOnce(&Authority, &Path)) -> Self {
        let (authority, server) = (Authority::new(), Server::named("plain").await);
        let folder = authority.folder().join("live");
        fs::create_dir(&folder).unwrap();
        fill(&authority, &folder);
        let gate = Gate::start(&routes(&server, &folder, certificates, more));
        Self { authority, folder, gate, _server: server }
    }

    /// With the certificate of a host in `site.pem`, its key beside it.
    async fn of(host: &str, more: &str) -> Self {
        Self::open("\"{folder}/site.pem\"", more, |authority, folder| put(authority, host, folder)).await
    }

    /// For which host the gateway shows a certificate to a client that believes anything.
    async fn shows(&self) -> String {
        shown(self.gate.address("https"), "anything.test", &self.authority).await
    }

    /// Waits until it does.
    async fn comes_to_show(&self, host: &str) {
        within(async { while self.shows().await != host {} }).await;
    }
}
