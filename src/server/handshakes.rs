//! What has become of the handshakes of TLS: counted by outcome, and those that have failed are said in
//! the log, once in ten seconds at most. A client that leaves, or is too slow, is a matter of every day.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::wire::tls::HandshakeError;

use super::seldom::Seldom;

/// How a handshake has ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Done,
    /// The client left before its end.
    Left,
    /// It was not done within `server.header_timeout`.
    TimedOut,
    /// Others needed its place, or the gateway stops.
    GaveWay,
    /// The client spoke something else.
    NotTls,
    /// Both sides could not agree. The text says why.
    Failed(String),
}

/// All handshakes of the process.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    failed: AtomicU64,
    not_tls: AtomicU64,
    seldom: Seldom,
}

impl Handshakes {
    /// Counts one.
    pub(super) fn note(&self, outcome: &Outcome) {
        let why = match outcome {
            Outcome::Done => return,
            Outcome::Left | Outcome::TimedOut | Outcome::GaveWay => {
                return tracing::debug!(?outcome, "a TLS handshake was not finished");
            }
            Outcome::NotTls => {
                self.not_tls.fetch_add(1, Ordering::Relaxed);
                "the client does not speak TLS"
            }
            Outcome::Failed(why) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                why
            }
        };
        tracing::debug!(why, "a TLS handshake has failed");
        if self.seldom.is_due() {
            let failed = self.failed.swap(0, Ordering::Relaxed);
            let not_tls = self.not_tls.swap(0, Ordering::Relaxed);
            tracing::info!(
                failed,
                not_tls,
                last = why,
                "TLS handshakes of clients have failed"
            );
        }
    }
}

impl From<HandshakeError> for Outcome {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Left => Self::Left,
            HandshakeError::Tls(error) => Self::Failed(error.to_string()),
        }
    }
}
