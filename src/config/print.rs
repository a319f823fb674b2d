//! How typed values are written down again, so that what was read and printed reads the same.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::units::written;

pub(super) fn duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    written(*duration).serialize(serializer)
}

pub(super) fn some_duration<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(written).serialize(serializer)
}
