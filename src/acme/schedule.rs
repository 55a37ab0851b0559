//! When a certificate is renewed, and when an order that failed is made again. Pure: the caller
//! says what time it is and how the dice have fallen.

use std::time::{Duration, SystemTime};

/// The first pause after an order that the authority refused: it may count them.
pub(super) const AFTER_REFUSAL: Duration = Duration::from_secs(30);
/// The first pause after no order could be begun, as when the network is not up yet.
pub(super) const AFTER_TROUBLE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// How often an authority is asked when it wants to have a certificate renewed (RFC 9773 section 4.3):
/// as it says, within these bounds.
const ARI_PAUSES: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(24));

/// When to renew a certificate of which nobody says when: once two thirds of its life are over, and up to a
/// thirtieth later, so that certificates which were ordered together are not renewed together. `dice` is
/// below 1.
pub(super) fn by_lifetime(from: SystemTime, until: SystemTime, dice: f64) -> SystemTime {
    let life = until.duration_since(from).unwrap_or_default();
    from + life.mul_f64(2.0 / 3.0 + dice / 30.0)
}

/// When to renew within the window that the authority suggests. One that has begun or makes no sense
/// means now, which is its beginning.
pub(super) fn in_window(from: SystemTime, until: SystemTime, dice: f64) -> SystemTime {
    let length = until.duration_since(from).unwrap_or_default();
    from + length.mul_f64(dice)
}

/// When a certificate is renewed at the latest: an authority that suggests a time after its end must not let
/// it end.
pub(super) fn latest(from: SystemTime, until: SystemTime) -> SystemTime {
    let life = until.duration_since(from).unwrap_or_default();
    from + life.mul_f64(0.95)
}

/// Whether a renewal that was to begin at this time is late: a fortieth of the certificate's life has passed
/// since, in which it has been tried again and again. Nobody knows the time before the authority has been asked.
pub(super) fn is_late(
    (from, until): (SystemTime, SystemTime),
    renewal: Option<SystemTime>,
    now: SystemTime,
) -> bool {
    let life = until.duration_since(from).unwrap_or_default();
    now > renewal.unwrap_or_else(|| latest(from, until)) + life / 40
}

/// How long to wait until the authority is asked for its window again.
pub(super) fn until_asked_again(said: Duration) -> Duration {
    said.clamp(ARI_PAUSES.0, ARI_PAUSES.1)
}

/// How long to wait after so many failures in a row, the first is 1: between three quarters and the whole of
/// a pause that begins with `first` and doubles up to a day.
pub(super) fn pause_after(failures: u32, first: Duration, dice: f64) -> Duration {
    let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(LONGEST_PAUSE).mul_f64(0.75 + dice / 4.0)
}

/// The time at which to try again after a failure: after the pause, but not before the authority wants to
/// hear of us, and within a day.
pub(super) fn try_again(
    now: SystemTime,
    pause: Duration,
    wanted: Option<SystemTime>,
) -> SystemTime {
    let latest = now + LONGEST_PAUSE;
    wanted.unwrap_or(now).max(now + pause).min(latest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn day(number: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + DAY * number
    }

    #[test]
    fn a_certificate_is_renewed_at_two_thirds_of_its_life_or_little_later() {
        assert_eq!(by_lifetime(day(10), day(100), 0.0), day(70));
        let last = by_lifetime(day(10), day(100), 1.0);
        assert!(last > day(72) && last <= day(73), "{last:?}");
        assert_eq!(by_lifetime(day(10), day(10), 0.5), day(10));
        assert_eq!(by_lifetime(day(10), day(9), 0.5), day(10));
    }

    #[test]
    fn the_window_of_the_authority_is_used_evenly() {
        assert_eq!(in_window(day(4), day(8), 0.0), day(4));
        assert_eq!(in_window(day(4), day(8), 0.5), day(6));
        assert_eq!(in_window(day(8), day(4), 0.5), day(8));
    }

    #[test]
    fn a_renewal_that_has_only_just_been_due_is_not_late() {
        let life = (day(10), day(90));
        let renewal = by_lifetime(life.0, life.1, 1.0);
        assert!(!is_late(life, Some(renewal), renewal));
        assert!(!is_late(life, Some(renewal), renewal + DAY));
        assert!(is_late(life, Some(renewal), renewal + DAY * 3));
        // As late as an authority may ask for it.
        let renewal = latest(life.0, life.1);
        assert_eq!(renewal, day(86));
        for known in [None, Some(renewal)] {
            assert!(!is_late(life, known, day(88)) && is_late(life, known, day(89)));
        }
    }

    #[test]
    fn pauses_double_up_to_a_day() {
        let pauses: Vec<_> = (1..=5)
            .map(|n| pause_after(n, AFTER_REFUSAL, 1.0).as_secs())
            .collect();
        assert_eq!(pauses, [30, 60, 120, 240, 480]);
        assert_eq!(
            pause_after(1, AFTER_TROUBLE, 0.0),
            Duration::from_millis(1500)
        );
        for failures in [17, 40, u32::MAX] {
            assert_eq!(pause_after(failures, AFTER_TROUBLE, 1.0), DAY);
        }
    }

    #[test]
    fn an_authority_that_asks_for_patience_gets_it_for_a_day_at_most() {
        let pause = Duration::from_mins(1);
        assert_eq!(try_again(day(1), pause, None), day(1) + pause);
        assert_eq!(try_again(day(1), pause, Some(day(0))), day(1) + pause);
        let hour = day(1) + Duration::from_hours(1);
        assert_eq!(try_again(day(1), pause, Some(hour)), hour);
        assert_eq!(try_again(day(1), pause, Some(day(9))), day(2));
        assert_eq!(until_asked_again(Duration::ZERO), ARI_PAUSES.0);
        assert_eq!(until_asked_again(DAY * 9), DAY);
    }
}
