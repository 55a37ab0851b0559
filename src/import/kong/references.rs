//! References to nothing: Kong would not read such a file. Each is listed, and one that keeps callers out
//! of something unknown is an error.

use serde_json::Value;

use super::plugins::{Plugins, keeps_out};
use super::{called, entries, flag, refers, text};
use crate::import::{ImportError, Notes};

/// Where the entities of a kind stand. A group of consumers may stand with its members alone.
const KINDS: [(&str, &str); 4] = [
    ("service", "services"),
    ("route", "routes"),
    ("consumer", "consumers"),
    ("upstream", "upstreams"),
];

/// Looks for what every reference means.
///
/// # Errors
/// A plugin that keeps callers out, of something that is not in the file.
pub(super) fn check(
    document: &Value,
    plugins: &Plugins<'_>,
    file: &str,
    notes: &mut Notes,
) -> Result<(), ImportError> {
    for plugin in entries(document, "plugins").filter(|plugin| flag(plugin, "enabled", true)) {
        let name = text(plugin, "name").unwrap_or_default();
        for (kind, owner) in missing(document, plugin) {
            let what = format!("is for the {kind} `{owner}`, which is not in the file");
            if keeps_out(name, plugin.get("config").unwrap_or(&Value::Null)) {
                let what = format!("the plugin `{name}` {what}: what it keeps closed would open");
                return Err(ImportError::unexpected(file, what));
            }
            notes.left_out(name, what);
        }
    }
    for list in ["targets", "keyauth_credentials", "acls"] {
        for entry in entries(document, list) {
            let mut missing = missing(document, entry).peekable();
            if missing.peek().is_none() && !KINDS.iter().any(|(kind, _)| is_set(entry, kind)) {
                notes.left_out(list, "an entry that says not whose it is");
            }
            for (kind, owner) in missing {
                let what = format!("an entry of the {kind} `{owner}`, which is not in the file");
                notes.left_out(list, what);
            }
        }
    }
    for plugin in plugins.called("key-auth") {
        if let Some((anonymous, None)) = plugins.anonymous(&plugin) {
            let place = super::plugins::place(&plugin);
            notes.left_out(
                &place,
                format!(
                    "`anonymous`: no consumer `{anonymous}` is in the file, so a key is wanted"
                ),
            );
        }
    }
    Ok(())
}

/// What an entity refers to and is not in the file, by kind and name.
pub(super) fn missing<'v>(
    document: &'v Value,
    entity: &'v Value,
) -> impl Iterator<Item = (&'static str, &'v str)> {
    let set = KINDS.into_iter().filter(|(kind, _)| is_set(entity, kind));
    set.filter_map(|(kind, list)| {
        let reference = &entity[kind];
        let nested = entries(document, "services").flat_map(|service| entries(service, "routes"));
        let nested = nested.filter(|_| kind == "route");
        let mut all = entries(document, list).chain(nested);
        let found = all.any(|one| refers(reference, one));
        let named = reference.as_str().unwrap_or_else(|| called(reference));
        (!found).then_some((kind, named))
    })
}

fn is_set(entity: &Value, key: &str) -> bool {
    entity.get(key).is_some_and(|value| !value.is_null())
}
