//! How a try can fail, as far as that says something about its endpoint.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;

use crate::metrics::TryOutcome;

use super::tls::TlsFault;

/// What an endpoint has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It takes no connections.
    Refused,
    /// No connection could be made in time, or for another reason.
    NoConnection,
    /// TLS could not be begun.
    Tls(TlsFault),
    /// It ended the connection without an answer, or within one.
    Reset,
    /// It did not answer in time.
    TimedOut,
    /// Its answer was not valid HTTP.
    Invalid,
    /// It answered with a status that counts as a failure.
    Status(StatusCode),
    /// A client did not want to wait for it any longer.
    Impatient,
}

impl Failure {
    /// Whether it counts however short ago a try has succeeded: nothing listens there any more.
    pub fn is_clear(self) -> bool {
        matches!(self, Self::Refused)
    }

    /// Whether the endpoint may still be of use, so that at most half of an upstream's endpoints may
    /// be left out for such a reason: if all answer late, or refuse, leaving them out helps nobody.
    pub fn is_of_load(self) -> bool {
        matches!(self, Self::TimedOut | Self::Status(_) | Self::Impatient)
    }

    /// What the try is counted as.
    pub fn counted(self) -> TryOutcome {
        match self {
            Self::Refused => TryOutcome::Refused,
            Self::NoConnection => TryOutcome::NoConnection,
            Self::Tls(_) => TryOutcome::Tls,
            Self::Reset => TryOutcome::Reset,
            Self::TimedOut => TryOutcome::Timeout,
            Self::Invalid => TryOutcome::Invalid,
            Self::Status(_) => TryOutcome::Error,
            Self::Impatient => TryOutcome::ClientLeft,
        }
    }

    /// A number for it: a status is its own. What was wrong with TLS is lost.
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Refused => 1,
            Self::NoConnection | Self::Tls(_) => 2,
            Self::Reset => 3,
            Self::TimedOut => 4,
            Self::Invalid => 5,
            Self::Impatient => 6,
            Self::Status(status) => status.as_u16().into(),
        }
    }

    /// What has this number.
    pub(super) fn of_number(number: u64) -> Self {
        match number {
            1 => Self::Refused,
            3 => Self::Reset,
            4 => Self::TimedOut,
            5 => Self::Invalid,
            6 => Self::Impatient,
            other => {
                let status = u16::try_from(other).ok();
                let status = status.and_then(|it| StatusCode::from_u16(it).ok());
                status.map_or(Self::NoConnection, Self::Status)
            }
        }
    }

    /// What the log calls it.
    pub fn word(self) -> Cow<'static, str> {
        let word = match self {
            Self::Refused => "refused",
            Self::NoConnection => "no_connection",
            Self::Tls(fault) => fault.word(),
            Self::Reset => "reset",
            Self::TimedOut => "timeout",
            Self::Invalid => "invalid",
            Self::Status(status) => return format!("status_{}", status.as_u16()).into(),
            Self::Impatient => "client_left",
        };
        word.into()
    }
}

/// As [`Failure::word`] has it.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word())
    }
}
