//! A line as a message of syslog: RFC 5424, or the form of RFC 3164 in which programs write to their own machine's.

use std::io::Write;

use crate::config::{SyslogFormat, SyslogSeverity};
use crate::variables::now;

/// What all messages of a log have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) format: SyslogFormat,
    pub(super) facility: u8,
    /// Absent is not told.
    pub(super) hostname: Option<Box<str>>,
    pub(super) tag: Box<str>,
    /// The log's name.
    pub(super) message_id: Box<str>,
    /// Whether this goes to the machine's own syslog, which knows where it is.
    pub(super) is_local: bool,
}

impl Header {
    /// Writes the message that a line becomes. What is too long is cut off.
    pub(super) fn write(&self, line: &[u8], severity: SyslogSeverity, out: &mut Vec<u8>) {
        let (priority, pid) = (u32::from(self.facility) * 8 + u32::from(severity.0), std::process::id());
        // Writing to memory cannot fail.
        let _ = match self.format {
            SyslogFormat::Rfc5424 => write!(
                out,
                "<{priority}>1 {} {} {} {pid} {} - ",
                now().strftime("%Y-%m-%dT%H:%M:%S%.6f%:z"),
                self.hostname.as_deref().unwrap_or("-"),
                self.tag,
                self.message_id,
            ),
            SyslogFormat::Rfc3164 => {
                let _ = write!(out, "<{priority}>{} ", now().strftime("%b %e %H:%M:%S"));
                match self.hostname.as_deref().filter(|_| !self.is_local) {
                    Some(hostname) => write!(out, "{hostname} {}[{pid}]: ", self.tag),
                    None => write!(out, "{}[{pid}]: ", self.tag),
                }
            }
        };
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let room = MOST_BYTES.saturating_sub(out.len());
        out.extend_from_slice(if line.len() > room { &line[..boundary(line, room)] } else { line });
    }
}

/// The machine's name as syslog takes it: a header's field is printable ASCII without spaces (RFC 5424 §6).
pub(super) fn hostname() -> Box<str> {
    field(&rustix::system::uname().nodename().to_string_lossy(), 255)
}

/// A text as a field of a header, `-` if nothing is left.
pub(super) fn field(text: &str, most: usize) -> Box<str> {
    let printable: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if printable.is_empty() { "-".into() } else { printable.into() }
}

/// Where a text may be cut at or before a byte, so that no letter is.
fn boundary(line: &[u8], at: usize) -> usize {
    (0..=at).rev().find(|&cut| line.get(cut).is_none_or(|byte| byte & 0b1100_0000 != 0b1000_0000)).unwrap_or(0)
}

/// A receiver must take 480 bytes, should take 2,048, and may take more (RFC 5424 §6.1); those of today take 8 kB.
const MOST_BYTES: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(format: SyslogFormat, is_local: bool, line: &str) -> String {
        let [hostname, tag, message_id] = ["edge-1", "vestibule", "main"].map(Into::into);
        let header = Header { format, facility: 19, hostname: Some(hostname), tag, message_id, is_local };
        let mut out = Vec::new();
        header.write(line.as_bytes(), SyslogSeverity::WARNING, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_is_a_message_of_rfc_5424() {
        let message = message(SyslogFormat::Rfc5424, false, "a line\n");
        let fields: Vec<_> = message.splitn(8, ' ').collect();
        let pid = std::process::id().to_string();
        let [priority, time, rest @ ..] = &fields[..] else { panic!("{message}") };
        assert_eq!((*priority, rest), ("<156>1", &["edge-1", "vestibule", &pid, "main", "-", "a line"][..]));
        let time = time.parse::<jiff::Timestamp>().expect("RFC 3339");
        assert!(jiff::Timestamp::now().duration_since(time).as_secs() < 3600, "{message}");
    }

    #[test]
    fn in_the_old_form_only_others_are_told_the_machine() {
        let pid = std::process::id();
        let there = message(SyslogFormat::Rfc3164, false, "a line\n");
        assert!(there.starts_with("<156>") && there.ends_with(&format!(" edge-1 vestibule[{pid}]: a line")), "{there}");
        assert_eq!(there.find(" edge-1"), Some("<156>Nov 20 14:37:37".len()));
        let here = message(SyslogFormat::Rfc3164, true, "a line\n");
        assert!(!here.contains("edge-1") && here.ends_with(&format!(" vestibule[{pid}]: a line")), "{here}");
    }

    #[test]
    fn a_long_line_is_cut_between_two_letters() {
        for filler in 0..4 {
            let line = "x".repeat(filler) + &"é".repeat(MOST_BYTES);
            let message = message(SyslogFormat::Rfc5424, false, &line);
            assert!((MOST_BYTES - 1..=MOST_BYTES).contains(&message.len()), "{}", message.len());
        }
    }

    #[test]
    fn a_field_is_printable_and_bounded() {
        assert_eq!(&*field("a b\u{e9}\nc", 32), "abc");
        assert_eq!(&*field(" ", 32), "-");
        assert_eq!(field(&"x".repeat(99), 32).len(), 32);
    }
}
