//! Clients, keys, and what is protected.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::client::ApiKeyHash;
use crate::pipeline::snapshot::Snapshot;

use super::Changes;

/// Notes which clients and keys came and went, and what is protected now that was not.
pub(super) fn compare(old: &Snapshot, new: &Snapshot, changes: &mut Changes) {
    for prefix in new.access.protected.iter() {
        if old.access.protected.find(prefix.as_str()).is_none() {
            changes.add(format!("`{}` is protected now", prefix.as_str()));
        }
    }
    let (then, now) = (clients(old), clients(new));
    let mut names: Vec<&str> = then.keys().chain(now.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        match (then.get(name), now.get(name)) {
            (Some(then), Some(now)) => keys(name, then, now, changes),
            (Some(_), None) => changes.add(format!("the client `{name}` is gone")),
            (None, Some(now)) => {
                changes.add(format!("new client `{name}` with {}", number(now.len())));
            }
            (None, None) => {}
        }
    }
}

/// From when to when a key counts.
type Lifetime = (Option<Timestamp>, Option<Timestamp>);

/// The keys of each client.
fn clients(snapshot: &Snapshot) -> HashMap<&str, HashMap<ApiKeyHash, Lifetime>> {
    let access = &snapshot.access;
    let mut clients: HashMap<&str, HashMap<_, _>> = access
        .clients
        .iter()
        .map(|client| (client.name.as_str(), HashMap::new()))
        .collect();
    for (hash, client, not_before, expires_at) in access.keys.iter() {
        clients
            .entry(client.name.as_str())
            .or_default()
            .insert(*hash, (not_before, expires_at));
    }
    clients
}

fn keys(
    name: &str,
    then: &HashMap<ApiKeyHash, Lifetime>,
    now: &HashMap<ApiKeyHash, Lifetime>,
    changes: &mut Changes,
) {
    let added = now.keys().filter(|hash| !then.contains_key(hash)).count();
    let removed = then.keys().filter(|hash| !now.contains_key(hash)).count();
    let redated = now
        .iter()
        .filter(|(hash, now)| then.get(hash).is_some_and(|then| then != *now))
        .count();
    for (count, what) in [
        (added, "more"),
        (removed, "fewer"),
        (redated, "with other dates"),
    ] {
        if count > 0 {
            changes.add(format!("the client `{name}` has {} {what}", number(count)));
        }
    }
}

fn number(keys: usize) -> String {
    match keys {
        1 => "1 key".to_owned(),
        keys => format!("{keys} keys"),
    }
}
