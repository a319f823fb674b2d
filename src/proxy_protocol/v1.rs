//! Version 1: a line of text (section 2.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::{Ends, Header, Malformed, Transport};

/// How a line begins.
pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// What stands behind the signature: a header and its length in all, if it is whole.
pub(super) fn read(rest: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
    // What is behind the longest line is not looked at.
    let line = rest.get(..MOST - SIGNATURE.len()).unwrap_or(rest);
    let read = match line.split_first_chunk() {
        Some((b"TCP4 ", rest)) => ends::<Ipv4Addr>(rest),
        Some((b"TCP6 ", rest)) => ends::<Ipv6Addr>(rest),
        Some((b"UNKNO", rest)) => unknown(rest),
        Some(_) => return Err(Malformed::Protocol),
        None => return if may_be_protocol(line) { Ok(None) } else { Err(Malformed::Protocol) },
    };
    match read? {
        Some((header, left)) => Ok(Some((header, SIGNATURE.len() + line.len() - left))),
        None if line.len() + SIGNATURE.len() == MOST => Err(Malformed::LongLine),
        None => Ok(None),
    }
}

/// Writes the line: for a client and what it connected to, or for nobody that this version could name.
pub fn write(ends: Option<Ends>, out: &mut Vec<u8>) {
    let line = match ends.map(Ends::alike) {
        None => "PROXY UNKNOWN\r\n".to_owned(),
        Some(Ends { source, destination }) => {
            let family = if source.is_ipv4() { 4 } else { 6 };
            format!("PROXY TCP{family} {} {} {} {}\r\n", source.ip(), destination.ip(), source.port(), destination.port())
        }
    };
    out.extend_from_slice(line.as_bytes());
}

/// A header, and how many bytes are left behind it.
type Read = Result<Option<(Header, usize)>, Malformed>;

fn may_be_protocol(bytes: &[u8]) -> bool {
    [b"TCP4 ", b"TCP6 ", b"UNKNO"].iter().any(|word| word.starts_with(bytes))
}

/// Two addresses of a family and two ports, each a word, with one space in between.
fn ends<A: FromStr + Into<IpAddr>>(bytes: &[u8]) -> Read {
    let Some((source, rest)) = word::<A>(bytes, b' ', Malformed::Address)? else { return Ok(None) };
    let Some((destination, rest)) = word::<A>(rest, b' ', Malformed::Address)? else { return Ok(None) };
    let Some((source_port, rest)) = word::<Port>(rest, b' ', Malformed::Port)? else { return Ok(None) };
    let Some((destination_port, rest)) = word::<Port>(rest, b'\r', Malformed::Port)? else { return Ok(None) };
    match rest.split_first() {
        None => Ok(None),
        Some((b'\n', rest)) => {
            let ends = Ends {
                source: SocketAddr::new(source.into(), source_port.0),
                destination: SocketAddr::new(destination.into(), destination_port.0),
            };
            Ok(Some((Header { transport: Transport::Stream, ends: Some(ends), tlvs: Box::default() }, rest.len())))
        }
        Some(_) => Err(Malformed::LineEnd),
    }
}

/// A word up to what ends it, and what stands behind that; nothing if it is not over yet.
fn word<T: FromStr>(bytes: &[u8], end: u8, wrong: Malformed) -> Result<Option<(T, &[u8])>, Malformed> {
    let belongs = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
    let length = bytes.iter().position(|byte| !belongs(byte));
    let Some((word, rest)) = length.and_then(|length| bytes.split_at_checked(length)) else {
        return if bytes.len() > LONGEST_WORD { Err(wrong) } else { Ok(None) };
    };
    let parsed = str::from_utf8(word).ok().and_then(|word| word.parse().ok()).ok_or(wrong)?;
    match rest.split_first() {
        Some((found, rest)) if *found == end => Ok(Some((parsed, rest))),
        _ if end == b'\r' => Err(Malformed::LineEnd),
        _ => Err(wrong),
    }
}

/// A port as the specification has it: no sign, no zero in front.
struct Port(u16);

impl FromStr for Port {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        is_plain.then(|| text.parse().ok()).flatten().map(Self).ok_or(())
    }
}

/// `UNKNOWN`: whatever else stands on the line is ignored.
fn unknown(bytes: &[u8]) -> Read {
    let rest = match bytes {
        [b'W', b'N', rest @ ..] => rest,
        [] | [b'W'] => return Ok(None),
        _ => return Err(Malformed::Protocol),
    };
    if !matches!(rest.first(), None | Some(b' ' | b'\r')) {
        return Err(Malformed::Protocol);
    }
    let end = rest.windows(2).position(|two| two == b"\r\n");
    Ok(end.map(|end| (Header::unknown(), rest.len() - end - 2)))
}

/// The longest line, with its end.
const MOST: usize = 107;
/// As an IPv6 address may be written.
const LONGEST_WORD: usize = 45;
