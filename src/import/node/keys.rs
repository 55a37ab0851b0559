//! API keys in JSON, in all the forms in which Node programs keep them: by key, by client, as a list.

use serde_json::{Map, Value};

use super::key_members::lifetime;
use super::key_sides::{Doubt, KeysAre, doubt};
use crate::config::Format;
use crate::import::draft::{Client, Draft, Key, Lifetime};
use crate::import::{ImportError, Notes, Source, free_name, valid_name};

const CLIENT: [&str; 7] = [
    "client",
    "clientId",
    "client_id",
    "name",
    "id",
    "username",
    "app",
];
const KEY: [&str; 4] = ["key", "apiKey", "api_key", "value"];
const KEYS: [&str; 3] = ["keys", "apiKeys", "api_keys"];

/// Adds the clients with the hashes of their keys.
pub(super) fn read_keys(
    source: Source<'_>,
    keys_are: Option<KeysAre>,
    draft: &mut Draft,
    notes: &mut Notes,
) -> Result<(), ImportError> {
    let document = source.read(Format::Json)?;
    let document = inside(&document);
    let entries = match pairs_of_strings(document) {
        Some(pairs) => by_side(&pairs, keys_are, source.name, notes)?,
        None if keys_are.is_some() => {
            let what = "does not pair strings, so `--keys-are` says nothing of it";
            return Err(ImportError::unexpected(source.name, what));
        }
        None => entries(document).ok_or_else(|| {
            let what = "holds keys and clients: `{ \"KEY\": \"client\" }`, or a list of `{ \"key\": ..., \"client\": ... }`";
            ImportError::unexpected(source.name, what)
        })?,
    };
    for entry in entries {
        add(&entry, source.name, draft, notes);
    }
    Ok(())
}

/// What is in the only member of the document, where it has such a name.
fn inside(document: &Value) -> &Value {
    let wrappers = ["clients", "apiKeys", "api_keys", "keys"];
    let only = document.as_object().filter(|map| map.len() == 1);
    only.and_then(|map| {
        let of = |name: &&str| {
            map.get(*name)
                .filter(|value| value.is_object() || value.is_array())
        };
        wrappers.iter().find_map(of)
    })
    .unwrap_or(document)
}

/// A client with some of its keys.
#[derive(Default)]
struct Entry<'d> {
    client: &'d str,
    keys: Vec<&'d str>,
    /// What stands beside them.
    members: Option<&'d Map<String, Value>>,
    /// Those members that are the client and the keys.
    used: Vec<&'static str>,
}

fn add(entry: &Entry<'_>, file: &str, draft: &mut Draft, notes: &mut Notes) {
    let place = format!("{file}: client {}", entry.client);
    let lifetime = match entry.members {
        Some(members) => lifetime(members, &entry.used, &place, notes),
        None => Some(Lifetime::default()),
    };
    let Some(lifetime) = lifetime else {
        return;
    };
    let mut keys = Vec::new();
    for key in &entry.keys {
        if is_placeholder(key) {
            let what = "a key that stands for another one, such as `${NAME}`: write the key itself";
            notes.left_out(&place, what);
            continue;
        }
        let key = Key {
            lifetime,
            ..Key::of(key)
        };
        match draft.owner(&key.hash) {
            Some(other) if other != entry.client => {
                notes.left_out(&place, format!("a key that the client {other} has, too"));
            }
            _ => keys.push(key),
        }
    }
    // One client with two keys is one client.
    let valid = valid_name(entry.client);
    let was = (valid != entry.client).then_some(entry.client);
    let same = draft
        .clients
        .iter_mut()
        .find(|client| client.was.as_deref() == was && (was.is_some() || client.name == valid));
    if let Some(client) = same {
        for key in keys {
            client.add(key);
        }
        return;
    }
    let name = free_name(entry.client, |name| {
        draft.clients.iter().any(|client| client.name == name)
    });
    let mut client = Client {
        name,
        was: was.map(str::to_owned),
        keys: Vec::new(),
        groups: Vec::new(),
        tier: None,
        is_dropped: false,
    };
    for key in keys {
        client.add(key);
    }
    draft.clients.push(client);
}

/// Whether a text stands for a key, which a program puts in its place.
fn is_placeholder(key: &str) -> bool {
    let signs = ["${", "{{", "{vault://", "process.env."];
    signs.iter().any(|sign| key.contains(sign))
}

/// The names and values of an object that has strings alone.
fn pairs_of_strings(document: &Value) -> Option<Vec<(&str, &str)>> {
    let pairs = document.as_object()?.iter();
    pairs
        .map(|(name, value)| Some((name.as_str(), value.as_str()?)))
        .collect()
}

/// The clients and keys of pairs.
fn by_side<'d>(
    pairs: &[(&'d str, &'d str)],
    keys_are: Option<KeysAre>,
    file: &str,
    notes: &mut Notes,
) -> Result<Vec<Entry<'d>>, ImportError> {
    match (keys_are, doubt(pairs)) {
        (None, Doubt::Large) => {
            let what = "the keys may be the names (`{ \"KEY\": \"client\" }`) or the values (`{ \"client\": \"KEY\" }`); say which with `--keys-are names` or `--keys-are values`";
            return Err(ImportError::unexpected(file, what));
        }
        (None, Doubt::Small) if !pairs.is_empty() => notes.differs(
            file,
            "the names are taken as the keys, the values as the clients; if it is the other way round, say `--keys-are values`",
        ),
        _ => {}
    }
    let entry = |&(name, value): &(&'d str, &'d str)| {
        let (client, key) = match keys_are {
            Some(KeysAre::Values) => (name, value),
            _ => (value, name),
        };
        Entry {
            client,
            keys: vec![key],
            ..Entry::default()
        }
    };
    Ok(pairs.iter().map(entry).collect())
}

/// The clients and keys of all other forms.
fn entries(document: &Value) -> Option<Vec<Entry<'_>>> {
    match document {
        Value::Array(list) => list.iter().map(listed).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(left, value)| match value {
                Value::Object(right) => named(left, right),
                Value::Array(keys) => Some(Entry {
                    client: left,
                    keys: strings(keys)?,
                    ..Entry::default()
                }),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

/// `{ "key": ..., "client": ... }`.
fn listed(value: &Value) -> Option<Entry<'_>> {
    let members = value.as_object()?;
    let (client_is, client) = text(members, &CLIENT)?;
    let (keys_are, keys) = keys_in(members)?;
    Some(Entry {
        client,
        keys,
        members: Some(members),
        used: vec![client_is, keys_are],
    })
}

/// `"client": { "key": ... }`, or `"KEY": { "client": ... }`.
fn named<'d>(left: &'d str, right: &'d Map<String, Value>) -> Option<Entry<'d>> {
    let (client, keys, used) = if let Some((keys_are, keys)) = keys_in(right) {
        (left, keys, keys_are)
    } else {
        let (client_is, client) = text(right, &CLIENT)?;
        (client, vec![left], client_is)
    };
    Some(Entry {
        client,
        keys,
        members: Some(right),
        used: vec![used],
    })
}

fn text<'d>(
    map: &'d Map<String, Value>,
    names: &[&'static str],
) -> Option<(&'static str, &'d str)> {
    let of = |name: &&'static str| Some((*name, map.get(*name)?.as_str()?));
    names.iter().find_map(of)
}

fn keys_in(map: &Map<String, Value>) -> Option<(&'static str, Vec<&str>)> {
    if let Some((name, key)) = text(map, &KEY) {
        return Some((name, vec![key]));
    }
    let of = |name: &&'static str| Some((*name, map.get(*name)?.as_array()?));
    let (name, list) = KEYS.iter().find_map(of)?;
    Some((name, strings(list)?))
}

fn strings(list: &[Value]) -> Option<Vec<&str>> {
    list.iter().map(Value::as_str).collect()
}

#[cfg(test)]
mod tests;
