//! The wall clock as log lines and `Date` fields show it, formatted once a second.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// A worker's formatted clock. It goes by the monotonic clock that a request is timed with anyway,
/// and looks at the wall clock once a second.
#[derive(Debug)]
pub struct WallClock {
    second: RefCell<Second>,
    /// One moment on both clocks.
    anchor: Cell<(Instant, Duration)>,
    last_look: Cell<Instant>,
}

#[derive(Debug, Default)]
struct Second {
    at: u64,
    /// `2026-01-31T12:00:00`
    iso: String,
    /// `Sat, 31 Jan 2026 12:00:00 GMT` (RFC 9110 section 5.6.7)
    http: String,
}

/// How long the two clocks are taken to run alike.
const ALIKE: Duration = Duration::from_secs(1);

impl Default for WallClock {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            second: RefCell::default(),
            anchor: Cell::new((now, since_epoch())),
            last_look: Cell::new(now),
        }
    }
}

impl WallClock {
    /// The monotonic clock's time.
    pub fn look(&self) -> Instant {
        let now = Instant::now();
        self.last_look.set(now);
        now
    }

    /// What [`WallClock::look`] saw last, for who knows that this was just now.
    pub fn last_look(&self) -> Instant {
        self.last_look.get()
    }

    /// Appends the value of a `Date` field for this moment.
    pub fn put_http(&self, out: &mut Vec<u8>, at: Instant) {
        self.show(self.wall(at), |second| {
            out.extend_from_slice(second.http.as_bytes());
        });
    }

    /// Appends a moment as `2026-01-31T12:00:00.123Z`.
    pub fn put_iso(&self, out: &mut Vec<u8>, at: Instant) {
        let wall = self.wall(at);
        self.show(wall, |second| out.extend_from_slice(second.iso.as_bytes()));
        let millis = wall.subsec_millis();
        let digit = |n: u32| b'0' + u8::try_from(n % 10).unwrap_or(0);
        out.extend_from_slice(&[
            b'.',
            digit(millis / 100),
            digit(millis / 10),
            digit(millis),
            b'Z',
        ]);
    }

    /// A moment in whole seconds since 1970.
    pub fn second(&self, at: Instant) -> u32 {
        u32::try_from(self.wall(at).as_secs()).unwrap_or(u32::MAX)
    }

    /// A moment not long ago; the epoch where the clock is set beyond the year 9999.
    pub fn time(&self, at: Instant) -> Timestamp {
        let millis = i64::try_from(self.wall(at).as_millis()).ok();
        let time = millis.and_then(|millis| Timestamp::from_millisecond(millis).ok());
        time.unwrap_or_default()
    }

    /// A moment not long ago as the time since the epoch.
    pub fn since_epoch(&self, at: Instant) -> Duration {
        self.wall(at)
    }

    /// The wall clock's time at a moment not long ago.
    fn wall(&self, at: Instant) -> Duration {
        let (then, wall) = self.anchor.get();
        match at.checked_duration_since(then) {
            Some(later) if later <= ALIKE => wall.saturating_add(later),
            Some(_) => {
                let (now, wall) = (Instant::now(), since_epoch());
                self.anchor.set((now, wall));
                wall.saturating_sub(now.saturating_duration_since(at))
            }
            None => wall.saturating_sub(then.saturating_duration_since(at)),
        }
    }

    fn show(&self, wall: Duration, show: impl FnOnce(&Second)) {
        let mut second = self.second.borrow_mut();
        if second.at != wall.as_secs() || second.iso.is_empty() {
            *second = Second::format(wall.as_secs());
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
fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_looks_as_the_standards_say() {
        let (clock, at) = (WallClock::default(), Instant::now());
        clock
            .anchor
            .set((at, Duration::from_millis(784_111_777_045)));
        let shown = |at| {
            let mut iso = Vec::new();
            clock.put_iso(&mut iso, at);
            String::from_utf8(iso).unwrap()
        };
        assert_eq!(shown(at), "1994-11-06T08:49:37.045Z");
        assert_eq!(
            shown(at + Duration::from_millis(955)),
            "1994-11-06T08:49:38.000Z"
        );
        let mut http = Vec::new();
        clock.put_http(&mut http, at);
        assert_eq!(http, b"Sun, 06 Nov 1994 08:49:37 GMT");
        clock.anchor.set((at, Duration::MAX));
        assert_eq!(
            shown(at),
            "1970-01-01T00:00:00.999Z",
            "a clock that is set wrong stops nothing"
        );
    }
}
