//! Finds slots by their key's hash, with one cache line read where a map of the usual kind (a
//! line of tags, and another of what they stand for) reads two. At a million callers a line that
//! is in no cache is most of what a decision costs.
//!
//! A bucket is a line: fifteen slots, each with eight bits of its hash, and the number of those
//! that found it full and went on to the next (as in Facebook's F14). That number says when to
//! stop looking, and lets a slot be taken out without leaving a tombstone.

/// So many fit in a line beside the number of those that passed.
const PER_BUCKET: usize = 15;

/// A table is made larger when it has this many in a bucket, on average. Few buckets are full then.
const GROWS_AT: usize = 11;

/// Slots are numbered below this: with its tag each is one word.
pub(super) const MOST_SLOTS: u32 = (1 << TAG_AT) - 1;

const TAG_AT: u32 = 24;

#[derive(Debug, Clone, Default)]
#[repr(align(64))]
struct Bucket {
    /// Tag and slot, or nothing, which is 0; no tag is 0.
    entries: [u32; PER_BUCKET],
    passed: u32,
}

/// Slots by hash.
#[derive(Debug)]
pub(super) struct Index {
    /// None, or a power of two of them.
    buckets: Vec<Bucket>,
    len: usize,
}

impl Index {
    /// Holds nothing, and takes no memory for it.
    pub(super) fn new() -> Self {
        Self {
            buckets: Vec::new(),
            len: 0,
        }
    }

    /// How many slots it holds.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The slot with this hash that is the `same`.
    pub(super) fn find(&self, hash: u64, same: impl Fn(u32) -> bool) -> Option<u32> {
        let tag = tag(hash);
        for bucket in self.path(hash) {
            let bucket = &self.buckets[bucket];
            let mut matching = bucket.matching(tag);
            while matching != 0 {
                let slot = slot(bucket.entries[matching.trailing_zeros() as usize]);
                if same(slot) {
                    return Some(slot);
                }
                matching &= matching - 1;
            }
            if bucket.passed == 0 {
                break;
            }
        }
        None
    }

    /// Adds a slot that it does not hold. `hash_of` tells the hashes of those it holds.
    pub(super) fn insert(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) {
        debug_assert!(slot < MOST_SLOTS);
        if self.len >= self.buckets.len() * GROWS_AT {
            let buckets = (self.buckets.len() * 2).max(1);
            let old = std::mem::replace(&mut self.buckets, vec![Bucket::default(); buckets]);
            let entries = old.iter().flat_map(|bucket| bucket.entries);
            for entry in entries.filter(|&entry| entry != 0) {
                let slot = self::slot(entry);
                self.put(hash_of(slot), slot);
            }
        }
        self.put(hash, slot);
        self.len += 1;
    }

    /// Takes out a slot; says whether it was there.
    pub(super) fn remove(&mut self, hash: u64, slot: u32) -> bool {
        let entry = entry(hash, slot);
        let holds = |&bucket: &usize| self.buckets[bucket].entries.contains(&entry);
        let Some(found) = self.path(hash).find(holds) else {
            return false;
        };
        for passed in self.path(hash).take_while(|&bucket| bucket != found) {
            self.buckets[passed].passed -= 1;
        }
        let entries = &mut self.buckets[found].entries;
        entries
            .iter_mut()
            .filter(|e| **e == entry)
            .for_each(|e| *e = 0);
        self.len -= 1;
        true
    }

    fn put(&mut self, hash: u64, slot: u32) {
        for bucket in self.path(hash) {
            let bucket = &mut self.buckets[bucket];
            if let Some(free) = bucket.entries.iter_mut().find(|entry| **entry == 0) {
                *free = entry(hash, slot);
                return;
            }
            bucket.passed += 1;
        }
        unreachable!("a table with a third of its room to spare has a free place");
    }

    /// The buckets that something with this hash may be in, all of them, nearest first.
    fn path(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let buckets = self.buckets.len();
        let mask = buckets.wrapping_sub(1);
        #[expect(clippy::cast_possible_truncation, reason = "low bits are all it wants")]
        let home = hash as usize;
        (0..buckets).map(move |further| home.wrapping_add(further) & mask)
    }
}

impl Bucket {
    /// A bit for each entry with this tag. All are compared, for that takes no branch.
    fn matching(&self, tag: u32) -> u32 {
        let bit = |(at, entry): (usize, &u32)| u32::from(entry >> TAG_AT == tag) << at;
        self.entries.iter().enumerate().map(bit).sum()
    }
}

/// Bits of the hash that neither the bucket nor the shard goes by.
fn tag(hash: u64) -> u32 {
    u32::try_from(hash >> 56).map_or(1, |tag| tag.max(1))
}

fn entry(hash: u64, slot: u32) -> u32 {
    tag(hash) << TAG_AT | (slot + 1)
}

fn slot(entry: u32) -> u32 {
    (entry & MOST_SLOTS) - 1
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bucket_is_a_cache_line() {
        assert_eq!(size_of::<Bucket>(), 64);
    }

    proptest! {
        /// Hashes are few and alike in their low bits, so that buckets overflow.
        #[test]
        fn it_holds_what_a_set_holds(
            steps in prop::collection::vec((any::<bool>(), 0..200_u32), 1..600)
        ) {
            let hash = |slot: u32| u64::from(slot % 7) << 56 | u64::from(slot % 3);
            let (mut index, mut model) = (Index::new(), HashSet::new());
            for (add, slot) in steps {
                if !add {
                    prop_assert_eq!(index.remove(hash(slot), slot), model.remove(&slot));
                } else if model.insert(slot) {
                    index.insert(hash(slot), slot, hash);
                }
                prop_assert_eq!(index.len(), model.len());
            }
            for slot in 0..200 {
                let found = index.find(hash(slot), |found| found == slot);
                prop_assert_eq!(found.is_some(), model.contains(&slot));
            }
            for slot in model {
                prop_assert!(index.remove(hash(slot), slot));
            }
            let passed = |bucket: &Bucket| bucket.passed == 0 && bucket.entries == [0; PER_BUCKET];
            prop_assert!(index.buckets.iter().all(passed), "nothing is left behind");
        }
    }
}
