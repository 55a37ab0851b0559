//! Repeated slashes, for routes that keep them. Their paths are matched and protected with slashes
//! merged, as most services read them. Some take the segment behind `//` for a host, or begin anew
//! there: those readings count for protection as well. What a service gets never begins with `//`.

use std::borrow::Cow;

use crate::message::path::RequestPath;

use super::PathPrefix;

/// Paths with more runs of slashes are refused: there is a reading for every choice among them.
pub const MAX_RUNS: usize = 4;

/// How many runs of slashes a path has.
#[must_use]
pub fn runs(path: &RequestPath<'_>) -> usize {
    let all = path.with_all_slashes().unwrap_or_default();
    segments(all).filter(|(_, behind_run)| *behind_run).count() + usize::from(all.ends_with("//"))
}

/// The path with its slashes as they came, but for those in the prefix and behind it, which are
/// merged.
pub(super) fn kept<'p>(prefix: &PathPrefix, path: &'p RequestPath<'_>) -> Cow<'p, str> {
    let Some(mut rest) = path.with_all_slashes() else {
        return Cow::Borrowed(path.as_str());
    };
    let mut kept = String::with_capacity(rest.len());
    for segment in prefix.segments() {
        let begins = rest.trim_start_matches('/');
        let Some(after) = begins.strip_prefix(segment) else {
            return Cow::Borrowed(path.as_str());
        };
        kept.push('/');
        kept.push_str(segment);
        rest = after;
    }
    if rest.starts_with('/') {
        kept.push('/');
        kept.push_str(rest.trim_start_matches('/'));
    }
    Cow::Owned(kept)
}

/// What services may read in a path that has at most [`MAX_RUNS`] runs of slashes, beside the path
/// with its slashes merged. A service that begins anew may do so below where it is mounted: then up
/// to `depth` segments stay in front.
pub(super) fn readings(path: &RequestPath<'_>, depth: usize) -> impl Iterator<Item = String> {
    let all = path.with_all_slashes().unwrap_or_default();
    let segments: Vec<_> = segments(all).collect();
    let mut runs: Vec<usize> = (0..segments.len()).filter(|at| segments[*at].1).collect();
    runs.truncate(MAX_RUNS);
    let beginnings = std::iter::once((0, 0)).chain(runs.clone().into_iter().flat_map(
        // What stays in front, and from where on the rest is read.
        move |run| (0..=depth.min(run)).map(move |front| (front, run)),
    ));
    let hosts = 0..1_u32 << runs.len();
    let choices =
        beginnings.flat_map(move |begins| hosts.clone().map(move |hosts| (begins, hosts)));
    choices.map(move |((front, from), hosts)| {
        let is_host = |at: usize| {
            let run = runs.iter().position(|run| *run == at);
            run.is_some_and(|run| hosts & (1 << run) != 0)
        };
        let mut reading = String::new();
        for (at, (segment, _)) in segments.iter().enumerate() {
            if (at < front || at >= from) && !is_host(at) {
                reading.push('/');
                reading.push_str(segment);
            }
        }
        reading
    })
}

/// The segments that are not empty, and whether more than one slash stands before each.
fn segments(path: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut empty = 0;
    path.split('/').skip(1).filter_map(move |segment| {
        let behind_run = empty > 0;
        empty = if segment.is_empty() { empty + 1 } else { 0 };
        (!segment.is_empty()).then_some((segment, behind_run))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> RequestPath<'_> {
        RequestPath::parse(path.as_bytes()).unwrap()
    }

    #[test]
    fn slashes_are_kept_behind_the_prefix() {
        for (prefix, path, wanted) in [
            ("/", "/a//b", "/a//b"),
            ("/", "//a///b//", "/a///b//"),
            ("/img", "/img/http://a/b", "/img/http://a/b"),
            ("/img", "//img//a//b", "/img/a//b"),
            ("/img", "/img//", "/img/"),
            ("/img", "//img", "/img"),
            ("/a/b", "/a//b///c", "/a/b/c"),
            ("/img", "/img/a", "/img/a"),
        ] {
            let prefix = PathPrefix::parse(prefix).unwrap();
            assert_eq!(kept(&prefix, &parse(path)), wanted, "{path}");
            assert!(!kept(&prefix, &parse(path)).starts_with("//"));
        }
    }

    #[test]
    fn runs_are_counted() {
        for (path, count) in [
            ("/a/b/", 0),
            ("//a", 1),
            ("/a//b///c", 2),
            ("/a//b//", 2),
            ("//", 1),
        ] {
            assert_eq!(runs(&parse(path)), count, "{path}");
        }
    }

    #[test]
    fn what_follows_a_run_may_be_a_host_or_a_new_beginning() {
        let found: Vec<_> = readings(&parse("/a//b/c//d"), 1).collect();
        for reading in [
            "/a/b/c/d", "/a/c/d", "/a/c", "/b/c/d", "/c/d", "/c", "/d", "/a/d", "",
        ] {
            assert!(found.iter().any(|found| found == reading), "{reading}");
        }
        let longest = format!("/x/x/x{}", "//a".repeat(30));
        assert_eq!(readings(&parse(&longest), 3).count(), (1 + 4 * 4) * 16);
    }
}
