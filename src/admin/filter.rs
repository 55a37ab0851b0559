//! What of the requests is asked for, in the query of lists and streams of them.

use serde::Deserialize;

use crate::config;
use crate::metrics::filter::{Filter, Statuses};
use crate::pipeline::codes::CODES;

use super::problem::Problem;

/// `?route=orders&client=app&status=5xx&code=rate_limited&slow=200ms&trouble=true`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub route: Option<Box<str>>,
    pub client: Option<Box<str>>,
    pub status: Option<String>,
    pub code: Option<Box<str>>,
    pub slow: Option<String>,
    #[serde(default)]
    pub trouble: bool,
}

/// The code, if it is one that requests end with.
pub(super) fn known_code(code: Box<str>) -> Result<Box<str>, Problem> {
    if CODES.contains(&&*code) {
        return Ok(code);
    }
    let detail = format!("`code` is one of {}.", CODES.join(", "));
    Err(Problem::bad_request(detail))
}

/// Refuses a query with an escape that stands for nothing, or for no text: it would be taken as it is written, and so
/// match nothing.
pub(super) fn well_escaped(query: &str) -> Result<(), Problem> {
    let mut bytes = Vec::with_capacity(query.len());
    let mut rest = query.bytes();
    while let Some(byte) = rest.next() {
        let hex = |digit: Option<u8>| char::from(digit?).to_digit(16);
        let byte = match byte {
            b'%' => match (hex(rest.next()), hex(rest.next())) {
                (Some(high), Some(low)) => u8::try_from(high << 4 | low).ok(),
                _ => None,
            },
            other => Some(other),
        };
        let wrong = || Problem::bad_request("The query has a `%` without two hexadecimal digits.");
        bytes.push(byte.ok_or_else(wrong)?);
    }
    std::str::from_utf8(&bytes)
        .map(drop)
        .map_err(|_| Problem::bad_request("The query has escapes that are no UTF-8."))
}

impl Asked {
    /// What is asked for, or what is wrong with it.
    pub(super) fn filter(self) -> Result<Filter, Problem> {
        let status = match self.status {
            None => None,
            Some(text) => Some(Statuses::parse(&text).ok_or_else(|| {
                let detail = "`status` takes a status such as 404, or a class such as 5xx.";
                Problem::bad_request(detail)
            })?),
        };
        let slow = match self.slow {
            None => None,
            // The error would repeat the value.
            Some(text) => Some(config::duration(&text).map_err(|_| {
                Problem::bad_request("`slow` takes a duration such as 200ms or 2s.")
            })?),
        };
        Ok(Filter {
            route: self.route,
            client: self.client,
            code: self.code.map(known_code).transpose()?,
            status,
            slow,
            trouble: self.trouble,
        })
    }
}
