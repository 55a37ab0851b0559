//! A path prefix: whole segments of a canonical path. Requests are compared in their canonical
//! form, so a prefix that is not in that form could never match; it is refused when the
//! configuration is compiled, together with what would be right.

use std::fmt;

use crate::message::path::{AmbiguousPath, RequestPath};

/// A canonical path without a trailing slash; `/` stands for every path.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PathPrefix(Box<str>);

impl PathPrefix {
    /// Parses a prefix as it stands in the configuration.
    ///
    /// # Errors
    ///
    /// When the text is not its own canonical path. When it has wildcards: a prefix covers all paths
    /// below it. When it has parameters (`;`) or encoded slashes: protection ignores them and routing
    /// does not, so that one prefix would mean two things.
    pub fn parse(text: &str) -> Result<Self, InvalidPrefix> {
        if text.contains("${") {
            return Err(InvalidPrefix::Variable);
        }
        if let Some(pattern) = text.strip_prefix(['~', '^']) {
            return Err(InvalidPrefix::Wildcard {
                right: of_expression(pattern),
            });
        }
        if !text.starts_with('/') {
            return Err(InvalidPrefix::NoLeadingSlash {
                right: rooted(text),
            });
        }
        if let Some(mark) = text.chars().find(|c| matches!(c, '?' | '#' | ';')) {
            return Err(InvalidPrefix::Separator { mark });
        }
        if text.contains(WILDCARDS) {
            return Err(InvalidPrefix::Wildcard {
                right: before_wildcard(text),
            });
        }
        let canonical = RequestPath::parse_configured(text)?;
        if canonical.has_encoded_slash() {
            return Err(InvalidPrefix::EncodedSlash);
        }
        let canonical = canonical.as_str();
        let right = match canonical.trim_end_matches('/') {
            "" => "/",
            trimmed => trimmed,
        };
        if right == text {
            Ok(Self(text.into()))
        } else if canonical == text {
            Err(InvalidPrefix::TrailingSlash {
                right: right.to_owned(),
            })
        } else {
            Err(InvalidPrefix::NotCanonical {
                right: right.to_owned(),
            })
        }
    }

    /// The prefix as text: `/` or `/a/b`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its escapes decode to UTF-8.
    pub fn is_utf8(&self) -> bool {
        RequestPath::parse(self.0.as_bytes()).is_ok_and(|path| path.is_utf8())
    }

    /// Whether `path` (a canonical path) is the prefix itself or lies below it.
    pub fn covers(&self, path: &str) -> bool {
        path.strip_prefix(self.before_slash())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The segments; none for `/`.
    pub(super) fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }

    /// The prefix as a text that the slash of the next segment follows: empty for `/`.
    pub(crate) fn before_slash(&self) -> &str {
        if &*self.0 == "/" { "" } else { &self.0 }
    }
}

impl fmt::Debug for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The prefix that a text without its leading slash was probably meant to be.
fn rooted(text: &str) -> Option<String> {
    // A whole URL in the place of a prefix is another mistake than a forgotten slash.
    let right = format!("/{text}");
    (!text.contains("://") && PathPrefix::parse(&right).is_ok()).then_some(right)
}

/// What no path has, and patterns of other programs do.
const WILDCARDS: [char; 7] = ['*', '{', '}', '<', '>', '[', ']'];

/// The whole segments in front of what only a regular expression has.
fn of_expression(pattern: &str) -> Option<String> {
    let path = pattern.trim_start_matches(['*', ' ', '^']);
    let end = path.find(|c| "*{}<>[]()|+?$\\".contains(c));
    let whole = match path[..end.unwrap_or(path.len())].trim_end_matches('.') {
        literal if end.is_none() || path[literal.len()..] == *"$" => literal,
        literal => literal.rsplit_once('/')?.0,
    };
    let right = match whole.trim_end_matches('/') {
        "" => "/",
        right => right,
    };
    PathPrefix::parse(right).ok().map(|_| right.to_owned())
}

/// What stands in front of a `*` at the end, else the whole segments in front of the first wildcard.
fn before_wildcard(text: &str) -> Option<String> {
    let literal = text.split(WILDCARDS).next()?;
    let is_last = literal.len() + 1 == text.len() && text.ends_with('*');
    let right = match literal.rsplit_once('/')? {
        (_, begun) if is_last && !begun.is_empty() => literal,
        ("", _) => "/",
        (segments, _) => segments,
    };
    PathPrefix::parse(right).ok().map(|_| right.to_owned())
}

/// Why a text is not a valid prefix, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPrefix {
    /// It does not begin at the root.
    #[error("it must start with `/`{}", suggest(right.as_deref()))]
    NoLeadingSlash {
        /// The prefix that was probably meant.
        right: Option<String>,
    },
    /// It has a query or a fragment, which are not part of a path, or parameters.
    #[error("it must not contain `{mark}`: a prefix has no query, fragment or parameters")]
    Separator {
        /// `?`, `#` or `;`.
        mark: char,
    },
    /// `%2F`: some services take it for a part of a segment, others for the end of one.
    #[error("it must not contain an encoded slash (%2F)")]
    EncodedSlash,
    /// It has wildcards.
    #[error("wildcards are not supported, and a prefix covers whole segments and every path below them{}", suggest(right.as_deref()))]
    Wildcard {
        /// The prefix that was probably meant.
        right: Option<String>,
    },
    /// It has a variable of the environment that nobody has filled in.
    #[error(
        "variables are filled in in values, not in keys: `prefix` of a `[[route]]` may have one"
    )]
    Variable,
    /// It ends in a slash.
    #[error("it must not end with a slash{}", suggest(Some(right)))]
    TrailingSlash {
        /// The prefix without it.
        right: String,
    },
    /// Requests are compared in their canonical form, so it would never match.
    #[error("it must be a canonical path{}", suggest(Some(right)))]
    NotCanonical {
        /// The canonical form.
        right: String,
    },
    /// No request with such a path is accepted.
    #[error("requests with this path are refused: {0}")]
    Ambiguous(#[from] AmbiguousPath),
}

fn suggest(right: Option<&str>) -> String {
    right.map_or_else(String::new, |right| format!(": write `{right}`"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix(text: &str) -> PathPrefix {
        PathPrefix::parse(text).unwrap()
    }

    #[test]
    fn canonical_paths_are_prefixes() {
        for text in [
            "/",
            "/api",
            "/api/orders",
            "/a.b/~c_d-e",
            "/caf%C3%A9",
            "/.well-known",
            "/a=1/x:y@z",
        ] {
            assert_eq!(prefix(text).as_str(), text);
        }
    }

    #[test]
    fn the_right_spelling_is_suggested() {
        let table = [
            ("", Some("/")),
            ("api/orders", Some("/api/orders")),
            ("http://localhost:4001", None),
            ("/api/", Some("/api")),
            ("/api/*", Some("/api")),
            ("/api/ord*", Some("/api/ord")),
            ("/a*", Some("/a")),
            ("/a**", Some("/")),
            ("/a*/b", Some("/")),
            ("/a{id}", Some("/")),
            ("/*", Some("/")),
            ("/users/{id}/orders", Some("/users")),
            ("/users/<int:id>", Some("/users")),
            ("/users/[0-9]+", Some("/users")),
            ("~/users/\\d+", Some("/users")),
            ("~* ^/api/.*", Some("/api")),
            ("^/api/v1/?$", Some("/api/v1")),
            ("^/api$", Some("/api")),
            ("^/api", Some("/api")),
            ("^/", Some("/")),
            ("~.php$", None),
            ("//api", Some("/api")),
            ("/api//orders", Some("/api/orders")),
            ("/api/./orders/", Some("/api/orders")),
            ("/api/../orders", Some("/orders")),
            ("/..", Some("/")),
            ("/%61pi", Some("/api")),
            ("/caf%c3%a9", Some("/caf%C3%A9")),
            ("/café", Some("/caf%C3%A9")),
            ("/a b", Some("/a%20b")),
            ("/api?x=1", None),
            ("/api#top", None),
            ("/a;v=1", None),
            ("/a%2Fb", None),
            ("/a%2fb", None),
            (r"/api\orders", None),
            ("/api%5Corders", None),
            ("/api%00", None),
            ("/api\t", None),
            ("/api%4", None),
            ("/a/..;x/b", None),
        ];
        for (text, right) in table {
            let error = PathPrefix::parse(text).expect_err(text).to_string();
            match right {
                Some(right) => {
                    assert!(
                        error.ends_with(&format!(": write `{right}`")),
                        "{text}: {error}"
                    );
                    prefix(right);
                }
                None => assert!(!error.contains("write"), "{text}: {error}"),
            }
        }
    }

    #[test]
    fn a_variable_is_no_wildcard() {
        for text in ["/${STAGE}/api", "${PREFIX}", "/${A:-b}"] {
            let error = PathPrefix::parse(text).expect_err(text);
            assert_eq!(error, InvalidPrefix::Variable, "{text}");
        }
    }

    #[test]
    fn segments_are_those_between_slashes() {
        let segments = |text| {
            prefix(text)
                .segments()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(segments("/api/orders"), ["api", "orders"]);
        assert!(segments("/").is_empty());
    }

    #[test]
    fn whole_segments_are_covered() {
        let orders = prefix("/api/orders");
        for path in ["/api/orders", "/api/orders/", "/api/orders/7/x"] {
            assert!(orders.covers(path), "{path}");
        }
        for path in [
            "/",
            "/api",
            "/api/order",
            "/api/orders-admin",
            "/API/orders",
            "/x/api/orders",
        ] {
            assert!(!orders.covers(path), "{path}");
        }
        assert!(prefix("/").covers("/"));
        assert!(prefix("/").covers("/a/b/"));
    }

    /// The prefix that a text becomes when the suggestion is followed.
    fn corrected(text: &str) -> Option<PathPrefix> {
        use InvalidPrefix::{NoLeadingSlash, NotCanonical, TrailingSlash, Wildcard};
        match PathPrefix::parse(text) {
            Ok(prefix) => Some(prefix),
            Err(NotCanonical { right } | TrailingSlash { right }) => {
                Some(PathPrefix::parse(&right).expect("suggestions are right"))
            }
            Err(NoLeadingSlash { right } | Wildcard { right }) => {
                right.map(|right| PathPrefix::parse(&right).expect("suggestions are right"))
            }
            Err(_) => None,
        }
    }

    proptest! {
        #[test]
        fn suggestions_are_right_and_prefixes_cover_themselves(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "/", "/", "a", "B", ".", "..", "%2e", "%61", "%2F", "%c3%a9", "é", "*", "{id}",
                    ";", "?", "\\", "%", " ", "://",
                ]),
                0..8,
            ),
        ) {
            if let Some(prefix) = corrected(&pieces.concat()) {
                let text = prefix.as_str();
                let canonical = RequestPath::parse(text.as_bytes()).expect("a prefix is a path");
                prop_assert_eq!(canonical.as_str(), text);
                prop_assert!(prefix.covers(text));
                let below = format!("{}/x/", text.trim_end_matches('/'));
                prop_assert!(prefix.covers(&below));
                let beside = format!("{text}x");
                prop_assert_eq!(prefix.covers(&beside), text == "/");
            }
        }
    }
}
