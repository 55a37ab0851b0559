//! Certificates that end soon or have ended: a hint, for a gateway that shows one is ready all the same.

use std::time::Duration;

use jiff::Timestamp;

use crate::admin::time::Time;
use crate::tls::Expiry;

use super::display::span;
use super::{Finding, State, first_of};

/// Who is shown a certificate.
#[derive(Debug, Clone)]
pub(in crate::admin) enum ShownTo {
    Clients,
    /// The services of this upstream.
    Upstream(String),
    Redis,
}

/// A certificate that ends soon or has ended.
#[derive(Debug, Clone)]
pub(in crate::admin) struct Ending {
    pub shown_to: ShownTo,
    pub expiry: Expiry,
}

impl Ending {
    pub(super) fn finding(&self) -> Finding {
        let Expiry {
            at, has_expired, ..
        } = self.expiry;
        let text = match &self.shown_to {
            ShownTo::Clients => self.expiry.to_string(),
            ShownTo::Upstream(upstream) => format!("for `{upstream}`, {}", self.expiry),
            ShownTo::Redis => format!("for Redis, {}", self.expiry),
        };
        let (first, rest) = text.split_at(text.ceil_char_boundary(1));
        Finding {
            code: "certificate_ends",
            severity: if has_expired {
                State::Critical
            } else {
                State::Warning
            },
            text: format!("{}{rest}.", first.to_uppercase()),
            since: has_expired.then_some(Time(at)),
        }
    }

    /// The certificate and when it ends, as a part of a sentence.
    fn in_words(&self, now: Timestamp) -> String {
        let Expiry {
            names,
            issuer,
            at,
            has_expired,
        } = &self.expiry;
        let chain = issuer.as_ref().map_or("", |_| "chain of the ");
        let whose = match (&self.shown_to, names.first()) {
            (ShownTo::Upstream(upstream), _) => format!(" for `{upstream}`"),
            (ShownTo::Redis, _) => " for Redis".to_owned(),
            (ShownTo::Clients, Some(name)) => format!(" of `{name}`"),
            (ShownTo::Clients, None) => String::new(),
        };
        let apart = at.duration_since(now).unsigned_abs();
        let when = if *has_expired {
            format!("ended {} ago", in_days(apart))
        } else {
            format!("ends in {}", in_days(apart))
        };
        format!("the {chain}certificate{whose} {when}")
    }
}

/// The part of the sentence for all of them: those which end first, and how many more.
pub(super) fn in_sentence(endings: &[Ending], now: Timestamp) -> Option<String> {
    let mut endings: Vec<_> = endings.iter().collect();
    endings.sort_by_key(|it| it.expiry.at);
    let texts = endings.into_iter().map(|it| it.in_words(now));
    first_of(texts.collect(), "more")
}

/// A time in its largest unit, days written out: a certificate is renewed by people who plan in days.
fn in_days(time: Duration) -> String {
    match time.as_secs() / 86_400 {
        0 | 1 => span(time),
        days => format!("{days} days"),
    }
}
