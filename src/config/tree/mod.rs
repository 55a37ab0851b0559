//! What the formats have in common: a tree of values, each with its place. Everything after the
//! parsers works on this tree, so the formats cannot come to differ.

mod json;
mod toml;
mod value;
mod yaml;

pub use value::Format;
pub(super) use value::{Entry, Value};

use value::advice;

use std::collections::HashMap;

use super::problems::{Problem, Problems};
use super::source::{At, SourceId, Span};

/// Parses a text. What is wrong with it goes to `problems`; there is no tree then.
pub(super) fn parse(
    text: &str,
    format: Format,
    source: SourceId,
    problems: &mut Problems,
) -> Option<At<Value>> {
    // Windows editors put one in front; it says nothing.
    let blank = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let parser = match format {
        Format::Toml => toml::parse,
        Format::Json => json::parse,
        Format::Yaml => yaml::parse,
    };
    let (tree, mut wrong) = parser(&text[blank..], &|range| {
        Span::new(source, range.start + blank..range.end + blank)
    });
    if let Some(tree) = tree {
        refuse_twice(&tree.value, &mut wrong);
        if wrong.is_empty() {
            return Some(tree);
        }
    }
    if let Some(other) = looks_like(text, source).filter(|other| *other != format)
        // Whatever is JSON is YAML.
        && (other, format) != (Format::Json, Format::Yaml)
    {
        // One word explains all that is wrong.
        let message = format!("this is {}, and read as {}", other.name(), format.name());
        let problem = Problem::at(Span::new(source, 0..0), message);
        let ending = other.extension();
        let label = format!("a file in {} ends with `{ending}`", other.name());
        problems.add(problem.label(label));
    } else {
        for problem in wrong {
            problems.add(problem);
        }
    }
    None
}

/// Refuses keys that stand twice in a table: readers differ in which of the two they believe. (TOML has
/// none.)
fn refuse_twice(value: &Value, wrong: &mut Vec<Problem>) {
    match value {
        Value::List(list) => list.iter().for_each(|one| refuse_twice(&one.value, wrong)),
        Value::Table(entries) => {
            let mut seen = HashMap::new();
            for (key, value) in entries {
                if let Some(first) = seen.insert(&key.value, key.span) {
                    let problem = Problem::given_twice("this key", first, key.span);
                    let is_table = matches!(value.value, Value::Table(_));
                    wrong.push(problem.help(advice(&key.value, is_table)));
                }
                refuse_twice(&value.value, wrong);
            }
        }
        _ => {}
    }
}

/// What a text was most likely meant to be. Its first line may look like YAML by a slip, but not the
/// rest.
fn looks_like(text: &str, source: SourceId) -> Option<Format> {
    let is_whole = || {
        yaml::parse(text, &|range| Span::new(source, range))
            .1
            .is_empty()
    };
    Format::guess(text).filter(|format| *format != Format::Yaml || is_whole())
}
