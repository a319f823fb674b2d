//! How typed values are written down again, so that what was read and printed reads the same.

use std::time::Duration;

use serde::{Serialize, Serializer};

pub(super) fn duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    written(*duration).serialize(serializer)
}

pub(super) fn some_duration<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(written).serialize(serializer)
}

/// In the largest unit that divides it.
fn written(duration: Duration) -> String {
    let ms = duration.as_millis();
    let (unit, size) = UNITS.into_iter().find(|(_, size)| ms.is_multiple_of(*size)).unwrap_or(("ms", 1));
    format!("{}{unit}", ms / size)
}

const UNITS: [(&str, u128); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units;

    #[test]
    fn a_written_duration_reads_the_same() {
        for ms in [0, 1, 500, 1_000, 90_000, 600_000, 7_200_000, 86_400_000, 86_400_001] {
            let duration = Duration::from_millis(ms);
            assert_eq!(units::duration(&written(duration)), Ok(duration));
        }
        assert_eq!(written(Duration::from_secs(90)), "90s");
        assert_eq!(written(Duration::from_secs(600)), "10m");
    }
}
