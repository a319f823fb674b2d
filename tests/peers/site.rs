//! An HTTPS server of one host, by nginx, that says in its page which host it is.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::nginx::Nginx;
use crate::harness::{Authority, Identity};

pub(crate) struct Site {
    pub(crate) host: String,
    identity: Identity,
    server: Nginx,
}

impl Site {
    pub(crate) async fn open(host: &str, authority: &Authority) -> Self {
        let identity = authority.issue(host);
        let (chain, key) = (identity.chain.display(), identity.key.display());
        let server = Nginx::start(|port, folder| {
            let scratch: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|module| format!("{module}_temp_path {}/{module};\n", folder.display()))
                .concat();
            format!(
                r#"events {{}}
                http {{
                    {scratch}
                    access_log off;
                    ssl_protocols TLSv1.2 TLSv1.3;
                    default_type "text/html; charset=utf-8";
                    ssl_certificate {chain};
                    ssl_certificate_key {key};
                    server {{
                        listen 127.0.0.1:{port} ssl http2;
                        return 200 "<!doctype html><title>{host}</title><h1>{host} is here</h1><p>$ssl_protocol for $ssl_server_name\n";
                    }}
                }}"#
            )
        })
        .await;
        Self { host: host.to_owned(), identity, server }
    }

    /// Where the server itself listens, on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.server.port
    }

    /// What stands in the page of this host, and in no other: who it is, and which name reached it.
    pub(crate) fn greeting(&self) -> String {
        format!("{0} is here</h1><p>TLSv1.3 for {0}", self.host)
    }

    /// What browsers pin it by.
    pub(crate) async fn pin(&self) -> String {
        pin_of(&self.identity.chain).await
    }
}

/// The SHA-256 of the public key in a certificate, as browsers pin it (RFC 7469 §2.4).
pub(crate) async fn pin_of(chain: &Path) -> String {
    let digest =
        "openssl x509 -in \"$1\" -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | openssl base64";
    let mut command = Command::new("bash");
    command.args(["-o", "pipefail", "-c", digest, "bash"]).arg(chain).stdin(Stdio::null());
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
