//! Why a collector has not taken a batch, and whether it may take it later (OTLP section "Failures").

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use http::StatusCode;

/// The longest pause that a collector may ask for: a batch is given up after a minute in any case.
const LONGEST: Duration = Duration::from_secs(30);

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("it cannot be reached: {0}")]
    Unreachable(io::Error),
    #[error("TLS to it fails (`traces.ca` says whom to trust): {0}")]
    Tls(io::Error),
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("the gateway ends")]
    NoTime,
    #[error("the exchange with it fails: {}", cause(.0))]
    Http(#[from] hyper::Error),
    #[error("its answer cannot be read")]
    Answer,
    #[error("it answers {status}")]
    Status {
        status: StatusCode,
        /// The pause that it asks for.
        pause: Option<Duration>,
    },
    #[error("it answers with the gRPC status {code}: {message}")]
    Grpc {
        code: u8,
        message: String,
        /// It has said more, which for some codes means that it may be asked again.
        has_details: bool,
    },
}

impl Failure {
    /// Whether the same batch may be taken later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Tls(_) | Self::TimedOut(_) | Self::Http(_) => true,
            Self::NoTime | Self::Answer => false,
            Self::Status { status, .. } => matches!(
                *status,
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            ),
            // Cancelled, deadline exceeded, aborted, out of range, unavailable, data loss; and resource
            // exhausted, if it says when to come again.
            Self::Grpc {
                code, has_details, ..
            } => matches!(code, 1 | 4 | 10 | 11 | 14 | 15) || (*code == 8 && *has_details),
        }
    }

    /// For how long the collector asks not to be asked.
    pub(super) fn asks_for(&self) -> Option<Duration> {
        match self {
            Self::Status { pause, .. } => pause.map(|pause| pause.min(LONGEST)),
            _ => None,
        }
    }
}

/// What lies at the bottom of an error: its own text says no more than "error".
fn cause(error: &hyper::Error) -> String {
    let mut cause: &dyn StdError = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_otlp_says_may_be_sent_again_is() {
        let status = |code| Failure::Status {
            status: StatusCode::from_u16(code).unwrap(),
            pause: Some(Duration::from_hours(1)),
        };
        let again = (200..600).filter(|code| status(*code).is_passing());
        assert_eq!(again.collect::<Vec<_>>(), [429, 502, 503, 504]);
        assert_eq!(status(429).asks_for(), Some(LONGEST));
        let grpc = |code, has_details| Failure::Grpc {
            code,
            message: String::new(),
            has_details,
        };
        let again = |details| (0..20).filter(move |code| grpc(*code, details).is_passing());
        assert_eq!(again(false).collect::<Vec<_>>(), [1, 4, 10, 11, 14, 15]);
        assert_eq!(again(true).collect::<Vec<_>>(), [1, 4, 8, 10, 11, 14, 15]);
    }
}
