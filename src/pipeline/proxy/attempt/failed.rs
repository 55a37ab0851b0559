//! How far an attempt had come when it failed, and for how long who was waited for.

use std::time::{Duration, Instant};

use super::super::error::{AttemptError, Cause, Phase, Sent};
use super::Attempt;

impl Attempt<'_, '_> {
    /// Whether the client has been sent interim answers, but for those that ask for its body. An older
    /// client is sent none (RFC 9110 section 15.2).
    pub(in super::super) fn is_answering(&self) -> bool {
        self.interim > u8::from(self.continued)
            && self.forward.request.head.version.has_interim_answers()
    }

    pub(super) fn failed(&self, cause: Cause) -> AttemptError {
        // Not the time of the record, which may be a moment ago: it is compared with what was waited for.
        let now = Instant::now();
        AttemptError {
            phase: if self.answering {
                Phase::Body
            } else if self.is_answering() {
                Phase::Interim
            } else if self.interim > 0 || self.service.has_more() {
                Phase::Head
            } else {
                Phase::Wait
            },
            sent: if self.uploaded {
                Sent::Whole
            } else if self.service.is_within_message() {
                Sent::Partly
            } else {
                Sent::Nothing
            },
            reused: self.reused,
            waited: match cause {
                Cause::ClientLeft => self.of_service(),
                _ => self.waited(now),
            },
            client_was_slow: self.client_was_slow(&cause),
            cause,
        }
    }

    /// Whether the service may have given the client up. The time that it bears with is not known, nor
    /// whether that was what it did; but anybody can be slow, and nobody should be able to have an endpoint
    /// left alone by that.
    fn client_was_slow(&self, cause: &Cause) -> bool {
        if self.answering {
            return self.was_blocked;
        }
        matches!(cause, Cause::Ended) && !self.uploaded && self.awaited
    }

    /// For how long it was the service that was waited for last: not the client, nor on behalf of one
    /// that has ended its half, for that is how most clients leave.
    fn of_service(&self) -> Duration {
        let since = match self.sent {
            _ if self.blocked => return Duration::ZERO,
            Some(sent) => self.interim_at.map_or(sent, |at| at.max(sent)),
            None if self.up.reads => return Duration::ZERO,
            None => self.progress,
        };
        let until = if self.half_closed {
            self.looked
        } else {
            self.forward.record.now()
        };
        until.saturating_duration_since(since)
    }
}
