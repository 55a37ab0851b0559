//! What to write in the place of a value that is no table: a limit in words, a port or endpoints alone.

use std::time::Duration;

use crate::config::tree::Value;
use crate::config::units;

/// A limit as other programs have it: `60/m`, `10r/s`, `100 requests per hour`.
pub(in crate::config) fn limit_in_words(written: &Value) -> Option<String> {
    let (requests, per) = match written {
        Value::Text(text) => parse_limit(text).unwrap_or((60, MINUTE)),
        Value::Integer(number) => (u64::try_from(*number).ok().filter(|it| *it > 0)?, MINUTE),
        _ => return None,
    };
    let per = units::duration_text(per);
    Some(format!(
        "write `{{ requests = {requests}, per = \"{per}\" }}`"
    ))
}

const MINUTE: Duration = Duration::from_mins(1);

fn parse_limit(text: &str) -> Option<(u64, Duration)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (requests, rest) = text.split_at(end);
    let requests = requests.parse().ok().filter(|it| *it > 0)?;
    let (_, per) = rest.split_once('/').or_else(|| rest.split_once(" per "))?;
    let per = match per.trim() {
        "s" | "sec" | "second" => "1s",
        "m" | "min" | "minute" => "1m",
        "h" | "hour" => "1h",
        "d" | "day" => "1d",
        duration => duration,
    };
    Some((requests, units::duration(per).ok()?))
}

/// The endpoints of a service in the place of a route or its upstream.
pub(super) const ENDPOINTS_ALONE: &str = "a route leads to one upstream: put these into `[upstreams.NAME]` as `endpoints`, and write \"NAME\" here";

/// What to say of them.
pub(in crate::config) fn endpoints_alone(written: &Value) -> Option<String> {
    matches!(written, Value::List(_)).then(|| ENDPOINTS_ALONE.to_owned())
}

/// A port without an address.
pub(in crate::config) fn port_alone(written: &Value) -> Option<String> {
    let Value::Integer(number) = written else {
        return None;
    };
    let port = u16::try_from(*number).ok()?;
    Some(format!("write \"0.0.0.0:{port}\""))
}
