//! The JSON Schema of the configuration, for editors and for checks before a deployment.

use serde_json::{Map as Object, Value as Json, json};

use super::file::File;
use super::keys::{Key, Keys, Shown};
use super::tables;

/// The key by which a file in JSON names its schema.
pub(super) const KEY: &str = "$schema";

/// The schema as text.
pub fn schema() -> String {
    let mut definitions: Object<_, _> = tables()
        .iter()
        .map(|table| (table.name.to_owned(), of_table(&table.keys)))
        .collect();
    let mut schema = definitions.remove(File::NAME).unwrap_or_default();
    // Of these a route has one.
    let required = |key: &str| json!({ "required": [key] });
    let action: Vec<_> = ["upstream", "redirect", "respond"].map(required).into();
    for table in ["Route", "LongRoute"] {
        definitions[table]["oneOf"] = json!(action);
    }
    schema[KEY] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("Tollgate's configuration");
    schema["properties"][KEY] = json!({ "type": "string" });
    schema["definitions"] = json!(definitions);
    format!("{schema:#}\n")
}

fn of_table(keys: &[Key]) -> Json {
    let property = |key: &Key| (key.name.to_owned(), of_key(key));
    let mut table = json!({
        "type": "object",
        "properties": keys.iter().map(property).collect::<Object<_, _>>(),
        "additionalProperties": false,
    });
    let required = keys.iter().filter(|key| key.default.is_none());
    let required: Vec<_> = required.map(|key| key.name).collect();
    if !required.is_empty() {
        table["required"] = json!(required);
    }
    table
}

fn of_key(key: &Key) -> Json {
    let mut schema = (key.form)().schema;
    if schema["$ref"].is_string() {
        // Beside a `$ref` nothing else is read.
        schema = json!({ "allOf": [schema] });
    }
    schema["description"] = json!(key.about());
    match &key.default {
        None | Some(Shown::None | Shown::Table(_)) => {}
        Some(default) => schema["default"] = default.json(),
    }
    schema
}
