//! Durations and sizes as they are written: whole numbers and units. Errors say what to write.

use std::time::Duration;

use jiff::Timestamp;

/// No duration is longer: a slip of the unit shows before it bites.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// The units of durations, in milliseconds.
const TIMES: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// The units of sizes, in bytes.
const SIZES: [(&str, u64); 4] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Reads a duration such as `250ms`, `10s` or `1h30m`: units from large to small, each once.
///
/// # Errors
/// What to write instead.
pub fn duration(text: &str) -> Result<Duration, String> {
    let is_zero = !text.is_empty() && text.bytes().all(|b| b == b'0');
    match duration_or_none(if is_zero { "0s" } else { text })? {
        Duration::ZERO => Err("a duration must be longer than zero".to_owned()),
        duration => Ok(duration),
    }
}

/// The same where there may be none: `0s`.
pub(super) fn duration_or_none(text: &str) -> Result<Duration, String> {
    let joined: String = text.split_whitespace().collect();
    if joined != text && duration_or_none(&joined).is_ok() {
        return Err(format!("write `{joined}`, without spaces"));
    }
    let mut milliseconds = 0_u64;
    let mut before: Option<usize> = None;
    let mut rest = text;
    while before.is_none() || !rest.is_empty() {
        // What a number without a unit most likely is: `1h30` is `1h30m`, and `10` is `10s`.
        let likely = before.map_or("s", |unit| TIMES[unit.saturating_sub(1)].0);
        let part = part(text, rest, &TIMES, likely)?;
        match before {
            Some(unit) if unit == part.unit => {
                return Err(format!("`{}` is given twice", TIMES[unit].0));
            }
            Some(unit) if unit < part.unit => {
                return Err("write larger units first, such as `1h30m`".to_owned());
            }
            _ => before = Some(part.unit),
        }
        milliseconds = part
            .number
            .checked_mul(TIMES[part.unit].1)
            .and_then(|more| milliseconds.checked_add(more))
            .ok_or_else(|| format!("`{text}` is too much"))?;
        rest = part.rest;
    }
    match Duration::from_millis(milliseconds) {
        long if long > LONGEST => Err("the longest duration is 366 days".to_owned()),
        duration => Ok(duration),
    }
}

/// Reads a size such as `512B`, `64KiB`, `10MiB` or `1GiB`, in bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let part = part(text, text, &SIZES, "KiB")?;
    if !part.rest.is_empty() {
        return Err("write one number and one unit, such as `64KiB`".to_owned());
    }
    part.number
        .checked_mul(SIZES[part.unit].1)
        .ok_or_else(|| format!("`{text}` is too much"))
}

/// Reads a moment: a date and time, a date, or how long it is from `now` on.
///
/// # Errors
/// What to write.
pub fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    if let Ok(moment) = format!("{text}T00:00:00Z").parse() {
        return Ok(moment);
    }
    let wrong = |_| "write a moment such as `2027-01-31`, `2027-01-31T12:00:00Z`, or `90d`";
    let moment = duration(text).map_err(wrong)?;
    now.checked_add(moment).map_err(|error| error.to_string())
}

/// A duration as a user would write it, in the largest unit that it has whole.
pub(super) fn duration_text(duration: Duration) -> String {
    match u64::try_from(duration.as_millis()).unwrap_or(u64::MAX) {
        0 => "0s".to_owned(),
        milliseconds => written(milliseconds, &TIMES),
    }
}

/// A size as a user would write it, in the largest unit that it has whole.
pub(super) fn size_text(bytes: u64) -> String {
    written(bytes, &SIZES)
}

fn written(number: u64, units: &[(&str, u64)]) -> String {
    let fits = |(_, factor): &&(&str, u64)| number.is_multiple_of(*factor) && number >= *factor;
    let (unit, factor) = units.iter().rev().find(fits).unwrap_or(&units[0]);
    format!("{}{unit}", number / factor)
}

/// A number and its unit, as the index in the table of units.
struct Part<'t> {
    number: u64,
    unit: usize,
    rest: &'t str,
}

/// Reads the number and the unit that `rest`, the end of `text`, begins with.
fn part<'t>(
    text: &str,
    rest: &'t str,
    units: &[(&str, u64)],
    likely: &str,
) -> Result<Part<'t>, String> {
    let (digits, rest) = split(rest, |c| !c.is_ascii_digit());
    let (unit, rest) = split(rest, |c| c.is_ascii_digit());
    if digits.is_empty() {
        return Err(format!("write a number and a unit, such as `10{likely}`"));
    }
    if unit.is_empty() {
        return Err(format!("`{text}` needs a unit: write `{text}{likely}`"));
    }
    let Some(index) = units.iter().position(|(name, _)| *name == unit) else {
        let names: Vec<_> = units.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        return Err(match meant(unit, units) {
            Some(meant) => format!("write `{digits}{meant}`: the units are {names}"),
            None if unit.starts_with('.') => {
                format!("write a whole number of a smaller unit: the units are {names}")
            }
            None => format!("`{unit}` is not a unit: the units are {names}"),
        });
    };
    Ok(Part {
        number: digits
            .parse()
            .map_err(|_| format!("`{text}` is too much"))?,
        unit: index,
        rest,
    })
}

/// Splits before the first character that ends what is read.
fn split(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// The unit that another way of writing it stands for.
fn meant<'u>(written: &str, units: &[(&'u str, u64)]) -> Option<&'u str> {
    let written = written.trim().to_ascii_lowercase();
    let written = match written.as_str() {
        "k" | "kb" => "kib",
        "mb" => "mib",
        "g" | "gb" => "gib",
        "b" | "byte" | "bytes" => "b",
        "sec" | "secs" | "second" | "seconds" => "s",
        "min" | "mins" | "minute" | "minutes" => "m",
        "hr" | "hour" | "hours" => "h",
        "day" | "days" => "d",
        "msec" | "millis" | "milliseconds" => "ms",
        other => other,
    };
    let same = |(name, _): &&(&str, u64)| name.eq_ignore_ascii_case(written);
    let megabytes = || (written == "m").then_some("MiB");
    units
        .iter()
        .find(same)
        .map(|(name, _)| *name)
        .or_else(megabytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::table;

    #[test]
    fn durations() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("10s", 10_000),
            ("1m", 60_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("366d", 31_622_400_000),
            ("1h30m", 5_400_000),
            ("1m30s", 90_000),
            ("1d12h", 129_600_000),
            ("1d1h1m1s1ms", 90_061_001),
            ("0s250ms", 250),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)));
        }
    }

    #[test]
    fn moments() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00Z"),
            ("2027-01-31T12:00:00+02:00", "2027-01-31T10:00:00Z"),
            ("2027-01-31", "2027-01-31T00:00:00Z"),
            ("90d", "2026-04-01T00:00:00Z"),
            ("1h30m", "2026-01-01T01:30:00Z"),
        ] {
            let moment = moment(text, now).map(|moment| moment.to_string());
            assert_eq!(moment.as_deref(), Ok(expected), "{text}");
        }
        for text in ["", "soon", "2027-02-30", "2027-01-31 12:00", "90"] {
            assert!(moment(text, now).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_shown_in_one_unit() {
        for text in ["250ms", "1500ms", "75s", "90m", "2h", "36h", "366d"] {
            assert_eq!(duration_text(duration(text).unwrap()), text);
        }
        assert_eq!(duration_text(duration("1h30m").unwrap()), "90m");
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0B", 0),
            ("512B", 512),
            ("64KiB", 65_536),
            ("10MiB", 10_485_760),
            ("1GiB", 1_073_741_824),
        ] {
            assert_eq!(size(text), Ok(bytes));
            assert_eq!(size_text(bytes), text);
        }
    }

    #[test]
    fn errors_say_what_to_write() {
        for (text, expected) in table(
            "
            10 => `10` needs a unit: write `10s`
            soon => write a number and a unit, such as `10s`
            -1s => write a number and a unit, such as `10s`
            10 s => write `10s`, without spaces
            10min => write `10m`: the units are ms, s, m, h, d
            10S => write `10s`: the units are ms, s, m, h, d
            1.5s => write a whole number of a smaller unit: the units are ms, s, m, h, d
            1y => `y` is not a unit: the units are ms, s, m, h, d
            0s => a duration must be longer than zero
            367d => the longest duration is 366 days
            365d25h => the longest duration is 366 days
            1h30 => `1h30` needs a unit: write `1h30m`
            1m30 => `1m30` needs a unit: write `1m30s`
            1h30m30m => `m` is given twice
            30m1h => write larger units first, such as `1h30m`
            1h 30m => write `1h30m`, without spaces
            1d18446744073709551615s => `1d18446744073709551615s` is too much
            99999999999999999999s => `99999999999999999999s` is too much
            18446744073709551615d => `18446744073709551615d` is too much
            ",
        ) {
            assert_eq!(duration(&text).unwrap_err(), expected);
        }
        assert_eq!(duration("").unwrap_err(), duration("soon").unwrap_err());
        for (text, expected) in table(
            "
            64 => `64` needs a unit: write `64KiB`
            64kb => write `64KiB`: the units are B, KiB, MiB, GiB
            1m => write `1MiB`: the units are B, KiB, MiB, GiB
            1TiB => `TiB` is not a unit: the units are B, KiB, MiB, GiB
            1GiB512MiB => write one number and one unit, such as `64KiB`
            18446744073709551615GiB => `18446744073709551615GiB` is too much
            ",
        ) {
            assert_eq!(size(&text).unwrap_err(), expected);
        }
    }
}
