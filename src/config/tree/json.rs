//! JSON into a tree with places, as RFC 8259 has it and stricter: a key given twice is an error,
//! because readers differ in which of the two they believe.

use std::collections::HashMap;
use std::ops::Range;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use crate::config::problems::Problem;
use crate::config::source::{At, Span};

use super::value::{Parsed, ToSpan, Value};

/// JSON and none of its extensions.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Parses a document.
pub(super) fn parse(text: &str, span: ToSpan<'_>) -> Parsed {
    match parse_to_ast(text, &CollectOptions::default(), &STRICT) {
        Ok(parsed) => {
            let Some(value) = parsed.value else {
                let empty = Problem::at(span(0..text.len()), "this is not JSON");
                return Err(vec![empty.label("the file is empty: write `{}` at least")]);
            };
            let mut reader = Reader {
                span,
                wrong: Vec::new(),
            };
            let tree = reader.node(value);
            if reader.wrong.is_empty() {
                Ok(tree)
            } else {
                Err(reader.wrong)
            }
        }
        Err(error) => {
            let range = error.range();
            let problem = Problem::at(span(range.start..range.end), "this is not JSON");
            Err(vec![problem.label(lower_first(&error.kind().to_string()))])
        }
    }
}

struct Reader<'t> {
    span: ToSpan<'t>,
    wrong: Vec<Problem>,
}

impl Reader<'_> {
    fn node(&mut self, value: ast::Value<'_>) -> At<Value> {
        let span = self.place(&value);
        let value = match value {
            ast::Value::StringLit(string) => Value::Text(string.value.into_owned()),
            ast::Value::NumberLit(number) => number
                .value
                .parse()
                .map_or(Value::OtherNumber, Value::Integer),
            ast::Value::BooleanLit(boolean) => Value::Boolean(boolean.value),
            ast::Value::NullKeyword(_) => Value::Null,
            ast::Value::Array(array) => Value::List(
                array
                    .elements
                    .into_iter()
                    .map(|one| self.node(one))
                    .collect(),
            ),
            ast::Value::Object(object) => self.table(object),
        };
        At { value, span }
    }

    fn table(&mut self, object: ast::Object<'_>) -> Value {
        let mut first_seen = HashMap::new();
        let mut entries = Vec::with_capacity(object.properties.len());
        for property in object.properties {
            let key = At {
                span: self.place(&property.name),
                value: property.name.into_string(),
            };
            if let Some(first) = first_seen.insert(key.value.clone(), key.span) {
                let problem = Problem::at(key.span, "this key is given twice");
                self.wrong.push(problem.also(first, "first given here"));
            }
            entries.push((key, self.node(property.value)));
        }
        Value::Table(entries)
    }

    fn place(&self, node: &impl Ranged) -> Span {
        let range: Range<usize> = node.start()..node.end();
        (self.span)(range)
    }
}

/// The parser's messages are sentences; beside a caret they are not.
fn lower_first(message: &str) -> String {
    let mut characters = message.chars();
    characters
        .next()
        .map(|first| first.to_lowercase().chain(characters).collect())
        .unwrap_or_default()
}
