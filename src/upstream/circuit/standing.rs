//! How a circuit stands, told to another process, which goes on from that after a hand-over.

use std::sync::atomic::{Ordering, Ordering::Relaxed, fence};
use std::time::{Duration, Instant};

use crate::lock::lock;

use super::super::failure::Failure;
use super::super::moment::{millis, whole_millis};
use super::{Circuit, GRAIN, Standing};

impl Circuit {
    /// How it stands, unless nothing was tried yet.
    pub(in super::super) fn standing(&self, now: Instant) -> Option<Standing> {
        let opened = self.opened();
        if !self.has_served() && opened.is_none() {
            return None;
        }
        let ago = |at: u64| match at {
            0 => 0,
            at => millis(now).saturating_sub(at) + 1,
        };
        Some([
            ago(self.succeeded.load(Relaxed)),
            ago(self.failing_since.load(Relaxed)),
            opened.map_or(0, |(at, _)| ago(millis(at))),
            ago(self.waits_since.load(Relaxed)),
            self.cool_down.load(Relaxed),
            opened.map_or(0, |(_, why)| why.number()),
        ])
    }

    /// Goes on from how it stood in another process; says why, if it is open from now on.
    pub(in super::super) fn resume(&self, standing: &Standing, now: Instant) -> Option<Failure> {
        let [succeeded, failing, opened, waits, cool_down, why] = *standing;
        let at = |ago: u64| match ago {
            0 => 0,
            ago => millis(now).saturating_sub(ago - 1).max(1),
        };
        self.succeeded.store(at(succeeded), Relaxed);
        // Both may be longer ago than this process can tell.
        let after = if failing != 0 && failing < succeeded {
            at(succeeded) + whole_millis(GRAIN) + 1
        } else {
            0
        };
        self.failing_since.store(at(failing).max(after), Relaxed);
        if opened == 0 || self.is_open() {
            return None;
        }
        let why = Failure::of_number(why);
        let for_time = Duration::from_millis(opened - 1);
        let since = now.checked_sub(for_time).unwrap_or(now);
        self.cool_down.store(cool_down, Relaxed);
        self.waits_since.store(at(waits), Relaxed);
        *lock(&self.opened) = Some((since, why));
        fence(Ordering::Release);
        self.breaker.trip();
        Some(why)
    }
}
