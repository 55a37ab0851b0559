//! The wall clock as log lines and `Date` fields show it, formatted once a second.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// A worker's formatted clock.
#[derive(Debug, Default)]
pub struct WallClock {
    second: RefCell<Second>,
}

#[derive(Debug, Default)]
struct Second {
    at: u64,
    /// `2026-01-31T12:00:00`
    iso: String,
    /// `Sat, 31 Jan 2026 12:00:00 GMT` (RFC 9110 section 5.6.7)
    http: String,
}

impl WallClock {
    /// Appends the value of a `Date` field for this moment.
    pub fn put_http(&self, out: &mut Vec<u8>) {
        self.at(now(), |second| {
            out.extend_from_slice(second.http.as_bytes())
        });
    }

    /// Appends a moment as `2026-01-31T12:00:00.123Z`.
    pub fn put_iso(&self, out: &mut Vec<u8>, since_epoch: Duration) {
        self.at(since_epoch, |second| {
            out.extend_from_slice(second.iso.as_bytes())
        });
        let millis = since_epoch.subsec_millis();
        let digit = |n: u32| b'0' + u8::try_from(n % 10).unwrap_or(0);
        out.extend_from_slice(&[
            b'.',
            digit(millis / 100),
            digit(millis / 10),
            digit(millis),
            b'Z',
        ]);
    }

    fn at(&self, since_epoch: Duration, show: impl FnOnce(&Second)) {
        let mut second = self.second.borrow_mut();
        if second.at != since_epoch.as_secs() || second.iso.is_empty() {
            *second = Second::format(since_epoch.as_secs());
        }
        show(&second);
    }
}

impl Second {
    fn format(at: u64) -> Self {
        // A clock beyond the year 9999 shows the epoch; it must not stop requests.
        let time = i64::try_from(at)
            .ok()
            .and_then(|s| Timestamp::from_second(s).ok())
            .unwrap_or_default();
        Self {
            at,
            iso: time.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            http: time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        }
    }
}

/// The time since the epoch; zero for a clock that is set before it.
#[must_use]
pub fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_looks_as_the_standards_say() {
        let (clock, mut iso) = (WallClock::default(), Vec::new());
        clock.put_iso(&mut iso, Duration::from_millis(784_111_777_045));
        assert_eq!(iso, b"1994-11-06T08:49:37.045Z");
        assert_eq!(clock.second.borrow().http, "Sun, 06 Nov 1994 08:49:37 GMT");
        iso.clear();
        clock.put_iso(&mut iso, Duration::from_secs(784_111_778));
        assert_eq!(iso, b"1994-11-06T08:49:38.000Z");
        clock.put_iso(&mut iso, Duration::MAX);
    }
}
