//! Whether and when the kernel asks a silent connection if the other side is still there (tcp(7), nginx's `so_keepalive`).

use std::time::Duration;

use figment::value::Value;
use serde::{Serialize, Serializer};

use super::read::{Read, Reader};
use super::values::{number, positive};
use super::{print, words as kinds};

/// `keepalive`: a switch, or a table with numbers of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keepalive {
    /// Never.
    Off,
    /// As these say; what is absent is the system's.
    On(KeepaliveTimes),
}

/// When it asks. Each number is the kernel's own where it is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KeepaliveTimes {
    /// After how long a silence it begins (`TCP_KEEPIDLE`).
    #[serde(serialize_with = "print::some_duration")]
    pub idle: Option<Duration>,
    /// How long it then waits between two questions (`TCP_KEEPINTVL`).
    #[serde(serialize_with = "print::some_duration")]
    pub interval: Option<Duration>,
    /// After how many unanswered ones the connection is dead (`TCP_KEEPCNT`).
    pub count: Option<u8>,
}

impl Read for Keepalive {
    fn read(value: Value, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(value, Value::Num(..)) {
            let ours = "true, or { idle = \"60s\" }: whether a silent server is asked if it is still there, not how many connections wait";
            reader.unfit(&value, "true, false or a table").label(ours);
            return None;
        }
        if !matches!(value, Value::Dict(..)) {
            let on = bool::read(value, reader)?;
            return Some(if on { Self::On(KeepaliveTimes::default()) } else { Self::Off });
        }
        let mut table = reader.table(value, &kinds::KEEPALIVE)?;
        Some(Self::On(KeepaliveTimes {
            idle: reader.take_with(&mut table, "idle", whole_seconds),
            interval: reader.take_with(&mut table, "interval", whole_seconds),
            count: reader.take_with(&mut table, "count", number(1..=127)),
        }))
    }
}

/// Reads a time as the kernel counts it here: whole seconds, up to 32,767 of them.
fn whole_seconds(value: Value, reader: &mut Reader<'_>) -> Option<Duration> {
    let duration = positive(value, reader)?;
    if duration.subsec_nanos() != 0 || duration.as_secs() > 32_767 {
        reader.wrong("whole seconds belong here, at most 32767").label("\"60s\"");
        return None;
    }
    Some(duration)
}

impl Serialize for Keepalive {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::On(times) if *times == KeepaliveTimes::default() => serializer.serialize_bool(true),
            Self::On(times) => times.serialize(serializer),
        }
    }
}
