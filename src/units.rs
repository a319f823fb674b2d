//! Durations and sizes as people write them: `"500ms"`, `"1m30s"`, `"16k"`, `"10MiB"`.
//! A duration without a unit is refused, since nginx would read seconds and HAProxy milliseconds.

use std::time::Duration;

/// What is wrong with a duration or a size, and how to write it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct UnitError {
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub instead: String,
}

/// Reads `"500ms"`, `"30s"`, `"10m"`, `"2h"`, `"1d"`, or several of these one after the other (`"1m30s"`).
///
/// # Errors
/// When a number or a unit is missing, unknown or too large.
pub fn duration(text: &str) -> Result<Duration, UnitError> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(unit_error("a duration is empty", "\"30s\""));
    }
    while !rest.is_empty() {
        let (number, after) =
            leading_number(rest).ok_or_else(|| unit_error("this is not a duration", "\"500ms\", \"30s\", \"10m\", \"2h\" or \"1d\""))?;
        let unit_end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let milliseconds = match unit {
            "" if text.trim().bytes().all(|b| b.is_ascii_digit()) => return Err(bare_duration(text.trim())),
            "" if after.starts_with(' ') => {
                return Err(unit_error("a unit stands right behind its number", "such as \"30s\", without a space"));
            }
            "" => return Err(unit_error(format!("a unit is missing behind {number}"), "one of ms, s, m, h, d")),
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(unit_error(format!("{unit:?} is no unit of time"), "one of ms, s, m, h, d")),
        };
        let part = number.checked_mul(milliseconds).filter(|&ms| ms <= LONGEST_MS);
        total += Duration::from_millis(part.ok_or_else(|| unit_error("this duration is too long", "at most \"3650d\""))?);
        rest = after.trim_start();
    }
    Ok(total)
}

/// A duration as it may be written, in the largest unit that divides it; a minute is "60s".
#[must_use]
pub fn written(duration: Duration) -> String {
    let ms = duration.as_millis();
    let fits = |&(unit, size): &(&str, u128)| ms >= size && ms.is_multiple_of(size) && (unit, ms) != ("m", size);
    let (unit, size) = UNITS.into_iter().find(fits).unwrap_or(("ms", 1));
    format!("{}{unit}", ms / size)
}

/// Reads `"512"`, `"16k"`, `"10m"`, `"1g"` or `"10MiB"`: bytes, in powers of 1024.
///
/// # Errors
/// When a number is missing, the unit is unknown or the size does not fit 63 bits.
pub fn size(text: &str) -> Result<u64, UnitError> {
    bytes(text, "size").map_err(|problem| match problem {
        NoBytes::Form(problem) => unit_error(problem, "\"16k\", \"10m\", \"1g\" or a number of bytes"),
        NoBytes::Unit(problem) => unit_error(problem, "one of k, m, g, KiB, MiB, GiB (powers of 1024)"),
        NoBytes::TooLarge(problem) => unit_error(problem, "a smaller one"),
    })
}

/// Reads how much may pass in a second: a size, `"1m"` or `"1m/s"`, or bits, `"8Mbit/s"`. Bits count in powers of 1000.
///
/// # Errors
/// When it is neither, or does not fit 63 bits.
pub fn rate(text: &str) -> Result<u64, UnitError> {
    let text = text.trim();
    let each = text.strip_suffix("/s").unwrap_or(text);
    let Some((number, unit)) = leading_number(each).filter(|(_, unit)| unit.trim_start().to_ascii_lowercase().ends_with("bit")) else {
        let instead = "\"1m\" (bytes in a second, powers of 1024) or \"8Mbit/s\"";
        return bytes(each, "rate")
            .map_err(|(NoBytes::Form(problem) | NoBytes::Unit(problem) | NoBytes::TooLarge(problem))| unit_error(problem, instead));
    };
    let bits = match unit.trim_start().to_ascii_lowercase().as_str() {
        "bit" => 1,
        "kbit" => 1_000,
        "mbit" => 1_000_000,
        "gbit" => 1_000_000_000,
        _ => return Err(unit_error(format!("{:?} is no unit of rate", unit.trim_start()), "one of bit/s, kbit/s, Mbit/s, Gbit/s")),
    };
    number.checked_mul(bits).map(|bits| bits.div_ceil(8)).ok_or_else(|| unit_error("this rate is too large", "a smaller one"))
}

/// A rate as it may be written: whichever of bytes, `"1m/s"`, and bits, `"8Mbit/s"`, needs the smaller number.
#[must_use]
pub fn written_rate(bytes: u64) -> String {
    let fits = |number: u128, size: u128| number > 0 && number.is_multiple_of(size);
    let (bytes, bits) = (u128::from(bytes), u128::from(bytes) * 8);
    let of_bytes = [("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)].into_iter().find(|(_, size)| fits(bytes, *size)).unwrap_or(("", 1));
    let of_bits = [("Gbit", 1_000_000_000), ("Mbit", 1_000_000), ("kbit", 1_000)].into_iter().find(|(_, size)| fits(bits, *size));
    let in_bytes = (bytes / of_bytes.1, of_bytes.0);
    let (number, unit) = of_bits.map(|(unit, size)| (bits / size, unit)).into_iter().chain([in_bytes]).min().unwrap_or(in_bytes);
    format!("{number}{unit}/s")
}

/// What is wrong with a number of bytes.
enum NoBytes {
    Form(String),
    Unit(String),
    TooLarge(String),
}

/// Bytes, in powers of 1024; `what` they are is for the complaint.
fn bytes(text: &str, what: &str) -> Result<u64, NoBytes> {
    let (number, unit) = leading_number(text.trim()).ok_or_else(|| NoBytes::Form(format!("this is not a {what}")))?;
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        other => return Err(NoBytes::Unit(format!("{other:?} is no unit of {what}"))),
    };
    let fits = number.checked_mul(1 << shift).filter(|&bytes| bytes <= i64::MAX as u64);
    fits.ok_or_else(|| NoBytes::TooLarge(format!("this {what} is too large")))
}

/// The error for a duration that is only a number.
#[must_use]
pub fn bare_duration(number: &str) -> UnitError {
    unit_error(
        "a duration needs a unit (nginx reads 10 as seconds, HAProxy as milliseconds)".replace("10", number),
        format!("\"{number}s\""),
    )
}

fn unit_error(problem: impl Into<String>, instead: impl Into<String>) -> UnitError {
    UnitError { problem: problem.into(), instead: instead.into() }
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

const UNITS: [(&str, u128); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Ten years: beyond it timers would overflow before anybody waited for them.
const LONGEST_MS: u64 = 3650 * 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, ms) in
            [("500ms", 500), ("30s", 30_000), ("10m", 600_000), ("2h", 7_200_000), ("1d", 86_400_000), ("1m30s", 90_000), ("0s", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert_eq!(duration("10").unwrap_err().instead, "\"10s\"");
        assert_eq!(duration("1m30").unwrap_err().problem, "a unit is missing behind 30");
        for wrong in ["", "s", "10x", "-1s", "99999999999d", "1.5s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_written_duration_reads_the_same() {
        for ms in [0, 1, 500, 1_000, 60_000, 90_000, 600_000, 7_200_000, 86_400_000, 86_400_001] {
            assert_eq!(duration(&written(Duration::from_millis(ms))), Ok(Duration::from_millis(ms)));
        }
        assert_eq!(written(Duration::from_secs(90)), "90s");
        assert_eq!([60, 600, 3_600].map(|seconds| written(Duration::from_secs(seconds))), ["60s", "10m", "1h"]);
    }

    #[test]
    fn a_written_rate_reads_the_same() {
        let texts = ["0/s", "1/s", "512/s", "1kbit/s", "10k/s", "1m/s", "8Mbit/s", "128Mbit/s", "1Gbit/s", "3g/s"];
        for text in texts {
            assert_eq!(rate(text).map(written_rate).as_deref(), Ok(text));
        }
        for bytes in [1023, 1025, 999_999, 123_456_789, u64::from(u32::MAX), i64::MAX as u64] {
            assert_eq!(rate(&written_rate(bytes)), Ok(bytes));
        }
    }

    #[test]
    fn rates_are_bytes_or_bits_in_a_second() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("1m", 1 << 20),
            ("1m/s", 1 << 20),
            ("8Mbit/s", 1_000_000),
            ("80 kbit/s", 10_000),
            ("1Gbit/s", 125_000_000),
        ] {
            assert_eq!(rate(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "fast", "1m/m", "8Xbit/s", "-1", "99999999999Gbit/s"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [("512", 512), ("16k", 16_384), ("10m", 10 << 20), ("1g", 1 << 30), ("10MiB", 10 << 20)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "k", "10mb", "-1", "99999999999999g"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
