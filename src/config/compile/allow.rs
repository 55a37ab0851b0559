//! Lists of clients that may come in: one for each different list that is written.

use std::collections::HashMap;

use crate::client::{AllowEntry, AllowList, Client};
use crate::config::source::At;

/// The lists compiled so far.
pub(super) struct Lists<'c> {
    clients: &'c [Client],
    compiled: Vec<AllowList>,
    places: HashMap<Vec<AllowEntry>, usize>,
}

impl<'c> Lists<'c> {
    /// No lists, for these clients.
    pub(super) fn of(clients: &'c [Client]) -> Self {
        Self {
            clients,
            compiled: Vec::new(),
            places: HashMap::new(),
        }
    }

    /// The place of a list; an empty one lets everybody in, and has none.
    pub(super) fn place(&mut self, written: &[At<AllowEntry>]) -> Option<usize> {
        let entries: Vec<AllowEntry> = written.iter().map(|entry| entry.value.clone()).collect();
        if entries.is_empty() {
            return None;
        }
        let (clients, lists) = (self.clients, &mut self.compiled);
        let place = self.places.entry(entries).or_insert_with_key(|entries| {
            lists.push(AllowList::new(entries.clone(), clients));
            lists.len() - 1
        });
        Some(*place)
    }

    /// All of them.
    pub(super) fn into_lists(self) -> Vec<AllowList> {
        self.compiled
    }
}
