//! A share of all.

use serde_json::json;

use crate::config::keys::{Form, Kind, Shown, Wrong};
use crate::config::reading::Reading;
use crate::config::source::At;
use crate::config::tree::Value;

/// A share of all: more than none, at most 1.
#[derive(Clone, Copy)]
pub(in crate::config) struct Share(pub f64);

impl Kind for Share {
    fn form() -> Form {
        Form::new(
            "a number above 0, up to 1",
            json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1 }),
        )
    }

    fn read(written: &mut At<Value>, _: &str, _: &mut Reading<'_>) -> Result<Self, Wrong> {
        match written.value {
            Value::Integer(1) => Ok(Self(1.0)),
            Value::OtherNumber(share) if share > 0.0 && share <= 1.0 => Ok(Self(share)),
            Value::OtherNumber(_) | Value::Integer(_) => Err(Wrong::Text(String::new())),
            _ => Err(Wrong::Kind),
        }
    }

    fn shown(&self) -> Shown {
        Shown::Plain(self.0.to_string())
    }
}
