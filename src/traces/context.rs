//! `traceparent` and `tracestate` as they come with a request (W3C Trace Context, Level 1 and 2). What is
//! not exactly as the standard has it counts as not sent.

use crate::message::fields::Fields;
use crate::message::known_field::KnownField;

use super::ids::{SpanId, TraceId, lower};

/// How long the field is in version 00.
const LENGTH: usize = 55;

/// The most members that a list may have (section 3.3.1.1).
const MAX_MEMBERS: usize = 32;
/// The longest key, and the longest value, of a member.
const MAX_PART: usize = 256;

/// What a caller says of the trace that a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace_id: TraceId,
    /// The caller's span.
    pub parent_id: SpanId,
    /// What the caller says of both.
    pub flags: Flags,
}

/// The flags that are known; others are not passed on (section 3.2.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u8);

impl Flags {
    /// Whoever set it has recorded the trace.
    const SAMPLED: u8 = 1;
    /// The last seven bytes of the trace's id are random (Level 2).
    const RANDOM: u8 = 2;

    /// Whether the trace is recorded.
    pub fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED != 0
    }

    /// The same with another word on whether it is recorded.
    pub fn sampled(self, sampled: bool) -> Self {
        Self(self.0 & !Self::SAMPLED | u8::from(sampled))
    }

    /// As a number.
    pub fn bits(self) -> u8 {
        self.0
    }
}

impl TraceParent {
    /// What the one valid `traceparent` of a request says; `None` if there is none, or another beside it.
    #[inline]
    pub fn of(fields: &Fields) -> Option<Self> {
        if !fields.has(KnownField::TraceParent) {
            return None;
        }
        let mut sent = fields.get_all(KnownField::TraceParent);
        match (sent.next(), sent.next()) {
            (Some(value), None) => Self::parse(value),
            _ => None,
        }
    }

    /// Reads a value. A version above 00 is read as far as it is like 00 (section 3.2.4).
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (known, rest) = value.split_at_checked(LENGTH)?;
        let [v0, v1, b'-', ids @ .., b'-', f0, f1] = known else {
            return None;
        };
        let (trace, rest_of_ids) = ids.split_first_chunk::<32>()?;
        let (b'-', parent) = rest_of_ids.split_first()? else {
            return None;
        };
        let version = lower([*v0, *v1])?;
        let flags = lower([*f0, *f1])?;
        match (version, rest.first()) {
            (0xff, _) | (0, Some(_)) => return None,
            (_, None | Some(b'-')) => {}
            _ => return None,
        }
        // Of a version that is not known, no other flag is.
        let known = match version {
            0 => Flags::SAMPLED | Flags::RANDOM,
            _ => Flags::SAMPLED,
        };
        Some(Self {
            trace_id: TraceId::parse(trace)?,
            parent_id: SpanId::parse(parent.try_into().ok()?)?,
            flags: Flags(flags & known),
        })
    }

    /// The value that says so, in version 00.
    pub fn value(&self) -> [u8; LENGTH] {
        let mut value = *b"00-00000000000000000000000000000000-0000000000000000-00";
        value[3..35].copy_from_slice(&self.trace_id.digits());
        value[36..52].copy_from_slice(&self.parent_id.digits());
        value[54] += self.flags.bits();
        value
    }
}

/// Whether the values of `tracestate` are one valid list together (section 3.3.1). One that is not is not
/// passed on at all.
pub fn is_valid_state(fields: &Fields) -> bool {
    let mut members = 0;
    fields.list_items(KnownField::TraceState).all(|member| {
        members += 1;
        members <= MAX_MEMBERS && is_member(member)
    })
}

fn is_member(member: &[u8]) -> bool {
    let Some(equals) = memchr::memchr(b'=', member) else {
        return false;
    };
    let (key, value) = (&member[..equals], &member[equals + 1..]);
    let keychar = |b: &u8| {
        b.is_ascii_lowercase()
            || b.is_ascii_digit()
            || matches!(b, b'_' | b'-' | b'*' | b'/' | b'@')
    };
    let starts = matches!(key.first(), Some(b'a'..=b'z' | b'0'..=b'9'));
    let parts = [key, value].map(|part| (1..=MAX_PART).contains(&part.len()));
    starts
        && parts == [true; 2]
        && key.iter().all(keychar)
        && value.iter().all(|b| matches!(b, b' '..=b'~') && *b != b'=')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::fields::fields;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn parse(value: &str) -> Option<TraceParent> {
        TraceParent::parse(value.as_bytes())
    }

    #[test]
    fn a_valid_value_is_read_and_written() {
        let came = parse(VALID).unwrap();
        assert!(came.flags.is_sampled());
        assert_eq!(came.value(), VALID.as_bytes());
        let not = came.flags.sampled(false);
        assert_eq!((not.is_sampled(), not.bits()), (false, 0));
        // Level 2: the other flag that is known goes on, and no more.
        for (flags, kept) in [("00", 0), ("02", 2), ("03", 3), ("ff", 3), ("fc", 0)] {
            let value = format!("{}{flags}", &VALID[..53]);
            assert_eq!(
                parse(&value).map(|it| it.flags.bits()),
                Some(kept),
                "{flags}"
            );
        }
    }

    #[test]
    fn a_higher_version_is_read_as_far_as_it_is_known() {
        for value in [
            format!("cc{}", &VALID[2..]),
            format!("01{}-what-the-future-will-be-like", &VALID[2..]),
            format!("fe{}-", &VALID[2..]),
        ] {
            let came = parse(&value).unwrap_or_else(|| panic!("{value}"));
            assert_eq!(came.value(), VALID.as_bytes(), "{value}");
        }
        assert_eq!(
            parse(&format!("cc{}02", &VALID[2..53]))
                .unwrap()
                .flags
                .bits(),
            0
        );
    }

    #[test]
    fn whatever_is_not_exactly_so_is_nothing() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        for value in [
            String::new(),
            VALID[..54].to_owned(),
            format!("{VALID}-"),
            format!("{VALID}0"),
            format!("cc{}.future", &VALID[2..]),
            format!("ff{}", &VALID[2..]),
            format!("0{}", &VALID[2..]),
            format!("0X{}", &VALID[2..]),
            VALID.to_uppercase(),
            VALID.replace(trace, &"0".repeat(32)),
            VALID.replace("00f067aa0ba902b7", &"0".repeat(16)),
            VALID.replace('-', "_"),
            VALID.replace("-01", "-0g"),
            format!("{VALID},{VALID}"),
            format!("00-{trace}.00f067aa0ba902b7-01"),
        ] {
            assert_eq!(parse(&value), None, "{value}");
        }
    }

    #[test]
    fn two_of_them_are_as_good_as_none() {
        let once = format!("TraceParent: {VALID}\r\n");
        assert!(TraceParent::of(&fields(&once)).is_some());
        assert_eq!(TraceParent::of(&fields(&once.repeat(2))), None);
        assert_eq!(TraceParent::of(&fields("Host: a\r\n")), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_not_and_what_is_read_is_written(
            value in "[0-9a-f]{2}-[0-9a-f]{31,33}-[0-9a-f]{15,17}-[0-9a-f]{1,3}(-[a-z]*)?",
            bytes: Vec<u8>,
        ) {
            prop_assert_eq!(TraceParent::parse(&bytes), None);
            if let Some(came) = TraceParent::parse(value.as_bytes()) {
                prop_assert_eq!(TraceParent::parse(&came.value()), Some(came));
                prop_assert_eq!(&came.value()[2..52], &value.as_bytes()[2..52]);
            }
        }
    }

    #[test]
    fn a_list_is_valid_as_a_whole_or_not_at_all() {
        let is = |value: &str| is_valid_state(&fields(&format!("tracestate: {value}\r\n")));
        let key = "k".repeat(256);
        let many = |count: usize| vec!["a=1"; count].join(",");
        for valid in [
            "",
            " , ,",
            "congo=t61rcWkgMzE",
            "rojo=00f067aa0ba902b7, congo=t61",
            "0a_-*/@b=x y",
            "fw529a3039@dt=FfAAAABBBB",
            "a=1;b",
            &format!("{key}=1"),
            &format!("a={key}"),
            &many(32),
        ] {
            assert!(is(valid), "{valid}");
        }
        for invalid in [
            "a",
            "=1",
            "a=",
            "A=1",
            "@a=1",
            "a=b=c",
            "a =1",
            "a=\u{e9}",
            &format!("{key}k=1"),
            &format!("a={key}k"),
            &many(33),
        ] {
            assert!(!is(invalid), "{invalid}");
        }
        let two = "tracestate: a=1\r\ntracestate: b\r\n";
        assert!(!is_valid_state(&fields(two)));
    }
}
