//! API keys in JSON, in all the forms in which Node programs keep them: by key, by client, as a list.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::client::ApiKeyHash;
use crate::config::Format;
use crate::import::draft::{Client, Draft};
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
    draft: &mut Draft,
    notes: &mut Notes,
) -> Result<(), ImportError> {
    let document = source.read(Format::Json)?;
    let wrappers = ["clients", "apiKeys", "api_keys", "keys"];
    let inside = document
        .as_object()
        .filter(|map| map.len() == 1)
        .and_then(|map| {
            let of = |name: &&str| {
                map.get(*name)
                    .filter(|value| value.is_object() || value.is_array())
            };
            wrappers.iter().find_map(of)
        });
    let pairs = pairs(inside.unwrap_or(&document)).ok_or_else(|| {
        let what = "holds keys and clients: `{ \"KEY\": \"client\" }`, or a list of `{ \"key\": ..., \"client\": ... }`";
        ImportError::unexpected(source.name, what)
    })?;
    if pairs.guessed {
        notes.differs(
            source.name,
            format!("taken to hold the keys as {}; if it is the other way round, write a list of `{{ \"key\": ..., \"client\": ... }}`", pairs.side),
        );
    }
    for (name, key) in pairs.list {
        let hash = ApiKeyHash::of(key.as_bytes());
        // One client with two keys is one client.
        let valid = valid_name(&name);
        let was = (valid != name).then_some(&name);
        if let Some(client) = draft
            .clients
            .iter_mut()
            .find(|client| client.was.as_ref() == was && (was.is_some() || client.name == valid))
        {
            client.keys.push(hash);
            continue;
        }
        let name = free_name(&name, |name| {
            draft.clients.iter().any(|client| client.name == name)
        });
        draft.clients.push(Client {
            name,
            was: was.cloned(),
            keys: vec![hash],
            groups: Vec::new(),
            tier: None,
        });
    }
    Ok(())
}

/// Clients' names with their keys.
struct Pairs {
    list: Vec<(String, String)>,
    guessed: bool,
    side: &'static str,
}

fn pairs(document: &Value) -> Option<Pairs> {
    let mut pairs = Vec::new();
    let sure = |list| Pairs {
        list,
        guessed: false,
        side: "",
    };
    match document {
        Value::Array(list) => {
            for value in list {
                let map = value.as_object()?;
                let name = text(map, &CLIENT)?;
                keys_in(map, |key| pairs.push((name.clone(), key)))?;
            }
            Some(sure(pairs))
        }
        Value::Object(map) if map.values().all(Value::is_string) => Some(guess(map)),
        Value::Object(map) => {
            for (left, value) in map {
                match value {
                    Value::Object(right) => {
                        match keys_in(right, |key| pairs.push((left.clone(), key))) {
                            Some(()) => {}
                            None => pairs.push((text(right, &CLIENT)?, left.clone())),
                        }
                    }
                    Value::Array(keys) => {
                        for key in keys {
                            pairs.push((left.clone(), key.as_str()?.to_owned()));
                        }
                    }
                    _ => return None,
                }
            }
            Some(sure(pairs))
        }
        _ => None,
    }
}

/// Which side are the keys? Two keys may have one client, never the reverse. Else a key is what is longer: to be hard to guess.
fn guess(map: &Map<String, Value>) -> Pairs {
    let right = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let distinct: HashSet<String> = map.values().map(right).collect();
    let left_length: usize = map.keys().map(String::len).sum();
    let right_length: usize = map.values().map(|value| right(value).len()).sum();
    let keys_left = distinct.len() < map.len() || left_length >= right_length;
    let pairs = map.iter().map(|(left, value)| {
        let (key, name) = if keys_left {
            (left.clone(), right(value))
        } else {
            (right(value), left.clone())
        };
        (name, key)
    });
    Pairs {
        list: pairs.collect(),
        guessed: distinct.len() == map.len(),
        side: if keys_left {
            "names, and the clients as values"
        } else {
            "values, and the clients as names"
        },
    }
}

fn text(map: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names
        .iter()
        .find_map(|name| map.get(*name)?.as_str())
        .map(str::to_owned)
}

/// Calls `each` with the keys of a client; none where there are none.
fn keys_in(map: &Map<String, Value>, mut each: impl FnMut(String)) -> Option<()> {
    if let Some(key) = text(map, &KEY) {
        each(key);
        return Some(());
    }
    let list = KEYS.iter().find_map(|name| map.get(*name)?.as_array())?;
    for key in list {
        each(key.as_str()?.to_owned());
    }
    Some(())
}
