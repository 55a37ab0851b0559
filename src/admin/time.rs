//! Times as the API shows them: RFC 3339, in UTC, with milliseconds.

use std::fmt;
use std::time::{Instant, SystemTime};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// A time, for JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time(pub Timestamp);

impl Time {
    /// A moment of the monotonic clock, as the wall clock goes now.
    pub(super) fn of(moment: Instant) -> Option<Self> {
        let ago = Instant::now().saturating_duration_since(moment);
        let then = SystemTime::now().checked_sub(ago)?;
        Timestamp::try_from(then).ok().map(Self)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
