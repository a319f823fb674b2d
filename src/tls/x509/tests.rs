use std::net::IpAddr;

use rcgen::string::{BmpString, TeletexString};
use rcgen::{CertificateParams, CustomExtension, DnType, DnValue, KeyPair, SanType, SerialNumber};

use super::*;
use crate::host::{HostPattern, Hostname};

fn facts(change: impl FnOnce(&mut CertificateParams)) -> Facts {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    change(&mut params);
    Facts::of(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der()).unwrap()
}

fn subject(parts: &[(DnType, DnValue)]) -> String {
    facts(|params| parts.iter().for_each(|(kind, value)| params.distinguished_name.push(kind.clone(), value.clone()))).subject
}

fn names(facts: &Facts) -> Vec<String> {
    facts.names.iter().map(ToString::to_string).collect()
}

fn host(text: &str) -> Hostname {
    Hostname::parse(text).unwrap()
}

#[test]
fn a_subject_is_told_last_part_first() {
    let parts = [(DnType::CountryName, "DE".into()), (DnType::OrganizationName, "Wells, GmbH".into()), (DnType::CommonName, "a".into())];
    assert_eq!(subject(&parts), "CN=a,O=Wells\\, GmbH,C=DE");
    assert_eq!(subject(&[]), "");
}

#[test]
fn what_is_special_in_a_subject_is_escaped() {
    let told = |text: &str| subject(&[(DnType::CommonName, text.into())]);
    assert_eq!(told("a+b\"c;d<e>f\\g=h"), "CN=a\\+b\\\"c\\;d\\<e\\>f\\\\g=h");
    assert_eq!(told(" a # "), "CN=\\ a #\\ ");
    assert_eq!(told("#a"), "CN=\\#a");
    assert_eq!(told("é\u{7f}\n"), "CN=\\C3\\A9\\7F\\0A");
}

#[test]
fn texts_in_other_encodings_are_told_in_utf_8() {
    let bmp = BmpString::try_from("Ł").unwrap();
    assert_eq!(subject(&[(DnType::CommonName, DnValue::BmpString(bmp))]), "CN=\\C5\\81");
    let teletex = TeletexString::try_from("a").unwrap();
    assert_eq!(subject(&[(DnType::CommonName, DnValue::TeletexString(teletex))]), "CN=a");
}

#[test]
fn what_has_no_name_is_told_by_its_number_and_in_hex() {
    assert_eq!(subject(&[(DnType::CustomDnType(vec![1, 2, 3, 4]), "a".into())]), "1.2.3.4=#0C0161");
}

#[test]
fn a_serial_number_is_told_in_upper_case_hex() {
    let serial = |bytes: &[u8]| facts(|params| params.serial_number = Some(SerialNumber::from_slice(bytes))).serial;
    assert_eq!(serial(&[0x0a, 0xbc]), "0ABC");
    assert_eq!(serial(&[0x8f, 0x01]), "8F01");
    assert_eq!(text::serial(&[0x00]), "00");
    assert_eq!(text::serial(&[0xff]), "-01");
    assert_eq!(text::serial(&[0x80, 0x00]), "-8000");
}

#[test]
fn names_are_the_alternative_ones_and_the_common_name_only_without_them() {
    let common = |params: &mut CertificateParams| params.distinguished_name.push(DnType::CommonName, "Common.test");
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let ip = SanType::IpAddress(IpAddr::from([192, 0, 2, 1]));
    assert_eq!(names(&facts(common)), ["common.test"]);
    let both = facts(|params| {
        common(params);
        params.subject_alt_names = vec![dns("A.test"), dns("*.b.test"), dns("a.test"), ip.clone()];
    });
    assert_eq!(names(&both), ["a.test", "*.b.test", "192.0.2.1"]);
    let address = facts(|params| {
        common(params);
        params.subject_alt_names = vec![ip.clone()];
    });
    assert_eq!(names(&address), ["192.0.2.1", "common.test"]);
    assert!(names(&facts(|params| params.distinguished_name.push(DnType::CommonName, "Our Own CA"))).is_empty());
}

#[test]
fn a_wildcard_stands_for_one_label() {
    let wildcard = CertificateName::parse("*.a.test").unwrap();
    assert!(wildcard.covers(&host("b.a.test")));
    for other in ["a.test", "c.b.a.test", "ba.test"] {
        assert!(!wildcard.covers(&host(other)), "{other}");
    }
}

#[test]
fn a_name_meets_the_patterns_that_have_a_host_in_common_with_it() {
    let cases = [
        ("a.test", "a.test", true),
        ("a.test", "b.test", false),
        ("*.test", "a.test", true),
        ("a.test", "*.test", true),
        ("test", "*.test", false),
        ("atest", "*.test", false),
        ("*.test", "*.test", true),
        ("*.a.test", "*.test", true),
        ("*.test", "*.a.test", false),
        ("test", ".test", true),
        ("*.test", ".test", true),
        ("other", ".test", false),
        ("www.a.test", "www.a.*", true),
        ("www.ab.test", "www.a.*", false),
        ("*.a.test", "www.a.*", true),
        ("*.b.test", "www.a.*", false),
        ("*.test", "www.*", true),
        ("192.0.2.1", "*.test", false),
    ];
    for (name, pattern, meets) in cases {
        let found = CertificateName::parse(name).unwrap().meets(&HostPattern::parse(pattern).unwrap());
        assert_eq!(found, meets, "{name} and {pattern}");
    }
}

#[test]
fn what_is_no_certificate_says_so() {
    assert_eq!(Facts::of(&vec![0x30, 0x03, 0x02, 0x01, 0x01].into()), Err(X509Error::Broken));
    let good = CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap();
    let mut more = good.der().to_vec();
    more.extend([0, 0]);
    assert_eq!(Facts::of(&more.into()), Err(X509Error::Trailing(2)));
}

#[test]
fn days_are_counted_whole_and_end() {
    let facts = facts(|params| params.not_after = rcgen::date_time_ymd(2030, 1, 3));
    let at = |before: Duration| facts.not_after - before;
    assert_eq!(facts.days_left(at(DAY * 2)), Some(2));
    assert_eq!(facts.days_left(at(DAY * 2 - Duration::from_secs(1))), Some(1));
    assert_eq!(facts.days_left(at(Duration::ZERO)), Some(0));
    assert_eq!(facts.days_left(facts.not_after + Duration::from_secs(1)), None);
}

#[test]
fn a_broken_list_of_alternative_names_is_none_at_all() {
    let broken = facts(|params| {
        params.distinguished_name.push(DnType::CommonName, "a.test");
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], vec![0x30, 0x05])];
    });
    assert!(names(&broken).is_empty(), "the common name is not what was meant: {broken:?}");
}
