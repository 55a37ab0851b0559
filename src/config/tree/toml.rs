//! TOML into a tree with places. The parser recovers from errors, so several are reported at once.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue, Error};

use super::value::{Entry, Parsed, ToSpan, Value, advice};
use crate::config::problems::Problem;
use crate::config::source::At;

const WANTS_QUOTES: &str = "a string is written in quotes: `\"...\"`";
const KEY_WANTS_QUOTES: &str = "a key has letters, digits, `-` and `_`, or quotes around it: `\"/api\" = ...`, `[routes.\"/api\"]`";

/// Parses a document.
pub(super) fn parse(text: &str, span: ToSpan<'_>) -> Parsed {
    let (document, mut errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let range = document.span();
        let value = table(document.into_inner(), text, span);
        let span = span(range);
        return (Some(At { value, span }), Vec::new());
    }
    let open = unclosed(document.get_ref(), &errors, text);
    let open = open.and_then(|open| open_problem(&mut errors, open, text, span));
    let more = problems(errors, text, span);
    (None, open.into_iter().chain(more).collect())
}

/// The problem of a bracket that is open to the end of the file, and so of all errors behind it. But a
/// string without an end may hide what closes the bracket: then it is the problem.
fn open_problem(
    errors: &mut Vec<Error>,
    open: usize,
    text: &str,
    span: ToSpan<'_>,
) -> Option<Problem> {
    let endless = errors.iter().filter(|error| {
        let message = error.message();
        let of_string = message.starts_with("invalid ") && message.contains("string, expected");
        of_string && start(error) > open
    });
    let endless = endless.map(start).min();
    errors.retain(|error| start(error) <= endless.unwrap_or(open) && !is_unclosed(error));
    let bracket = &text[open..=open];
    let problem = Problem::at(span(open..open + 1), "this is not TOML");
    let problem = problem.label(format!("this `{bracket}` is not closed"));
    endless.is_none().then_some(problem)
}

fn start(error: &Error) -> usize {
    error.span().map_or(0, |range| range.start)
}

/// Where a bracket or a brace stands that nothing closes: the innermost one, if there are several.
fn unclosed(document: &DeTable<'_>, errors: &[Error], text: &str) -> Option<usize> {
    let of_end = errors.iter().filter(|error| is_unclosed(error));
    let ends: Vec<_> = of_end.filter_map(Error::span).collect();
    let mut open = Vec::new();
    for value in document.values() {
        opened(value, ends.first()?.start, &mut open);
    }
    open.retain(|start| {
        text.as_bytes()
            .get(*start)
            .is_some_and(|it| b"[{".contains(it))
    });
    // Behind them in the list are those that are closed there.
    open.get(ends.len().checked_sub(1)?).copied()
}

fn is_unclosed(error: &Error) -> bool {
    let message = error.message();
    message.starts_with("unclosed array,") || message.starts_with("unclosed inline table,")
}

/// Where the lists and tables begin that end at a place, from the outermost one on.
fn opened(value: &Spanned<DeValue<'_>>, end: usize, open: &mut Vec<usize>) {
    let span = value.span();
    if span.end == end {
        open.push(span.start);
    }
    match value.get_ref() {
        DeValue::Array(list) => list.iter().for_each(|one| opened(one, end, open)),
        DeValue::Table(table) => table.values().for_each(|one| opened(one, end, open)),
        _ => {}
    }
}

/// The first error of each line: what follows it there is most often its consequence.
fn problems(mut errors: Vec<Error>, text: &str, span: ToSpan<'_>) -> Vec<Problem> {
    errors.sort_by_key(start);
    errors.dedup_by(|error, before| {
        let between = text.get(start(before)..start(error));
        between.is_some_and(|between| !between.contains('\n'))
    });
    let mut problems = Vec::new();
    let mut repeated = None;
    for error in errors {
        let range = error.span().unwrap_or_default();
        let is_of = |start: &usize| {
            text[*start..range.start]
                .lines()
                .skip(1)
                .all(|it| !is_header(it))
        };
        let problem = Problem::at(span(range.clone()), "this is not TOML");
        problems.push(match error.message() {
            // What is in a table that is given twice is no further problem.
            "duplicate key" if repeated.as_ref().is_some_and(is_of) => continue,
            "duplicate key" => {
                let start = line_start(text, range.start);
                if is_header(&text[start..]) {
                    repeated = Some(start);
                }
                given_twice(text, range, span)
            }
            message if message.starts_with("string values must be quoted") => {
                problem.label(WANTS_QUOTES)
            }
            message if message.starts_with("invalid unquoted key") => {
                problem.label(KEY_WANTS_QUOTES)
            }
            message if message.starts_with("missing escaped value") => problem
                .label("in `\"...\"`, `\\` is written `\\\\`; in `'...'` it stands for itself"),
            // A number that goes on as no number does: an address, a time, a version.
            _ if is_unquoted(text, range.start) => problem.label(WANTS_QUOTES),
            message => problem.label(message),
        });
    }
    problems
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

/// Whether a line begins a table.
fn is_header(line: &str) -> bool {
    line.trim_start().starts_with('[')
}

/// Whether what stands around here begins as a number, and is none.
fn is_unquoted(text: &str, at: usize) -> bool {
    let is_of_value = |c: char| c.is_ascii_alphanumeric() || ".:-+_/".contains(c);
    let before = &text[..at];
    let start = before.trim_end_matches(is_of_value).len();
    let value = &text[start..];
    let value = &value[..value.find(|c| !is_of_value(c)).unwrap_or(value.len())];
    value.starts_with(|c: char| c.is_ascii_digit())
        && value.contains(|c: char| !c.is_ascii_digit())
        && before[..start].trim_end().ends_with(['=', '[', ','])
}

/// The problem of a table or a key that stands there already.
fn given_twice(text: &str, again: Range<usize>, span: ToSpan<'_>) -> Problem {
    let line = text[line_start(text, again.start)..].trim_start();
    let name = line.trim_start_matches('[');
    let help = if !is_header(line) {
        advice("", false)
    } else if !name.starts_with("routes]") {
        advice(name, true)
    } else if line.starts_with("[[") {
        "`[routes]` is one table of prefixes; routes in a list are `[[route]]`"
    } else {
        "move these routes below the first `[routes]`, and leave this line out"
    };
    let what = if is_header(line) {
        "this table"
    } else {
        "this key"
    };
    let problem = match first_of(text, &again) {
        Some(first) => Problem::given_twice(what, span(first), span(again)),
        None => Problem::at(span(again), format!("{what} is given twice")),
    };
    problem.help(help)
}

/// Where a key stands first that is given again: its line, or itself in a table in braces.
fn first_of(text: &str, again: &Range<usize>) -> Option<Range<usize>> {
    let start = line_start(text, again.start);
    // Of a key that is given twice in braces the document has the first one.
    let (document, _) = DeTable::parse_recoverable(text);
    let written = format!("{} = 0", &text[again.clone()]);
    let name = parts(&written).pop()?;
    let mut values = document.get_ref().values();
    if let Some(first) = values.find_map(|value| in_braces(value, again.start, &name)) {
        return Some(first);
    }
    let mut path = Vec::new();
    if is_header(&text[start..]) {
        path = parts(text[start..].lines().next()?);
    } else {
        let header = text[..start].lines().rfind(|line| is_header(line));
        path.extend(header.into_iter().flat_map(parts));
        path.extend(parts(&format!("{} = 0", &text[start..again.end])));
    }
    let (before, _) = DeTable::parse_recoverable(&text[..start]);
    let first = line_start(text, place(before.get_ref(), &path)?.start);
    let line = text[first..].lines().next().unwrap_or_default().trim_end();
    Some(first..first + line.len())
}

/// The parts of the key in a line, or in the header of a table.
fn parts(line: &str) -> Vec<String> {
    let (document, _) = DeTable::parse_recoverable(line);
    let (mut parts, mut table) = (Vec::new(), Some(document.get_ref()));
    while let Some((key, value)) = table.and_then(|table| table.iter().next()) {
        parts.push(key.get_ref().to_string());
        table = last_table(value.get_ref());
    }
    parts
}

/// The table that a value is, or the last one that stands in it.
fn last_table<'v, 't>(value: &'v DeValue<'t>) -> Option<&'v DeTable<'t>> {
    match value {
        DeValue::Table(table) => Some(table),
        DeValue::Array(list) => last_table(list.iter().next_back()?.get_ref()),
        _ => None,
    }
}

/// Where the last part of a path stands.
fn place(table: &DeTable<'_>, path: &[String]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == first)?;
    match last_table(value.get_ref()) {
        Some(below) if !rest.is_empty() => place(below, rest),
        _ => Some(key.span()),
    }
}

/// Where a key stands first in the innermost table in braces that a place lies in.
fn in_braces(value: &Spanned<DeValue<'_>>, at: usize, name: &str) -> Option<Range<usize>> {
    match value.get_ref() {
        DeValue::Array(list) => list.iter().find_map(|one| in_braces(one, at, name)),
        DeValue::Table(table) => {
            let below = table.values().find_map(|value| in_braces(value, at, name));
            below.or_else(|| {
                let mut keys = table.keys().filter(|_| value.span().contains(&at));
                let first = keys.find(|key| key.get_ref() == name && key.span().start < at)?;
                Some(first.span())
            })
        }
        _ => None,
    }
}

fn node(value: Spanned<DeValue<'_>>, text: &str, span: ToSpan<'_>) -> At<Value> {
    let range = value.span();
    let value = match value.into_inner() {
        DeValue::String(string) => Value::Text(string.into_owned()),
        DeValue::Integer(number) => integer(&number),
        DeValue::Float(number) => Value::OtherNumber(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(boolean) => Value::Boolean(boolean),
        DeValue::Datetime(time) => Value::Time(time.to_string()),
        DeValue::Array(list) => {
            Value::List(list.into_iter().map(|one| node(one, text, span)).collect())
        }
        DeValue::Table(entries) => table(entries, text, span),
    };
    At {
        value,
        span: span(range),
    }
}

fn integer(number: &DeInteger<'_>) -> Value {
    // Beyond 64 bits it is too large for every key.
    let too_large = Value::OtherNumber(f64::INFINITY);
    i64::from_str_radix(number.as_str(), number.radix()).map_or(too_large, Value::Integer)
}

fn table(table: DeTable<'_>, text: &str, span: ToSpan<'_>) -> Value {
    let mut entries: Vec<(Range<usize>, Entry)> = table
        .into_iter()
        .map(|(key, value)| {
            let range = key.span();
            let key = At {
                value: key.into_inner().into_owned(),
                span: span(range.clone()),
            };
            (range, (key, node(value, text, span)))
        })
        .collect();
    // The parser keeps its tables sorted by name.
    entries.sort_by_key(|(range, _)| range.start);
    Value::Table(entries.into_iter().map(|(_, entry)| entry).collect())
}

#[cfg(test)]
mod tests {
    use crate::config::source::{Sources, Span};

    use super::*;

    fn parsed(text: &str) -> (Parsed, Sources) {
        let mut sources = Sources::default();
        let id = sources.add("x.toml", text);
        (parse(text, &|range| Span::new(id, range)), sources)
    }

    #[test]
    fn every_value_has_its_place() {
        let text = "b = [1.5, 0x1F]\n[a]\nat = 1979-05-27T07:32:00Z\n[[r]]\nx.y = 'z'\n";
        let (tree, sources) = parsed(text);
        let mut seen = Vec::new();
        tree.0
            .unwrap()
            .each(&mut |_, span| seen.push(sources.text(span)));
        let places = " | b | [1.5, 0x1F] | 1.5 | 0x1F | a | [a] | at | 1979-05-27T07:32:00Z | r | [[r]] | [[r]] | x | x | y | 'z'";
        assert_eq!(seen.join(" | "), places);
    }

    #[test]
    fn several_errors_are_reported_one_a_line() {
        let (tree, _) = parsed("a = \nb = \"x\nc = 1 2 3\n[d]\n[d]\n");
        assert_eq!(tree.1.len(), 4);
    }
}
