//! Names and numbers as OpenSSL writes them with `XN_FLAG_RFC2253`, which is what nginx's variables hold: the last
//! part first, bytes beyond ASCII as `\C3`, what it has no name for by its object identifier and in hex.

use std::fmt::Write;

use x509_parser::asn1_rs::{Tag, ToDer};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// Which digits.
#[derive(Clone, Copy)]
pub(super) enum Case {
    Lower,
    Upper,
}

/// A subject or issuer.
pub(super) fn name(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    let parts: Vec<_> = name.iter_rdn().collect();
    for part in parts.into_iter().rev() {
        let attributes: Vec<_> = part.iter().collect();
        for (index, attribute) in attributes.into_iter().rev().enumerate() {
            if !text.is_empty() {
                text.push(if index == 0 { ',' } else { '+' });
            }
            write_attribute(attribute, &mut text);
        }
    }
    text
}

/// A serial number.
pub(super) fn serial(bytes: &[u8]) -> String {
    let is_negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let magnitude = if is_negative { negated(bytes) } else { bytes.to_vec() };
    let digits: Vec<u8> = magnitude.into_iter().skip_while(|byte| *byte == 0).collect();
    let digits = if digits.is_empty() { vec![0] } else { digits };
    format!("{}{}", if is_negative { "-" } else { "" }, hex(&digits, Case::Upper))
}

/// Two digits for each byte.
pub(super) fn hex(bytes: &[u8], case: Case) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to memory cannot fail.
        let _ = match case {
            Case::Lower => write!(text, "{byte:02x}"),
            Case::Upper => write!(text, "{byte:02X}"),
        };
    }
    text
}

fn write_attribute(attribute: &AttributeTypeAndValue<'_>, text: &mut String) {
    let oid = attribute.attr_type().to_id_string();
    let known = NAMES.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name);
    text.push_str(known.unwrap_or(&oid));
    text.push('=');
    // What is not known by name is not trusted to be a text.
    match known.and_then(|_| characters(attribute)) {
        Some(characters) => write_escaped(&characters, text),
        None => {
            let der = attribute.attr_value().to_der_vec().unwrap_or_default();
            text.push('#');
            text.push_str(&hex(&der, Case::Upper));
        }
    }
}

/// The bytes that a value is printed from, in UTF-8 as far as it was well-formed, one list for each character.
fn characters(attribute: &AttributeTypeAndValue<'_>) -> Option<Vec<Vec<u8>>> {
    let bytes = attribute.as_slice();
    let utf8 = |c: char| c.to_string().into_bytes();
    match attribute.attr_value().tag() {
        Tag::Utf8String => Some(bytes.iter().map(|byte| vec![*byte]).collect()),
        Tag::NumericString
        | Tag::PrintableString
        | Tag::T61String
        | Tag::Ia5String
        | Tag::VisibleString
        | Tag::UtcTime
        | Tag::GeneralizedTime => Some(bytes.iter().map(|byte| utf8(char::from(*byte))).collect()),
        Tag::BmpString => {
            let units = bytes.chunks(2).map(|unit| Some(u32::from(u16::from_be_bytes(unit.try_into().ok()?))));
            units.map(|unit| char::from_u32(unit?).map(utf8)).collect()
        }
        Tag::UniversalString => {
            let units = bytes.chunks(4).map(|unit| Some(u32::from_be_bytes(unit.try_into().ok()?)));
            units.map(|unit| char::from_u32(unit?).map(utf8)).collect()
        }
        _ => None,
    }
}

fn write_escaped(characters: &[Vec<u8>], text: &mut String) {
    let last = characters.len().saturating_sub(1);
    for (index, character) in characters.iter().enumerate() {
        for byte in character {
            let is_special = match byte {
                b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' => true,
                b' ' => index == 0 || index == last,
                b'#' => index == 0 && index != last,
                _ => false,
            };
            // Writing to memory cannot fail.
            let _ = match byte {
                byte if is_special => write!(text, "\\{}", char::from(*byte)),
                0x20..0x7f => write!(text, "{}", char::from(*byte)),
                byte => write!(text, "\\{byte:02X}"),
            };
        }
    }
}

/// What to add to a number in two's complement to get nothing.
fn negated(bytes: &[u8]) -> Vec<u8> {
    let mut carry = true;
    let mut negated: Vec<u8> = Vec::with_capacity(bytes.len());
    for byte in bytes.iter().rev() {
        let (sum, overflowed) = (!byte).overflowing_add(u8::from(carry));
        carry = overflowed;
        negated.push(sum);
    }
    negated.reverse();
    negated
}

/// OpenSSL's short names of what is found in subjects.
const NAMES: [(&str, &str); 38] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.14", "searchGuide"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.16", "postalAddress"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.18", "postOfficeBox"),
    ("2.5.4.19", "physicalDeliveryOfficeName"),
    ("2.5.4.20", "telephoneNumber"),
    ("2.5.4.26", "registeredAddress"),
    ("2.5.4.31", "member"),
    ("2.5.4.32", "owner"),
    ("2.5.4.34", "seeAlso"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.45", "x500UniqueIdentifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.72", "role"),
    ("2.5.4.97", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("1.3.6.1.4.1.311.60.2.1.1", "jurisdictionL"),
    ("1.3.6.1.4.1.311.60.2.1.2", "jurisdictionST"),
    ("1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC"),
];
