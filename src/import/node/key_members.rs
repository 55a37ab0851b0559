//! What stands beside a key: its lifetime, and whether it is in force at all. A key that does not hold
//! there, or whose end is not understood, would open something here, so it is left out.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::import::Notes;
use crate::import::draft::Lifetime;

/// Names of members in lower-case letters alone.
const OFF: [&str; 14] = [
    "disabled",
    "revoked",
    "expired",
    "deleted",
    "blocked",
    "suspended",
    "inactive",
    "banned",
    "locked",
    "revokedat",
    "disabledat",
    "deletedat",
    "blockedat",
    "suspendedat",
];
const ON: [&str; 3] = ["enabled", "active", "valid"];
const STATE: [&str; 2] = ["status", "state"];
const EXPIRES: [&str; 18] = [
    "expires",
    "expiresat",
    "expireat",
    "expireson",
    "expiry",
    "expirydate",
    "expiryat",
    "expiration",
    "expirationdate",
    "expirationtime",
    "expirydatetime",
    "expdate",
    "exp",
    "validuntil",
    "validto",
    "validtill",
    "notafter",
    "enddate",
];
const BEGINS: [&str; 8] = [
    "notbefore",
    "validfrom",
    "nbf",
    "startsat",
    "startdate",
    "beginsat",
    "activefrom",
    "validafter",
];
const DURATION: [&str; 7] = [
    "ttl",
    "expiresin",
    "expirein",
    "maxage",
    "lifetime",
    "validfor",
    "duration",
];

/// The lifetime of an entry's keys by all members but those that are `used`; none where the keys are
/// left out, which is noted.
pub(super) fn lifetime(
    members: &Map<String, Value>,
    used: &[&str],
    place: &str,
    notes: &mut Notes,
) -> Option<Lifetime> {
    let mut lifetime = Lifetime::default();
    let mut in_force = true;
    for (name, value) in members {
        if used.contains(&name.as_str()) {
            continue;
        }
        match judge(name, value, &mut lifetime) {
            Judged::Taken => {}
            Judged::Unknown => notes.left_out(place, format!("`{name}` has no counterpart")),
            Judged::Closed(why) => {
                in_force = false;
                notes.left_out(place, format!("a key, for `{name}` {why}"));
            }
        }
    }
    in_force.then_some(lifetime)
}

/// What comes of a member.
enum Judged {
    Taken,
    Unknown,
    /// The key is left out, because of this.
    Closed(&'static str),
}

fn judge(name: &str, value: &Value, lifetime: &mut Lifetime) -> Judged {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let plain = letters.collect::<String>().to_ascii_lowercase();
    let plain = plain.strip_prefix("is").unwrap_or(&plain);
    let is = |names: &[&str]| names.contains(&plain);
    let closed_unless = |open: bool| {
        if open {
            Judged::Taken
        } else {
            Judged::Closed("says that it is not in force")
        }
    };
    if is(&OFF) {
        closed_unless(matches!(value, Value::Null | Value::Bool(false)))
    } else if is(&ON) {
        closed_unless(*value == Value::Bool(true))
    } else if is(&STATE) {
        let state = value.as_str().unwrap_or_default().to_ascii_lowercase();
        closed_unless(ON.contains(&state.as_str()))
    } else if is(&DURATION) && !value.is_null() {
        Judged::Closed("is no moment, so it would not expire here; add its hash with `expires_at`")
    } else if is(&EXPIRES) && !value.is_null() {
        expires(value, lifetime)
    } else if is(&BEGINS) && !value.is_null() {
        let Some(begin) = moment(value) else {
            return Judged::Closed(NO_MOMENT);
        };
        lifetime.not_before = lifetime.not_before.max(Some(begin));
        Judged::Taken
    } else if is(&DURATION) || is(&EXPIRES) || is(&BEGINS) {
        Judged::Taken
    } else {
        Judged::Unknown
    }
}

const NO_MOMENT: &str = "cannot be read as a time; write it as \"2027-01-01T00:00:00Z\"";

fn expires(value: &Value, lifetime: &mut Lifetime) -> Judged {
    let Some(end) = moment(value) else {
        return Judged::Closed(NO_MOMENT);
    };
    if end <= Timestamp::now() {
        return Judged::Closed("says that it has expired");
    }
    let soonest = lifetime.expires_at.map_or(end, |other| other.min(end));
    lifetime.expires_at = Some(soonest);
    Judged::Taken
}

/// A time with its zone, a date (which begins in UTC, as in JavaScript), or the seconds or
/// milliseconds since 1970.
fn moment(value: &Value) -> Option<Timestamp> {
    // As seconds this is the year 5138, as milliseconds 1973.
    const FIRST_MILLISECONDS: i64 = 100_000_000_000;
    match value {
        Value::String(text) if text.len() == "2027-01-01".len() => {
            format!("{text}T00:00:00Z").parse().ok()
        }
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => match number.as_i64()? {
            seconds @ 0..FIRST_MILLISECONDS => Timestamp::from_second(seconds).ok(),
            milliseconds @ FIRST_MILLISECONDS.. => Timestamp::from_millisecond(milliseconds).ok(),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(members: &str) -> (Option<Lifetime>, Vec<String>) {
        let members: Map<String, Value> = serde_json::from_str(members).expect("an object");
        let mut notes = Notes::default();
        let lifetime = lifetime(&members, &["key", "client"], "m", &mut notes);
        (lifetime, notes.left_out)
    }

    #[test]
    fn a_key_that_is_not_in_force_is_left_out() {
        for members in [
            r#"{ "enabled": false }"#,
            r#"{ "enabled": null }"#,
            r#"{ "isActive": 0 }"#,
            r#"{ "revoked": true }"#,
            r#"{ "revoked": "yes" }"#,
            r#"{ "is_disabled": true }"#,
            r#"{ "revoked_at": "2024-01-01T00:00:00Z" }"#,
            r#"{ "status": "revoked" }"#,
            r#"{ "expires": "2020-01-01" }"#,
            r#"{ "expiresAt": "2020-01-01T00:00:00.000Z" }"#,
            r#"{ "exp": 1577836800 }"#,
            r#"{ "exp": 1577836800000 }"#,
            r#"{ "expires": "next year" }"#,
            r#"{ "expires": "2099-01-01T00:00:00" }"#,
            r#"{ "expires": true }"#,
            r#"{ "notBefore": "soon" }"#,
            r#"{ "ttl": 3600 }"#,
        ] {
            let (lifetime, left_out) = read(members);
            assert_eq!(lifetime, None, "{members}");
            assert!(left_out[0].starts_with("m: a key, for `"), "{left_out:?}");
            assert_eq!(left_out.len(), 1, "{left_out:?}");
        }
    }

    #[test]
    fn a_lifetime_is_taken_over() {
        let time = |text: &str| Some(text.parse().expect("a time"));
        let (new_year, begin) = (time("2099-01-01T00:00:00Z"), time("2026-02-03T04:05:06Z"));
        for (members, not_before, expires_at) in [
            (
                r#"{ "key": "a", "client": "m", "expires": null, "revoked": false, "enabled": true }"#,
                None,
                None,
            ),
            (
                r#"{ "status": "active", "deletedAt": null, "ttl": null }"#,
                None,
                None,
            ),
            (r#"{ "expires": "2099-01-01" }"#, None, new_year),
            (
                r#"{ "expires_at": "2099-01-01T01:00:00+01:00", "exp": 4102444800 }"#,
                None,
                new_year,
            ),
            (r#"{ "validUntil": 4070908800000 }"#, None, new_year),
            (
                r#"{ "notBefore": "2026-02-03T04:05:06Z", "valid-from": 1 }"#,
                begin,
                None,
            ),
        ] {
            let taken = Lifetime {
                not_before,
                expires_at,
            };
            assert_eq!(read(members), (Some(taken), Vec::new()), "{members}");
        }
    }

    #[test]
    fn whatever_else_stands_there_is_named() {
        let (lifetime, left_out) = read(r#"{ "key": "a", "scopes": ["read"], "note": "x" }"#);
        assert!(lifetime.is_some());
        let expected = [
            "m: `note` has no counterpart",
            "m: `scopes` has no counterpart",
        ];
        assert_eq!(left_out, expected);
    }
}
