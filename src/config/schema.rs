//! The JSON Schema of the configuration, for editors and for checks before a deployment.

use serde_json::json;

use super::file::File;
use super::keys::{Definitions, Keys, Kind};

/// The key by which a file in JSON names its schema.
pub(super) const KEY: &str = "$schema";

/// The schema as text.
#[must_use]
pub fn schema() -> String {
    let mut definitions = Definitions::default();
    File::schema(&mut definitions);
    let name = File::NAME;
    let mut definitions = definitions.into_json();
    let mut schema = definitions[name].take();
    if let Some(definitions) = definitions.as_object_mut() {
        definitions.remove(name);
    }
    // Of these a route has one.
    let required = |key: &str| json!({ "required": [key] });
    let action: Vec<_> = ["upstream", "redirect", "respond"].map(required).into();
    for table in ["Route", "LongRoute"] {
        definitions[table]["oneOf"] = json!(action);
    }
    schema[KEY] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("Tollgate's configuration");
    schema["properties"][KEY] = json!({ "type": "string" });
    schema["definitions"] = definitions;
    format!("{schema:#}\n")
}
