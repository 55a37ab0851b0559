//! `${NAME}` and `${NAME:-default}` inside strings. Expanded after parsing, so that a value cannot
//! bring syntax of its own; not in keys; and not again in what has been expanded, so that a value
//! may hold any characters.

use super::problems::{Problem, Problems};
use super::source::{At, Span};
use super::tree::Value;

/// Looks up a variable of the environment.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Expands all strings of a tree. One that cannot be is replaced by a broken value, of which
/// nothing more is said.
pub(super) fn expand(tree: &mut At<Value>, environment: Environment<'_>, problems: &mut Problems) {
    tree.each_text(&mut |value, span| {
        let Value::Text(text) = value else { return };
        match expanded(text, environment) {
            Ok(Some(expanded)) => *text = expanded,
            Ok(None) => {}
            Err(wrong) => {
                problems.add(wrong.problem(span, problems));
                *value = Value::Broken;
            }
        }
    });
}

/// The text with its variables' values, if it has any.
fn expanded(text: &str, environment: Environment<'_>) -> Result<Option<String>, Wrong> {
    if !text.contains("${") {
        return Ok(None);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let (inside, after) = after.split_once('}').ok_or(Wrong::NotClosed)?;
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        if !is_name(name) {
            return Err(Wrong::NoName(inside.to_owned()));
        }
        // As in a shell, `:-` also stands in for a variable that is set to nothing.
        let value = environment(name).filter(|value| default.is_none() || !value.is_empty());
        match (value, default) {
            (Some(value), _) => out.push_str(&value),
            (None, Some(default)) => out.push_str(default),
            (None, None) => return Err(Wrong::Unset(name.to_owned())),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(Some(out))
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Why a text cannot be expanded.
#[derive(Debug)]
enum Wrong {
    NotClosed,
    NoName(String),
    Unset(String),
}

impl Wrong {
    fn problem(self, text: Span, problems: &Problems) -> Problem {
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Option<String>, Wrong> {
        expanded(text, &|name| match name {
            "HOST" => Some("10.0.0.1".into()),
            "EMPTY" => Some(String::new()),
            "SYNTAX" => Some("\"]\n${HOST}".into()),
            _ => None,
        })
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
        ] {
            assert_eq!(of(text).unwrap().as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_dollar_alone_is_itself() {
        for text in ["", "$", "$HOST", "a$", "$ {HOST}", "{HOST}"] {
            assert_eq!(of(text).unwrap(), None);
        }
    }

    #[test]
    fn what_cannot_be_expanded_is_said() {
        assert!(matches!(of("${NONE}"), Err(Wrong::Unset(name)) if name == "NONE"));
        assert!(matches!(of("a${HOST"), Err(Wrong::NotClosed)));
        for text in ["${}", "${1A}", "${A-B}", "${ A }", "${:-x}"] {
            assert!(matches!(of(text), Err(Wrong::NoName(_))), "{text}");
        }
    }
}
