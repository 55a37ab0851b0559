//! Kinds that are written as strings.

use serde_json::json;

use super::form::Form;
use super::kind::{Kind, Wrong};
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
    /// What to say of a list of tables where they are keys.
    const IN_A_LIST: Option<&str> = None;
    /// What to write instead of a number, which stands for `N`.
    const FOR_NUMBER: Option<&str> = None;
    /// What to say of a list.
    const FOR_LIST: Option<&str> = None;
    /// What to say of a limit.
    const FOR_LIMIT: Option<&str> = None;
    /// The regular expression that all of them match.
    const PATTERN: &str = "";
    /// Whether the lines that it stands on are never shown.
    const IS_SECRET: bool = false;

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
    const IS_SECRET: bool = <T as Text>::IS_SECRET;

    /// Any of them may also have variables, `${NAME}`, in it.
    fn form() -> Form {
        let quoted = |word: &&str| format!("\"{word}\"");
        if let [first @ .., last] = &T::words().iter().map(quoted).collect::<Vec<_>>()[..] {
            let or = if first.is_empty() { "" } else { " or " };
            let takes = format!("{}{or}{last}", first.join(", "));
            let schema = json!({ "anyOf": [{ "enum": T::words() }, { "type": "string", "pattern": r"\$\{" }] });
            return Form::new(takes, schema);
        }
        let takes = match T::EXAMPLE {
            "" => T::NOUN.to_owned(),
            example => format!("{} such as \"{example}\"", T::NOUN),
        };
        match T::PATTERN {
            "" => Form::string(&takes),
            pattern => {
                let pattern = format!(r"^(?:{pattern})$|\$\{{");
                Form::new(takes, json!({ "type": "string", "pattern": pattern }))
            }
        }
    }

    fn read(written: &mut At<Value>, _: &str, _: &mut Reading<'_>) -> Result<Self, Wrong> {
        match (&written.value, T::FOR_NUMBER) {
            (Value::Text(text) | Value::Time(text), _) => T::parse(text).map_err(Wrong::Text),
            (Value::Integer(number), Some(instead)) => {
                let instead = instead.replace('N', &number.to_string());
                Err(Wrong::Text(format!("write \"{instead}\"")))
            }
            (Value::List(_), _) if let Some(text) = T::FOR_LIST => {
                Err(Wrong::Text(text.to_owned()))
            }
            (Value::Table(entries), _)
                if let Some(text) = T::FOR_LIMIT
                    && entries.iter().any(|(key, _)| key.value == "requests") =>
            {
                Err(Wrong::Text(text.to_owned()))
            }
            _ => Err(Wrong::Kind),
        }
    }

    fn shown(&self) -> Shown {
        T::shown(self)
    }
}

/// Words of other programs, and those that stand here for the same.
const SYNONYMS: [(&str, &str); 7] = [
    ("warning", "warn"),
    ("fatal", "error"),
    ("critical", "error"),
    ("verbose", "debug"),
    ("text", "pretty"),
    ("plain", "pretty"),
    ("console", "pretty"),
];

/// The word of `known` that other programs call so.
fn called_here(text: &str, known: &[&'static str]) -> Option<&'static str> {
    let mut all = SYNONYMS.into_iter();
    let (_, here) = all.find(|(word, here)| *word == text && known.contains(here))?;
    Some(here)
}

impl<T: Word> Text for T {
    const NOUN: &str = "a word";

    fn words() -> Vec<&'static str> {
        T::ALL.iter().map(|(word, _)| *word).collect()
    }

    fn parse(text: &str) -> Result<Self, String> {
        match T::ALL.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(*value),
            None => Err(
                match closest(text, Self::words()).or_else(|| called_here(text, &Self::words())) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None => "this is none of them".to_owned(),
                },
            ),
        }
    }

    fn text(&self) -> String {
        self.word().to_owned()
    }
}
