//! Version 2: binary (section 2.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Ends, Header, Kind, MOST, Malformed, Transport, tlv};

/// How a header begins.
pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header and its length in all, if it is whole. `rest` stands behind the signature of `bytes`.
pub(super) fn read(bytes: &[u8], rest: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
    let Some((&version_and_command, rest)) = rest.split_first() else { return Ok(None) };
    let command = command(version_and_command)?;
    let Some((&family, rest)) = rest.split_first() else { return Ok(None) };
    // Who speaks for itself may say anything of addresses: nobody reads it.
    let layout = if command == Command::Local { Layout::NONE } else { Layout::of(family).ok_or(Malformed::Family(family))? };
    let Some((announced, rest)) = rest.split_first_chunk() else { return Ok(None) };
    let announced = usize::from(u16::from_be_bytes(*announced));
    if announced > MOST - FIXED {
        return Err(Malformed::TooLong(announced));
    }
    if announced < layout.length() {
        return Err(Malformed::NoRoom { announced, needed: layout.length() });
    }
    let Some(block) = rest.get(..announced) else { return Ok(None) };
    let length = FIXED + announced;
    if command == Command::Local {
        return Ok(Some((Header::unknown(), length)));
    }
    let (addresses, tlvs) = block.split_at_checked(layout.length()).unwrap_or((block, &[]));
    tlv::check(tlvs)?;
    tlv::check_checksum(bytes.get(..length).unwrap_or(bytes), tlvs)?;
    Ok(Some((Header { transport: layout.transport, ends: layout.ends(addresses), tlvs: tlvs.into() }, length)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Command {
    Local,
    Proxy,
}

fn command(byte: u8) -> Result<Command, Malformed> {
    match (byte >> 4, byte & 0x0f) {
        (2, 0) => Ok(Command::Local),
        (2, 1) => Ok(Command::Proxy),
        (2, other) => Err(Malformed::Command(other)),
        (other, _) => Err(Malformed::Version(other)),
    }
}

/// What the addresses of a header are.
#[derive(Clone, Copy)]
struct Layout {
    family: Family,
    transport: Transport,
}

#[derive(Clone, Copy)]
enum Family {
    Unspecified,
    Inet,
    Inet6,
    Unix,
}

impl Layout {
    const NONE: Self = Self { family: Family::Unspecified, transport: Transport::Unknown };

    fn of(byte: u8) -> Option<Self> {
        let family = match byte >> 4 {
            0 => Family::Unspecified,
            1 => Family::Inet,
            2 => Family::Inet6,
            3 => Family::Unix,
            _ => return None,
        };
        let transport = match byte & 0x0f {
            0 => Transport::Unknown,
            1 => Transport::Stream,
            2 => Transport::Datagram,
            _ => return None,
        };
        Some(Self { family, transport })
    }

    /// How many bytes they take.
    fn length(self) -> usize {
        match self.family {
            Family::Unspecified => 0,
            Family::Inet => 2 * 4 + PORTS,
            Family::Inet6 => 2 * 16 + PORTS,
            Family::Unix => 2 * 108,
        }
    }

    /// The ends, where they are of IP and it is said what for.
    fn ends(self, addresses: &[u8]) -> Option<Ends> {
        let (ips, ports) = addresses.split_last_chunk::<PORTS>()?;
        let (source, destination): (IpAddr, IpAddr) = match self.family {
            Family::Inet => {
                let (source, rest) = ips.split_first_chunk::<4>()?;
                (Ipv4Addr::from(*source).into(), Ipv4Addr::from(*rest.first_chunk::<4>()?).into())
            }
            Family::Inet6 => {
                let (source, rest) = ips.split_first_chunk::<16>()?;
                (Ipv6Addr::from(*source).into(), Ipv6Addr::from(*rest.first_chunk::<16>()?).into())
            }
            Family::Unspecified | Family::Unix => return None,
        };
        let [source_port, destination_port] = [[ports[0], ports[1]], [ports[2], ports[3]]].map(u16::from_be_bytes);
        let ends = Ends { source: SocketAddr::new(source, source_port), destination: SocketAddr::new(destination, destination_port) };
        (self.transport != Transport::Unknown).then_some(ends)
    }
}

/// A header to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'t> {
    /// What it is about.
    pub transport: Transport,
    /// The client and what it connected to. Without, the sender speaks for itself (`LOCAL`): of a client that nobody knows
    /// HAProxy takes no other form.
    pub ends: Option<Ends>,
    /// What else is said, in this order. What would make the header longer than receivers take is left out.
    pub tlvs: &'t [(Kind, &'t [u8])],
    /// Whether a checksum comes with it.
    pub has_checksum: bool,
}

impl Outgoing<'_> {
    /// Writes it.
    pub fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(SIGNATURE);
        out.push(if self.ends.is_some() { PROXY } else { LOCAL });
        out.extend_from_slice(&[0; FIXED - SIGNATURE.len() - 1]);
        let family_and_transport = self.write_addresses(out);
        let reserved = if self.has_checksum { tlv::CHECKSUM_LENGTH } else { 0 };
        for (kind, value) in self.tlvs {
            if out.len() - start + tlv::HEAD + value.len() + reserved <= MOST {
                tlv::write(*kind, value, out);
            }
        }
        let checksum_at = self.has_checksum.then(|| tlv::write_blank_checksum(out));
        let length = u16::try_from(out.len() - start - FIXED).expect("a header has no more than MOST bytes");
        if let Some([.., family, high, low]) = out.get_mut(start..start + FIXED) {
            *family = family_and_transport;
            [*high, *low] = length.to_be_bytes();
        }
        if let Some(at) = checksum_at {
            tlv::fill_checksum(out, start, at);
        }
    }

    /// Writes the addresses, and says of which family and transport they are.
    fn write_addresses(&self, out: &mut Vec<u8>) -> u8 {
        let transport = match self.transport {
            Transport::Unknown => 0,
            Transport::Stream => 1,
            Transport::Datagram => 2,
        };
        let Some(Ends { source, destination }) = self.ends.map(Ends::alike) else { return 0 };
        for end in [source, destination] {
            match end.ip() {
                IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
                IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
            }
        }
        for end in [source, destination] {
            out.extend_from_slice(&end.port().to_be_bytes());
        }
        transport | if source.is_ipv4() { 0x10 } else { 0x20 }
    }
}

/// Version and command: of a client, or of the sender itself.
const PROXY: u8 = 0x21;
const LOCAL: u8 = 0x20;
/// The bytes in front of the addresses.
const FIXED: usize = 16;
/// Two ports.
const PORTS: usize = 4;
