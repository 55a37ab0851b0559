//! A share of all.

use serde_json::json;

use crate::config::keys::{Form, Kind, Shown, Wrong};
use crate::config::reading::Reading;
use crate::config::source::At;
use crate::config::tree::Value;

/// Why none is no share.
const NONE: &str = "this would leave out all: `0.001` is one in a thousand";
/// Why a large number is none.
const PERCENT: &str = "this is a share and no percentage: `0.1` is one in ten";

/// A share of all, at most 1: more than none, unless it may be.
#[derive(Clone, Copy)]
pub(in crate::config) struct Share<const MAY_BE_NONE: bool = false>(pub f64);

impl<const MAY_BE_NONE: bool> Kind for Share<MAY_BE_NONE> {
    fn form() -> Form {
        if MAY_BE_NONE {
            let schema = json!({ "type": "number", "minimum": 0, "maximum": 1 });
            return Form::new("a number from 0 to 1", schema);
        }
        Form::new(
            "a number above 0, up to 1",
            json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1 }),
        )
    }

    fn read(written: &mut At<Value>, _: &str, _: &mut Reading<'_>) -> Result<Self, Wrong> {
        match written.value {
            Value::Text(ref text) => {
                let share = text_share(text).filter(|share| *share > 0.0 && *share <= 1.0);
                Err(share.map_or(Wrong::Kind, Wrong::without_quotes))
            }
            Value::Integer(1) => Ok(Self(1.0)),
            Value::Integer(0) | Value::OtherNumber(0.0) if MAY_BE_NONE => Ok(Self(0.0)),
            Value::OtherNumber(share) if share > 0.0 && share <= 1.0 => Ok(Self(share)),
            Value::Integer(0) | Value::OtherNumber(0.0) => Err(Wrong::Text(NONE.to_owned())),
            Value::Integer(2..) => Err(Wrong::Text(PERCENT.to_owned())),
            Value::OtherNumber(share) if share > 1.0 => Err(Wrong::Text(PERCENT.to_owned())),
            Value::OtherNumber(_) | Value::Integer(_) => Err(Wrong::Text(String::new())),
            _ => Err(Wrong::Kind),
        }
    }

    fn shown(&self) -> Shown {
        Shown::Plain(self.0.to_string())
    }
}

/// What a string would be as a share: `10%`, `0.1`.
fn text_share(text: &str) -> Option<f64> {
    match text.trim().strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok().map(|it| it / 100.0),
        None => text.trim().parse().ok(),
    }
}
