//! What is known of one name: when its certificate is renewed, and when an order that failed is made again.

use std::time::{Duration, SystemTime};

use super::issued::Issued;
use super::schedule::{
    AFTER_REFUSAL, by_lifetime, in_window, latest, pause_after, try_again, until_asked_again,
};

/// The state of one name.
#[derive(Debug)]
pub(super) struct Name {
    /// The certificate that the times below are for.
    mark: Option<String>,
    /// When it is renewed; a name without a certificate is due at any time.
    renewal: Option<SystemTime>,
    /// When it is renewed at the latest, whatever the authority suggests.
    latest: Option<SystemTime>,
    /// Where in the time that there is for a renewal this process renews.
    dice: f64,
    failures: u32,
    /// Before then no order is made.
    rests_until: SystemTime,
    /// When the authority is asked when it wants to have it renewed.
    asks_at: SystemTime,
}

impl Name {
    /// A name of which nothing is known.
    pub(super) fn new() -> Self {
        Self {
            mark: None,
            renewal: None,
            latest: None,
            dice: fastrand::f64(),
            failures: 0,
            rests_until: SystemTime::UNIX_EPOCH,
            asks_at: SystemTime::UNIX_EPOCH,
        }
    }

    /// Takes note of the certificate that is shown for it.
    pub(super) fn shows(&mut self, issued: Option<&Issued>) {
        let mark = issued.map(|issued| &issued.mark);
        if self.mark.as_ref() == mark {
            return;
        }
        self.mark = mark.cloned();
        self.dice = fastrand::f64();
        let by_lifetime = |issued: &Issued| {
            let (from, until) = issued.validity();
            by_lifetime(from, until, self.dice)
        };
        self.renewal = issued.map(by_lifetime);
        self.latest = issued.map(|issued| {
            let (from, until) = issued.validity();
            latest(from, until)
        });
        self.asks_at = SystemTime::UNIX_EPOCH;
    }

    /// Whether a certificate is to be ordered now.
    pub(super) fn is_due(&self, now: SystemTime) -> bool {
        self.next() <= now
    }

    /// When a certificate is to be ordered.
    pub(super) fn next(&self) -> SystemTime {
        let renewal = self.renewal.unwrap_or(SystemTime::UNIX_EPOCH);
        renewal.max(self.rests_until)
    }

    /// When the certificate is renewed.
    pub(super) fn renewal(&self) -> Option<SystemTime> {
        self.renewal
    }

    /// Whether the authority is to be asked when it wants to have the certificate renewed.
    pub(super) fn asks(&self, now: SystemTime) -> bool {
        self.mark.is_some() && self.asks_at <= now
    }

    /// The authority has suggested this window, and wants to be asked again after `pause`. Says whether that
    /// moves the renewal.
    pub(super) fn suggested(
        &mut self,
        (from, until): (SystemTime, SystemTime),
        pause: Duration,
        now: SystemTime,
    ) -> bool {
        let suggested = in_window(from, until, self.dice);
        let renewal = Some(
            self.latest
                .map_or(suggested, |latest| suggested.min(latest)),
        );
        let moved = renewal != self.renewal;
        self.renewal = renewal;
        self.asks_at = now + until_asked_again(pause);
        moved
    }

    /// The authority has suggested nothing.
    pub(super) fn not_suggested(&mut self, pause: Duration, now: SystemTime) {
        self.asks_at = now + until_asked_again(pause);
    }

    /// An order has succeeded.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.rests_until = SystemTime::UNIX_EPOCH;
    }

    /// An order has failed; says how often in a row, and how long there is none.
    pub(super) fn failed(
        &mut self,
        now: SystemTime,
        wanted: Option<SystemTime>,
    ) -> (u32, Duration) {
        self.failures = self.failures.saturating_add(1);
        let pause = pause_after(self.failures, AFTER_REFUSAL, fastrand::f64());
        self.rests_until = try_again(now, pause, wanted);
        let rest = self.rests_until.duration_since(now).unwrap_or_default();
        (self.failures, rest)
    }

    /// The fleet knows of so many failures, and rests for so long.
    pub(super) fn fleet_rests(&mut self, failures: u32, rest: Duration, now: SystemTime) {
        self.failures = failures;
        self.rests_until = now + rest;
    }
}

#[cfg(test)]
mod tests {
    use super::super::issued::tests::pem;
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn a_name_is_due_without_a_certificate_and_when_it_is_to_be_renewed() {
        let now = SystemTime::now();
        let issued = |days| Issued::parse(pem("a.test", days), "a.test", now).unwrap();
        let mut name = Name::new();
        name.shows(None);
        assert!(name.is_due(now) && !name.asks(now));
        name.shows(Some(&issued((-10, 80))));
        assert!(!name.is_due(now) && name.asks(now));
        assert!(name.is_due(now + DAY * 53) && !name.is_due(now + DAY * 49));
        // As the authority says, but not too late.
        assert!(name.suggested((now - DAY, now), DAY, now));
        assert!(name.is_due(now) && !name.asks(now) && name.asks(now + DAY));
        name.suggested((now + DAY * 900, now + DAY * 901), DAY, now);
        assert!(!name.is_due(now + DAY * 70) && name.is_due(now + DAY * 77));
        // Another certificate, of which nothing has been said.
        name.shows(Some(&issued((-70, 20))));
        assert!(name.is_due(now) && name.asks(now));
    }

    #[test]
    fn a_failure_puts_off_the_next_order_and_a_success_ends_that() {
        let now = SystemTime::now();
        let mut name = Name::new();
        let (failures, rest) = name.failed(now, None);
        assert_eq!(failures, 1);
        assert!(!name.is_due(now) && name.is_due(now + rest));
        let (failures, longer) = name.failed(now, Some(now + DAY / 2));
        assert_eq!((failures, longer), (2, DAY / 2));
        name.fleet_rests(5, DAY, now);
        assert!(!name.is_due(now + longer) && name.is_due(now + DAY));
        name.succeeded();
        assert!(name.is_due(now));
    }
}
