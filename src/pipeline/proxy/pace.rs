//! How long a client is waited for that is slow: to send its request, or to read its answer. Time runs
//! only while the gateway waits for the client. Every byte that moves buys more of it, so that the
//! client has to be as fast as `server.min_body_rate` on average, and may pause for a while.
//!
//! A service that is slow, and an event stream that is quiet, take nothing of it.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::wire::stream::Moved;

use super::super::record::Record;

/// What a client has at first to send: over less than this the average says little.
const TO_SEND: Duration = Duration::from_secs(5);
/// What it has at first to read. The kernels on the way report room in large pieces: a reader of one
/// kilobyte a second may look for eight seconds like one that has stopped.
const TO_READ: Duration = Duration::from_secs(10);
/// So much of an answer may have gone without anybody having read it: the kernels have taken it.
const TAKEN_BY_KERNELS: u64 = 512 * 1024;
/// The same in segments, once nothing more has gone for a while: a window that was nearly closed is
/// filled late.
const TAKEN_LATE: u64 = 4;
/// A client that does not read for less than this is not waited for.
const SETTLES: Duration = Duration::from_secs(1);

/// What a client has more while the worker cannot keep up.
const MORE: Duration = Duration::from_secs(1);

/// Both directions of an exchange. It takes memory only once the client is waited for.
#[derive(Debug, Default)]
pub(super) struct Paces(Option<Box<Both>>);

#[derive(Debug)]
struct Both {
    sender: Pace,
    reader: Pace,
    /// Since when nothing can be sent to the client.
    blocked: Option<Instant>,
    /// The kernel has been asked since then whether it takes more.
    settled: bool,
    /// How much may still go that says nothing about the client.
    unproven: u64,
}

/// What is to happen when a client is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The kernel is asked whether it takes more; it says so by itself only when a third of its
    /// buffer is free.
    AskForRoom,
    Cut(Slow),
}

/// What a client is too slow at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slow {
    ToSend,
    ToRead,
}

impl Paces {
    /// Notes what has moved since the last time, and whether the client is waited for: to send, or to
    /// read.
    #[inline]
    pub(super) fn note(&mut self, record: &Record<'_>, moved: Moved, sends: bool, reads: bool) {
        if self.0.is_some() || sends || reads {
            self.note_wait(record, moved, sends, reads);
        }
    }

    fn note_wait(&mut self, record: &Record<'_>, moved: Moved, sends: bool, reads: bool) {
        let snapshot = &record.current.snapshot;
        let (Some(rate), most) = (snapshot.min_body_rate, snapshot.idle_timeout) else {
            return;
        };
        let both = self.0.get_or_insert_with(|| {
            let (received, sent) = (record.bytes_in.get(), record.bytes_out.get());
            let mut both = Both::begun(sent, moved);
            let before = received.saturating_sub(moved.received as u64);
            both.sender.credit(before, rate, most);
            Box::new(both)
        });
        let now = record.now();
        both.sender.wait(sends, now);
        both.sender.credit(moved.received as u64, rate, most);
        if reads {
            both.blocked.get_or_insert(now);
        } else {
            (both.blocked, both.settled) = (None, false);
        }
        both.reader.wait(both.settled, now);
        let proven = both.proven(moved.sent as u64);
        both.reader.credit(proven, rate, most);
    }

    /// What is to happen next, and when.
    pub(super) fn due(&self) -> Option<(Instant, Step)> {
        self.0.as_ref()?.due()
    }

    /// Waits for another second.
    pub(super) fn give_time(&mut self) {
        if let Some(both) = &mut self.0 {
            both.sender.left += MORE;
            both.reader.left += MORE;
        }
    }

    /// Notes that the kernel is asked, which sends segments of that many bytes.
    pub(super) fn settle(&mut self, segment: u32) {
        if let Some(both) = &mut self.0 {
            both.settled = true;
            both.unproven = both.unproven.min(TAKEN_LATE * u64::from(segment));
        }
    }
}

impl Both {
    /// With so much of the answer sent. What of it has `moved` just now is still to be noted; some of that
    /// may be a head.
    fn begun(sent: u64, moved: Moved) -> Self {
        let sent = sent.saturating_sub(moved.sent as u64);
        Self {
            sender: Pace::with(TO_SEND),
            reader: Pace::with(TO_READ),
            blocked: None,
            settled: false,
            unproven: TAKEN_BY_KERNELS.saturating_sub(sent),
        }
    }

    /// How much of what was sent says that the client reads.
    fn proven(&mut self, sent: u64) -> u64 {
        let proven = sent.saturating_sub(self.unproven);
        self.unproven = self.unproven.saturating_sub(sent);
        proven
    }

    fn due(&self) -> Option<(Instant, Step)> {
        let sender = self.sender.due();
        let sender = sender.map(|due| (due, Step::Cut(Slow::ToSend)));
        let reader = match self.blocked {
            Some(since) if !self.settled => Some((since + SETTLES, Step::AskForRoom)),
            _ => self.reader.due().map(|due| (due, Step::Cut(Slow::ToRead))),
        };
        match (sender, reader) {
            (Some(sender), Some(reader)) if reader.0 < sender.0 => Some(reader),
            (sender, reader) => sender.or(reader),
        }
    }
}

/// One direction of an exchange.
#[derive(Debug)]
struct Pace {
    /// How much longer the client may be waited for, as of `since`.
    left: Duration,
    /// Since when it is waited for.
    since: Option<Instant>,
}

impl Pace {
    fn with(left: Duration) -> Self {
        Self { left, since: None }
    }

    /// Notes that `bytes` have moved, at this rate as good as that many seconds; nobody may save more
    /// than `most`.
    fn credit(&mut self, bytes: u64, rate: NonZeroU32, most: Duration) {
        let nanos = bytes.saturating_mul(1_000_000_000) / u64::from(rate.get());
        let left = self.left.saturating_add(Duration::from_nanos(nanos));
        self.left = left.min(most.max(self.left));
    }

    /// Notes whether the client is waited for from `now` on.
    fn wait(&mut self, waits: bool, now: Instant) {
        if let Some(since) = self.since {
            let waited = now.saturating_duration_since(since);
            self.left = self.left.saturating_sub(waited);
        }
        self.since = waits.then_some(now);
    }

    /// When the client has been waited for too long.
    fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: NonZeroU32 = NonZeroU32::new(100).unwrap();
    const MOST: Duration = Duration::from_mins(1);

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// After how many seconds a client is given up that sends so many bytes each second.
    fn given_up_after(bytes: u64) -> Option<u64> {
        let (mut pace, start) = (Pace::with(TO_SEND), Instant::now());
        pace.wait(true, start);
        (1..1000).find(|second| {
            let now = start + secs(*second);
            if pace.due().is_some_and(|due| due < now) {
                return true;
            }
            pace.wait(false, now);
            pace.credit(bytes, RATE, MOST);
            pace.wait(true, now);
            false
        })
    }

    #[test]
    fn a_client_has_to_keep_up_with_the_rate() {
        assert_eq!(given_up_after(0), Some(6));
        assert_eq!(given_up_after(1), Some(6));
        assert_eq!(given_up_after(50), Some(10));
        assert_eq!(given_up_after(100), None);
    }

    #[test]
    fn who_was_fast_may_pause_but_not_for_ever() {
        let (mut pace, start) = (Pace::with(TO_SEND), Instant::now());
        pace.credit(2000, RATE, MOST);
        pace.wait(true, start);
        assert_eq!(pace.due(), Some(start + secs(25)));
        pace.credit(u64::MAX, RATE, MOST);
        assert_eq!(pace.due(), Some(start + MOST));
    }

    #[test]
    fn what_kernels_take_at_once_says_nothing_of_a_reader() {
        // With a head of 200 bytes.
        for now in [0, 99_000, 299_200] {
            let moved = Moved {
                received: 0,
                sent: now,
            };
            let mut both = Both::begun(299_000, moved);
            assert_eq!(both.proven(now as u64), 0, "{now}");
            let left = TAKEN_BY_KERNELS - both.unproven;
            assert!((299_000..=299_200).contains(&left), "{now}: {left}");
        }
    }

    #[test]
    fn time_runs_only_while_the_client_is_waited_for() {
        let (mut pace, start) = (Pace::with(TO_SEND), Instant::now());
        pace.wait(false, start);
        assert_eq!(pace.due(), None);
        pace.wait(true, start + secs(100));
        pace.wait(false, start + secs(102));
        pace.wait(true, start + secs(200));
        assert_eq!(pace.due(), Some(start + secs(203)));
    }
}
