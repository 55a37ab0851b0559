//! What a worker remembers of counters: a bounded table. When it is full it forgets what does not
//! matter any more, and else takes nothing new: a caller that is not in it costs a call, no more.

use hashbrown::HashTable;

use crate::limit::key::{Key, KeyHasher};
use crate::limit::{Check, Limit, Policy, Subject};

/// How often a full table is searched for what does not matter any more, at most.
const SWEEP_PAUSE_MS: u64 = 1000;

/// One value for each counter.
#[derive(Debug)]
pub(in crate::limit) struct Table<V> {
    rows: HashTable<Row<V>>,
    hasher: KeyHasher,
    most: usize,
    /// Whether a value says anything at this moment.
    matters: fn(&V, u64) -> bool,
    swept_ms: u64,
}

/// A value, and what it is about.
#[derive(Debug)]
pub(in crate::limit) struct Row<V> {
    key: Key,
    /// A reload may change it, and then the value says nothing.
    pub limit: Limit,
    pub value: V,
}

impl<V> Row<V> {
    /// A policy that counts by this counter.
    pub(in crate::limit) fn policy(&self) -> Policy {
        Policy::counted_as(&self.key.counter, self.limit)
    }

    /// Whom it counts.
    pub(in crate::limit) fn subject(&self) -> Subject {
        self.key.who.clone().into()
    }

    fn is_of(&self, check: &Check<'_>) -> bool {
        self.key.is_of(check.policy.counter(), check.subject.who())
    }
}

impl<V> Table<V> {
    /// An empty one, for at most so many.
    pub(in crate::limit) fn new(most: usize, matters: fn(&V, u64) -> bool) -> Self {
        Self {
            rows: HashTable::new(),
            hasher: KeyHasher::default(),
            most,
            matters,
            swept_ms: 0,
        }
    }

    /// Whether it holds nothing.
    pub(in crate::limit) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What is known of a counter under this limit.
    pub(in crate::limit) fn get(&self, check: &Check<'_>) -> Option<&V> {
        let row = self
            .rows
            .find(self.hasher.of_check(check), |row| row.is_of(check))?;
        (row.limit == check.policy.limit).then_some(&row.value)
    }

    /// The same, to change it.
    pub(in crate::limit) fn get_mut(&mut self, check: &Check<'_>) -> Option<&mut V> {
        let row = self
            .rows
            .find_mut(self.hasher.of_check(check), |row| row.is_of(check))?;
        (row.limit == check.policy.limit).then_some(&mut row.value)
    }

    /// Remembers a value in place of what was known, if there is room.
    pub(in crate::limit) fn put(&mut self, check: &Check<'_>, value: V, now_ms: u64) {
        let hash = self.hasher.of_check(check);
        let row = Row {
            key: Key::of(check),
            limit: check.policy.limit,
            value,
        };
        if let Some(old) = self.rows.find_mut(hash, |row| row.is_of(check)) {
            *old = row;
        } else if self.has_room(now_ms) {
            let hasher = &self.hasher;
            let rehash = |row: &Row<V>| hasher.hash(&row.key.counter, &row.key.who);
            self.rows.insert_unique(hash, row, rehash);
        }
    }

    /// Forgets what was known of a counter, under whichever limit.
    pub(in crate::limit) fn remove(&mut self, check: &Check<'_>) {
        let hash = self.hasher.of_check(check);
        if let Ok(row) = self.rows.find_entry(hash, |row| row.is_of(check)) {
            row.remove();
        }
    }

    /// Everything that is known.
    pub(in crate::limit) fn rows(&mut self) -> impl Iterator<Item = &mut Row<V>> {
        self.rows.iter_mut()
    }

    fn has_room(&mut self, now_ms: u64) -> bool {
        if self.rows.len() >= self.most && now_ms.saturating_sub(self.swept_ms) >= SWEEP_PAUSE_MS {
            self.swept_ms = now_ms;
            self.rows.retain(|row| (self.matters)(&row.value, now_ms));
        }
        self.rows.len() < self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Subject;
    use crate::limit::tests::policy;

    #[test]
    fn a_full_table_forgets_what_does_not_matter_and_takes_nothing_else() {
        let policy = &policy(1, 1);
        let subjects: Vec<_> = (0..5).map(|n| Subject::client(n.to_string())).collect();
        let check = |n: usize| Check {
            policy,
            subject: &subjects[n],
        };
        let mut table = Table::new(3, |until_ms: &u64, now_ms| *until_ms > now_ms);
        (0..3).for_each(|n| table.put(&check(n), 5000, 0));
        table.put(&check(3), 9000, 4999);
        assert_eq!(table.get(&check(3)), None, "all others matter");
        table.put(&check(0), 9000, 5000);
        assert_eq!(table.get(&check(0)), Some(&9000), "it was there");
        table.put(&check(3), 9000, 5500);
        assert_eq!(table.get(&check(3)), None, "not searched again so soon");
        table.put(&check(3), 9000, 5999);
        assert_eq!(table.get(&check(3)), Some(&9000));
        assert_eq!(table.rows().count(), 2);
        assert_eq!(table.get(&check(1)), None);
        table.remove(&check(0));
        assert_eq!(table.get_mut(&check(0)), None);
    }

    #[test]
    fn what_was_known_under_another_limit_says_nothing() {
        let [one, two] = [1, 2].map(|requests| policy(requests, 1));
        let subject = &Subject::client("caller");
        let [one, two] = [&one, &two].map(|policy| Check { policy, subject });
        let mut table = Table::new(3, |(), _| true);
        table.put(&one, (), 0);
        assert_eq!((table.get(&one), table.get(&two)), (Some(&()), None));
        table.put(&two, (), 0);
        assert_eq!((table.get(&one), table.get(&two)), (None, Some(&())));
    }
}
