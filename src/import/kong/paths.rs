//! Kong's paths: prefixes, and regular expressions, of which at least the beginning is known.

use crate::import::node::canonical;
use crate::route::{InvalidPrefix, PathPrefix};

/// Whether a path is a regular expression: before version 3 of the format one with such signs was, without
/// `~`.
pub(super) fn is_regex(path: &str) -> bool {
    path.contains(['~', '^', '$', '(', '[', '{', '\\', '+', '*', '?', '|'])
}

/// Whether a path has only what lies below its slash, and not itself.
pub(super) fn is_below_slash(path: &str) -> bool {
    path.len() > 1 && path.ends_with('/') && !is_regex(path)
}

/// What the paths begin with that Kong gives to a route with this path.
pub(super) fn begins(path: &str, prefix: &str) -> String {
    let slash = if is_below_slash(path) && prefix != "/" {
        "/"
    } else {
        ""
    };
    format!("{prefix}{slash}")
}

/// A path of Kong's as a prefix here: paths are compared in their canonical form, there as here.
pub(super) fn prefix(path: &str) -> Result<String, InvalidPrefix> {
    let prefix = match PathPrefix::parse(&canonical(path)) {
        Err(InvalidPrefix::NotCanonical { right }) => PathPrefix::parse(&right)?,
        parsed => parsed?,
    };
    Ok(prefix.as_str().to_owned())
}

/// The beginning that all paths of a regular expression have, or of a prefix of Kong's, and the prefix here
/// that has them all.
pub(super) fn beginning(path: &str) -> (String, String) {
    let path = path.trim_start_matches(['~', '^']);
    if has_alternatives(path) {
        return (String::new(), "/".to_owned());
    }
    let (literal, rest) = literal(path);
    let ends = matches!(rest, "" | "$" | "?" | "?$");
    let goes_on = rest.starts_with("(/") || rest.starts_with("(?:/");
    let whole_segment = literal.ends_with('/') || ends || goes_on;
    let kept = if whole_segment {
        &*literal
    } else {
        literal
            .rsplit_once('/')
            .map_or("", |(segments, _)| segments)
    };
    let prefix = PathPrefix::parse(&format!("/{}", kept.trim_matches('/')))
        .map_or_else(|_| "/".to_owned(), |prefix| prefix.as_str().to_owned());
    // A prefix here has no slash at its end, and may be followed by one.
    let literal = literal.trim_end_matches('/').to_owned();
    (literal, prefix)
}

/// The signs that mean themselves, up to the first that does not, and what follows.
fn literal(path: &str) -> (String, &str) {
    let mut literal = String::new();
    let mut rest = path.chars();
    while let Some(next) = rest.clone().next() {
        match next {
            '\\' => {
                let escaped = rest.clone().nth(1);
                // Others, such as `\d`, are classes.
                let Some(sign) = escaped.filter(char::is_ascii_punctuation) else {
                    break;
                };
                literal.push(sign);
                rest.next();
            }
            '.' | '^' | '$' | '(' | '[' | '{' | '+' | '*' | '?' => break,
            plain => literal.push(plain),
        }
        rest.next();
    }
    let rest = rest.as_str();
    // What may be there or not is no part of the beginning.
    if rest.starts_with(['?', '*', '{']) {
        literal.pop();
    }
    (literal, rest)
}

/// Whether a `|` outside of groups splits a regular expression.
fn has_alternatives(path: &str) -> bool {
    let mut depth = 0_usize;
    let mut signs = path.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => _ = signs.next(),
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}
