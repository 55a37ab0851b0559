//! What of the requests is asked for, in the query of lists and streams of them.

use serde::Deserialize;

use crate::config;
use crate::metrics::filter::{Filter, Statuses};

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
            code: self.code,
            status,
            slow,
            trouble: self.trouble,
        })
    }
}
