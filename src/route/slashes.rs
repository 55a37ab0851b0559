//! Repeated slashes, for routes that keep them, as they are or encoded (`%2F%2F`). Their paths are matched and protected with slashes
//! merged, as most services read them. Some take the segment behind `//` for a host, or begin anew
//! there: those readings count for protection as well. What a service gets never begins with `//`.

use std::borrow::Cow;

use crate::message::path::RequestPath;

use super::PathPrefix;
use super::wide::WidePrefixes;

/// Paths with more runs of slashes are refused: there is a reading for every choice among them.
pub const MAX_RUNS: usize = 4;

/// By how many bytes a reading may be longer than the longest prefix that it is compared with, before
/// it is cut: for escapes, parameters and blanks, which a prefix does not have.
const MARGIN: usize = 256;

/// How many runs of slashes a service may see in a path, which with `keeps_slashes` gets them as they
/// came.
pub fn runs(path: &RequestPath<'_>, keeps_slashes: bool) -> usize {
    let [kept, decoded] = with_runs(path, keeps_slashes);
    let all = decoded.or(kept).unwrap_or_default();
    let behind_run = segments(&all).filter(|(_, behind_run)| *behind_run);
    behind_run.count() + usize::from(all.ends_with("//"))
}

/// What a service may get that has runs of slashes: the path with those that were kept, and with those
/// that it decodes.
fn with_runs<'p>(path: &'p RequestPath<'_>, keeps_slashes: bool) -> [Option<Cow<'p, str>>; 2] {
    let kept = path.with_all_slashes().filter(|_| keeps_slashes);
    let is_decoded = path.has_encoded_run() || kept.is_some() && path.has_encoded_slash();
    let text = || kept.unwrap_or(path.as_str());
    let decoded = is_decoded.then(|| text().replace("%2F", "/").into());
    [kept.map(Cow::Borrowed), decoded]
}

/// Whether what a service makes of the slashes in a path is not certain. With `keeps_slashes` it gets
/// them as they came.
pub fn are_uncertain(path: &RequestPath<'_>, keeps_slashes: bool) -> bool {
    path.has_encoded_run() || keeps_slashes && path.with_all_slashes().is_some()
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

/// Calls `check` for each of `prefixes` that a path lies under as a service may read it, which with
/// `keeps_slashes` gets its slashes as they came, until it returns something.
pub(super) fn find_map<T>(
    prefixes: &WidePrefixes,
    path: &RequestPath<'_>,
    keeps_slashes: bool,
    mut check: impl FnMut(usize) -> Option<T>,
) -> Option<T> {
    let found = prefixes.find_map(path.as_str(), &mut check);
    if found.is_some() || prefixes.is_empty() || !are_uncertain(path, keeps_slashes) {
        return found;
    }
    let longest = prefixes.longest() + MARGIN;
    let mut texts = with_runs(path, keeps_slashes).into_iter().flatten();
    texts.find_map(|text| {
        readings(&text, prefixes.depth(), longest).find_map(|reading| {
            if reading.cut {
                prefixes.find_map_cut(&reading.text, &mut check)
            } else {
                prefixes.find_map(&reading.text, &mut check)
            }
        })
    })
}

/// What a service may read in a path.
struct Reading {
    text: String,
    /// Whether it goes on.
    cut: bool,
}

/// What services may read in a path that has at most [`MAX_RUNS`] runs of slashes, beside the path
/// with its slashes merged. A service that begins anew may do so below where it is mounted: then up
/// to `depth` segments stay in front. There are many, so each is cut to `longest` bytes: a client may
/// send a long path.
fn readings(all: &str, depth: usize, longest: usize) -> impl Iterator<Item = Reading> {
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
        let mut text = String::new();
        for at in (0..front).chain(from..segments.len()) {
            if is_host(at) {
                continue;
            }
            text.push('/');
            let room = longest.saturating_sub(text.len());
            let (segment, _) = segments[at];
            if segment.len() > room {
                text.push_str(segment.get(..room).unwrap_or_default());
                text.truncate(before_escapes(&text));
                return Reading { text, cut: true };
            }
            text.push_str(segment);
        }
        Reading { text, cut: false }
    })
}

/// Where the escapes begin that a text ends in: cut in their middle they would be other characters.
fn before_escapes(text: &str) -> usize {
    let plain = text.trim_end_matches(|c: char| c == '%' || c.is_ascii_hexdigit());
    let escapes = text.get(plain.len()..).unwrap_or_default();
    escapes.find('%').map_or(text.len(), |at| plain.len() + at)
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
            assert_eq!(runs(&parse(path), true), count, "{path}");
            assert_eq!(runs(&parse(path), false), 0, "{path}");
        }
    }

    #[test]
    fn runs_of_encoded_slashes_are_counted() {
        for (path, kept, merged) in [
            ("/a%2Fb", 0, 0),
            ("/a%2F%2Fb", 1, 1),
            ("/a%2F/b/%2Fc", 2, 2),
            ("//a%2Fb//c", 2, 0),
            ("//a%2F%2Fb", 2, 1),
        ] {
            assert_eq!(runs(&parse(path), true), kept, "{path}");
            assert_eq!(runs(&parse(path), false), merged, "{path}");
        }
    }

    #[test]
    fn what_follows_a_run_may_be_a_host_or_a_new_beginning() {
        let found: Vec<_> = readings("/a//b/c//d", 1, 99).collect();
        for reading in [
            "/a/b/c/d", "/a/c/d", "/a/c", "/b/c/d", "/c/d", "/c", "/d", "/a/d", "",
        ] {
            assert!(found.iter().any(|found| found.text == reading), "{reading}");
        }
        let longest = format!("/x/x/x{}", "//a".repeat(30));
        assert_eq!(readings(&longest, 3, 99).count(), (1 + 4 * 4) * 16);
    }

    #[test]
    fn a_longer_path_does_not_make_readings_longer() {
        let read = |times: usize| -> usize {
            let path = format!("/x{}{}", "//a".repeat(4), "/;a%2541".repeat(times));
            readings(&path, 3, 300)
                .map(|reading| reading.text.len())
                .sum()
        };
        let bound = (1 + 4 * 4) * 16 * 300;
        assert!(read(10_000) <= bound);
        assert_eq!(read(100), read(10_000));
    }

    #[test]
    fn a_reading_that_is_cut_lies_under_what_it_may_go_on_with() {
        let prefix = PathPrefix::parse("/api/orders").unwrap();
        let prefixes = WidePrefixes::new([(0, &prefix)]);
        let found = |path: &str| find_map(&prefixes, &parse(path), true, Some).is_some();
        for filler in ["/;x", "/%20", ";%2541", "/%252525252525252520"] {
            // Wherever the cut falls.
            for times in (1..400).step_by(7) {
                for pad in 0..3 {
                    let filler = filler.repeat(times);
                    let pad = "x".repeat(pad);
                    let path = format!("/y//h/;{pad}{filler}/api/orders");
                    assert!(found(&path), "{path}");
                }
            }
        }
        assert!(!found(&format!("/y//h/x{}", "/;x".repeat(400))));
        assert!(!found(&format!("/y//h/{}/api/orders", "abc".repeat(400))));
    }
}
