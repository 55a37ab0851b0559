//! The running windows of one shard of the memory store, at most so many. Windows of one length
//! end in the order in which they began, so a ring for each length, oldest first, finds what is
//! over, or what may go when there is no room, without searching.
//!
//! When it is full, windows that are over go first, then the addresses' windows that end soonest.
//! A client's running window never goes: how many clients there are is for the configuration to
//! say, how many addresses there are is for an attacker.

use std::hash::BuildHasher;
use std::hash::RandomState;
use std::sync::Arc;

use hashbrown::HashTable;

use super::{Policy, Subject};

/// How many finished windows a new one sweeps away: more than one, so that the table shrinks to
/// what is running; few, so that nobody waits for it.
const SWEPT_PER_INSERT: usize = 2;

/// Where the list of unused slots ends.
const NONE: u32 = u32::MAX;

/// What has been spent in a window, and when it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) spent: u64,
    pub(super) ends_ms: u64,
}

/// Who is counted, and under which policy.
#[derive(Debug)]
struct Key {
    subject: Subject,
    policy: Arc<str>,
}

/// A window with its key, and its neighbours in the ring of windows of the same length. A slot
/// without a key is where such a ring begins and ends, or unused.
#[derive(Debug)]
struct Slot {
    key: Option<Key>,
    window: Window,
    before: u32,
    after: u32,
}

/// The windows of one length, of clients or of addresses, in the order in which they end.
#[derive(Debug)]
struct Ring {
    window_ms: u64,
    of_clients: bool,
    /// The slot that stands for the ring itself.
    hub: u32,
}

/// Running windows by key, and by the moment they end.
#[derive(Debug)]
pub(super) struct Windows {
    slots: Vec<Slot>,
    index: HashTable<u32>,
    rings: Vec<Ring>,
    unused: u32,
    clients: usize,
    capacity: usize,
}

impl Windows {
    /// Makes room for `capacity` windows; memory is taken as they come.
    pub(super) fn new(capacity: usize) -> Self {
        // Half of the numbers a slot can have: hubs and a store full of clients need some too.
        let capacity = capacity.clamp(1, 1 << 31);
        Self {
            slots: Vec::new(),
            index: HashTable::new(),
            rings: Vec::new(),
            unused: NONE,
            clients: 0,
            capacity,
        }
    }

    /// How many windows there are.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The window of `subject` under the policy of that name, running or over.
    pub(super) fn find(&self, hash: u64, policy: &str, subject: &Subject) -> Option<u32> {
        let same = |&slot: &u32| {
            let key = self.slots[at(slot)].key.as_ref();
            key.is_some_and(|key| key.subject == *subject && *key.policy == *policy)
        };
        self.index.find(hash, same).copied()
    }

    /// The window in a slot that [`Windows::find`] has named.
    pub(super) fn window_mut(&mut self, slot: u32) -> &mut Window {
        &mut self.slots[at(slot)].window
    }

    /// Begins a window for a key that has none.
    pub(super) fn insert(
        &mut self,
        hasher: &RandomState,
        policy: &Policy,
        subject: &Subject,
        window: Window,
        now_ms: u64,
    ) {
        let of_clients = matches!(subject, Subject::Client(_));
        self.make_room(hasher, of_clients, now_ms);
        let key = Key {
            subject: subject.clone(),
            policy: Arc::clone(&policy.name),
        };
        let hash = hash(hasher, &key.policy, subject);
        let slot = self.take_slot(Some(key), window);
        let slots = &self.slots;
        self.index.insert_unique(hash, slot, |&slot| {
            let key = slots[at(slot)]
                .key
                .as_ref()
                .expect("an indexed slot has a key");
            self::hash(hasher, &key.policy, &key.subject)
        });
        self.clients += usize::from(of_clients);
        self.append(slot, policy.limit.window_ms(), of_clients);
    }

    /// Puts a window that has begun anew at the end of its ring.
    pub(super) fn requeue(&mut self, slot: u32, window_ms: u64) {
        let key = self.slots[at(slot)].key.as_ref();
        let of_clients = key.is_some_and(|key| matches!(key.subject, Subject::Client(_)));
        self.unlink(slot);
        self.append(slot, window_ms, of_clients);
    }

    fn make_room(&mut self, hasher: &RandomState, for_client: bool, now_ms: u64) {
        for _ in 0..SWEPT_PER_INSERT {
            match self.soonest(|_| true) {
                Some(slot) if self.slots[at(slot)].window.ends_ms <= now_ms => {
                    self.remove(hasher, slot);
                }
                _ => break,
            }
        }
        if self.len() < self.capacity {
            return;
        }
        // However many clients are configured, addresses keep half of the room: squeezed into
        // less they would push each other out, and with it out of their limits.
        let floor = (self.capacity / 2).max(1);
        let addresses = self.len() - self.clients;
        let may_go = addresses > floor || (addresses == floor && !for_client);
        if may_go && let Some(slot) = self.soonest(|ring| !ring.of_clients) {
            self.remove(hasher, slot);
        }
    }

    /// The window that ends first, of the rings that `wanted` accepts.
    fn soonest(&self, wanted: impl Fn(&Ring) -> bool) -> Option<u32> {
        let wanted = self.rings.iter().filter(|ring| wanted(ring));
        let fronts = wanted.map(|ring| self.slots[at(ring.hub)].after);
        fronts
            .filter(|&slot| self.slots[at(slot)].key.is_some())
            .min_by_key(|&slot| self.slots[at(slot)].window.ends_ms)
    }

    fn remove(&mut self, hasher: &RandomState, slot: u32) {
        self.unlink(slot);
        let Some(key) = self.slots[at(slot)].key.take() else {
            return;
        };
        let hash = hash(hasher, &key.policy, &key.subject);
        if let Ok(entry) = self.index.find_entry(hash, |&indexed| indexed == slot) {
            entry.remove();
        }
        self.clients -= usize::from(matches!(key.subject, Subject::Client(_)));
        self.give_back(slot);
    }

    fn append(&mut self, slot: u32, window_ms: u64, of_clients: bool) {
        let hub = self.hub(window_ms, of_clients);
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

    /// The hub of the ring for windows of this length. Lengths come from the configuration, so
    /// there are few; those that a reload has made obsolete go when a new one comes.
    fn hub(&mut self, window_ms: u64, of_clients: bool) -> u32 {
        let same = |ring: &&Ring| ring.window_ms == window_ms && ring.of_clients == of_clients;
        if let Some(ring) = self.rings.iter().find(same) {
            return ring.hub;
        }
        let slots = &self.slots;
        let empty = self
            .rings
            .extract_if(.., |ring| slots[at(ring.hub)].after == ring.hub);
        for ring in empty.collect::<Vec<_>>() {
            self.give_back(ring.hub);
        }
        let hub = self.take_slot(
            None,
            Window {
                spent: 0,
                ends_ms: 0,
            },
        );
        self.slots[at(hub)].before = hub;
        self.slots[at(hub)].after = hub;
        self.rings.push(Ring {
            window_ms,
            of_clients,
            hub,
        });
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
            let slot = u32::try_from(self.slots.len()).expect("clients are fewer than 2^31");
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

/// Hashes a key. The hasher is keyed: callers choose their addresses.
pub(super) fn hash(hasher: &RandomState, policy: &str, subject: &Subject) -> u64 {
    hasher.hash_one((policy, subject))
}

fn at(slot: u32) -> usize {
    slot as usize
}
