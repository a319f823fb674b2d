//! What a header of version 2 says besides addresses: type, length, value, and again (section 2.2.1 and below).

use std::borrow::Cow;

use super::Malformed;

/// What a value is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind(pub u8);

impl Kind {
    /// The application protocol, as ALPN has it.
    pub const ALPN: Self = Self(0x01);
    /// The host name that the client asked for.
    pub const AUTHORITY: Self = Self(0x02);
    /// A checksum of the whole header.
    pub const CRC32C: Self = Self(0x03);
    /// What no other connection has.
    pub const UNIQUE_ID: Self = Self(0x05);
    /// What is known of the client's TLS.
    pub const SSL: Self = Self(0x20);
    /// The network namespace.
    pub const NETNS: Self = Self(0x30);

    /// Within [`SSL`](Self::SSL): the version of TLS.
    pub const SSL_VERSION: Self = Self(0x21);
    /// The common name in the client's certificate.
    pub const SSL_CN: Self = Self(0x22);
    /// The cipher suite.
    pub const SSL_CIPHER: Self = Self(0x23);
    /// How the certificate that the client was shown is signed.
    pub const SSL_SIG_ALG: Self = Self(0x24);
    /// Which key it has.
    pub const SSL_KEY_ALG: Self = Self(0x25);
}

/// The value of a kind, where one of that kind stands: the first, if there are several.
#[must_use]
pub fn tlv(tlvs: &[u8], kind: Kind) -> Option<&[u8]> {
    all(tlvs).filter_map(Result::ok).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// Something that can be asked of a header by name, as nginx's `$proxy_protocol_tlv_NAME` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A value as it is.
    Of(Kind),
    /// A value within that of [`Kind::SSL`].
    OfSsl(Kind),
    /// Whether the client's certificate was good: 0, or what was wrong.
    SslVerify,
}

impl Field {
    /// The names of all but `0xNN`.
    pub const NAMES: [&'static str; 11] = [
        "alpn",
        "authority",
        "unique_id",
        "ssl",
        "netns",
        "ssl_verify",
        "ssl_version",
        "ssl_cn",
        "ssl_cipher",
        "ssl_sig_alg",
        "ssl_key_alg",
    ];

    /// The field of a name; `0xNN` and `ssl_0xNN` are any.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if name == "ssl_verify" {
            return Some(Self::SslVerify);
        }
        if let Some(rest) = name.strip_prefix("ssl_") {
            let known = match rest {
                "version" => Some(Kind::SSL_VERSION),
                "cn" => Some(Kind::SSL_CN),
                "cipher" => Some(Kind::SSL_CIPHER),
                "sig_alg" => Some(Kind::SSL_SIG_ALG),
                "key_alg" => Some(Kind::SSL_KEY_ALG),
                _ => by_number(rest),
            };
            return known.map(Self::OfSsl);
        }
        let known = match name {
            "alpn" => Some(Kind::ALPN),
            "authority" => Some(Kind::AUTHORITY),
            "unique_id" => Some(Kind::UNIQUE_ID),
            "ssl" => Some(Kind::SSL),
            "netns" => Some(Kind::NETNS),
            _ => by_number(name),
        };
        known.map(Self::Of)
    }

    /// What a header says of it.
    #[must_use]
    pub fn value(self, tlvs: &[u8]) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Of(kind) => tlv(tlvs, kind).map(Cow::Borrowed),
            Self::OfSsl(kind) => tlv(ssl(tlvs)?.1, kind).map(Cow::Borrowed),
            Self::SslVerify => Some(u32::from_be_bytes(ssl(tlvs)?.0.verify).to_string().into_bytes().into()),
        }
    }
}

/// `0xNN`, with as many zeros in front as anybody likes.
fn by_number(name: &str) -> Option<Kind> {
    let digits = name.strip_prefix("0x").filter(|digits| !digits.is_empty())?;
    let digits = match digits.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    all_digits.then(|| u8::from_str_radix(digits, 16).ok()).flatten().map(Kind)
}

/// What the value of [`Kind::SSL`] begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SslFacts {
    client: u8,
    verify: [u8; 4],
}

impl SslFacts {
    /// Of a client that spoke TLS and showed no certificate.
    #[must_use]
    pub const fn encrypted() -> Self {
        Self { client: USED, verify: 1_u32.to_be_bytes() }
    }

    /// Of one that showed a good certificate: in this very connection, or in the one whose TLS session this one resumed.
    #[must_use]
    pub const fn verified(is_resumed: bool) -> Self {
        let client = if is_resumed { USED | SHOWN_EVER } else { USED | SHOWN_NOW | SHOWN_EVER };
        Self { client, verify: [0; 4] }
    }

    /// The value, with what else there is to say.
    #[must_use]
    pub fn value(self, tlvs: &[(Kind, &[u8])]) -> Vec<u8> {
        let mut value = vec![self.client];
        value.extend_from_slice(&self.verify);
        tlvs.iter().for_each(|(kind, text)| write(*kind, text, &mut value));
        value
    }
}

const USED: u8 = 1;
const SHOWN_NOW: u8 = 2;
const SHOWN_EVER: u8 = 4;

fn ssl(tlvs: &[u8]) -> Option<(SslFacts, &[u8])> {
    read_ssl(tlv(tlvs, Kind::SSL)?)
}

fn read_ssl(value: &[u8]) -> Option<(SslFacts, &[u8])> {
    let (&[client, verify @ ..], rest) = value.split_first_chunk::<5>()?;
    Some((SslFacts { client, verify }, rest))
}

/// Whether all of the bytes are fields, down to those of TLS.
pub(super) fn check(tlvs: &[u8]) -> Result<(), Malformed> {
    all(tlvs).try_for_each(|field| match field? {
        (Kind::SSL, value) => {
            let (_, rest) = read_ssl(value).ok_or(Malformed::Tlv)?;
            all(rest).try_for_each(|field| field.map(drop))
        }
        _ => Ok(()),
    })
}

/// Whether the checksum of the whole header is right, if it has one. `tlvs` is the end of `header`.
pub(super) fn check_checksum(header: &[u8], tlvs: &[u8]) -> Result<(), Malformed> {
    let (mut at, mut checksum) = (header.len() - tlvs.len(), None);
    for (kind, value) in all(tlvs).filter_map(Result::ok) {
        at += HEAD;
        if kind == Kind::CRC32C && checksum.replace((at, value)).is_some() {
            return Err(Malformed::NoChecksum);
        }
        at += value.len();
    }
    let Some((at, claimed)) = checksum else { return Ok(()) };
    let claimed: [u8; 4] = claimed.try_into().map_err(|_| Malformed::NoChecksum)?;
    // Its own bytes count as zeros.
    let (before, behind) = (header.get(..at).unwrap_or_default(), header.get(at + claimed.len()..).unwrap_or_default());
    let found = [before, &[0; 4], behind].into_iter().fold(0, crc32c::crc32c_append);
    if found == u32::from_be_bytes(claimed) { Ok(()) } else { Err(Malformed::Checksum) }
}

/// Writes a field. Nothing that is written here is longer than its length can say.
pub(super) fn write(kind: Kind, value: &[u8], out: &mut Vec<u8>) {
    let Ok(length) = u16::try_from(value.len()) else { return };
    out.push(kind.0);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
}

/// Writes the field of a checksum that is yet to be made, and says where it goes.
pub(super) fn write_blank_checksum(out: &mut Vec<u8>) -> usize {
    write(Kind::CRC32C, &[0; 4], out);
    out.len() - 4
}

/// Makes the checksum of the header from here on.
pub(super) fn fill_checksum(out: &mut [u8], start: usize, at: usize) {
    let checksum = crc32c::crc32c(out.get(start..).unwrap_or_default());
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&checksum.to_be_bytes());
    }
}

/// The fields one after the other; the last is an error if it is cut off.
fn all(mut tlvs: &[u8]) -> impl Iterator<Item = Result<(Kind, &[u8]), Malformed>> {
    std::iter::from_fn(move || {
        if tlvs.is_empty() {
            return None;
        }
        let Some((kind, value)) = first(tlvs) else {
            tlvs = &[];
            return Some(Err(Malformed::Tlv));
        };
        tlvs = tlvs.get(HEAD + value.len()..).unwrap_or_default();
        Some(Ok((kind, value)))
    })
}

/// The first field.
fn first(tlvs: &[u8]) -> Option<(Kind, &[u8])> {
    let (&[kind, high, low], rest) = tlvs.split_first_chunk::<HEAD>()?;
    let value = rest.get(..u16::from_be_bytes([high, low]).into())?;
    Some((Kind(kind), value))
}

/// Type and length.
pub(super) const HEAD: usize = 3;
/// The field of a checksum.
pub(super) const CHECKSUM_LENGTH: usize = HEAD + 4;
