//! Clients that show a certificate, or should.

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use super::loaded;
use super::peer::{Outcome, Peer};
use super::site::{self, Identity, Person, Site};
use crate::tls::settings::{ClientAuthSettings, Finding, Part, ServerSettings};
use crate::tls::{Terminator, x509};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// What came of a client with this certificate, in both versions alike.
fn met(site: &Site, auth: ClientAuthSettings, shows: Option<&Identity>) -> Outcome {
    let profile = ServerSettings { client_auth: Some(auth), ..site.profile("public") };
    let terminator = loaded(profile, None, &[]);
    let copy = |(chain, key): &Identity| (chain.clone(), key.clone_key());
    let mut outcomes = VERSIONS.map(|version| Peer::new(site, version, shows.map(copy)).meet(&terminator, Some("a.test")));
    assert_eq!(outcomes[0], outcomes[1]);
    std::mem::replace(&mut outcomes[0], Outcome::Full)
}

fn refused(site: &Site, auth: ClientAuthSettings, shows: Option<&Identity>) -> String {
    match met(site, auth, shows) {
        Outcome::Refused(why) => why,
        outcome => panic!("{outcome:?}"),
    }
}

#[test]
fn a_good_certificate_gets_in() {
    let site = Site::new();
    let client = site.sign(&Person::new("partner"));
    assert_eq!(met(&site, site.asking(true), Some(&client)), Outcome::Full);
    assert_eq!(met(&site, site.asking(false), Some(&client)), Outcome::Full);
}

#[test]
fn without_one_only_those_get_in_who_need_none() {
    let site = Site::new();
    assert_eq!(refused(&site, site.asking(true), None), "peer sent no certificates");
    assert_eq!(met(&site, site.asking(false), None), Outcome::Full);
}

#[test]
fn a_bad_certificate_is_refused_where_none_is_needed_too() {
    let (site, other) = (Site::new(), Site::new());
    let stranger = other.sign(&Person::new("stranger"));
    for is_required in [true, false] {
        let why = refused(&site, site.asking(is_required), Some(&stranger));
        assert!(why.starts_with("the certificate of \"CN=stranger\", issued by \"CN=an authority\", is not good"), "{why}");
    }
    let (_, alone) = Person::new("nobody").alone();
    assert!(refused(&site, site.asking(true), Some(&alone)).ends_with("comes from nobody whom client_auth trusts"));
}

#[test]
fn one_that_is_not_valid_now_is_refused() {
    let site = Site::new();
    let (past, future) = (site.sign(&Person::new("past").between(2000, 2001)), site.sign(&Person::new("future").between(2090, 2100)));
    assert!(refused(&site, site.asking(true), Some(&past)).ends_with("has expired on 2001-01-01 00:00 UTC"));
    assert!(refused(&site, site.asking(true), Some(&future)).ends_with("is not valid before 2090-01-01 00:00 UTC"));
}

#[test]
fn one_that_is_for_servers_alone_is_refused() {
    let site = Site::new();
    let server = site.sign(&Person::new("server").only_a_server());
    assert!(refused(&site, site.asking(true), Some(&server)).ends_with("is not for clients"));
}

#[test]
fn a_revoked_one_is_refused_and_others_are_not() {
    let site = Site::new();
    let auth = ClientAuthSettings { crls: vec![site.revoke(&[13], 2100)], ..site.asking(true) };
    let (revoked, other) = (site.sign(&Person::new("thief").number(13)), site.sign(&Person::new("owner").number(14)));
    assert!(refused(&site, auth.clone(), Some(&revoked)).ends_with("is revoked"));
    assert_eq!(met(&site, auth, Some(&other)), Outcome::Full);
}

#[test]
fn a_revoked_one_is_refused_where_it_is_listed_itself_too() {
    let site = Site::new();
    let (revoked, other) = (site.sign(&Person::new("thief").number(13)), site.sign(&Person::new("owner").number(14)));
    let auth = |ca| ClientAuthSettings { ca, crls: vec![site.revoke(&[13], 2100)], ..site.asking(true) };
    assert!(refused(&site, auth(site.write("thief.der", &revoked.0[0])), Some(&revoked)).ends_with("is revoked"));
    assert_eq!(met(&site, auth(site.write("owner.der", &other.0[0])), Some(&other)), Outcome::Full);
}

#[test]
fn with_lists_an_issuer_without_one_has_no_good_certificates() {
    let (site, other) = (Site::new(), Site::new());
    let auth = ClientAuthSettings { crls: vec![other.revoke(&[13], 2100)], ..site.asking(true) };
    // Its authority has the same name, and another key.
    let why = refused(&site, auth, Some(&site.sign(&Person::new("owner"))));
    assert!(why.contains("\"CN=owner\""), "{why}");
}

#[test]
fn a_list_out_of_date_is_warned_of_and_lets_nobody_in() {
    let site = Site::new();
    let auth = ClientAuthSettings { crls: vec![site.revoke(&[], 2021)], ..site.asking(true) };
    let profile = ServerSettings { client_auth: Some(auth), ..site.profile("public") };
    let terminator = loaded(profile, None, &[(Part::Crl(0), Some("expired-crl"))]);
    let outcome = Peer::new(&site, &TLS13, Some(site.sign(&Person::new("owner")))).meet(&terminator, Some("a.test"));
    let Outcome::Refused(why) = outcome else { panic!("{outcome:?}") };
    assert!(why.ends_with("comes from an issuer whose crl is out of date"), "{why}");
}

#[test]
fn only_subjects_that_fit_get_in() {
    let site = Site::new();
    let auth = ClientAuthSettings { subjects: vec!["CN=other".into(), "CN=partner,*,O=Acme".into()], ..site.asking(true) };
    assert_eq!(met(&site, auth.clone(), Some(&site.sign(&Person::organised("Acme", "partner")))), Outcome::Full);
    for person in
        [Person::organised("Evil", "partner"), Person::new("partner"), Person::new("partner,O=Acme"), Person::organised("Acme", "partners")]
    {
        assert!(refused(&site, auth.clone(), Some(&site.sign(&person))).ends_with("is for none of the subjects"));
    }
}

#[test]
fn a_certificate_that_is_listed_itself_is_good_whoever_signed_it() {
    let site = Site::new();
    let (pem, alone) = Person::new("alone").alone();
    let auth = ClientAuthSettings { ca: site.write("listed.pem", pem.as_bytes()), ..site.asking(true) };
    assert_eq!(met(&site, auth.clone(), Some(&alone)), Outcome::Full);
    assert!(refused(&site, auth, Some(&site.sign(&Person::new("other")))).ends_with("comes from nobody whom client_auth trusts"));
}

#[test]
fn a_listed_one_of_version_1_is_good() {
    let site = Site::new();
    let identity = site::version_1();
    assert!(x509::Facts::of(&identity.0[0]).unwrap().is_version_1);
    let auth = ClientAuthSettings { ca: site.write("v1.pem", site::VERSION_1.as_bytes()), ..site.asking(true) };
    assert_eq!(met(&site, auth, Some(&identity)), Outcome::Full);
}

#[test]
fn a_listed_one_cannot_vouch_for_others() {
    let site = Site::new();
    let (pem, forged) = Person::new("alone").vouching_for(&Person::new("forged"));
    let auth = ClientAuthSettings { ca: site.write("listed.pem", pem.as_bytes()), ..site.asking(true) };
    assert!(refused(&site, auth, Some(&forged)).ends_with("comes from nobody whom client_auth trusts"));
}

#[test]
fn a_listed_one_is_not_good_when_its_time_has_passed() {
    let site = Site::new();
    let (pem, past) = Person::new("past").between(2000, 2001).alone();
    let auth = ClientAuthSettings { ca: site.write("listed.pem", pem.as_bytes()), ..site.asking(true) };
    assert!(refused(&site, auth, Some(&past)).ends_with("has expired on 2001-01-01 00:00 UTC"));
}

#[test]
fn somebody_elses_listed_certificate_is_of_no_use_without_its_key() {
    let site = Site::new();
    let (pem, (chain, _)) = Person::new("alone").alone();
    let auth = ClientAuthSettings { ca: site.write("listed.pem", pem.as_bytes()), ..site.asking(true) };
    let (_, (_, other_key)) = Person::new("thief").alone();
    let thief = Peer::new(&site, &TLS13, Some((chain.clone(), other_key.clone_key())));
    let thief12 = Peer::new(&site, &TLS12, Some((chain, other_key)));
    let terminator = loaded(ServerSettings { client_auth: Some(auth), ..site.profile("public") }, None, &[]);
    for thief in [thief, thief12] {
        assert!(matches!(thief.meet(&terminator, Some("a.test")), Outcome::Refused(_)));
    }
}

#[test]
fn files_that_cannot_be_used_are_told_of() {
    let site = Site::new();
    let bad: [(&str, &[u8]); 3] = [("empty.pem", b""), ("text.pem", b"hello"), ("garbage.pem", GARBAGE)];
    for (name, bytes) in bad {
        let auth = ClientAuthSettings { ca: site.write(name, bytes), ..site.asking(true) };
        assert_eq!(told(&site, auth), [(Part::ClientCa, None)], "{name}");
    }
    for (name, bytes) in [("empty.pem", &b""[..]), ("crl.pem", GARBAGE_LIST)] {
        let auth = ClientAuthSettings { crls: vec![site.revoke(&[], 2100), site.write(name, bytes)], ..site.asking(true) };
        assert_eq!(told(&site, auth), [(Part::Crl(1), None)], "{name}");
    }
}

fn told(site: &Site, auth: ClientAuthSettings) -> Vec<(Part, Option<&'static str>)> {
    let mut findings: Vec<Finding> = Vec::new();
    let profile = ServerSettings { client_auth: Some(auth), ..site.profile("public") };
    assert!(Terminator::load(profile, None, &mut findings).is_none());
    findings.iter().map(|finding| (finding.part, finding.lint)).collect()
}

const GARBAGE: &[u8] = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const GARBAGE_LIST: &[u8] = b"-----BEGIN X509 CRL-----\nMAMCAQE=\n-----END X509 CRL-----\n";
