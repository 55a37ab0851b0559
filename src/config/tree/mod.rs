//! What the formats have in common: a tree of values, each with its place. Everything after the
//! parsers works on this tree, so the formats cannot come to differ.

mod json;
mod toml;
mod value;
mod yaml;

pub use value::Format;
pub(super) use value::{Entry, Value};

use super::problems::Problems;
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
    parser(&text[blank..], &|range| {
        Span::new(source, range.start + blank..range.end + blank)
    })
    .map_err(|wrong| wrong.into_iter().for_each(|problem| problems.add(problem)))
    .ok()
}
