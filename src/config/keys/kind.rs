//! What a key takes. A kind reads a value, says what to write when that fails, describes itself to
//! the JSON Schema and the documentation, and shows what was read when a reload changes it.

use std::fmt::Display;

use super::form::Form;
use super::shown::Shown;
use crate::config::expand::expand;
use crate::config::private;
use crate::config::problems::{Problem, Problems};
use crate::config::reading::Reading;
use crate::config::source::{At, Span};
use crate::config::tree::Value;

/// A type that a value of the configuration can be read as.
pub(in crate::config) trait Kind: Sized {
    /// Whether the lines that it stands on are never shown.
    const IS_SECRET: bool = false;
    /// Whether variables in it are those of the environment. Otherwise it reads them itself.
    const HAS_VARIABLES: bool = true;

    /// How it is written.
    fn form() -> Form;

    /// Reads a value; `path` is how a user would write its key. A value of another kind is left as
    /// it is.
    fn read(written: &mut At<Value>, path: &str, reading: &mut Reading<'_>) -> Result<Self, Wrong>;

    /// What holds where its key is not written, if that does not have to be.
    fn absent(_: Span) -> Option<Self> {
        None
    }

    /// The value as a user would write it.
    fn shown(&self) -> Shown;
}

/// Why a value cannot be read as what it should be.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::config) enum Wrong {
    /// It is of another kind: a number instead of a string.
    Kind,
    /// It is of the right kind; what is wrong with it is said.
    Text(String),
    /// It is this in a string.
    Quoted(String),
    /// The problem has been reported already.
    Reported,
}

impl Wrong {
    /// It is a string, and should be this.
    pub(in crate::config) fn without_quotes(meant: impl Display) -> Self {
        Self::Quoted(meant.to_string())
    }
}

/// Reads a value, or reports why it cannot be read.
pub(in crate::config) fn read_at<K: Kind>(
    written: &mut At<Value>,
    path: &str,
    reading: &mut Reading<'_>,
) -> Option<At<K>> {
    if K::HAS_VARIABLES {
        expand(written, reading.environment, &mut reading.problems);
    }
    read_expanded(written, path, reading)
}

/// The same for a value whose variables have been expanded: what they hold is not expanded again.
pub(super) fn read_expanded<K: Kind>(
    written: &mut At<Value>,
    path: &str,
    reading: &mut Reading<'_>,
) -> Option<At<K>> {
    let span = written.span;
    if K::IS_SECRET {
        private::hide(written, &mut reading.problems.sources);
    }
    match K::read(written, path, reading) {
        Ok(value) => Some(At { value, span }),
        Err(wrong) => {
            report::<K>(path, written, wrong, &mut reading.problems);
            None
        }
    }
}

/// Reports why a value cannot be read as what it should be.
pub(super) fn report<K: Kind>(
    path: &str,
    written: &At<Value>,
    wrong: Wrong,
    problems: &mut Problems,
) {
    let label = match (wrong, &written.value) {
        (Wrong::Reported, _) | (_, Value::Broken) => return,
        (Wrong::Kind, value) => format!("this is {}", value.noun()),
        (Wrong::Text(text), _) => text,
        (Wrong::Quoted(_), _) if problems.is_from_environment(written.span) => {
            "numbers, `true` and `false` cannot come from a variable".to_owned()
        }
        (Wrong::Quoted(meant), _) => format!("write `{meant}`, without quotes"),
    };
    private::hide_wrong(path, written, &mut problems.sources);
    let takes = K::form().takes;
    let message = if path.is_empty() {
        format!("the file must be {takes}")
    } else {
        format!("`{path}` takes {takes}")
    };
    problems.add(Problem::at(written.span, message).label(label));
}
