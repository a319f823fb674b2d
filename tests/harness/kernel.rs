//! What the kernel says of TCP connections over IPv4 (proc_net_tcp).

use std::net::SocketAddr;

/// A row of the kernel's table.
pub struct Row {
    local: String,
    remote: String,
    state: String,
    /// Of a listener, how many wait to be accepted.
    pub received: usize,
    /// Which timer runs, 0 for none, and in how many hundredths of a second it fires.
    pub timer: (u8, u64),
}

impl Row {
    pub fn is_from(&self, address: SocketAddr) -> bool {
        self.local == text(address)
    }

    pub fn is_to(&self, address: SocketAddr) -> bool {
        self.remote == text(address)
    }

    /// Whether a connect is under way.
    pub fn is_connecting(&self) -> bool {
        self.state == "02"
    }

    pub fn listens(&self) -> bool {
        self.state == "0A"
    }
}

/// The whole table.
pub fn connections() -> Vec<Row> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().skip(1).map(row).collect()
}

fn row(line: &str) -> Row {
    let fields: Vec<_> = line.split_whitespace().collect();
    let (_, received) = fields[4].split_once(':').unwrap();
    let (timer, when) = fields[5].split_once(':').unwrap();
    let number = |hexadecimal| u64::from_str_radix(hexadecimal, 16).unwrap();
    Row {
        local: fields[1].into(),
        remote: fields[2].into(),
        state: fields[3].into(),
        received: number(received).try_into().unwrap(),
        timer: (number(timer).try_into().unwrap(), number(when)),
    }
}

fn text(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => format!("{:08X}:{:04X}", u32::from_ne_bytes(v4.ip().octets()), v4.port()),
        SocketAddr::V6(_) => panic!("this table is of IPv4"),
    }
}
