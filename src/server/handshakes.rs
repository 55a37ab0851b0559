//! What has become of the handshakes of TLS: counted by outcome, and those that have failed are said in
//! the log, once in ten seconds at most. A client that leaves, or is too slow, is a matter of every day.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rustls::{Error, PeerIncompatible};

use crate::metrics::HandshakeOutcome;
use crate::seldom::Seldom;
use crate::wire::tls::HandshakeError;
use crate::words::Word;

/// How a handshake has ended.
#[derive(Debug)]
pub(super) enum Ended {
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

impl Ended {
    /// What it is counted as.
    pub(super) fn counted(&self) -> HandshakeOutcome {
        match self {
            Self::Done => HandshakeOutcome::Done,
            Self::Left => HandshakeOutcome::Left,
            Self::TimedOut => HandshakeOutcome::TimedOut,
            Self::GaveWay => HandshakeOutcome::GaveWay,
            Self::NotTls => HandshakeOutcome::NotTls,
            Self::Failed(_) => HandshakeOutcome::Failed,
        }
    }
}

/// All handshakes of the process since the last line about them.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    /// By the places of their outcomes.
    counts: [AtomicU64; <HandshakeOutcome as Word>::ALL.len()],
    seldom: Seldom<10>,
}

impl Handshakes {
    /// Counts one.
    pub(super) fn note(&self, outcome: &Ended) {
        let why = match outcome {
            Ended::Done | Ended::Left | Ended::TimedOut => None,
            Ended::GaveWay => Some("others needed its place"),
            Ended::NotTls => Some("the client does not speak TLS"),
            Ended::Failed(why) => Some(&**why),
        };
        self.counts[outcome.counted() as usize].fetch_add(1, Ordering::Relaxed);
        if !matches!(outcome, Ended::Done) {
            tracing::debug!(?outcome, "a TLS handshake was not finished");
        }
        let Some(last) = why.filter(|_| self.seldom.is_due(Instant::now())) else {
            return;
        };
        let take = |of: HandshakeOutcome| self.counts[of as usize].swap(0, Ordering::Relaxed);
        tracing::info!(
            failed = take(HandshakeOutcome::Failed),
            not_tls = take(HandshakeOutcome::NotTls),
            gave_way = take(HandshakeOutcome::GaveWay),
            timed_out = take(HandshakeOutcome::TimedOut),
            left = take(HandshakeOutcome::Left),
            done = take(HandshakeOutcome::Done),
            last,
            "TLS handshakes of clients have failed"
        );
    }
}

impl From<HandshakeError> for Ended {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Left => Self::Left,
            HandshakeError::Tls(error) => Self::Failed(in_words(&error)),
        }
    }
}

/// Why a handshake has failed, in an operator's words where rustls has its own.
fn in_words(error: &Error) -> String {
    let words = match error {
        Error::NoApplicationProtocol => "the client offers no protocol but others than http/1.1",
        Error::PeerIncompatible(
            PeerIncompatible::SignatureAlgorithmsExtensionRequired
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => "the client speaks only versions of TLS older than `tls.min_version`",
        Error::PeerIncompatible(
            PeerIncompatible::NoCipherSuitesInCommon
            | PeerIncompatible::NoKxGroupsInCommon
            | PeerIncompatible::NoSignatureSchemesInCommon,
        ) => "the client knows no cipher, key exchange or signature that is used here",
        other => return other.to_string(),
    };
    words.to_owned()
}
