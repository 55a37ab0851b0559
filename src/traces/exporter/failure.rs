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
        /// The pause that it asks for; zero, if it may be asked again and does not say when.
        pause: Option<Duration>,
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
            // exhausted, if it says that it recovers.
            Self::Grpc { code, pause, .. } => {
                matches!(code, 1 | 4 | 10 | 11 | 14 | 15) || (*code == 8 && pause.is_some())
            }
        }
    }

    /// For how long the collector asks not to be asked.
    pub(super) fn asks_for(&self) -> Option<Duration> {
        let (Self::Status { pause, .. } | Self::Grpc { pause, .. }) = self else {
            return None;
        };
        let pause = pause.filter(|pause| !pause.is_zero())?;
        Some(pause.min(LONGEST))
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
        let grpc = |code, pause| Failure::Grpc {
            code,
            message: String::new(),
            pause,
        };
        let again = |pause| (0..20).filter(move |code| grpc(*code, pause).is_passing());
        assert_eq!(again(None).collect::<Vec<_>>(), [1, 4, 10, 11, 14, 15]);
        let second = Duration::from_secs(1);
        for pause in [Duration::ZERO, second] {
            let again: Vec<_> = again(Some(pause)).collect();
            assert_eq!(again, [1, 4, 8, 10, 11, 14, 15]);
        }
        let asks_for = |pause| grpc(14, pause).asks_for();
        assert_eq!(asks_for(None), None);
        assert_eq!(asks_for(Some(Duration::ZERO)), None);
        assert_eq!(asks_for(Some(second)), Some(second));
        assert_eq!(asks_for(Some(Duration::MAX)), Some(LONGEST));
    }
}
