//! Exceptions from protection. They compare as narrowly as can be: what is public is the canonical path
//! that begins with the very letters of a public prefix. Anything else that a service might take for
//! such a path stays protected. Nothing below a public prefix leads out of it, for paths with a `..`
//! in any reading are refused before.

use super::PathPrefix;
use super::wide::WidePrefixes;

/// Prefixes that are public although a shorter one is protected.
#[derive(Debug, Default)]
pub(super) struct PublicPrefixes {
    /// Sorted.
    prefixes: Vec<PublicPrefix>,
    /// The different lengths of prefixes, the longest first.
    lengths: Vec<usize>,
}

#[derive(Debug)]
struct PublicPrefix {
    prefix: PathPrefix,
    /// The places of the protected prefixes that it is an exception from: those that it lies under.
    /// One that lies below it goes on to protect.
    lifted: Vec<usize>,
}

impl PublicPrefixes {
    /// Compiles exceptions from what is `protected`.
    pub(super) fn new(prefixes: Vec<PathPrefix>, protected: &WidePrefixes) -> Self {
        let mut all = Vec::new();
        for prefix in prefixes {
            let mut lifted = Vec::new();
            protected.find_map(prefix.as_str(), |place| {
                lifted.push(place);
                None::<()>
            });
            all.push(PublicPrefix { prefix, lifted });
        }
        all.sort_unstable_by(|a, b| a.prefix.as_str().cmp(b.prefix.as_str()));
        let mut lengths: Vec<_> = all.iter().map(|one| one.prefix.as_str().len()).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        Self {
            prefixes: all,
            lengths,
        }
    }

    /// The places of the protected prefixes that do not hold for `path` (a canonical path).
    pub(super) fn lifted(&self, path: &str) -> &[usize] {
        self.find(path).map_or(&[], |one| &one.lifted)
    }

    /// The longest public prefix of `path` (a canonical path).
    pub(super) fn longest(&self, path: &str) -> Option<&PathPrefix> {
        self.find(path).map(|one| &one.prefix)
    }

    fn find(&self, path: &str) -> Option<&PublicPrefix> {
        self.lengths.iter().find_map(|length| {
            let text = path.get(..*length)?;
            let own = |one: &PublicPrefix| one.prefix.as_str().cmp(text);
            let at = self.prefixes.binary_search_by(own).ok()?;
            let found = self.prefixes.get(at)?;
            found.prefix.covers(path).then_some(found)
        })
    }
}
