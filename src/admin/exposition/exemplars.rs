//! Puts exemplars behind the buckets of `tollgate_request_duration_seconds` in OpenMetrics' text. The
//! encoder has no way to be given them: its exemplars can only be made by its own histograms.

use std::fmt::Write;

use crate::metrics::{EXEMPLARS_A_ROUTE, Exemplar, RouteTotals};

/// What the lines of buckets begin with. There are as many for each route, in the order of the routes.
const BUCKET: &str = "tollgate_request_duration_seconds_bucket{";

/// The exemplars of all routes, one for each line of a bucket; empty if there are none.
pub(super) fn of<'r>(
    routes: impl Iterator<Item = &'r RouteTotals> + Clone,
) -> Vec<Option<Exemplar>> {
    if routes
        .clone()
        .all(|route| route.exemplars.iter().next().is_none())
    {
        return Vec::new();
    }
    let none = || std::iter::repeat_n(None, EXEMPLARS_A_ROUTE);
    let padded =
        |route: &'r RouteTotals| route.exemplars.iter().chain(none()).take(EXEMPLARS_A_ROUTE);
    routes.flat_map(padded).collect()
}

/// The text with them.
pub(super) fn add(text: String, exemplars: &[Option<Exemplar>]) -> String {
    if exemplars.is_empty() {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 128 * exemplars.len());
    let mut next = exemplars.iter();
    for line in text.lines() {
        out.push_str(line);
        if line.starts_with(BUCKET)
            && let Some(Some(one)) = next.next()
        {
            let trace_id = String::from_utf8_lossy(&one.trace_id);
            let (took, begun) = (one.took.as_secs_f64(), one.begun.as_millis());
            let (seconds, millis) = (begun / 1000, begun % 1000);
            // Writing to a text does not fail.
            let _ = write!(
                out,
                " # {{trace_id=\"{trace_id}\"}} {took} {seconds}.{millis:03}"
            );
        }
        out.push('\n');
    }
    out
}
