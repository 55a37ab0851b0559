//! `Retry-After` of a service that answers 503.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use crate::message::head::AnswerHead;
use crate::message::known_field::KnownField;

/// For how long a service that is overloaded asks for no more requests (RFC 9110 section 10.2.3).
pub(super) fn asks_to_be_spared(head: &AnswerHead) -> Option<Duration> {
    if head.status != http::StatusCode::SERVICE_UNAVAILABLE {
        return None;
    }
    let field = head.fields.get(KnownField::RetryAfter)?;
    spared_for(std::str::from_utf8(field).ok()?.trim(), Timestamp::now())
}

/// How long that is: seconds, or until a date. One that has passed is no time at all.
fn spared_for(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_asks_to_be_spared_in_seconds_or_until_a_date() {
        let now: Timestamp = "2026-11-27T08:49:30Z".parse().unwrap();
        for (text, seconds) in [
            ("7", Some(7)),
            ("0", Some(0)),
            ("Fri, 27 Nov 2026 08:49:37 GMT", Some(7)),
            ("Fri, 27 Nov 2026 08:49:30 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
            ("99999999999999999999", None),
            ("Fri, 32 Nov 2026 08:49:37 GMT", None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(spared_for(text, now), expected, "{text}");
        }
    }
}
