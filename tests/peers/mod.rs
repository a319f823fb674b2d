//! Real clients and a real browser, through the gateway, to real HTTPS servers. Each client verifies the certificate of the
//! host it asked for, so what it shows proves two things at once: the right server answered, and nothing in between was touched.
//!
//! `tests/run` installs the programs and sets `VESTIBULE_TEST_PEERS=required`; without that, what is not installed is left out.

mod browser;
mod certificates;
mod client;
mod dns;
mod dns_service;
mod examples;
mod haproxy;
mod histories;
mod logs;
mod maps;
mod mysql;
mod named;
mod nginx;
mod proxy;
mod reencrypt;
mod running;
mod scan;
mod site;
mod ssh;
mod taplo;
mod terminated;
mod tls_boundary;
mod tls_resumption;
mod transparent;

use client::Client;
use site::Site;

use crate::harness::{Authority, Gate};

#[tokio::test]
async fn every_client_gets_the_page_it_asked_for() {
    let Some(street) = street().await else { return };
    for client in Client::installed() {
        for site in &street.sites {
            let page = client.ask(&site.host, street.port(), &street.authority.file()).await;
            let page = page.unwrap_or_else(|complaint| panic!("{client:?} got no page of {}: {complaint}", site.host));
            assert!(page.contains(&site.greeting()), "{client:?} asked for {} and got: {page}", site.host);
        }
    }
}

#[tokio::test]
async fn no_client_trusts_a_page_that_another_authority_signed() {
    let Some(street) = street().await else { return };
    let stranger = Authority::new();
    for client in Client::installed() {
        let page = client.ask(&street.sites[0].host, street.port(), &stranger.file()).await;
        let complaint = page.expect_err("a client that trusts anybody proves nothing");
        assert!(complaint.to_lowercase().contains("certificate"), "{client:?} failed for another reason: {complaint}");
    }
}

#[tokio::test]
async fn a_browser_shows_the_pages_of_two_hosts() {
    let Some(street) = street_with_a_browser().await else { return };
    for site in &street.sites {
        let (host, pin) = (&site.host, site.pin().await);
        let page = browser::page(host, street.port(), &pin).await.unwrap();
        assert!(page.contains(&site.greeting()), "{host} shows: {page}");
        let picture = browser::screenshot(host, street.port(), &pin).await;
        eprintln!("{host} as the browser shows it: {}", picture.display());
    }
}

#[tokio::test]
async fn a_browser_refuses_a_host_with_the_key_of_another() {
    let Some(street) = street_with_a_browser().await else { return };
    let [site, other] = &street.sites;
    let page = browser::page(&site.host, street.port(), &other.pin().await).await;
    let complaint = page.expect_err("a browser that takes any key proves nothing");
    assert!(complaint.contains("ERR_CERT_AUTHORITY_INVALID"), "it failed for another reason: {complaint}");
}

/// Two sites of one authority, and the gateway that leads to both.
struct Street {
    authority: Authority,
    sites: [Site; 2],
    gate: Gate,
}

impl Street {
    fn port(&self) -> u16 {
        self.gate.address("https").port()
    }
}

/// Nothing, when nginx is not installed and need not be.
async fn street() -> Option<Street> {
    if !is_installed("nginx") {
        return None;
    }
    let authority = Authority::new();
    let sites = [Site::open("api.shop.test", &authority).await, Site::open("www.shop.test", &authority).await];
    let hosts: String = sites.iter().map(|site| format!("\"{}\" = \"127.0.0.1:{}\"\n", site.host, site.port())).collect();
    let gate = Gate::start(&format!("[listener.https]\nlisten = \"127.0.0.1:0\"\nroutes = \"map\"\n[routes.map.hosts]\n{hosts}"));
    Some(Street { authority, sites, gate })
}

async fn street_with_a_browser() -> Option<Street> {
    if is_installed("chromium") { street().await } else { None }
}

/// Whether a program is there; that it is not is a failure where everything is required.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let required = std::env::var_os("VESTIBULE_TEST_PEERS").is_some_and(|value| value == "required");
    assert!(installed || !required, "{program} is not installed: tests/run installs what the tests need");
    if !installed {
        eprintln!("left out, for it is not installed: {program}");
    }
    installed
}
