//! The values of header fields: what a route sets or adds, with variables of the request in it, and what
//! others than services are sent. They may be tokens, and so are shown nowhere.

use super::FieldText;
use crate::config::expand::{OF_REQUESTS, Piece, pieces};
use crate::config::keys::{Form, Kind, Shown, Text, Wrong};
use crate::config::reading::Reading;
use crate::config::source::At;
use crate::config::tree::Value;

/// The value of a header field.
pub(in crate::config) struct FieldValue(pub Vec<Piece>);

impl Kind for FieldValue {
    const IS_SECRET: bool = true;
    const HAS_VARIABLES: bool = false;

    fn form() -> Form {
        Form::not_empty("the value of a header field")
    }

    fn read(written: &mut At<Value>, _: &str, reading: &mut Reading<'_>) -> Result<Self, Wrong> {
        let Value::Text(text) = &written.value else {
            return Err(Wrong::Kind);
        };
        let pieces = pieces(text, &OF_REQUESTS, reading.environment).map_err(|wrong| {
            let problem = wrong.problem(written.span, &reading.problems);
            reading.problems.add(problem);
            Wrong::Reported
        })?;
        // What requests bring can stand in a field.
        let sent = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Own(_) => "x",
        });
        FieldText::parse(&sent.collect::<String>()).map_err(Wrong::Text)?;
        Ok(Self(pieces))
    }

    fn shown(&self) -> Shown {
        Shown::Secret {
            shown: "...".to_owned(),
            all: format!("{:?}", self.0),
        }
    }
}

/// The value of a header field that holds for all requests.
pub(in crate::config) struct SecretFieldText(pub String);

impl Kind for SecretFieldText {
    const IS_SECRET: bool = true;

    fn form() -> Form {
        Form::not_empty("the value of a header field")
    }

    fn read(written: &mut At<Value>, _: &str, _: &mut Reading<'_>) -> Result<Self, Wrong> {
        match &written.value {
            Value::Text(text) => {
                let text = FieldText::parse(text).map_err(Wrong::Text)?;
                Ok(Self(text.0))
            }
            // What is wrong with it has been reported.
            Value::Broken => Err(Wrong::Reported),
            _ => Err(Wrong::Kind),
        }
    }

    fn shown(&self) -> Shown {
        Shown::Secret {
            shown: "...".to_owned(),
            all: self.0.clone(),
        }
    }
}
