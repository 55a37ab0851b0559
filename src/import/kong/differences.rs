//! Where Kong would choose another route.

use crate::import::Notes;
use crate::import::draft::{Draft, Route};

/// Says where routes are told apart in another way.
pub(super) fn differences(draft: &Draft, notes: &mut Notes) {
    let mut prefixes: Vec<&str> = draft
        .routes
        .iter()
        .map(|route| &*route.prefix)
        .filter(|prefix| *prefix != "/")
        .collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    if !prefixes.is_empty() {
        notes.differs("paths", format!("whole segments are compared: `/a` takes `/a/b`, and no longer `/ab`. This is so for {}", prefixes.join(", ")));
    }
    for broad in &draft.routes {
        let longer = draft
            .routes
            .iter()
            .filter(|other| goes_on(&broad.prefix, &other.prefix));
        for narrow in longer {
            let more = |route: &Route| {
                usize::from(!route.hosts.is_empty()) + usize::from(!route.methods.is_empty())
            };
            if more(broad) > more(narrow) {
                notes.differs(
                    &format!("route {}", narrow.name),
                    format!("its prefix is longer than that of {}, and wins; Kong prefers the route with hosts or methods", broad.name),
                );
            }
        }
    }
}

/// Whether a prefix lies under another one.
pub(super) fn goes_on(outer: &str, inner: &str) -> bool {
    let rest = inner.strip_prefix(outer.trim_end_matches('/'));
    outer != inner && rest.is_some_and(|rest| rest.starts_with('/'))
}
