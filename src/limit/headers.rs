//! What an answer says about its caller's limit: the fields of draft-ietf-httpapi-ratelimit-headers
//! (version 11), the older `X-RateLimit-*`, and the seconds of `Retry-After`. Pure and without
//! allocation: values are composed in the head that is being written.

use std::time::Duration;

use crate::message::sink::FieldSink;
use crate::words::words;

use super::{Decision, Policy};

words! {
    /// Which rate-limit header fields an answer carries.
    #[derive(Default)]
    pub enum LimitHeaders {
        /// `RateLimit` and `RateLimit-Policy`.
        #[default]
        Standard = "standard",
        /// `X-RateLimit-Limit`, `-Remaining` and `-Reset`.
        Legacy = "legacy",
        /// All five.
        Both = "both",
        /// None.
        Off = "off",
    }
}

/// Puts the fields: which limits there are, and what the `closest` of them has decided.
pub fn put_fields<'p>(
    sink: &mut impl FieldSink,
    style: LimitHeaders,
    all: impl Iterator<Item = &'p Policy>,
    closest: &Policy,
    decision: &Decision,
) {
    let reset = whole_seconds(decision.reset);
    if matches!(style, LimitHeaders::Standard | LimitHeaders::Both) {
        sink.composed(b"RateLimit-Policy", |out| {
            let mut before: &[u8] = b"";
            for policy in all {
                out.extend_from_slice(before);
                out.extend_from_slice(policy.item().as_bytes());
                before = b", ";
            }
        });
        sink.composed(b"RateLimit", |out| {
            out.push(b'"');
            out.extend_from_slice(closest.name.as_bytes());
            out.push(b'"');
            put_parameter(out, b";r=", decision.remaining);
            put_parameter(out, b";t=", reset);
        });
    }
    if matches!(style, LimitHeaders::Legacy | LimitHeaders::Both) {
        sink.number(b"X-RateLimit-Limit", closest.limit.requests());
        sink.number(b"X-RateLimit-Remaining", decision.remaining);
        sink.number(b"X-RateLimit-Reset", reset);
    }
}

/// The value of `Retry-After` for a refused request: whole seconds, at least one, and never a
/// moment too early.
pub fn retry_after(decision: &Decision) -> u64 {
    whole_seconds(decision.retry_after).max(1)
}

/// Seconds, rounded up, so that a caller which waits for as long finds a new window.
fn whole_seconds(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0))
}

fn put_parameter(out: &mut Vec<u8>, before: &[u8], value: u64) {
    out.extend_from_slice(before);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::tests::{decision, policy};
    use crate::message::sink::List;

    fn fields(style: LimitHeaders, remaining: u64, reset: Duration) -> String {
        let limit = |requests, seconds| policy(requests, seconds).limit;
        let policy = Policy::new("identified", limit(600, 60));
        let other = Policy::new("search-burst", limit(20, 1));
        let decision = Decision {
            reset,
            ..decision(true, remaining, 0)
        };
        let mut list = List::default();
        let all = [&policy, &other].into_iter();
        put_fields(&mut list, style, all, &policy, &decision);
        let lines = list
            .0
            .iter()
            .map(|(name, value)| format!("{name}: {value}\n"));
        lines.collect()
    }

    #[test]
    fn each_style_has_its_fields() {
        let reset = Duration::from_millis(22_001);
        let standard = "ratelimit-policy: \"identified\";q=600;w=60, \"search-burst\";q=20;w=1\nratelimit: \"identified\";r=417;t=23\n";
        let legacy = "x-ratelimit-limit: 600\nx-ratelimit-remaining: 417\nx-ratelimit-reset: 23\n";
        assert_eq!(fields(LimitHeaders::Standard, 417, reset), standard);
        assert_eq!(fields(LimitHeaders::Legacy, 417, reset), legacy);
        assert_eq!(
            fields(LimitHeaders::Both, 417, reset),
            format!("{standard}{legacy}")
        );
        assert_eq!(fields(LimitHeaders::Off, 417, reset), "");
    }

    #[test]
    fn retry_after_is_rounded_up_and_at_least_one() {
        let after = |retry_after| {
            super::retry_after(&Decision {
                retry_after,
                ..decision(false, 0, 0)
            })
        };
        assert_eq!(after(Duration::ZERO), 1);
        assert_eq!(after(Duration::from_millis(1)), 1);
        assert_eq!(after(Duration::from_secs(1)), 1);
        assert_eq!(after(Duration::from_millis(1001)), 2);
        assert_eq!(after(Duration::MAX), u64::MAX);
    }
}
