//! `${NAME}` and `${NAME:-default}` inside strings, also within a default. Expanded after parsing, so
//! that a value cannot bring syntax of its own; not in keys; and not again in a variable's value, so
//! that it may hold any characters. For the same reason it is percent-encoded where a URL has user
//! and password.

use std::env::VarError;
use std::fmt::Write as _;
use std::ops::Range;

use super::problems::{Problem, Problems};
use super::source::{At, Span};
use super::tree::Value;

/// Looks up a variable of the environment.
pub type Environment<'e> = &'e dyn Fn(&str) -> Result<String, VarError>;

/// How a `${` is written that is none.
pub(super) const ESCAPED: &str = "$${";
/// What stands for it meanwhile: a character that no text has.
pub(super) const STAND_IN: &str = "\u{fdd0}{";

/// So deep defaults may stand in defaults.
const MAX_DEPTH: usize = 8;

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
    let escaped = text.replace(ESCAPED, STAND_IN);
    let expanded = expanded(&escaped, environment, 0);
    if let (Ok(None), Some(name)) = (&expanded, bare_variable(text)) {
        let meant = format!("`${name}` is no variable here: write `${{{name}}}`");
        problems.comes_from(span, meant);
    }
    match expanded {
        Ok(Some(expanded)) => {
            problems.comes_from(span, origin(&escaped, &expanded));
            *text = expanded.replace(STAND_IN, "${");
        }
        Ok(None) => *text = escaped.replace(STAND_IN, "${"),
        Err(wrong) => {
            problems.add(wrong.problem(span, problems));
            written.value = Value::Broken;
        }
    }
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

/// Where a value comes from that may be wrong.
fn origin(text: &str, value: &str) -> String {
    let mut names = Vec::new();
    for (_, after) in text
        .match_indices("${")
        .map(|(at, mark)| text.split_at(at + mark.len()))
    {
        let end = after.find([':', '}']).unwrap_or(after.len());
        let name = format!("`{}`", &after[..end]);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let names = names.join(" and ");
    let is_empty = if value.is_empty() {
        ", and is empty"
    } else {
        ""
    };
    format!("the value comes from the environment, {names}{is_empty}")
}

/// The text with its variables' values, if it has any. `depth` is in how many defaults it stands.
fn expanded(
    text: &str,
    environment: Environment<'_>,
    depth: usize,
) -> Result<Option<String>, Wrong> {
    let variables = variables(text)?;
    if variables.is_empty() {
        return Ok(None);
    }
    let login = login(text, &variables);
    let (mut out, mut rest) = (String::new(), 0);
    for variable in variables {
        out.push_str(&text[rest..variable.start]);
        let inside = &text[variable.start + 2..variable.end - 1];
        let value = value(inside, environment, depth)?;
        if login.contains(&variable.start) {
            put_encoded(&mut out, &value);
        } else {
            out.push_str(&value);
        }
        rest = variable.end;
    }
    out.push_str(&text[rest..]);
    Ok(Some(out))
}

/// Where `${...}` stand, without those that stand in others.
pub(super) fn variables(text: &str) -> Result<Vec<Range<usize>>, Wrong> {
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

/// What `NAME` or `NAME:-default` stands for.
pub(super) fn value(
    inside: &str,
    environment: Environment<'_>,
    depth: usize,
) -> Result<String, Wrong> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !is_name(name) {
        return Err(Wrong::NoName(inside.to_owned()));
    }
    let bad = |what| Err(Wrong::Value(name.to_owned(), what));
    match (environment(name), default) {
        (Err(VarError::NotUnicode(_)), _) => bad("is not UTF-8"),
        // Of a file that held a secret, most likely: no value of the configuration ends like this.
        (Ok(value), _) if value.ends_with(['\n', '\r']) => bad("ends with a line break"),
        // As in a shell, `:-` also stands in for a variable that is set to nothing.
        (Ok(value), default) if default.is_none() || !value.is_empty() => Ok(value),
        (_, Some(_)) if depth == MAX_DEPTH => bad("stands in too many defaults"),
        (_, Some(default)) => {
            let expanded = expanded(default, environment, depth + 1)?;
            Ok(expanded.unwrap_or_else(|| default.to_owned()))
        }
        (_, None) => Err(Wrong::Unset(name.to_owned())),
    }
}

/// Appends what is to be read as nothing but user or password (RFC 3986 section 2.3).
fn put_encoded(out: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a string never fails");
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Why a text cannot be expanded.
#[derive(Debug)]
pub(super) enum Wrong {
    NotClosed,
    NoName(String),
    Unset(String),
    /// The same, where the text has these variables of its own.
    Unknown(String, Vec<&'static str>),
    /// A variable of the text's own within a default, which is the environment's.
    InDefault(String),
    /// A variable of the text's own, with the default that it has.
    NoDefault(String),
    /// A variable, and what is wrong with its value.
    Value(String, &'static str),
}

impl Wrong {
    pub(super) fn problem(self, text: Span, problems: &Problems) -> Problem {
        let narrow = |what: &str| {
            let start = problems.sources.text(text).find(what)? + text.start;
            Some(Span {
                start,
                end: start + what.len(),
                ..text
            })
        };
        match self {
            Self::NotClosed => {
                let span = narrow("${").unwrap_or(text);
                Problem::at(span, "a `${` without its `}`")
                    .help("write `${NAME}` or `${NAME:-default}`")
            }
            Self::NoName(inside) => {
                let span = narrow(&format!("${{{inside}}}")).unwrap_or(text);
                Problem::at(span, "this is not the name of a variable")
                    .label("letters, digits and `_`, not starting with a digit")
                    .help("write `${NAME}` or `${NAME:-default}`")
            }
            Self::Unset(name) => {
                let span = narrow(&format!("${{{name}}}")).unwrap_or(text);
                Problem::at(span, format!("the variable `{name}` is not set"))
                    .label("needed here")
                    .help(format!("set it, or give a default: `${{{name}:-default}}`"))
            }
            Self::Unknown(name, own) => {
                let span = narrow(&format!("${{{name}}}")).unwrap_or(text);
                let own: Vec<_> = own.iter().map(|own| format!("`${{{own}}}`")).collect();
                let help = format!("of the request there are {}", own.join(", "));
                Problem::at(span, format!("there is no variable `{name}`"))
                    .label("and the environment has none either")
                    .help(help)
            }
            Self::InDefault(name) => {
                let span = narrow(&format!("${{{name}}}")).unwrap_or(text);
                Problem::at(span, format!("`${{{name}}}` cannot stand in a default"))
                    .label("it is the request's, and defaults are the environment's")
            }
            Self::NoDefault(name) => {
                let span = narrow(&format!("${{{name}")).unwrap_or(text);
                Problem::at(span, format!("`${{{name}}}` takes no default"))
                    .label("it is the request's")
            }
            Self::Value(name, what) => {
                let span = narrow(&format!("${{{name}")).unwrap_or(text);
                Problem::at(span, format!("the variable `{name}` {what}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn of(text: &str) -> Result<Option<String>, Wrong> {
        let environment = |name: &str| match name {
            "HOST" => Ok("10.0.0.1".into()),
            "EMPTY" => Ok(String::new()),
            "SYNTAX" => Ok("\"]\n${HOST}".into()),
            "SECRET" => Ok("a/b#c?d%41:@é\n ~".into()),
            "FROM_FILE" => Ok("hunter2\n".into()),
            "LATIN1" => Err(VarError::NotUnicode(OsStr::from_bytes(b"\xE9").into())),
            _ => Err(VarError::NotPresent),
        };
        expanded(text, &environment, 0)
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
            ("$${HOST}", "$10.0.0.1"),
            ("${SYNTAX}", "\"]\n${HOST}"),
            ("${NONE:-${HOST}/x}/y", "10.0.0.1/x/y"),
            ("${NONE:-${NONE:-${NONE:-z}}}", "z"),
            ("${HOST:-${NONE}}", "10.0.0.1"),
            ("${NONE:-{x}}", "{x}"),
        ] {
            assert_eq!(of(text).unwrap().as_deref(), Some(expected), "{text}");
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
            assert_eq!(of(text).unwrap().as_deref(), Some(&*expected), "{text}");
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
            assert_eq!(of(text).unwrap(), None);
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
        assert_eq!(of(&deep(MAX_DEPTH)).unwrap().as_deref(), Some("x"));
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
}
