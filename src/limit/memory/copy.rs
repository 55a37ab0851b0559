//! Counters going out of the store and coming back, for the state file. Requests go on meanwhile:
//! no lock is held for longer than a few counters take to be copied.

use std::sync::Arc;

use super::MemoryStore;
use crate::limit::Subject;
use crate::limit::key::{Who, hash};
use crate::limit::rings::Window;

/// How many slots are looked at under one lock. Some 20 µs: no longer than a few decisions.
const AT_ONCE: u32 = 128;

/// How far a copy has come.
#[derive(Debug, Default)]
pub(in crate::limit) struct Copied {
    shard: usize,
    slot: u32,
}

impl MemoryStore {
    /// Shows the next few counters; says whether there may be more. What is counted meanwhile may
    /// be shown or not. A counter that is given up and begun again meanwhile may be shown twice.
    pub(in crate::limit) fn show_some(
        &self,
        copied: &mut Copied,
        show: impl FnMut(Who<'_>, &str, Window),
    ) -> bool {
        let Some(shard) = self.shards.get(copied.shard) else {
            return false;
        };
        let slots = copied.slot..copied.slot.saturating_add(AT_ONCE);
        copied.slot = slots.end;
        if !shard.lock().show(slots, show) {
            *copied = Copied {
                shard: copied.shard + 1,
                slot: 0,
            };
        }
        true
    }

    /// Takes in a counter from before a restart, unless its window is over. To be told at the end
    /// with [`MemoryStore::restored`].
    pub(in crate::limit) fn restore(&self, policy: &Arc<str>, subject: &Subject, window: Window) {
        let now_ms = self.clock.now_ms();
        if window.ends_ms <= now_ms {
            return;
        }
        let hash = hash(&self.hasher, policy, Who::from(subject));
        let mut windows = self.lock(self.shard(hash));
        match windows.find(hash, policy, subject) {
            // It was shown twice; the larger one is the later one.
            Some(slot) => {
                let order = |window: &Window| (window.ends_ms, window.counter.spent);
                if order(&window) > order(&windows.window(slot)) {
                    *windows.window_mut(slot) = window;
                }
            }
            None => windows.restore(&self.hasher, policy, subject, window, now_ms),
        }
    }

    /// To be told when all counters have been taken in.
    pub(in crate::limit) fn restored(&self) {
        for shard in &self.shards {
            shard.lock().restored();
        }
    }
}
