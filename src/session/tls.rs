//! What is known of a session whose TLS ended here.

/// What was agreed on with the client in the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// `$ssl_protocol`.
    pub protocol: &'static str,
    /// `$ssl_cipher`, in OpenSSL's spelling.
    pub cipher: &'static str,
    /// `$ssl_session_reused`: whether an earlier session was resumed.
    pub is_resumed: bool,
    /// `$ssl_session_id`, in hex digits. TLS 1.3 has none that would tell sessions apart.
    pub session_id: Option<Box<str>>,
    /// `$ssl_alpn_protocol`.
    pub alpn: Option<Box<str>>,
    /// The certificate that the client showed, which an authority of the profile's vouches for.
    pub client: Option<ClientCertificate>,
}

/// A client's certificate, in nginx's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// `$ssl_client_s_dn`.
    pub subject: Box<str>,
    /// `$ssl_client_i_dn`.
    pub issuer: Box<str>,
    /// `$ssl_client_serial`.
    pub serial: Box<str>,
    /// `$ssl_client_fingerprint`.
    pub fingerprint: Box<str>,
}

impl ClientCertificate {
    /// The common name in its subject, as it is before it is written down: the last one, which says most.
    #[must_use]
    pub fn common_name(&self) -> Option<Vec<u8>> {
        let mut attributes = vec![Vec::new()];
        let mut letters = self.subject.bytes();
        while let Some(letter) = letters.next() {
            let value = match letter {
                b',' | b'+' => {
                    attributes.push(Vec::new());
                    continue;
                }
                b'\\' => escaped(&mut letters)?,
                letter => letter,
            };
            attributes.last_mut()?.push(value);
        }
        attributes.iter().find_map(|attribute| attribute.strip_prefix(b"CN=")).map(<[u8]>::to_vec)
    }
}

/// What stands behind a backslash: two digits of a byte, or the byte itself (RFC 2253 section 2.4).
fn escaped(letters: &mut std::str::Bytes<'_>) -> Option<u8> {
    let first = letters.next()?;
    let Some(high) = char::from(first).to_digit(16) else { return Some(first) };
    let low = char::from(letters.next()?).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

impl TlsFacts {
    /// `$ssl_client_verify`. A client whose certificate is bad never gets as far as this.
    #[must_use]
    pub fn client_verify(&self) -> &'static str {
        if self.client.is_some() { "SUCCESS" } else { "NONE" }
    }

    /// `$ssl_session_reused`.
    #[must_use]
    pub fn session_reused(&self) -> &'static str {
        if self.is_resumed { "r" } else { "." }
    }
}
