//! Secrets in a text that could not be parsed. What is a value there, and whose, can only be
//! guessed, so it is guessed generously.

use std::ops::Range;

use crate::config::source::{SourceId, Sources, Span};
use crate::config::tree::Format;

/// A key that has one of these in it is taken for a secret's. With `clients`, for all is there.
const TELLING: [&str; 8] = [
    "client", "key", "pass", "pw", "secret", "token", "auth", "cred",
];

/// Strikes out whatever may be a secret.
pub(in crate::config) fn strike_unparsed(
    text: &str,
    format: Format,
    id: SourceId,
    sources: &mut Sources,
) {
    let ranges = match format {
        Format::Toml => toml(text),
        Format::Json => json(text),
    };
    for range in ranges {
        sources.strike(Span::new(id, range));
    }
}

/// What follows the `=` of a telling key or stands in a telling table, up to the next key.
fn toml(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut table_tells, mut tells, mut start) = (false, false, 0);
    for line in text.split_inclusive('\n') {
        let value = if let Some(length) = key(line) {
            let (key, value) = line.split_at(length);
            // An inline table may have a telling key that comes later in the line.
            tells = table_tells || is_telling(key) || value.contains('{') && is_telling(value);
            length + 1
        } else if let Some(header) = header(line) {
            table_tells = is_telling(header);
            tells = table_tells;
            header.len()
        } else {
            0
        };
        if tells {
            found.push(start + value..start + line.len());
        }
        start += line.len();
    }
    found
}

/// Whether something that is called so may be a secret.
pub(in crate::config) fn is_telling(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    TELLING.iter().any(|word| text.contains(word))
}

/// The length of the key that a line begins with: what stands before its `=`.
fn key(line: &str) -> Option<usize> {
    let mut quoted = None;
    for (at, character) in line.char_indices() {
        match quoted {
            Some(quote) if character == quote => quoted = None,
            Some(_) => {}
            None if character == '=' => return Some(at),
            None if matches!(character, '"' | '\'') => quoted = Some(character),
            None if character.is_ascii_alphanumeric() || "_-. \t\u{feff}".contains(character) => {}
            None => return None,
        }
    }
    None
}

/// The `[table]` that a line begins with, or what there is of it.
fn header(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches([' ', '\t', '\u{feff}']);
    let first = rest.trim_start_matches('[').chars().next()?;
    // A list in a list has strings, or more lists, on its lines.
    let is_header = rest.starts_with('[') && (first.is_ascii_alphabetic() || rest.contains("]\n"));
    is_header.then(|| line.find(']').map_or(line, |end| &line[..=end]))
}

/// All but punctuation and what a `:` follows: lines of JSON may be as long as the file.
fn json(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    while let Some(first) = text[start..].chars().next() {
        let length = match first {
            '"' => string(&text[start..]),
            '{' | '}' | '[' | ']' | ':' | ',' => 0,
            _ if first.is_whitespace() => 0,
            _ => word(&text[start..]),
        };
        let end = start + length.max(first.len_utf8());
        let is_key = text[end..].trim_start().starts_with(':');
        if length > 0 && !is_key {
            let quotes = usize::from(first == '"' && length > 1);
            found.push(start + quotes..(end - quotes).max(start + quotes));
        }
        start = end;
    }
    found
}

/// The length of the string that a text begins with; one that is not closed ends with its line.
fn string(text: &str) -> usize {
    let mut escaped = true;
    for (at, character) in text.char_indices() {
        match character {
            '\n' => return at,
            '"' if !escaped => return at + 1,
            _ => escaped = (character == '\\' && !escaped) && at > 0,
        }
    }
    text.len()
}

fn word(text: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || "{}[]:,\"".contains(c);
    text.find(ends).unwrap_or(text.len())
}
