//! PROXY headers, written down by hand as the specification has them.

use std::net::{IpAddr, SocketAddr};

/// A line of version 1.
pub fn line(client: &str, to: &str) -> Vec<u8> {
    let [client, to] = [client, to].map(|end| end.parse::<SocketAddr>().unwrap());
    let family = if client.is_ipv4() { "TCP4" } else { "TCP6" };
    format!("PROXY {family} {} {} {} {}\r\n", client.ip(), to.ip(), client.port(), to.port()).into_bytes()
}

/// A header of version 2 for a connection over IPv4, with fields.
pub fn binary(client: &str, to: &str, fields: &[(u8, &[u8])]) -> Vec<u8> {
    let ends = [client, to].map(|end| end.parse::<SocketAddr>().unwrap());
    let mut block: Vec<u8> = Vec::new();
    for end in ends {
        match end.ip() {
            IpAddr::V4(ip) => block.extend(ip.octets()),
            IpAddr::V6(_) => panic!("this one is of IPv4"),
        }
    }
    ends.iter().for_each(|end| block.extend(end.port().to_be_bytes()));
    fields.iter().for_each(|(kind, value)| block.extend(field(*kind, value)));
    header(0x21, 0x11, &block)
}

/// Any header of version 2.
pub fn header(version_and_command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[version_and_command, family][..], &length, block].concat()
}

/// A field of version 2.
pub fn field(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind][..], &u16::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
}
