//! The windows of one shard of the memory store, by key, and at most so many.
//!
//! When it is full, windows that are over go first, then the addresses' windows that end soonest.
//! A client's running window never goes: how many clients there are is for the configuration to
//! say, how many addresses there are is for an attacker.

use std::hash::RandomState;
use std::ops::Range;
use std::sync::Arc;

use super::index::{Index, MOST_SLOTS};
use super::key::{Key, Names, Who, hash, same};
use super::rings::{Rings, Window};
use super::{Hint, Policy, Subject};

/// How many finished windows a new one sweeps away: more than one, so that the table shrinks to
/// what is running; few, so that nobody waits for it.
const SWEPT_PER_INSERT: usize = 2;

/// The length of windows that are in the rings for those from before a restart: theirs are not
/// known, and no other is of this one. They leave these rings when they begin anew.
const OF_RESTORED: u64 = 0;

/// No shard holds more, clients or not: a gigabyte. Hubs need slots, too.
const MOST_WINDOWS: usize = MOST_SLOTS as usize / 2;

/// Windows by key.
#[derive(Debug)]
pub(super) struct Windows {
    rings: Rings,
    names: Names,
    /// The slots, by their keys' hash. Holds no key a second time: four bytes a window.
    index: Index,
    clients: usize,
    capacity: usize,
}

impl Windows {
    /// Makes room for `capacity` windows; memory is taken as they come.
    pub(super) fn new(capacity: usize) -> Self {
        // Far below what slots can be numbered with: clients come on top.
        let capacity = capacity.clamp(1, MOST_WINDOWS / 2);
        Self {
            rings: Rings::new(),
            names: Names::default(),
            index: Index::new(),
            clients: 0,
            capacity,
        }
    }

    /// How many windows there are.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The window of `subject` under the policy of that name, running or over.
    pub(super) fn find(&self, hash: u64, policy: &Arc<str>, subject: &Subject) -> Option<u32> {
        let who = Who::from(subject);
        let is_it = |key: &Key| key.who() == who && same(self.names.name(key.policy()), policy);
        let hint = hint(subject);
        let hinted = hint.and_then(|hint| hint.slot(hash));
        if let Some(slot) = hinted
            && self.rings.key_in(slot).is_some_and(is_it)
        {
            return Some(slot);
        }
        let found = self.index.find(hash, |slot| is_it(self.rings.key(slot)));
        if let (Some(hint), Some(slot)) = (hint, found) {
            hint.note(hash, slot);
        }
        found
    }

    /// The window that [`Windows::find`] has named.
    pub(super) fn window(&self, slot: u32) -> Window {
        self.rings.window(slot)
    }

    /// The same, to spend from it.
    pub(super) fn window_mut(&mut self, slot: u32) -> &mut Window {
        self.rings.window_mut(slot)
    }

    /// To be told when `subject` has spent from a window.
    pub(super) fn renew(&mut self, slot: u32, subject: &Subject) {
        self.rings.renew(slot, subject);
    }

    /// To be told when a window has begun anew or was given another end.
    pub(super) fn requeue(&mut self, slot: u32, window_ms: u64) {
        self.rings.requeue(slot, window_ms);
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
        self.make_room(hasher, !matches!(subject, Subject::Address(_)), now_ms);
        let key = Key::new(self.names.enter(policy.counter()), subject);
        let (hash, slot) = self.add(hasher, key, window, policy.limit.longest_ms());
        if let Some(hint) = hint(subject) {
            hint.note(hash, slot);
        }
    }

    /// Takes in a window from before a restart, for a key that has none.
    pub(super) fn restore(
        &mut self,
        hasher: &RandomState,
        policy: &Arc<str>,
        subject: &Subject,
        window: Window,
        now_ms: u64,
    ) {
        self.make_room(hasher, !matches!(subject, Subject::Address(_)), now_ms);
        let key = Key::new(self.names.enter(policy), subject);
        self.add(hasher, key, window, OF_RESTORED);
    }

    /// To be told when all windows have been taken in: only now can they be put in order.
    pub(super) fn restored(&mut self) {
        self.rings.sort(OF_RESTORED);
    }

    /// Returns the key's hash and its slot.
    fn add(
        &mut self,
        hasher: &RandomState,
        key: Key,
        window: Window,
        window_ms: u64,
    ) -> (u64, u32) {
        self.clients += usize::from(key.is_client());
        let hash = hash_key(hasher, &self.names, &key);
        let slot = self.rings.add(key, window, window_ms);
        let (rings, names) = (&self.rings, &self.names);
        let hash_of = |slot| hash_key(hasher, names, rings.key(slot));
        self.index.insert(hash, slot, hash_of);
        (hash, slot)
    }

    /// Shows the windows in those slots; says whether there are slots after them.
    pub(super) fn show(
        &self,
        slots: Range<u32>,
        mut show: impl FnMut(Who<'_>, &str, Window),
    ) -> bool {
        let end = slots.end;
        for (key, window) in self.rings.in_slots(slots) {
            show(key.who(), self.names.name(key.policy()), window);
        }
        self.rings.has_slot(end)
    }

    fn make_room(&mut self, hasher: &RandomState, for_client: bool, now_ms: u64) {
        for _ in 0..SWEPT_PER_INSERT {
            let soonest = self.rings.soonest(|_| true);
            match soonest.filter(|&slot| self.rings.window(slot).ends_ms <= now_ms) {
                Some(over) => self.remove(hasher, over),
                None => break,
            }
        }
        if self.len() < self.capacity {
            return;
        }
        if self.len() >= MOST_WINDOWS
            && let Some(slot) = self.rings.soonest(|_| true)
        {
            self.remove(hasher, slot);
            return;
        }
        // However many clients are configured, addresses keep half of the room: squeezed into
        // less they would push each other out, and with it out of their limits.
        let floor = (self.capacity / 2).max(1);
        let addresses = self.len() - self.clients;
        let may_go = addresses > floor || (addresses == floor && !for_client);
        if may_go && let Some(slot) = self.rings.soonest(|ring| !ring.of_clients) {
            self.remove(hasher, slot);
        }
    }

    fn remove(&mut self, hasher: &RandomState, slot: u32) {
        let Some(key) = self.rings.remove(slot) else {
            return;
        };
        self.clients -= usize::from(key.is_client());
        let hash = hash_key(hasher, &self.names, &key);
        self.names.leave(key.policy());
        let was_there = self.index.remove(hash, slot);
        debug_assert!(was_there, "what is in a ring is in the index");
    }
}

/// Those have one who are made when the configuration is read, and asked about again and again.
fn hint(subject: &Subject) -> Option<&Hint> {
    match subject {
        Subject::Client(name) => Some(name.hint()),
        Subject::Address(_) | Subject::Route(_) => None,
    }
}

fn hash_key(hasher: &RandomState, names: &Names, key: &Key) -> u64 {
    hash(hasher, names.name(key.policy()), key.who())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientName;
    use crate::limit::Limit;
    use crate::limit::algorithm::Counter;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::LazyLock;
    use std::time::Duration;

    const CAPACITY: usize = 8;

    /// So many callers, each of whom keeps its hint.
    fn callers(many: u32) -> Vec<Subject> {
        (0..many).map(subject).collect()
    }

    /// Every third caller is a client.
    fn subject(n: u32) -> Subject {
        if n.is_multiple_of(3) {
            Subject::Client(ClientName::parse(&format!("client-{n}")).unwrap())
        } else {
            Subject::Address(IpAddr::V4(Ipv4Addr::from_bits(n)))
        }
    }

    fn policy(seconds: u64) -> Policy {
        let limit = Limit::new(1, Duration::from_secs(seconds)).unwrap();
        Policy::new("test", limit)
    }

    /// Begins a window for a caller, unless it has one that is running; says whether it had.
    fn begin(windows: &mut Windows, subject: &Subject, policy: &Policy, now: u64) -> bool {
        // One key for all: a table is only ever asked with the hasher it was filled with.
        static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let length = policy.limit.window_ms();
        let counter = Counter {
            spent: 1,
            at_ms: now + length,
            ..Counter::default()
        };
        let window = Window {
            counter,
            ends_ms: now + length,
        };
        let found = windows.find(
            hash(&HASHER, &policy.name, Who::from(subject)),
            &policy.name,
            subject,
        );
        match found {
            Some(slot) if windows.window_mut(slot).ends_ms > now => return true,
            Some(slot) => {
                *windows.window_mut(slot) = window;
                windows.requeue(slot, length);
            }
            None => windows.insert(&HASHER, policy, subject, window, now),
        }
        false
    }

    proptest! {
        #[test]
        fn whatever_comes_it_stays_sound_and_no_client_is_forgotten(
            steps in prop::collection::vec((0..12_u32, 1..6_u64, 0..2000_u64), 1..300)
        ) {
            let (mut windows, callers) = (Windows::new(CAPACITY), callers(12));
            let mut ends = [0; 12];
            let mut now = 1;
            for (n, seconds, passed) in steps {
                now += passed;
                let policy = policy(seconds);
                let running = begin(&mut windows, &callers[n as usize], &policy, now);
                let end = &mut ends[n as usize];
                if n.is_multiple_of(3) {
                    prop_assert_eq!(running, *end > now);
                }
                if !running {
                    *end = now + policy.limit.window_ms();
                }
                prop_assert_eq!(windows.rings.assert_sound(), windows.len());
                prop_assert!(windows.len() - windows.clients <= CAPACITY);
                prop_assert!(windows.len() <= CAPACITY.max(windows.clients + CAPACITY / 2));
            }
        }
    }

    #[test]
    fn a_clients_finished_window_goes_before_an_addresss_running_one() {
        let (mut windows, callers) = (Windows::new(2), callers(3));
        begin(&mut windows, &callers[0], &policy(1), 0);
        begin(&mut windows, &callers[1], &policy(60), 0);
        begin(&mut windows, &callers[2], &policy(60), 1000);
        assert!(begin(&mut windows, &callers[1], &policy(60), 1000));
        assert_eq!(windows.len(), 2);
    }

    #[test]
    fn finished_windows_are_swept_without_need() {
        let mut windows = Windows::new(1000);
        let (before, after) = (&callers(200)[..100], &callers(200)[100..]);
        for caller in before {
            begin(&mut windows, caller, &policy(1), 0);
        }
        for caller in after {
            begin(&mut windows, caller, &policy(1), 1000);
        }
        assert_eq!(windows.len(), 100);
        assert!(
            windows.rings.slots() < 110,
            "{} slots",
            windows.rings.slots()
        );
    }
}
