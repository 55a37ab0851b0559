//! From Kong's declarative configuration: services, routes, consumers, upstreams and plugins, nested
//! or by reference. A route that would lose a rule of access is left out rather than opened.

mod access;
mod beyond;
mod checks;
mod closed;
mod differences;
mod fields;
mod known;
mod limits;
mod matching;
mod paths;
mod plugins;
mod preferred;
mod references;
mod refusal;
mod routes;
#[cfg(test)]
mod tests;
mod transform;
mod upstreams;

use serde_json::Value;

use super::draft::Draft;
use super::mended::mended;
use super::{ImportError, Imported, Notes, Source};
use crate::config::Format;

use self::plugins::Plugins;

/// What describes, or says how the file came about.
const SAID_ONLY: [&str; 7] = [
    "_format_version",
    "_transform",
    "_comment",
    "_ignore",
    "_info",
    "_workspace",
    "_konnect",
];

const TAKEN: [&str; 8] = [
    "services",
    "routes",
    "consumers",
    "keyauth_credentials",
    "acls",
    "plugins",
    "upstreams",
    "targets",
];

const COMMENT: &str = "\
Taken over from Kong. `tollgate explain` says what becomes of a request. Two things are other here:
a key that is wrong gets 401 on public paths, too; and windows of limits begin with the first request, not with the clock's minute.";

/// Reads a declarative configuration, YAML or JSON.
///
/// # Errors
/// A text that is none. What has no counterpart is a note.
pub fn kong(source: Source<'_>) -> Result<Imported, ImportError> {
    let format = match Format::of(std::path::Path::new(source.name)) {
        Format::Json => Format::Json,
        _ => Format::Yaml,
    };
    let document = source.read(format)?;
    let Some(map) = document.as_object() else {
        return Err(ImportError::unexpected(
            source.name,
            "holds a table with `services`, as `deck gateway dump` writes it",
        ));
    };
    let mut notes = Notes::default();
    for name in map.keys() {
        if !TAKEN.contains(&name.as_str()) && !SAID_ONLY.contains(&name.as_str()) {
            notes.left_out(name, "has no counterpart");
        }
    }
    if !TAKEN.iter().any(|name| map.contains_key(*name)) {
        let what =
            "holds no services, routes or consumers; is it Kong's declarative configuration?";
        return Err(ImportError::unexpected(source.name, what));
    }

    fields::structure(&document, &TAKEN, source.name)?;

    let mut draft = Draft::default();
    let mut plugins = Plugins::of(&document);
    plugins.malformed = fields::unknown(&document, &plugins.all(), &mut notes);
    references::check(&document, &plugins, source.name, &mut notes)?;
    access::key_names(&plugins, &mut draft, &mut notes);
    access::consumers(&document, &plugins, &mut draft, &mut notes);
    let table = routes::routes(&document, &plugins, &mut draft, &mut notes);
    differences::differences(&table.kept, &mut notes);
    differences::buffering(&document, &mut notes);
    differences::defaults(&document, &mut notes);
    closed::close(table, &mut draft, &mut notes);
    draft.drop_unused_upstreams();
    let toml = mended(&mut draft, COMMENT, &mut notes);
    Ok(notes.with(toml))
}

/// The entries of a list under a key; none where there is no list.
fn entries<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// The strings of a list under a key; one that stands there without a list, too.
fn strings(value: &Value, key: &str) -> Vec<String> {
    let alone = text(value, key).into_iter();
    let texts = alone.chain(entries(value, key).filter_map(Value::as_str));
    texts.map(str::to_owned).collect()
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str()
}

fn number(value: &Value, key: &str) -> Option<u64> {
    value.get(key)?.as_u64()
}

/// Whether a text stands for another one, which Kong or decK puts in its place.
fn is_placeholder(text: &str) -> bool {
    text.contains("{vault://") || text.contains("${{")
}

/// Whether a flag is set, or else what it is by default.
fn flag(value: &Value, key: &str, default: bool) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(default)
}

/// Whether a reference, a name or an id or a table with one, means this entity.
fn refers(reference: &Value, entity: &Value) -> bool {
    let names = ["name", "id", "username", "custom_id"];
    let said = match reference {
        Value::String(said) => Some(said.as_str()),
        table => names.iter().find_map(|name| text(table, name)),
    };
    said.is_some_and(|said| names.iter().any(|name| text(entity, name) == Some(said)))
}

/// Where an entity stands in memory, which tells it from every other one.
fn address(entity: &Value) -> usize {
    std::ptr::from_ref(entity).addr()
}

/// What an entity is called in notes.
fn called(entity: &Value) -> &str {
    let names = ["name", "username", "custom_id", "id", "host", "url"];
    names
        .iter()
        .find_map(|name| text(entity, name))
        .unwrap_or("unnamed")
}
