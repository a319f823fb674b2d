//! A log that goes to syslog, as it is written: `"syslog:"`, `"syslog:/run/log.sock"`, `"syslog://10.0.0.9:514?tag=edge"`.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use crate::address::Address;
use crate::host::Hostname;
use crate::units::UnitError;

/// Which syslog, and what it is told besides the lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syslog {
    /// Who takes the messages.
    pub server: SyslogServer,
    /// What sort of program speaks, as its number.
    pub facility: u8,
    /// How important an access log's lines are; absent is `info`.
    pub severity: Option<SyslogSeverity>,
    /// What the program is called.
    pub tag: String,
    /// Whether messages say which machine they come from.
    pub tells_hostname: bool,
    /// How messages look; absent is what the server expects.
    pub format: Option<SyslogFormat>,
    written: String,
}

/// Who takes the messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyslogServer {
    /// A unix socket of this machine.
    Local(PathBuf),
    /// Another machine, over UDP.
    Ip(SocketAddr),
    /// The same by its name, with a port.
    Name(Hostname, u16),
}

/// How messages look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyslogFormat {
    /// The old form, as programs of a machine write it to their own syslog: `<190>Nov 20 14:37:37 vestibule[7]: line`.
    Rfc3164,
    /// The new one, with the year, fractions of a second and the log's name.
    Rfc5424,
}

/// How important a message is, by its number in RFC 5424 §6.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyslogSeverity(pub u8);

impl SyslogSeverity {
    /// An error.
    pub const ERROR: Self = Self(3);
    /// A warning.
    pub const WARNING: Self = Self(4);
    /// Worth knowing.
    pub const INFO: Self = Self(6);
    /// For those who look for something.
    pub const DEBUG: Self = Self(7);
}

impl Serialize for Syslog {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

impl Syslog {
    /// Whether a log's file is meant for syslog, however it is written.
    pub(super) fn is_meant(file: &str) -> bool {
        file.starts_with("syslog:") || file.starts_with("syslog+")
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is no address, or says something that is not known.
    pub(super) fn parse(text: &str) -> Result<Self, UnitError> {
        let Some(rest) = text.strip_prefix("syslog:") else {
            return wrong("syslog is only spoken over UDP, or to a socket of this machine", "\"syslog://HOST:514\"");
        };
        if rest.starts_with("server=") {
            return wrong("this is nginx's form", format!("{:?}", from_nginx(rest)));
        }
        if rest.contains('$') {
            return wrong("syslog has no variables", "write what they stand for; `format` takes variables");
        }
        let (server, said) = rest.split_once('?').unwrap_or((rest, ""));
        let mut syslog = Self {
            server: server_of(server)?,
            facility: LOCAL_7,
            severity: None,
            tag: env!("CARGO_PKG_NAME").into(),
            tells_hostname: true,
            format: None,
            written: text.into(),
        };
        for word in said.split('&').filter(|word| !word.is_empty()) {
            syslog.hear(word)?;
        }
        Ok(syslog)
    }

    fn hear(&mut self, word: &str) -> Result<(), UnitError> {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match (key, value) {
            ("facility", name) => self.facility = number_of(FACILITIES, name, "facility")?,
            ("severity", name) => self.severity = Some(SyslogSeverity(number_of(SEVERITIES, name, "severity")?)),
            ("format", "rfc5424") => self.format = Some(SyslogFormat::Rfc5424),
            ("format", "rfc3164") => self.format = Some(SyslogFormat::Rfc3164),
            ("format", _) => return wrong(format!("{value:?} is no format of syslog"), "format=rfc5424 or format=rfc3164"),
            // nginx allows 32 of them: more is cut by receivers.
            ("tag", tag) if is_tag(tag) => self.tag = tag.into(),
            ("tag", _) => return wrong(format!("{value:?} is no tag"), "1 to 32 letters, digits, `_`, `-` or `.`: tag=edge"),
            ("nohostname", "") => self.tells_hostname = false,
            _ => {
                return wrong(
                    format!("{word:?} says nothing to syslog"),
                    "facility=, severity=, tag=, format=, nohostname, with & between",
                );
            }
        }
        Ok(())
    }
}

fn server_of(text: &str) -> Result<SyslogServer, UnitError> {
    let Some(host) = text.strip_prefix("//") else {
        return match text {
            "" => Ok(SyslogServer::Local(LOCAL.into())),
            path if path.starts_with('/') => Ok(SyslogServer::Local(path.into())),
            other => {
                let bare = other.strip_prefix("unix:").unwrap_or(other);
                let instead = if bare.starts_with('/') { format!("\"syslog:{bare}\"") } else { format!("\"syslog://{bare}\"") };
                wrong("a syslog server stands behind two slashes, the path of a socket behind none", instead)
            }
        };
    };
    // nginx's default, too.
    let has_port = host.rsplit_once(':').is_some_and(|(before, _)| !before.contains(':') || before.ends_with(']'));
    let whole = if has_port { host.to_owned() } else { format!("{host}:514") };
    match Address::parse(&whole) {
        Ok(Address::Unix(path)) => wrong("a socket of this machine has no slashes before it", format!("\"syslog:{}\"", path.display())),
        Ok(Address::Ip(address)) => Ok(SyslogServer::Ip(address)),
        Ok(Address::Name(name, port)) => Ok(SyslogServer::Name(name, port)),
        // Which is never written as such.
        Ok(Address::Service(name)) => wrong("a port is missing", format!("\"syslog://{name}:514\"")),
        Err(error) => wrong(error.to_string(), "\"syslog://10.0.0.9:514\""),
    }
}

fn number_of(names: &[(&str, u8)], name: &str, what: &str) -> Result<u8, UnitError> {
    let found = names.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    let all = || names.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| UnitError { problem: format!("{name:?} is no {what} of syslog"), instead: all() })
}

/// `server=10.0.0.9:514,facility=local3,nohostname` in our form.
fn from_nginx(text: &str) -> String {
    let (mut server, mut words) = (String::new(), Vec::new());
    for word in text.split(',') {
        match word.strip_prefix("server=") {
            Some(socket) if socket.starts_with("unix:") => server = format!("syslog:{}", &socket["unix:".len()..]),
            Some(host) => server = format!("syslog://{host}"),
            None => words.push(word),
        }
    }
    if words.is_empty() { server } else { format!("{server}?{}", words.join("&")) }
}

fn is_tag(tag: &str) -> bool {
    (1..=32).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

fn wrong<T>(problem: impl Into<String>, instead: impl Into<String>) -> Result<T, UnitError> {
    Err(UnitError { problem: problem.into(), instead: instead.into() })
}

/// Where a machine's own syslog listens.
const LOCAL: &str = "/dev/log";
/// nginx's facility, where none is written.
const LOCAL_7: u8 = 23;
const FACILITIES: &[(&str, u8)] = &[
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", LOCAL_7),
];
/// The first of each number is its name; the others are what people write, too.
const SEVERITIES: &[(&str, u8)] = &[
    ("emerg", 0),
    ("alert", 1),
    ("crit", 2),
    ("err", 3),
    ("error", 3),
    ("warning", 4),
    ("warn", 4),
    ("notice", 5),
    ("info", 6),
    ("debug", 7),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_be_a_socket_an_address_or_a_name() {
        let server = |text: &str| Syslog::parse(text).unwrap().server;
        let udp = |text: &str| SyslogServer::Ip(text.parse().unwrap());
        assert_eq!(server("syslog:"), SyslogServer::Local("/dev/log".into()));
        assert_eq!(server("syslog:/run/log.sock?tag=a"), SyslogServer::Local("/run/log.sock".into()));
        assert_eq!(server("syslog://10.0.0.9"), udp("10.0.0.9:514"));
        assert_eq!(server("syslog://logs.internal:5514"), SyslogServer::Name(Hostname::parse("logs.internal").unwrap(), 5514));
        assert_eq!(server("syslog://[2001:db8::1]"), udp("[2001:db8::1]:514"));
        assert_eq!(server("syslog://[2001:db8::1]:99"), udp("[2001:db8::1]:99"));
    }

    #[test]
    fn what_stands_behind_the_server_is_heard() {
        let syslog = Syslog::parse("syslog://10.0.0.9?facility=local3&severity=notice&tag=edge&format=rfc3164&nohostname").unwrap();
        assert_eq!((syslog.facility, syslog.severity, &*syslog.tag), (19, Some(SyslogSeverity(5)), "edge"));
        assert_eq!((syslog.format, syslog.tells_hostname), (Some(SyslogFormat::Rfc3164), false));
        let silent = Syslog::parse("syslog:").unwrap();
        assert_eq!((silent.facility, silent.severity, &*silent.tag), (23, None, "vestibule"));
        assert_eq!((silent.format, silent.tells_hostname), (None, true));
    }

    #[test]
    fn nginxs_form_is_said_in_ours() {
        let instead = |text: &str| Syslog::parse(text).unwrap_err().instead;
        assert_eq!(instead("syslog:server=10.0.0.1"), "\"syslog://10.0.0.1\"");
        assert_eq!(instead("syslog:server=unix:/run/a.sock,nohostname"), "\"syslog:/run/a.sock?nohostname\"");
        let whole = instead("syslog:server=[2001:db8::1]:12345,facility=local7,tag=edge,severity=info");
        assert_eq!(whole, "\"syslog://[2001:db8::1]:12345?facility=local7&tag=edge&severity=info\"");
        assert!(Syslog::parse(whole.trim_matches('"')).is_ok(), "what is told can be written");
    }
}
