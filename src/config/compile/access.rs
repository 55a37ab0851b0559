//! Who may come in: the names of header fields, the protected prefixes, clients and their keys.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderName;

use crate::client::{ApiKeyHash, Client, ClientName, KeyTable, KeyTableBuilder};
use crate::config::file::{AccessTable, ClientTable, KeyEntry, ServerTable};
use crate::config::problems::{Problem, Problems};
use crate::config::reader::{belongs, home};
use crate::config::source::{At, Span};
use crate::message::forward::{Names, OddFieldNames};
use crate::message::known::Known;
use crate::route::{InvalidPrefix, PathPrefix, ProtectedPrefixes};

use super::limits::Compiled;
use super::or;

/// Compiles the names of the header fields that the user may choose.
pub(super) fn names(
    access: &AccessTable,
    server: &ServerTable,
    problems: &mut Problems,
) -> Option<Names> {
    let chosen = [
        ("access.api_key_header", &access.api_key_header, "x-api-key"),
        ("access.client_header", &access.client_header, "x-client-id"),
        (
            "server.request_id_header",
            &server.request_id_header,
            "x-request-id",
        ),
    ]
    .map(|(key, written, default)| field_name(key, written.as_ref(), default, problems));
    for (index, name) in chosen.iter().flatten().enumerate() {
        for earlier in chosen.iter().flatten().take(index) {
            if name.value == earlier.value {
                let same = Problem::at(
                    // At least one of the two is written: the defaults differ.
                    name.span.or(earlier.span)?,
                    format!("`{}` and `{}` are the same", earlier.key, name.key),
                );
                problems.add(same.label(format!("both are `{}`", name.value)));
            }
        }
    }
    let [api_key, client, request_id] = chosen;
    Some(Names {
        api_key: api_key?.value,
        forward_api_key: or(access.forward_api_key, false),
        client: client?.value,
        request_id: request_id?.value,
        odd: or(server.odd_field_names, OddFieldNames::default()),
    })
}

struct FieldName {
    key: &'static str,
    value: HeaderName,
    span: Option<Span>,
}

fn field_name(
    key: &'static str,
    written: Option<&At<String>>,
    default: &'static str,
    problems: &mut Problems,
) -> Option<FieldName> {
    let Some(written) = written else {
        return Some(FieldName {
            key,
            value: HeaderName::from_static(default),
            span: None,
        });
    };
    let text = written.value.as_str();
    let is_key = key == "access.api_key_header";
    let why = match HeaderName::from_bytes(text.as_bytes()) {
        Err(_) => "a name has letters, digits and `-`".to_owned(),
        // Services that turn names into variables take both for one, and so could be lied to.
        Ok(_) if text.contains('_') => format!("write `{}`", text.replace('_', "-")),
        Ok(value) => match Known::of(text.as_bytes()) {
            Known::Other => {
                let span = Some(written.span);
                return Some(FieldName { key, value, span });
            }
            Known::Odd => "a name has letters, digits and `-`".to_owned(),
            Known::Authorization if is_key => {
                let span = Some(written.span);
                return Some(FieldName { key, value, span });
            }
            _ => "this field has a meaning of its own".to_owned(),
        },
    };
    let message = format!("`{key}` takes the name of a header field such as \"{default}\"");
    problems.add(Problem::at(written.span, message).label(why));
    None
}

/// Compiles the protected prefixes.
pub(super) fn protected(access: &AccessTable, problems: &mut Problems) -> ProtectedPrefixes {
    let prefixes = access
        .protected
        .iter()
        .filter_map(|prefix| path_prefix(prefix, problems));
    ProtectedPrefixes::new(prefixes.collect())
}

/// Compiles a path prefix.
pub(super) fn path_prefix(prefix: &At<String>, problems: &mut Problems) -> Option<PathPrefix> {
    match PathPrefix::parse(&prefix.value) {
        Ok(prefix) => Some(prefix),
        Err(error) => {
            let why = match (&error, home(&prefix.value)) {
                // In TOML, what stands below `[routes]` is a route.
                (InvalidPrefix::NoLeadingSlash { .. }, Some(home)) => belongs(home),
                _ => error.to_string(),
            };
            let message = format!("`{}` is no path prefix", prefix.value);
            problems.add(Problem::at(prefix.span, message).label(why));
            None
        }
    }
}

/// Compiles the clients, sorted by name, and all their keys.
pub(super) fn clients(
    tables: &[ClientTable],
    limits: &Compiled,
    problems: &mut Problems,
) -> (KeyTable, Vec<Arc<Client>>) {
    let mut keys = KeyTableBuilder::default();
    let mut clients = Vec::new();
    let mut seen = HashMap::new();
    for table in tables {
        let name = ClientName::parse(&table.name.value).map_err(|error| {
            let message = format!("`{}` is no name for a client", table.name.value);
            problems.add(Problem::at(table.name.span, message).label(error.to_string()));
        });
        let policy = limits.of_client(table.tier.as_ref(), problems);
        // Its keys are checked even if its name is none.
        let client = name.ok().map(|name| Arc::new(Client::new(name, policy)));
        for key in &table.keys {
            let hash = hash(key, &mut seen, problems);
            if let (Some(hash), Some(client)) = (hash, &client) {
                let time = |at: &Option<At<_>>| at.map(|at| at.value);
                // Keys given twice have been complained about with both places.
                let _ = keys.add(
                    hash,
                    Arc::clone(client),
                    time(&key.not_before),
                    time(&key.expires_at),
                );
            }
        }
        clients.extend(client);
    }
    clients.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
    (keys.build(), clients)
}

fn hash(
    key: &KeyEntry,
    seen: &mut HashMap<ApiKeyHash, Span>,
    problems: &mut Problems,
) -> Option<ApiKeyHash> {
    if let (Some(from), Some(until)) = (key.not_before, key.expires_at)
        && from.value >= until.value
    {
        let problem = Problem::at(until.span, "this key expires before it begins to hold");
        problems.add(problem.also(from.span, "it begins to hold here"));
    }
    let text = key.hash.value.as_str();
    let Ok(hash) = ApiKeyHash::parse(text) else {
        let problem = Problem::at(key.hash.span, "this is not the hash of a key");
        let hex = text.strip_prefix("sha256:");
        problems.add(match hex {
            Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                problem.label(format!("{} hexadecimal digits instead of 64", hex.len()))
            }
            _ => problem
                .label("a hash is `sha256:` and 64 hexadecimal digits")
                .help(
                    "keys themselves do not belong here: `tollgate keys hash` makes a key's hash",
                ),
        });
        return None;
    };
    if let Some(first) = seen.insert(hash, key.hash.span) {
        let problem = Problem::at(key.hash.span, "this key is given twice");
        problems.add(
            problem
                .label("given again here")
                .also(first, "first given here")
                .help("a key says who is calling, so it belongs to one client, once"),
        );
        return None;
    }
    Some(hash)
}
