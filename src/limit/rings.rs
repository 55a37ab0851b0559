//! Windows in rings: those of one length, of clients or of addresses, in the order in which they
//! began, which is the order in which they end. So what is over, or ends first, is found without
//! searching. Rings and windows live in one vector of slots and name each other by number: links
//! of eight bytes, and slots that are used again.

use std::ops::Range;

use super::Subject;
use super::algorithm::Counter;
use super::key::Key;

/// Where the list of unused slots ends.
const NONE: u32 = u32::MAX;

/// What has been counted, and until when it matters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Window {
    pub(super) counter: Counter,
    pub(super) ends_ms: u64,
}

/// A window with its key, and its neighbours in its ring. A slot without a key is a ring's hub,
/// where it begins and ends, or unused. A cache line whole: a decision about a caller whom the
/// caches have forgotten waits for this one.
#[derive(Debug)]
#[repr(align(64))]
struct Slot {
    key: Option<Key>,
    window: Window,
    before: u32,
    after: u32,
}

/// What the windows of a ring have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) window_ms: u64,
    pub(super) of_clients: bool,
}

#[derive(Debug)]
struct Ring {
    kind: Kind,
    hub: u32,
}

/// All windows, each in its ring.
#[derive(Debug)]
pub(super) struct Rings {
    slots: Vec<Slot>,
    hubs: Vec<Ring>,
    unused: u32,
}

impl Rings {
    /// Holds nothing, and takes no memory for it.
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            hubs: Vec::new(),
            unused: NONE,
        }
    }

    /// The key of a window.
    pub(super) fn key(&self, slot: u32) -> &Key {
        let key = self.slots[at(slot)].key.as_ref();
        key.expect("only hubs and unused slots have no key, and nobody is told their numbers")
    }

    /// The key of the window in this slot, if there is one.
    pub(super) fn key_in(&self, slot: u32) -> Option<&Key> {
        self.slots.get(at(slot))?.key.as_ref()
    }

    /// A window.
    pub(super) fn window(&self, slot: u32) -> Window {
        self.slots[at(slot)].window
    }

    /// A window, to spend from it.
    pub(super) fn window_mut(&mut self, slot: u32) -> &mut Window {
        &mut self.slots[at(slot)].window
    }

    /// See [`Key::renew`].
    pub(super) fn renew(&mut self, slot: u32, subject: &Subject) {
        if let Some(key) = &mut self.slots[at(slot)].key {
            key.renew(subject);
        }
    }

    /// Puts a window at the end of its ring; returns its slot.
    pub(super) fn add(&mut self, key: Key, window: Window, window_ms: u64) -> u32 {
        let kind = Kind {
            window_ms,
            of_clients: key.is_client(),
        };
        let slot = self.take_slot(Some(key), window);
        self.append(slot, kind);
        slot
    }

    /// Puts a window that has begun anew at the end of the ring for its length.
    pub(super) fn requeue(&mut self, slot: u32, window_ms: u64) {
        let kind = Kind {
            window_ms,
            of_clients: self.key(slot).is_client(),
        };
        self.unlink(slot);
        self.append(slot, kind);
    }

    /// Takes a window out; returns its key.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Key> {
        self.unlink(slot);
        let key = self.slots[at(slot)].key.take();
        self.give_back(slot);
        key
    }

    /// The window that ends first, of those whose ring is `wanted`.
    pub(super) fn soonest(&self, wanted: impl Fn(Kind) -> bool) -> Option<u32> {
        let wanted = self.hubs.iter().filter(|ring| wanted(ring.kind));
        let fronts = wanted.map(|ring| (ring.hub, self.slots[at(ring.hub)].after));
        let fronts = fronts
            .filter(|(hub, front)| hub != front)
            .map(|(_, front)| front);
        fronts.min_by_key(|&front| self.window(front).ends_ms)
    }

    /// Puts the rings for windows of this length in order.
    pub(super) fn sort(&mut self, window_ms: u64) {
        let of_length = self
            .hubs
            .iter()
            .filter(|ring| ring.kind.window_ms == window_ms);
        let rings: Vec<(Kind, u32)> = of_length.map(|ring| (ring.kind, ring.hub)).collect();
        for (kind, hub) in rings {
            let next = |&slot: &u32| Some(self.slots[at(slot)].after);
            let all = std::iter::successors(next(&hub), next).take_while(|&slot| slot != hub);
            let mut all: Vec<u32> = all.collect();
            all.sort_by_key(|&slot| self.window(slot).ends_ms);
            for slot in all {
                self.unlink(slot);
                self.append(slot, kind);
            }
        }
    }

    /// The windows in those slots.
    pub(super) fn in_slots(&self, slots: Range<u32>) -> impl Iterator<Item = (&Key, Window)> {
        let end = at(slots.end).min(self.slots.len());
        let slots = self.slots.get(at(slots.start)..end).unwrap_or_default();
        slots
            .iter()
            .filter_map(|slot| Some((slot.key.as_ref()?, slot.window)))
    }

    /// Whether there is such a slot, used or not.
    pub(super) fn has_slot(&self, slot: u32) -> bool {
        at(slot) < self.slots.len()
    }

    fn append(&mut self, slot: u32, kind: Kind) {
        let hub = self.hub(kind);
        let last = self.slots[at(hub)].before;
        self.slots[at(slot)].before = last;
        self.slots[at(slot)].after = hub;
        self.slots[at(last)].after = slot;
        self.slots[at(hub)].before = slot;
    }

    fn unlink(&mut self, slot: u32) {
        let Slot { before, after, .. } = self.slots[at(slot)];
        self.slots[at(before)].after = after;
        self.slots[at(after)].before = before;
    }

    /// The hub of the ring of this kind. Lengths come from the configuration, so there are few;
    /// rings that a reload has left empty go when a new one comes.
    fn hub(&mut self, kind: Kind) -> u32 {
        if let Some(ring) = self.hubs.iter().find(|ring| ring.kind == kind) {
            return ring.hub;
        }
        let slots = &self.slots;
        let is_empty = |ring: &mut Ring| slots[at(ring.hub)].after == ring.hub;
        for ring in self.hubs.extract_if(.., is_empty).collect::<Vec<_>>() {
            self.give_back(ring.hub);
        }
        let hub = self.take_slot(None, Window::default());
        self.slots[at(hub)].before = hub;
        self.slots[at(hub)].after = hub;
        self.hubs.push(Ring { kind, hub });
        hub
    }

    fn take_slot(&mut self, key: Option<Key>, window: Window) -> u32 {
        let fresh = Slot {
            key,
            window,
            before: NONE,
            after: NONE,
        };
        if self.unused == NONE {
            let slot = u32::try_from(self.slots.len()).expect("2^32 slots need 256 GiB a shard");
            if self.slots.len() == self.slots.capacity() {
                // By a quarter, not to twice as many: this is nearly all the memory there is.
                self.slots.reserve_exact((self.slots.len() / 4).max(4));
            }
            self.slots.push(fresh);
            return slot;
        }
        let slot = self.unused;
        self.unused = std::mem::replace(&mut self.slots[at(slot)], fresh).after;
        slot
    }

    fn give_back(&mut self, slot: u32) {
        self.slots[at(slot)].after = self.unused;
        self.unused = slot;
    }
}

fn at(slot: u32) -> usize {
    slot as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Rings {
        /// Walks everything and asserts that no link is broken, no ring out of order and no slot
        /// lost; returns how many windows there are.
        pub(in crate::limit) fn assert_sound(&self) -> usize {
            let mut linked = 0;
            for Ring { kind, hub } in &self.hubs {
                let (mut last, mut ends_ms) = (*hub, 0);
                loop {
                    let slot = self.slots[at(last)].after;
                    assert_eq!(self.slots[at(slot)].before, last);
                    if slot == *hub {
                        break;
                    }
                    assert_eq!(self.key(slot).is_client(), kind.of_clients);
                    assert!(self.window(slot).ends_ms >= ends_ms, "a ring is in order");
                    (last, ends_ms) = (slot, self.window(slot).ends_ms);
                    linked += 1;
                }
            }
            let some = |slot: u32| Some(slot).filter(|&slot| slot != NONE);
            let unused =
                std::iter::successors(some(self.unused), |&slot| some(self.slots[at(slot)].after));
            assert_eq!(self.slots.len(), linked + self.hubs.len() + unused.count());
            linked
        }

        pub(in crate::limit) fn slots(&self) -> usize {
            self.slots.len()
        }
    }

    /// What `docs/limits.md` says of memory, beside five bytes a key in the index.
    #[test]
    fn a_window_takes_a_cache_line() {
        assert_eq!(size_of::<Slot>(), 64);
    }

    #[test]
    fn windows_of_many_lengths_leave_no_rings_behind() {
        let mut rings = Rings::new();
        let key = Key::Address(0, [203, 0, 113, 7].into());
        let slot = rings.add(key, Window::default(), 1000);
        for reload in 1..100 {
            rings.requeue(slot, 1000 * reload);
            rings.assert_sound();
        }
        assert!(rings.slots() <= 4, "{} slots", rings.slots());
    }
}
