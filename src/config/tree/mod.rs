//! What the formats have in common: a tree of values, each with its place. Everything after the
//! parsers works on this tree, so the formats cannot come to differ.

mod json;
mod toml;
mod value;
mod yaml;

pub use value::Format;
pub(super) use value::{Entry, Value, are_field_rules, has_field_values};

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
    let parsed = parser(&text[blank..], &|range| {
        Span::new(source, range.start + blank..range.end + blank)
    });
    let wrong = match parsed {
        Ok(tree) => return Some(tree),
        Err(wrong) => wrong,
    };
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

/// What a text was most likely meant to be. Its first line may look like YAML by a slip, but not the
/// rest.
fn looks_like(text: &str, source: SourceId) -> Option<Format> {
    let is_whole = || yaml::parse(text, &|range| Span::new(source, range)).is_ok();
    Format::guess(text).filter(|format| *format != Format::Yaml || is_whole())
}
