//! Rows by name: each worker has one of its own for each route, client and so on that it has met, and a
//! reader adds them up. What a reload takes away is shown once more, and then forgotten, or hidden as long as
//! somebody holds it; what nobody holds any more is shown once more, too, or forgotten after a while if nobody
//! collects metrics.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::lock::lock;

use super::row::{Row, Total};

/// How often those that nobody holds are looked for, at most: while there are new ones.
const LOOK_INTERVAL: Duration = Duration::from_mins(1);
/// How long one that nobody holds waits to be shown once more.
const UNSHOWN: Duration = Duration::from_mins(10);

/// The rows of all workers, by name.
#[derive(Debug)]
pub(super) struct Rows<K, R: Row>(Mutex<State<K, R>>);

#[derive(Debug)]
struct State<K, R: Row> {
    /// The names of the configuration in force; `None`: of those there may be any, as long as a worker
    /// has them.
    known: Option<BTreeSet<K>>,
    entries: BTreeMap<K, Entry<R>>,
    /// When those that nobody holds were last looked for.
    looked: Option<Instant>,
}

#[derive(Debug)]
struct Entry<R: Row> {
    /// With the number of the worker that writes each.
    rows: Vec<(usize, Arc<R>)>,
    /// What was counted before this process, if anything was.
    before: Option<Arc<R::Totals>>,
    /// Since when it is not in the configuration any more, or nobody holds it.
    gone: Option<Instant>,
    /// Of any names: whether a reload has taken it away.
    removed: Removed,
}

/// What a reload has done to an entry that a worker may still hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Removed {
    No,
    /// It is to be shown once more.
    Unshown,
    /// Nobody sees it. If it comes back before all have let go of it, it goes on.
    Shown,
}

impl<R: Row> Default for Entry<R> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            before: None,
            gone: None,
            removed: Removed::No,
        }
    }
}

impl<R: Row> Entry<R> {
    /// Notes whether anybody holds it.
    fn note_holders(&mut self, now: Instant) {
        let is_held = |(_, row): &(usize, Arc<R>)| Arc::strong_count(row) > 1;
        if self.rows.iter().any(is_held) {
            self.gone = None;
        } else {
            self.gone.get_or_insert(now);
        }
    }
}

impl<K: Ord, R: Row> State<K, R> {
    /// Notes what nobody holds any more, before it is shown: that is the last time. What this process has not
    /// met yet waits for somebody to hold it.
    fn note_holders(&mut self, now: Instant) {
        if self.known.is_none() {
            let met = self.entries.values_mut().filter(|it| !it.rows.is_empty());
            met.for_each(|entry| entry.note_holders(now));
        }
    }

    /// Forgets what nobody has held for long, and what nobody has shown in that time: where nobody collects
    /// metrics, the addresses of names that change all day would pile up.
    fn forget_unheld(&mut self, now: Instant) {
        let is_early = |looked| now.saturating_duration_since(looked) < LOOK_INTERVAL;
        if self.looked.is_some_and(is_early) {
            return;
        }
        self.looked = Some(now);
        self.entries.retain(|_, entry| {
            entry.note_holders(now);
            let waits = |gone| now.saturating_duration_since(gone) < UNSHOWN;
            entry.gone.is_none_or(waits)
        });
    }
}

/// What a reader takes of an entry while it holds the lock, for workers wait for that; it adds up
/// afterwards.
#[derive(Debug)]
pub(super) struct Taken<K, R: Row> {
    pub name: K,
    rows: Vec<(usize, Arc<R>)>,
    /// What was counted before this process, if anything was.
    pub before: Option<Arc<R::Totals>>,
}

impl<K: Clone, R: Row> Taken<K, R> {
    fn of(name: &K, entry: &Entry<R>) -> Self {
        Self {
            name: name.clone(),
            rows: entry.rows.clone(),
            before: entry.before.clone(),
        }
    }
}

impl<K, R: Row> Taken<K, R> {
    /// Those of the workers that have met it.
    pub(super) fn rows(&self) -> impl Iterator<Item = &R> {
        self.rows.iter().map(|(_, row)| &**row)
    }

    fn totals(&self) -> R::Totals {
        let mut totals = self.before.as_deref().cloned().unwrap_or_default();
        self.rows().for_each(|row| row.add_to(&mut totals));
        totals
    }
}

impl<K: Ord + Clone, R: Row> Rows<K, R> {
    /// Rows of the names that [`Rows::keep`] is told.
    pub(super) fn of_known() -> Self {
        Self::new(Some(BTreeSet::new()))
    }

    /// Rows of whatever workers meet, as long as one holds a row.
    pub(super) fn of_any() -> Self {
        Self::new(None)
    }

    fn new(known: Option<BTreeSet<K>>) -> Self {
        Self(Mutex::new(State {
            known,
            entries: BTreeMap::new(),
            looked: None,
        }))
    }

    /// The row of a worker. One that the configuration does not have any more is read by nobody.
    pub(super) fn row(&self, worker: usize, name: K) -> Arc<R> {
        self.row_at(worker, name, Instant::now())
    }

    fn row_at(&self, worker: usize, name: K, now: Instant) -> Arc<R> {
        let mut state = lock(&self.0);
        if state.known.is_none() && !state.entries.contains_key(&name) {
            state.forget_unheld(now);
        }
        let State { known, entries, .. } = &mut *state;
        let is_known = known.as_ref().is_none_or(|known| known.contains(&name));
        if !is_known && !entries.contains_key(&name) {
            return Arc::default();
        }
        let entry = entries.entry(name).or_default();
        if is_known {
            entry.gone = None;
            entry.removed = Removed::No;
        }
        if let Some((_, row)) = entry.rows.iter().find(|(of, _)| *of == worker) {
            return Arc::clone(row);
        }
        let row = Arc::<R>::default();
        entry.rows.push((worker, Arc::clone(&row)));
        row
    }

    /// Notes which names the configuration has now.
    pub(super) fn keep(&self, names: BTreeSet<K>) {
        let mut state = lock(&self.0);
        // What was gone before is not waited for any longer: perhaps nobody scrapes.
        state
            .entries
            .retain(|name, entry| entry.gone.is_none() || names.contains(name));
        let now = Instant::now();
        for (name, entry) in &mut state.entries {
            entry.gone = (!names.contains(name)).then_some(now);
        }
        state.known = Some(names);
    }

    /// The same where there may be any names: the configuration has had some, of which it has some now. The
    /// others may still be held.
    pub(super) fn remove(&self, had: &BTreeSet<K>, has: &BTreeSet<K>) {
        for (name, entry) in &mut lock(&self.0).entries {
            if has.contains(name) {
                entry.removed = Removed::No;
            } else if had.contains(name) && entry.removed == Removed::No {
                entry.removed = Removed::Unshown;
            }
        }
    }

    /// Notes that everything has been shown: what is gone need not be shown again.
    pub(super) fn shown(&self) {
        let mut state = lock(&self.0);
        let (of_any, now) = (state.known.is_none(), Instant::now());
        state.entries.retain(|_, entry| {
            let was_gone = entry.gone.is_some() || entry.removed != Removed::No;
            if entry.removed == Removed::Unshown {
                entry.removed = Removed::Shown;
            }
            if of_any {
                entry.note_holders(now);
            }
            !(was_gone && entry.gone.is_some())
        });
    }

    /// Adds what was counted before this process.
    pub(super) fn add_before(&self, name: K, before: &R::Totals) {
        let mut state = lock(&self.0);
        let is_known = |known: &BTreeSet<K>| known.contains(&name);
        if state.known.as_ref().is_none_or(is_known) {
            let entry = state.entries.entry(name);
            let entry = entry.or_default();
            Arc::make_mut(entry.before.get_or_insert_default()).add(before);
        }
    }

    /// Adds up all workers' rows of one name.
    pub(super) fn read_one<Q: Ord + ?Sized>(&self, name: &Q) -> Option<R::Totals>
    where
        K: Borrow<Q>,
    {
        self.take_one(name).map(|it| it.totals())
    }

    /// Those of one name, for a reader that adds them up itself.
    pub(super) fn take_one<Q: Ord + ?Sized>(&self, name: &Q) -> Option<Taken<K, R>>
    where
        K: Borrow<Q>,
    {
        let state = lock(&self.0);
        let (name, entry) = state.entries.get_key_value(name)?;
        (entry.removed != Removed::Shown).then(|| Taken::of(name, entry))
    }

    /// Shows the rows of each name of the configuration in force.
    pub(super) fn visit(&self, mut visit: impl FnMut(&K, &[(usize, Arc<R>)])) {
        let is_in_force = |entry: &Entry<R>| entry.gone.is_none() && entry.removed == Removed::No;
        for it in self.take(is_in_force) {
            visit(&it.name, &it.rows);
        }
    }

    /// Adds up all workers' rows, by name.
    pub(super) fn read(&self) -> BTreeMap<K, R::Totals> {
        let all = self.take_all().into_iter();
        all.map(|it| (it.name.clone(), it.totals())).collect()
    }

    /// All of them by name, for a reader that adds them up itself.
    pub(super) fn take_all(&self) -> Vec<Taken<K, R>> {
        lock(&self.0).note_holders(Instant::now());
        self.take(|entry| entry.removed != Removed::Shown)
    }

    fn take(&self, wanted: impl Fn(&Entry<R>) -> bool) -> Vec<Taken<K, R>> {
        let state = lock(&self.0);
        let entries = state.entries.iter().filter(|(_, entry)| wanted(entry));
        entries
            .map(|(name, entry)| Taken::of(name, entry))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::cell::Counter;

    fn names(names: &[&'static str]) -> BTreeSet<&'static str> {
        names.iter().copied().collect()
    }

    #[test]
    fn workers_add_up_and_reloads_keep_what_they_have_counted() {
        let rows = Rows::<_, Counter>::of_known();
        rows.keep(names(&["a", "b"]));
        rows.row(0, "a").add(1);
        rows.row(1, "a").add(2);
        rows.keep(names(&["a"]));
        rows.row(0, "a").add(4);
        assert_eq!(rows.read(), [("a", 7)].into());
    }

    #[test]
    fn what_a_reload_takes_away_is_shown_once_more() {
        let rows = Rows::<_, Counter>::of_known();
        rows.keep(names(&["a", "b"]));
        let row = rows.row(0, "b");
        rows.keep(names(&["a"]));
        row.add(1);
        assert_eq!(
            rows.read(),
            [("b", 1)].into(),
            "a request may still be running"
        );
        rows.shown();
        assert_eq!(rows.read(), [].into());
        rows.row(0, "b").add(1);
        assert_eq!(rows.read(), [].into(), "a request that began before");
    }

    #[test]
    fn what_comes_back_in_time_goes_on() {
        let rows = Rows::<_, Counter>::of_known();
        rows.keep(names(&["a"]));
        rows.row(0, "a").add(1);
        rows.keep(names(&[]));
        rows.keep(names(&["a"]));
        rows.shown();
        rows.shown();
        assert_eq!(rows.read(), [("a", 1)].into());
    }

    #[test]
    fn of_any_names_those_stay_that_are_held() {
        let rows = Rows::<_, Counter>::of_any();
        let held = rows.row(0, "a");
        rows.row(0, "b").add(1);
        assert_eq!(rows.read(), [("a", 0), ("b", 1)].into());
        rows.shown();
        assert_eq!(rows.read(), [("a", 0)].into());
        drop(held);
        assert_eq!(rows.read(), [("a", 0)].into(), "once more");
        rows.shown();
        assert_eq!(rows.read(), [].into());
    }

    #[test]
    fn of_any_names_a_reload_takes_those_away_that_are_held() {
        let rows = Rows::<_, Counter>::of_any();
        let held = rows.row(0, "a");
        rows.row(0, "b");
        let of_dns = rows.row(0, "of DNS");
        of_dns.add(1);
        let (none, both) = (names(&[]), names(&["a", "b"]));
        rows.remove(&both, &none);
        held.add(1);
        assert_eq!(rows.read(), [("a", 1), ("b", 0), ("of DNS", 1)].into());
        rows.shown();
        rows.remove(&both, &none);
        drop(of_dns);
        assert_eq!(rows.read(), [("of DNS", 1)].into(), "once more");
        rows.shown();
        assert_eq!(rows.read_one("a"), None);
        // It comes back before its worker has heard of anything, and the worker counts where it did.
        held.add(1);
        rows.remove(&none, &both);
        assert_eq!(rows.read(), [("a", 2)].into());
        rows.remove(&both, &none);
        rows.shown();
        assert!(Arc::ptr_eq(&held, &rows.row(0, "a")));
        assert_eq!(rows.read(), [("a", 2)].into());
    }

    #[test]
    fn of_any_names_those_that_nobody_holds_do_not_pile_up_where_nobody_asks() {
        const MINUTE: Duration = Duration::from_mins(1);
        let (rows, begun) = (Rows::<u32, Counter>::of_any(), Instant::now());
        let held = rows.row_at(0, 0, begun);
        let len = || lock(&rows.0).entries.len();
        // Each minute a name has another address.
        for minute in 1..=1440 {
            rows.row_at(0, minute, begun + minute * MINUTE).add(1);
            assert!(len() <= 14, "{} after {minute} minutes", len());
        }
        held.add(7);
        let left = rows.read();
        assert_eq!(left[&0], 7);
        // Those that went last are still there to be shown once more.
        assert_eq!(left[&1440], 1);
        assert_eq!(left[&1432], 1);
        // Many at once are one look.
        for name in 2000..3000 {
            rows.row_at(0, name, begun + 1440 * MINUTE);
        }
        assert_eq!(len(), left.len() + 1000);
    }
}
