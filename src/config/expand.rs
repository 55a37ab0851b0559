//! `${NAME}` and `${NAME:-default}` inside strings, also within a default. Expanded after parsing, so
//! that a value cannot bring syntax of its own; not in keys; and not again in a variable's value, so
//! that it may hold any characters. For the same reason it is percent-encoded where a URL has user
//! and password.

mod wrong;

use std::cell::RefCell;
use std::env::VarError;
use std::ops::Range;

use super::problems::Problems;
use super::source::At;
use super::tree::Value;
use crate::message::escapes::escaped;

pub(super) use wrong::{OF_REQUESTS, Wrong};

/// Looks up a variable of the environment.
pub type Environment<'e> = &'e dyn Fn(&str) -> Result<String, VarError>;

/// How a `${` is written that is none.
const ESCAPED: &str = "$${";
/// What stands for it meanwhile: a character that no text has.
const STAND_IN: &str = "\u{fdd0}{";

/// So deep defaults may stand in defaults.
const MAX_DEPTH: usize = 8;

/// A piece of a text that has variables of its own: those of a request, say, are not known before one
/// has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Own(&'static str),
}

/// Expands a string. One that cannot be is replaced by a broken value, of which nothing more is said.
pub(super) fn expand(
    written: &mut At<Value>,
    environment: Environment<'_>,
    problems: &mut Problems,
) {
    let span = written.span;
    let Value::Text(text) = &mut written.value else {
        return;
    };
    let found = RefCell::new(Vec::new());
    let noting = |name: &str| {
        let value = environment(name)?;
        found.borrow_mut().push((name.to_owned(), value.clone()));
        Ok(value)
    };
    match pieces(text, &[], &noting).map(joined) {
        Ok(expanded) => {
            if let Some(said) = origin(text, &expanded) {
                problems.comes_from(span, said, found.take());
            }
            *text = expanded;
        }
        Err(wrong) => {
            problems.add(wrong.problem(span, problems));
            written.value = Value::Broken;
        }
    }
}

/// The text of pieces without variables of their own.
fn joined(pieces: Vec<Piece>) -> String {
    let texts = pieces.into_iter().map(|piece| match piece {
        Piece::Text(text) => text,
        Piece::Own(name) => name.to_owned(),
    });
    texts.collect()
}

/// The name of a variable as a shell has it, without braces. None where a URL has user and password,
/// which are not shown.
fn bare_variable(text: &str) -> Option<&str> {
    let login = login(text, &[]);
    let of_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let mut all = text.match_indices('$').filter_map(|(at, _)| {
        let after = &text[at + 1..];
        let name = &after[..after.find(|c| !of_name(c)).unwrap_or(after.len())];
        (is_name(name) && name.len() > 1 && !login.contains(&at)).then_some(name)
    });
    all.next()
}

/// Where a value comes from that may be wrong, or what was most likely meant.
fn origin(text: &str, value: &str) -> Option<String> {
    let escaped = text.replace(ESCAPED, STAND_IN);
    let mut names = Vec::new();
    for after in escaped.split("${").skip(1) {
        let name = after.split([':', '}']).next().unwrap_or(after);
        let name = format!("`{name}`");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        let name = bare_variable(text)?;
        return Some(format!(
            "`${name}` is no variable here: write `${{{name}}}`"
        ));
    }
    let names = names.join(" and ");
    let is_empty = if value.is_empty() {
        ", and is empty"
    } else {
        ""
    };
    Some(format!(
        "the value comes from the environment, {names}{is_empty}"
    ))
}

/// Takes a text apart; `own` are its own variables, which have no defaults.
pub(super) fn pieces(
    text: &str,
    own: &[&'static str],
    environment: Environment<'_>,
) -> Result<Vec<Piece>, Wrong> {
    pieces_at(&text.replace(ESCAPED, STAND_IN), own, environment, 0)
}

/// The same; `depth` is in how many defaults the text stands.
fn pieces_at(
    text: &str,
    own: &[&'static str],
    environment: Environment<'_>,
    depth: usize,
) -> Result<Vec<Piece>, Wrong> {
    let variables = variables(text)?;
    let login = login(text, &variables);
    let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), 0);
    for variable in variables {
        plain.push_str(&text[rest..variable.start]);
        rest = variable.end;
        let inside = &text[variable.start + 2..variable.end - 1];
        if let Some(name) = own.iter().find(|name| **name == inside)
            && depth == 0
        {
            pieces.extend(taken(&mut plain));
            pieces.push(Piece::Own(name));
            continue;
        }
        let value = value(inside, own, environment, depth)?;
        if own.is_empty() && login.contains(&variable.start) {
            plain.push_str(&escaped(&value));
        } else {
            plain.push_str(&value);
        }
    }
    plain.push_str(&text[rest..]);
    pieces.extend(taken(&mut plain));
    Ok(pieces)
}

fn taken(plain: &mut String) -> Option<Piece> {
    let text = std::mem::take(plain).replace(STAND_IN, "${");
    (!text.is_empty()).then_some(Piece::Text(text))
}

/// Where `${...}` stand, without those that stand in others.
fn variables(text: &str) -> Result<Vec<Range<usize>>, Wrong> {
    let (mut found, mut open, mut start) = (Vec::new(), 0_usize, 0);
    for (at, pair) in text.as_bytes().windows(2).enumerate() {
        if pair == b"${" {
            if open == 0 {
                start = at;
            }
            open += 1;
        } else if pair[1] == b'}' && open > 0 {
            open -= 1;
            if open == 0 {
                found.push(start..at + 2);
            }
        }
    }
    if open == 0 {
        Ok(found)
    } else {
        Err(Wrong::NotClosed)
    }
}

/// Where user and password stand, if the text is a URL that has them.
fn login(text: &str, variables: &[Range<usize>]) -> Range<usize> {
    let mut bytes = text.as_bytes().to_vec();
    for variable in variables {
        // Whatever is in there is no syntax of the URL.
        bytes[variable.clone()].fill(b'x');
    }
    let not_of_scheme = |b: &u8| !b.is_ascii_alphanumeric() && !b"+-.".contains(b);
    let scheme = bytes.iter().position(not_of_scheme).unwrap_or(0);
    let Some(after) = bytes[scheme..].strip_prefix(b"://") else {
        return 0..0;
    };
    let mut authority = after.split(|b| b"/?#".contains(b));
    let authority = authority.next().unwrap_or_default();
    let start = text.len() - after.len();
    let length = authority.iter().rposition(|b| *b == b'@').unwrap_or(0);
    start..start + length
}

/// What `NAME` or `NAME:-default` stands for in the environment, in a text with its `own` variables.
fn value(
    inside: &str,
    own: &[&'static str],
    environment: Environment<'_>,
    depth: usize,
) -> Result<String, Wrong> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let (is_own, name) = (own.contains(&name), name.to_owned());
    let bad = |what| Err(Wrong::Value(name.clone(), what));
    if is_own && depth == 0 {
        return Err(Wrong::NoDefault(name));
    }
    if !is_name(&name) {
        return Err(Wrong::NoName(inside.to_owned()));
    }
    let found = if is_own {
        Err(VarError::NotPresent)
    } else {
        environment(&name)
    };
    match (found, default) {
        (Err(VarError::NotUnicode(_)), _) => bad("is not UTF-8"),
        // Of a file that held a secret, most likely: no value of the configuration ends like this.
        (Ok(value), _) if value.ends_with(['\n', '\r']) => bad("ends with a line break"),
        // As in a shell, `:-` also stands in for a variable that is set to nothing.
        (Ok(value), default) if default.is_none() || !value.is_empty() => Ok(value),
        (_, Some(_)) if depth == MAX_DEPTH => bad("stands in too many defaults"),
        (_, Some(default)) => pieces_at(default, own, environment, depth + 1).map(joined),
        (_, None) if is_own => Err(Wrong::InDefault(name)),
        (_, None) if depth == 0 && !own.is_empty() => Err(Wrong::Unknown(name, own.to_vec())),
        (_, None) => Err(Wrong::Unset(name)),
    }
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn of(text: &str) -> Result<String, Wrong> {
        let environment = |name: &str| match name {
            "HOST" => Ok("10.0.0.1".into()),
            "EMPTY" => Ok(String::new()),
            "SYNTAX" => Ok("\"]\n${HOST}".into()),
            "SECRET" => Ok("a/b#c?d%41:@é\n ~".into()),
            "FROM_FILE" => Ok("hunter2\n".into()),
            "LATIN1" => Err(VarError::NotUnicode(OsStr::from_bytes(b"\xE9").into())),
            _ => Err(VarError::NotPresent),
        };
        pieces(text, &[], &environment).map(joined)
    }

    #[test]
    fn variables_are_expanded() {
        for (text, expected) in [
            ("http://${HOST}:80", "http://10.0.0.1:80"),
            ("${HOST}${HOST}", "10.0.0.110.0.0.1"),
            ("${NONE:-x}", "x"),
            ("${NONE:-}", ""),
            ("${HOST:-x}", "10.0.0.1"),
            ("${EMPTY}", ""),
            ("${EMPTY:-x}", "x"),
            ("${NONE:-a:-b}", "a:-b"),
            ("$${HOST}", "${HOST}"),
            ("${SYNTAX}", "\"]\n${HOST}"),
            ("${NONE:-${HOST}/x}/y", "10.0.0.1/x/y"),
            ("${NONE:-${NONE:-${NONE:-z}}}", "z"),
            ("${HOST:-${NONE}}", "10.0.0.1"),
            ("${NONE:-{x}}", "{x}"),
        ] {
            assert_eq!(of(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn values_are_encoded_where_a_url_has_user_and_password_and_nowhere_else() {
        let (plain, encoded) = ("a/b#c?d%41:@é\n ~", "a%2Fb%23c%3Fd%2541%3A%40%C3%A9%0A%20~");
        for (text, expected) in [
            ("redis://:${SECRET}@h", format!("redis://:{encoded}@h")),
            (
                "redis://${SECRET}:${NONE:-a@b}@h/${SECRET}",
                format!("redis://{encoded}:a%40b@h/{plain}"),
            ),
            (
                "${NONE:-redis://:${SECRET}@h}",
                format!("redis://:{encoded}@h"),
            ),
            (
                "${NONE:-rediss}://u:${SECRET}@h",
                format!("rediss://u:{encoded}@h"),
            ),
            ("redis://${SECRET}", format!("redis://{plain}")),
            ("redis://h/${SECRET}@h", format!("redis://h/{plain}@h")),
            ("${SECRET}@h", format!("{plain}@h")),
            ("a b://${SECRET}@h", format!("a b://{plain}@h")),
            (":${SECRET}@h", format!(":{plain}@h")),
        ] {
            assert_eq!(of(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_variable_without_braces_is_seen() {
        for (text, name) in [
            ("http://inv:$INV_PORT/x", Some("INV_PORT")),
            ("$URL", Some("URL")),
            ("http://u:$SECRET@h:$PORT", Some("PORT")),
            ("http://u:$SECRET@h", None),
            ("a$1 $x $", None),
        ] {
            assert_eq!(bare_variable(text), name, "{text}");
        }
    }

    #[test]
    fn a_dollar_alone_is_itself() {
        for text in ["", "$", "$HOST", "a$", "$ {HOST}", "{HOST}", "$}"] {
            assert_eq!(of(text).unwrap(), text);
        }
    }

    #[test]
    fn what_cannot_be_expanded_is_said() {
        assert!(matches!(of("${NONE}"), Err(Wrong::Unset(name)) if name == "NONE"));
        assert!(matches!(of("${NONE:-${NO}}"), Err(Wrong::Unset(name)) if name == "NO"));
        for text in ["a${HOST", "${NONE:-${HOST}"] {
            assert!(matches!(of(text), Err(Wrong::NotClosed)), "{text}");
        }
        for text in ["${}", "${1A}", "${A-B}", "${ A }", "${:-x}", "${${HOST}}"] {
            assert!(matches!(of(text), Err(Wrong::NoName(_))), "{text}");
        }
        let deep = |depth| format!("{}x{}", "${NONE:-".repeat(depth), "}".repeat(depth));
        assert_eq!(of(&deep(MAX_DEPTH)).unwrap(), "x");
        for (text, variable, said) in [
            ("${FROM_FILE}", "FROM_FILE", "line break"),
            ("redis://:${FROM_FILE:-x}@h", "FROM_FILE", "line break"),
            ("${LATIN1:-x}", "LATIN1", "UTF-8"),
            (&deep(MAX_DEPTH + 1), "NONE", "too many"),
        ] {
            let wrong = of(text);
            let is_said = matches!(
                &wrong,
                Err(Wrong::Value(name, what)) if name == variable && what.contains(said)
            );
            assert!(is_said, "{text}: {wrong:?}");
        }
    }

    #[test]
    fn own_variables_stay_and_those_of_the_environment_are_expanded() {
        let environment = |name: &str| match name {
            "TOKEN" => Ok("t${ip}".to_owned()),
            "ip" => Ok("of the environment".to_owned()),
            _ => Err(VarError::NotPresent),
        };
        let text = |text: &str| Piece::Text(text.to_owned());
        for (written, expected) in [
            ("", vec![]),
            ("Bearer ${TOKEN}", vec![text("Bearer t${ip}")]),
            ("${client}", vec![Piece::Own("client")]),
            (
                "<${ip}-${NONE:-x}${client}>",
                vec![
                    text("<"),
                    Piece::Own("ip"),
                    text("-x"),
                    Piece::Own("client"),
                    text(">"),
                ],
            ),
            ("$${ip}${ip}", vec![text("${ip}"), Piece::Own("ip")]),
            ("${NONE:-$${ip}}", vec![text("${ip}")]),
        ] {
            let pieces = pieces(written, &["client", "ip"], &environment);
            assert_eq!(pieces.unwrap(), expected, "{written}");
        }
    }
}
