//! Writes ClientHellos for tests, whole or cut, right or wrong. Std only: the library's own unit tests include this file too.

#![allow(dead_code, unreachable_pub, reason = "each test binary includes the file and uses its own part")]

/// What a hello is to say. Start from [`Spec::named`] or [`Spec::default`] and change what the test is about.
#[derive(Clone, Debug)]
pub struct Spec {
    pub record_version: u16,
    pub legacy_version: u16,
    pub session_id: Vec<u8>,
    pub cipher_suites: Vec<u16>,
    pub compression_methods: Vec<u8>,
    /// `None`: the hello ends before the extensions' length.
    pub extensions: Option<Vec<Extension>>,
}

/// An extension's type and content.
pub type Extension = (u16, Vec<u8>);

impl Default for Spec {
    fn default() -> Self {
        Self {
            record_version: 0x0301,
            legacy_version: 0x0303,
            session_id: vec![7; 32],
            cipher_suites: vec![0x1301, 0x1302, 0xc02f],
            compression_methods: vec![0],
            extensions: Some(vec![supported_versions(&[0x0304, 0x0303]), key_share(0x001d, 32)]),
        }
    }
}

impl Spec {
    /// A hello of today for one host.
    pub fn named(name: &str) -> Self {
        Self::default().with(server_name(name))
    }

    /// The same with one more extension, behind the others.
    pub fn with(mut self, extension: Extension) -> Self {
        self.extensions.get_or_insert_default().push(extension);
        self
    }
}

/// The records of a hello as they stand on the wire, each as full as TLS allows.
pub fn client_hello(spec: &Spec) -> Vec<u8> {
    let message = message(spec);
    message.chunks(1 << 14).flat_map(|piece| record(spec.record_version, piece)).collect()
}

/// The handshake message of a hello, without a record around it.
pub fn message(spec: &Spec) -> Vec<u8> {
    handshake(1, &body(spec))
}

/// A hello's body: what stands behind the handshake header.
pub fn body(spec: &Spec) -> Vec<u8> {
    let mut body = spec.legacy_version.to_be_bytes().to_vec();
    body.extend([9; 32]);
    body.extend(short(&spec.session_id));
    body.extend(long(&pairs(&spec.cipher_suites)));
    body.extend(short(&spec.compression_methods));
    if let Some(extensions) = &spec.extensions {
        let parts: Vec<u8> = extensions.iter().flat_map(|(kind, content)| [&kind.to_be_bytes(), &*long(content)].concat()).collect();
        body.extend(long(&parts));
    }
    body
}

/// A handshake message of any type.
pub fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, high, middle, low], body].concat()
}

/// One handshake record.
pub fn record(version: u16, payload: &[u8]) -> Vec<u8> {
    [&[22], &version.to_be_bytes()[..], &long(payload)].concat()
}

/// The same handshake bytes in records of other sizes; the last size goes on until the end.
pub fn split_records(records: &[u8], sizes: &[usize]) -> Vec<u8> {
    let version = u16::from_be_bytes([records[1], records[2]]);
    let payload = payload(records);
    let mut sizes = sizes.iter().copied();
    let mut size = 1 << 14;
    let mut rest = &payload[..];
    let mut split = Vec::new();
    while !rest.is_empty() {
        size = sizes.next().unwrap_or(size).clamp(1, 1 << 14);
        let (piece, behind) = rest.split_at(size.min(rest.len()));
        split.extend(record(version, piece));
        rest = behind;
    }
    split
}

/// The handshake bytes of whole records.
pub fn payload(mut records: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    while let [_, _, _, high, low, rest @ ..] = records {
        let (piece, behind) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        payload.extend(piece);
        records = behind;
    }
    payload
}

/// server_name with one host name.
pub fn server_name(name: &str) -> Extension {
    server_names(&[(0, name.as_bytes())])
}

/// server_name with any names of any types.
pub fn server_names(names: &[(u8, &[u8])]) -> Extension {
    let list: Vec<u8> = names.iter().flat_map(|(kind, name)| [&[*kind], &*long(name)].concat()).collect();
    (0, long(&list))
}

/// application_layer_protocol_negotiation.
pub fn alpn<P: AsRef<[u8]>>(protocols: &[P]) -> Extension {
    let list: Vec<u8> = protocols.iter().flat_map(|protocol| short(protocol.as_ref())).collect();
    (16, long(&list))
}

/// supported_versions.
pub fn supported_versions(versions: &[u16]) -> Extension {
    (43, short(&pairs(versions)))
}

/// key_share with one share; group 0x11ec with 1216 bytes is the post-quantum one.
pub fn key_share(group: u16, length: usize) -> Extension {
    let share = [&group.to_be_bytes(), &*long(&vec![5; length])].concat();
    (51, long(&share))
}

/// padding.
pub fn padding(length: usize) -> Extension {
    (21, vec![0; length])
}

/// Bytes behind their length in one byte.
pub fn short(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

/// Bytes behind their length in two bytes.
pub fn long(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn pairs(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}
