//! Numbers of TLS alerts (RFC 8446 §6).

/// record_overflow
pub const RECORD_OVERFLOW: u8 = 22;
/// access_denied
pub const ACCESS_DENIED: u8 = 49;
/// illegal_parameter
pub const ILLEGAL_PARAMETER: u8 = 47;
/// decode_error
pub const DECODE_ERROR: u8 = 50;
/// protocol_version
pub const PROTOCOL_VERSION: u8 = 70;
/// unrecognized_name
pub const UNRECOGNIZED_NAME: u8 = 112;

/// The alerts that `reject` may name: those that say something to a client whose hello was just read.
pub const NAMES: &[(&str, u8)] = &[
    ("unrecognized_name", UNRECOGNIZED_NAME),
    ("access_denied", ACCESS_DENIED),
    ("handshake_failure", 40),
    ("certificate_unobtainable", 111),
    ("decode_error", DECODE_ERROR),
    ("illegal_parameter", ILLEGAL_PARAMETER),
    ("insufficient_security", 71),
    ("internal_error", 80),
    ("no_application_protocol", 120),
    ("protocol_version", PROTOCOL_VERSION),
    ("record_overflow", RECORD_OVERFLOW),
    ("user_canceled", 90),
];

/// The number of an alert by its name.
#[must_use]
pub fn by_name(name: &str) -> Option<u8> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// The name of an alert that `reject` may name.
#[must_use]
pub fn name(alert: u8) -> Option<&'static str> {
    NAMES.iter().find(|(_, number)| *number == alert).map(|(name, _)| *name)
}

/// The record that carries a fatal alert, in the clear.
#[must_use]
pub fn record(alert: u8) -> [u8; 7] {
    [21, 3, 3, 0, 2, 2, alert]
}
