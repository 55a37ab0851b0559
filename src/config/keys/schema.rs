//! The parts that a JSON Schema names.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

/// Parts of a schema that it refers to, by their name.
#[derive(Default)]
pub(in crate::config) struct Definitions(BTreeMap<&'static str, Json>);

impl Definitions {
    /// A reference to a part, which is made if it is not there.
    pub(in crate::config) fn refer(
        &mut self,
        name: &'static str,
        make: impl FnOnce(&mut Self) -> Json,
    ) -> Json {
        if !self.0.contains_key(name) {
            // Whoever asks for it while it is made refers to it, too.
            self.0.insert(name, Json::Null);
            let part = make(self);
            self.0.insert(name, part);
        }
        json!({ "$ref": format!("#/definitions/{name}") })
    }

    /// All of them.
    pub(in crate::config) fn into_json(self) -> Json {
        json!(self.0)
    }
}
