//! Entries of `allow` that let nobody in, and what they were most likely meant to be.

use std::collections::HashSet;

use super::Lints;
use crate::client::AllowEntry;
use crate::config::file::File;
use crate::config::suggest::closest;

/// Finds clients and groups that may come in somewhere, and that there are not.
pub(super) fn allowed(file: &File, lints: &mut Lints) {
    let clients: HashSet<&str> = file.clients.good().map(|(name, _)| name.as_str()).collect();
    let groups = file
        .clients
        .good()
        .flat_map(|(_, client)| client.groups.iter());
    let groups: HashSet<&str> = groups.map(|group| group.0.as_str()).collect();
    let of_routes = file.good_routes().flat_map(|(_, keys)| keys.allow.iter());
    let protected = file.access.protected.iter();
    for entry in of_routes.chain(protected.flat_map(|keys| keys.allow.iter())) {
        let text = match &entry.value {
            AllowEntry::Client(name) if !clients.contains(name.as_str()) => {
                let meant = meant("client:", name.as_str(), &clients, "group:", &groups);
                format!("there is no client `{name}`, so this lets nobody in{meant}")
            }
            AllowEntry::Group(name) if !groups.contains(name.as_str()) => {
                let meant = meant("group:", name.as_str(), &groups, "client:", &clients);
                format!("no client is in the group `{name}`, so this lets nobody in{meant}")
            }
            AllowEntry::Client(_) | AllowEntry::Group(_) => continue,
        };
        lints.add(entry.span, text);
    }
}

/// The entry that one without effect was most likely meant to be: of its own kind, or of the other.
fn meant(
    kind: &str,
    name: &str,
    known: &HashSet<&str>,
    other: &str,
    others: &HashSet<&str>,
) -> String {
    let (kind, name) = match closest(name, known.iter().copied()) {
        _ if others.contains(name) => (other, name),
        Some(name) => (kind, name),
        None => return String::new(),
    };
    format!(": did you mean `{kind}{name}`?")
}
