//! Values that come from the environment. What is said of one names the variable and not what it holds,
//! for that may be a secret in the wrong place, and what is said stands in logs.

use std::net::IpAddr;

use super::source::Span;

/// Shorter values are hidden only where they are quoted alone: they are parts of other words.
const LEAST: usize = 6;

/// A value with variables in it.
pub(super) struct ValueOrigin {
    /// Where it stands.
    pub span: Span,
    /// What to say of it.
    pub said: String,
    /// The variables that were found, and what they hold.
    pub variables: Vec<(String, String)>,
}

impl ValueOrigin {
    /// Puts the names of variables in the place of what they hold, and hides its parts.
    pub(super) fn hide(&self, text: &mut String) {
        self.hide_whole(text);
        for (_, value) in &self.variables {
            for value in spellings(value) {
                // What to write instead may be a part of it.
                for part in parts(&value) {
                    replace(text, part, "...");
                }
            }
        }
    }

    /// Puts the names of variables in the place of what they hold.
    pub(super) fn hide_whole(&self, text: &mut String) {
        for (name, value) in &self.variables {
            if value.is_empty() {
                continue;
            }
            let name = format!("${{{name}}}");
            for value in spellings(value) {
                for quote in ['`', '"'] {
                    replace(
                        text,
                        &format!("{quote}{value}{quote}"),
                        &format!("{quote}{name}{quote}"),
                    );
                }
                if value.len() >= LEAST {
                    replace(text, &value, &name);
                }
            }
        }
    }
}

/// A value as it stands, and in other letters.
fn spellings(value: &str) -> [String; 3] {
    let (lower, upper) = (value.to_ascii_lowercase(), value.to_ascii_uppercase());
    [value.to_owned(), lower, upper]
}

/// The words of a value that may be what is secret about it.
fn parts(value: &str) -> impl Iterator<Item = &str> {
    let parts = value.split(|c: char| !c.is_alphanumeric() && !"_.-".contains(c));
    let is_address = |part: &&str| *part == "localhost" || part.parse::<IpAddr>().is_ok();
    parts.filter(move |part| part.len() >= LEAST && !is_address(part))
}

fn replace(text: &mut String, from: &str, to: &str) {
    if text.contains(from) {
        *text = text.replace(from, to);
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;

    const TEXT: &str = r#"
routes_file = "${SECRET}"
[routes]
"/a" = "${SECRET}"
"/b" = { upstream = "http://${SECRET}:port", allow = ["${SECRET}"], limits = ["a-${SECRET}"], methods = ["${SECRET}/"] }
"/c" = { upstream = "u", hosts = ["${SECRET}", "${SECRET}"], timeout = "${SECRET}" }
"/d" = { redirect = "${SECRET}", name = "${SECRET} x" }
"/e" = { upstream = "u", timeout = "${SHORT}" }
[upstreams.u]
endpoints = "http://${SECRET}/?x"
balance = "${SECRET}"
[access]
protected = ["${SECRET}"]
key_sources = ["${SECRET}"]
api_key_header = "${SECRET}:"
[access.cors]
origins = ["${SECRET}"]
[limits.redis]
url = "${SECRET}"
mode = "${SECRET}"
ca = "${SECRET}"
[log]
level = "${SECRET}"
[server]
trusted_proxies = ["${SECRET}"]
"#;

    #[test]
    fn a_variable_is_named_and_what_it_holds_is_not_shown() {
        for value in ["Hunter2", "/hunter2", "http://hunter2", "hunter2.test:1"] {
            let environment = |name: &str| match name {
                "SECRET" => Ok(value.to_owned()),
                "SHORT" => Ok("7x".to_owned()),
                _ => Err(VarError::NotPresent),
            };
            let read = parse("tollgate.toml", TEXT, Format::Toml, &environment, &|_| {
                Err(Unreadable::Missing)
            });
            let problems = read.expect_err("there are problems");
            let said = format!("{problems} {}", problems.render(true));
            for line in said.to_ascii_lowercase().lines() {
                assert!(!line.contains("hunter2"), "{value}: {line}");
            }
            assert!(!said.contains("7x"), "{said}");
            assert!(said.contains("`SECRET`"), "{said}");
            assert!(!said.contains("[upstreams.$"), "{said}");
        }
    }
}
