//! YAML 1.2 into a tree with places. What other files do not have is refused: anchors and aliases (a
//! few lines of them can stand for gigabytes), tags, several documents, keys that are not strings.
//! The parser bounds how deep collections nest.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, StrInput, options};

use super::value::{Entry, Parsed, ToSpan, Value};
use crate::config::problems::Problem;
use crate::config::source::At;

/// Parses a document.
pub(super) fn parse(text: &str, span: ToSpan<'_>) -> Parsed {
    let options = options! {
        disallow_directives: true,
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
    };
    let mut reader = Reader {
        events: Parser::new_from_str_with_options(text, options),
        span,
        wrong: Vec::new(),
    };
    (reader.document(), reader.wrong)
}

/// Each of its functions gives nothing where the text is not YAML, which has been noted then.
struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    span: ToSpan<'t>,
    wrong: Vec<Problem>,
}

impl<'t> Reader<'t> {
    /// The only document; a file without one is an empty table.
    fn document(&mut self) -> Option<At<Value>> {
        let mut tree = None;
        loop {
            let (event, range) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(..) if tree.is_some() => {
                    self.refuse(range, "several documents", "write one file for each");
                    break;
                }
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => tree = Some(self.node(event, range)?),
            }
        }
        Some(tree.unwrap_or_else(|| At {
            value: Value::Table(Vec::new()),
            span: (self.span)(0..0),
        }))
    }

    /// The next event that is not refused, and the bytes where it stands.
    fn next(&mut self) -> Option<(Event<'t>, Range<usize>)> {
        loop {
            let (event, at) = match self.events.next_event() {
                Some(Ok(event)) => event,
                Some(Err(error)) => {
                    let at = error.marker().byte_offset().unwrap_or_default();
                    let problem = Problem::at((self.span)(at..at), "this is not YAML");
                    self.wrong.push(problem.label(error.info()));
                    return None;
                }
                None => return Some((Event::StreamEnd, 0..0)),
            };
            let range = at.byte_range().unwrap_or_default();
            if let Event::Scalar(.., Some(_))
            | Event::SequenceStart(.., Some(_))
            | Event::MappingStart(.., Some(_)) = event
            {
                let tag = at.tag_span().and_then(|tag| tag.byte_range());
                let tag = tag.unwrap_or_else(|| range.clone());
                self.refuse(tag, "tags", "quote a value to make it a string");
            }
            if let Event::Anchor(..) = event {
                self.refuse(range, "anchors", "write each value where it belongs");
                continue;
            }
            return Some((event, range));
        }
    }

    fn refuse(&mut self, range: Range<usize>, what: &str, instead: &str) {
        let problem = Problem::at((self.span)(range), format!("{what} are not supported"));
        self.wrong.push(problem.label(instead));
    }

    fn node(&mut self, event: Event<'t>, range: Range<usize>) -> Option<At<Value>> {
        let span = (self.span)(range.clone());
        let value = match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) => plain(&text),
            Event::Scalar(text, ..) => Value::Text(text.into_owned()),
            Event::SequenceStart(..) => Value::List(self.list()?),
            Event::MappingStart(..) => Value::Table(self.entries()?),
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.refuse(range, "aliases", "write the value itself");
                Value::Broken
            }
            _ => {
                // The parser closes what it opens, so there is nothing else.
                self.wrong.push(Problem::at(span, "this is not YAML"));
                return None;
            }
        };
        Some(At { value, span })
    }

    fn list(&mut self) -> Option<Vec<At<Value>>> {
        let mut list = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Some(list),
                (event, range) => list.push(self.node(event, range)?),
            }
        }
    }

    fn entries(&mut self) -> Option<Vec<Entry>> {
        let mut entries = Vec::new();
        loop {
            let (event, range) = self.next()?;
            if let Event::MappingEnd = event {
                return Some(entries);
            }
            let key = self.node(event, range)?;
            let (event, range) = self.next()?;
            let node = self.node(event, range)?;
            let Value::Text(value) = key.value else {
                let problem = Problem::at(key.span, "a key must be a string");
                let label = format!("this is {}; quote it", key.value.noun());
                self.wrong.push(problem.label(label));
                continue;
            };
            let key = At {
                value,
                span: key.span,
            };
            entries.push((key, node));
        }
    }
}

/// A value without quotes, as the core schema of YAML 1.2 has it: `no` is a string.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Boolean(true),
        "false" | "False" | "FALSE" => return Value::Boolean(false),
        _ => {}
    }
    let integer = |digits: &str, radix| {
        let number = i64::from_str_radix(digits, radix);
        // Beyond 64 bits it is too large for every key.
        number.map_or(Value::OtherNumber(f64::INFINITY), Value::Integer)
    };
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is = |digits: &str, radix| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    match (text.strip_prefix("0x"), text.strip_prefix("0o")) {
        (Some(digits), _) if is(digits, 16) => integer(digits, 16),
        (_, Some(digits)) if is(digits, 8) => integer(digits, 8),
        _ if is(unsigned, 10) => integer(text, 10),
        _ if is_fraction(unsigned) => Value::OtherNumber(text.parse().unwrap_or(f64::NAN)),
        _ => Value::Text(text.to_owned()),
    }
}

fn is_fraction(text: &str) -> bool {
    let digits = text
        .bytes()
        .all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    let named = [".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"];
    digits && text.parse::<f64>().is_ok() || named.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_without_quotes_are_those_of_the_core_schema() {
        for (text, noun) in [
            ("no", "a string"),
            ("off", "a string"),
            ("1h30m", "a string"),
            ("1_000", "a string"),
            ("1.2.3", "a string"),
            ("0.0.0.0:3000", "a string"),
            ("2027-01-01T00:00:00Z", "a string"),
            ("0x", "a string"),
            ("-", "a string"),
            (".", "a string"),
            ("e5", "a string"),
            ("True", "true or false"),
            ("~", "null"),
            ("", "null"),
            ("-12", "a whole number"),
            ("0o17", "a whole number"),
            ("0xFF", "a whole number"),
            ("1e3", "a number with a fraction, or too large a number"),
            ("-.5", "a number with a fraction, or too large a number"),
            (".inf", "a number with a fraction, or too large a number"),
            (
                "99999999999999999999",
                "a number with a fraction, or too large a number",
            ),
        ] {
            assert_eq!(plain(text).noun(), noun, "{text}");
        }
    }
}
