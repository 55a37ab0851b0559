//! Durations and sizes as they are written: a whole number and a unit. Errors say what to write.

use std::time::Duration;

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

/// Reads a duration such as `250ms`, `10s`, `1m`, `2h` or `1d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let number = |number: u64, unit: u64| number.checked_mul(unit).map(Duration::from_millis);
    let duration = measure(text, &TIMES, "s", number)?;
    if duration.is_zero() {
        return Err("a duration is longer than nothing".into());
    }
    if duration > LONGEST {
        return Err("no duration is longer than 366 days".into());
    }
    Ok(duration)
}

/// Reads a size such as `512B`, `64KiB`, `10MiB` or `1GiB`, in bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    measure(text, &SIZES, "KiB", u64::checked_mul)
}

fn measure<T>(
    text: &str,
    units: &[(&str, u64)],
    likely: &str,
    make: impl Fn(u64, u64) -> Option<T>,
) -> Result<T, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(format!("write a number and a unit, such as `10{likely}`"));
    }
    if unit.is_empty() {
        return Err(format!("`{text}` needs a unit: write `{text}{likely}`"));
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        let names: Vec<_> = units.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        return Err(match meant(unit, units) {
            Some(meant) => format!("write `{number}{meant}`: the units are {names}"),
            None if unit.starts_with('.') => {
                format!("write a whole number of a smaller unit: the units are {names}")
            }
            None => format!("`{unit}` is not a unit: the units are {names}"),
        });
    };
    number
        .parse()
        .ok()
        .and_then(|number| make(number, *factor))
        .ok_or_else(|| format!("`{text}` is too much"))
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

    #[test]
    fn durations() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("10s", 10_000),
            ("1m", 60_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("366d", 31_622_400_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)));
        }
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
        }
    }

    #[test]
    fn errors_say_what_to_write() {
        for (wrong, expected) in [
            (duration("10"), "`10` needs a unit: write `10s`"),
            (duration("soon"), "write a number and a unit, such as `10s`"),
            (duration("-1s"), "write a number and a unit, such as `10s`"),
            (
                duration("10 s"),
                "write `10s`: the units are ms, s, m, h, d",
            ),
            (
                duration("10min"),
                "write `10m`: the units are ms, s, m, h, d",
            ),
            (duration("10S"), "write `10s`: the units are ms, s, m, h, d"),
            (
                duration("1.5s"),
                "write a whole number of a smaller unit: the units are ms, s, m, h, d",
            ),
            (
                duration("1y"),
                "`y` is not a unit: the units are ms, s, m, h, d",
            ),
            (duration("0s"), "a duration is longer than nothing"),
            (duration("367d"), "no duration is longer than 366 days"),
            (
                duration("99999999999999999999s"),
                "`99999999999999999999s` is too much",
            ),
            (
                duration("18446744073709551615d"),
                "`18446744073709551615d` is too much",
            ),
        ] {
            assert_eq!(wrong.unwrap_err(), expected);
        }
        for (wrong, expected) in [
            (size("64"), "`64` needs a unit: write `64KiB`"),
            (
                size("64kb"),
                "write `64KiB`: the units are B, KiB, MiB, GiB",
            ),
            (size("1m"), "write `1MiB`: the units are B, KiB, MiB, GiB"),
            (
                size("1TiB"),
                "`TiB` is not a unit: the units are B, KiB, MiB, GiB",
            ),
            (
                size("18446744073709551615GiB"),
                "`18446744073709551615GiB` is too much",
            ),
        ] {
            assert_eq!(wrong.unwrap_err(), expected);
        }
    }
}
