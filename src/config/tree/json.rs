//! JSON into a tree with places, as RFC 8259 has it.

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::value::{Parsed, ToSpan, Value};
use crate::config::problems::Problem;
use crate::config::source::At;

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
    let (range, label) = match parse_to_ast(text, &CollectOptions::default(), &STRICT) {
        Ok(parsed) => match parsed.value {
            Some(value) => return (Some(node(value, span)), Vec::new()),
            None => (
                0..text.len(),
                "the file is empty: write `{}` at least".to_owned(),
            ),
        },
        Err(error) => {
            let range = error.range();
            (
                range.start..range.end,
                lower_first(&error.kind().to_string()),
            )
        }
    };
    let problem = Problem::at(span(range), "this is not JSON").label(label);
    (None, vec![problem])
}

fn node(value: ast::Value<'_>, span: ToSpan<'_>) -> At<Value> {
    let place = span(value.start()..value.end());
    let value = match value {
        ast::Value::StringLit(string) => Value::Text(string.value.into_owned()),
        ast::Value::NumberLit(number) => {
            let whole = number.value.parse();
            let other = || Value::OtherNumber(number.value.parse().unwrap_or(f64::NAN));
            whole.map_or_else(|_| other(), Value::Integer)
        }
        ast::Value::BooleanLit(boolean) => Value::Boolean(boolean.value),
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::Array(array) => {
            let list = array.elements.into_iter();
            Value::List(list.map(|one| node(one, span)).collect())
        }
        ast::Value::Object(object) => {
            let entries = object.properties.into_iter().map(|property| {
                let key = At {
                    span: span(property.name.start()..property.name.end()),
                    value: property.name.into_string(),
                };
                (key, node(property.value, span))
            });
            Value::Table(entries.collect())
        }
    };
    At { value, span: place }
}

/// The parser's messages are sentences; beside a caret they are not.
fn lower_first(message: &str) -> String {
    let mut characters = message.chars();
    characters
        .next()
        .map(|first| first.to_lowercase().chain(characters).collect())
        .unwrap_or_default()
}
