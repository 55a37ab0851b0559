//! Kinds that are written as strings.

use serde_json::{Value as Json, json};

use super::kind::{Kind, Wrong};
use super::schema::Definitions;
use super::shown::Shown;
use crate::config::reading::Reading;
use crate::config::source::At;
use crate::config::suggest::closest;
use crate::config::tree::Value;
use crate::words::Word;

/// A type that is written as a string.
pub(in crate::config) trait Text: Sized {
    /// What it is: "a duration".
    const NOUN: &str;
    /// One of them.
    const EXAMPLE: &str = "";
    /// What stands for one in the documentation, where they are keys.
    const PLACEHOLDER: &str = "NAME";
    /// What to write instead of a number, which stands for `N`.
    const FOR_NUMBER: Option<&str> = None;
    /// The regular expression that all of them match.
    const PATTERN: &str = "";

    /// The words that are all of them, if there are few.
    fn words() -> Vec<&'static str> {
        Vec::new()
    }

    /// Makes one of what is written, or says what should be.
    fn parse(text: &str) -> Result<Self, String>;

    /// What is written.
    fn text(&self) -> String;

    /// What is shown of it.
    fn shown(&self) -> Shown {
        Shown::Text(self.text())
    }

    /// Whether a key that is none was meant to be one.
    fn is_meant(_: &str) -> bool {
        true
    }
}

impl<T: Text> Kind for T {
    fn takes() -> String {
        match (&T::words()[..], T::EXAMPLE) {
            ([first @ .., last], _) => {
                let first: Vec<_> = first.iter().map(|word| format!("\"{word}\"")).collect();
                let or = if first.is_empty() { "" } else { " or " };
                format!("{}{or}\"{last}\"", first.join(", "))
            }
            (_, "") => T::NOUN.to_owned(),
            (_, example) => format!("{} such as \"{example}\"", T::NOUN),
        }
    }

    fn read(written: &mut At<Value>, _: &str, _: &mut Reading<'_>) -> Result<Self, Wrong> {
        match (&written.value, T::FOR_NUMBER) {
            (Value::Text(text) | Value::Time(text), _) => T::parse(text).map_err(Wrong::Text),
            (Value::Integer(number), Some(instead)) => {
                let instead = instead.replace('N', &number.to_string());
                Err(Wrong::Text(format!("write \"{instead}\"")))
            }
            _ => Err(Wrong::Kind),
        }
    }

    /// Any of them may also have variables, `${NAME}`, in it.
    fn schema(_: &mut Definitions) -> Json {
        match (&T::words()[..], T::PATTERN) {
            ([], "") => json!({ "type": "string" }),
            ([], pattern) => {
                json!({ "type": "string", "pattern": format!(r"^(?:{pattern})$|\$\{{") })
            }
            (words, _) => json!({ "anyOf": [{ "enum": words }, { "pattern": r"\$\{" }] }),
        }
    }

    fn shown(&self) -> Shown {
        T::shown(self)
    }
}

impl<T: Word> Text for T {
    const NOUN: &str = "a word";

    fn words() -> Vec<&'static str> {
        T::ALL.iter().map(|(word, _)| *word).collect()
    }

    fn parse(text: &str) -> Result<Self, String> {
        match T::ALL.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(*value),
            None => Err(match closest(text, Self::words()) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => "this is none of them".to_owned(),
            }),
        }
    }

    fn text(&self) -> String {
        self.word().to_owned()
    }
}
