//! Where Kong would choose another route.

use super::matching::{Made, goes_on};
use crate::import::Notes;

/// Says where routes are told apart in another way.
pub(super) fn differences(routes: &[Made], notes: &mut Notes) {
    let mut prefixes: Vec<&str> = routes
        .iter()
        .map(|made| &*made.route.prefix)
        .filter(|prefix| *prefix != "/")
        .collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    if !prefixes.is_empty() {
        notes.differs("paths", format!("whole segments are compared: `/a` takes `/a/b`, and no longer `/ab`. This is so for {}", prefixes.join(", ")));
    }
    for broad in routes {
        let longer = routes.iter().filter(|other| {
            goes_on(&broad.route.prefix, &other.route.prefix) && other.shares_requests(broad)
        });
        for narrow in longer {
            // A closed one stands under the longer prefix, too.
            if broad.rank.is_surely_before(&narrow.rank) && broad.rules().next().is_none() {
                notes.differs(
                    &format!("route {}", narrow.route.name),
                    format!("its prefix is longer than that of {}, and wins; Kong prefers the route with hosts or methods", broad.route.name),
                );
            }
        }
    }
}
