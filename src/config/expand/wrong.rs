//! Why a text with variables cannot be expanded, and how that is said.

use crate::config::problems::{Problem, Problems};
use crate::config::source::Span;

/// Variables of requests, which only what is set in header fields has.
pub(in crate::config) const OF_REQUESTS: [&str; 4] = ["client", "ip", "request_id", "route"];

/// Why a text cannot be expanded.
#[derive(Debug)]
pub(in crate::config) enum Wrong {
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
    pub(in crate::config) fn problem(self, text: Span, problems: &Problems) -> Problem {
        let narrow = |what: &str| {
            let start = problems.sources.text(text).find(what)? + text.range().start;
            Some(Span::new(text.source, start..start + what.len()))
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
                if OF_REQUESTS.contains(&&*name) {
                    return Problem::at(span, format!("`${{{name}}}` cannot stand here"))
                        .label("only values in `request_headers` and `response_headers` have what is of the request");
                }
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
