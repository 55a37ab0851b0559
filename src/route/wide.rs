//! Prefixes compared in every way that services are known to read paths. A path lies under a prefix
//! if one reading of it does: not decoded, decoded once or repeatedly, with `;parameters` cut off
//! before or after that, ended at an encoded `?`, trimmed, without the stream of a file, without letter case.

use crate::message::escapes::{Decoded, MARK, byte_of};
use crate::message::lenient::{Charset, decode, fold};

use super::PathPrefix;
use super::wide_reading::{Slashes, WideReading};

/// Prefixes in their wide readings.
#[derive(Debug, Default)]
pub(super) struct WidePrefixes {
    /// In the order of their bytes.
    sorted: Vec<WidePrefix>,
    /// Whether `/a:b` lies under `/a`.
    streams: bool,
    /// How many bytes the longest of them has.
    longest: usize,
    /// How many segments the deepest of them has.
    depth: usize,
}

/// How a path is compared with prefixes.
#[derive(Debug, Clone, Copy)]
struct Comparison<'w> {
    sorted: &'w [WidePrefix],
    streams: bool,
    /// The path was cut: it lies under whatever it might go on with.
    cut: bool,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct WidePrefix {
    /// A wide reading: `/a/b`, or nothing when it covers everything.
    text: Vec<u8>,
    /// Which of the prefixes it is.
    place: usize,
}

impl WidePrefixes {
    /// Compiles prefixes, each known by its place.
    pub(super) fn new<'p>(prefixes: impl IntoIterator<Item = (usize, &'p PathPrefix)>) -> Self {
        let mut all = Vec::new();
        let (mut longest, mut depth) = (0, 0);
        for (place, prefix) in prefixes {
            longest = longest.max(prefix.as_str().len());
            depth = depth.max(prefix.segments().count());
            // To a service that reads Latin-1 a prefix in UTF-8 has other letters.
            for charset in charsets(prefix) {
                let decoded = decode(prefix.as_str().bytes(), *charset);
                let text = WideReading::new(decoded, Slashes::All).collect();
                all.push(WidePrefix { text, place });
            }
        }
        all.sort_unstable();
        all.dedup();
        Self {
            sorted: all,
            streams: false,
            longest,
            depth,
        }
    }

    /// How many bytes the longest of them has.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// How many segments the deepest of them has.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The same for services that ignore streams of NTFS (`::$DATA`).
    pub(super) fn with_streams(self) -> Self {
        Self {
            streams: true,
            ..self
        }
    }

    /// Calls `check` for each prefix that `path` (a canonical path) lies under in some reading, the
    /// shortest of a reading first, until it returns something. It may be called twice for one prefix.
    pub(super) fn find_map<T>(
        &self,
        path: &str,
        mut check: impl FnMut(usize) -> Option<T>,
    ) -> Option<T> {
        self.comparison(false).find_map(path, &mut check)
    }

    /// The same for a path that was cut. A prefix that it may lie under when it goes on is found, too.
    pub(super) fn find_map_cut<T>(
        &self,
        path: &str,
        mut check: impl FnMut(usize) -> Option<T>,
    ) -> Option<T> {
        self.comparison(true).find_map(path, &mut check)
    }

    fn comparison(&self, cut: bool) -> Comparison<'_> {
        Comparison {
            sorted: &self.sorted,
            streams: self.streams,
            cut,
        }
    }
}

impl<'w> Comparison<'w> {
    fn find_map<T>(self, path: &str, check: &mut impl FnMut(usize) -> Option<T>) -> Option<T> {
        if self.sorted.is_empty() {
            return None;
        }
        if let Skimmed::Decided(found) = self.skim(path, check) {
            return found;
        }
        self.search_readings(path, check).or_else(|| {
            // To some services control characters are blanks, others take them out.
            let without = without_controls(path)?;
            self.search_readings(&without, check)
        })
    }

    /// Searches the readings of a path that services do not read alike.
    fn search_readings<T>(
        self,
        path: &str,
        check: &mut impl FnMut(usize) -> Option<T>,
    ) -> Option<T> {
        let ascii = Decoded::new(path.bytes()).all(|decoded| decoded.byte.is_ascii());
        let charsets = if ascii {
            &Charset::ALL[..1]
        } else {
            &Charset::ALL
        };
        charsets.iter().find_map(|charset| {
            let mut reading = WideReading::new(decode(path.bytes(), *charset), Slashes::All);
            let found = self.search(&mut reading, check);
            if found.is_some() || !reading.met_parameters || !hides_slashes(path, *charset) {
                return found;
            }
            self.search_other_ends(path, *charset, check)
        })
    }

    /// Searches as far as all services read a path alike: most paths part from the prefixes before
    /// they come to anything else.
    fn skim<T>(self, path: &str, check: &mut impl FnMut(usize) -> Option<T>) -> Skimmed<T> {
        let mut candidates = self.sorted;
        let mut bytes = path.bytes();
        for depth in 0.. {
            let next = bytes.next();
            if matches!(next, None | Some(b'/')) {
                let found = self.ended_at(candidates, depth, next).find_map(&mut *check);
                if found.is_some() {
                    return Skimmed::Decided(found);
                }
            }
            match next {
                None => break,
                Some(b'%' | b';' | b'.' | b'+' | b':') => return Skimmed::Undecided,
                Some(next) => candidates = narrow(candidates, depth, next.to_ascii_lowercase()),
            }
            if candidates.is_empty() {
                break;
            }
        }
        Skimmed::Decided(None)
    }

    /// Searches the readings that see other ends of parameters: at slashes that are not encoded, or
    /// are once or twice. `/api;%2Fx/orders` is `/api/x/orders` where slashes are decoded first, and
    /// `/api/orders` where they are not. Slashes that only normalization makes are among them, but
    /// not in Latin-1, so that readings without it are covered as well.
    fn search_other_ends<T>(
        self,
        path: &str,
        charset: Charset,
        check: &mut impl FnMut(usize) -> Option<T>,
    ) -> Option<T> {
        let raw = || path.bytes();
        let once = || fold(Decoded::once(raw()).bytes(), charset);
        let twice = || fold(Decoded::once(once()).bytes(), Charset::Utf8);
        let backslashes = |b| if b == b'\\' { b'/' } else { b };
        let all = decode(raw(), charset).map(backslashes);
        self.search_marked(raw(), charset, check)
            .or_else(|| self.search_marked(once(), Charset::Utf8, check))
            .or_else(|| self.search_marked(twice(), Charset::Utf8, check))
            .or_else(|| self.search(&mut WideReading::new(all, Slashes::All), check))
    }

    /// Searches a text in which parameters end at the slashes that are there before it is decoded
    /// any further.
    fn search_marked<T>(
        self,
        text: impl Iterator<Item = u8>,
        charset: Charset,
        check: &mut impl FnMut(usize) -> Option<T>,
    ) -> Option<T> {
        let marked = text.map(|b| if b == b'/' { MARK } else { b });
        let mut reading = WideReading::new(decode(marked, charset), Slashes::Marked);
        self.search(&mut reading, check)
    }

    /// Compares a reading with all prefixes at once, byte by byte, and stops when none is left that
    /// begins like it.
    fn search<T, I: Iterator<Item = u8>>(
        self,
        reading: &mut WideReading<I>,
        check: &mut impl FnMut(usize) -> Option<T>,
    ) -> Option<T> {
        let mut candidates = self.sorted;
        for depth in 0.. {
            let next = reading.next();
            if next.is_none_or(|b| self.ends_name(b)) {
                let found = self.ended_at(candidates, depth, next).find_map(&mut *check);
                if found.is_some() {
                    return found;
                }
            }
            candidates = narrow(candidates, depth, next?);
            if candidates.is_empty() {
                break;
            }
        }
        None
    }

    /// Whether some service takes what comes before `b` for the whole name: at the end of a segment
    /// and at that of a path which ends at a NUL, or is decoded before the query is split off.
    fn ends_name(self, b: u8) -> bool {
        matches!(b, b'/' | b'?' | b'#' | 0) || (self.streams && b == b':')
    }

    /// The places of those of `candidates`, which are alike up to `depth`, that end there: in the
    /// order of bytes they come first. At the end of a path that was cut all of them may.
    fn ended_at(
        self,
        candidates: &'w [WidePrefix],
        depth: usize,
        next: Option<u8>,
    ) -> impl Iterator<Item = usize> + 'w {
        let all = self.cut && next.is_none();
        let ended = candidates
            .iter()
            .take_while(move |one| all || one.text.len() == depth);
        ended.map(|one| one.place)
    }
}

/// Whether some service meets slashes that are not there before it decodes. Else parameters end alike in
/// all readings; there are many of these, and a client may send a long path.
fn hides_slashes(path: &str, charset: Charset) -> bool {
    let count =
        |bytes: &mut dyn Iterator<Item = u8>| bytes.filter(|b| matches!(b, b'/' | b'\\')).count();
    count(&mut decode(path.bytes(), charset)) > count(&mut path.bytes()) || path.contains('\\')
}

/// A canonical path without its escaped control characters, however often they are escaped; `None`
/// if it has none.
fn without_controls(path: &str) -> Option<String> {
    let mut kept = String::new();
    let mut rest = path;
    let mut found = false;
    while let Some((before, after)) = rest.split_once('%') {
        kept.push_str(before);
        let innermost = after.trim_start_matches("25");
        let control = byte_of(innermost.as_bytes()).filter(u8::is_ascii_control);
        rest = if control.is_some() {
            found = true;
            innermost.get(2..).unwrap_or_default()
        } else {
            kept.push('%');
            after
        };
    }
    kept.push_str(rest);
    found.then_some(kept)
}

/// What the first look at a path has found.
enum Skimmed<T> {
    Decided(Option<T>),
    /// From here on services differ.
    Undecided,
}

/// Those of `candidates`, which are alike up to `depth`, that go on with `next`.
fn narrow(candidates: &[WidePrefix], depth: usize, next: u8) -> &[WidePrefix] {
    let at_depth = |wide: &WidePrefix| wide.text.get(depth).copied();
    if let (Some(first), Some(last)) = (candidates.first(), candidates.last())
        && [first, last].map(at_depth) == [Some(next); 2]
    {
        // They are sorted, so all go on like this.
        return candidates;
    }
    let from = candidates.partition_point(|wide| at_depth(wide) < Some(next));
    let to = candidates.partition_point(|wide| at_depth(wide) <= Some(next));
    &candidates[from..to]
}

impl PathPrefix {
    /// Whether a service may read another prefix as this one.
    pub fn is_read_as(&self, other: &Self) -> bool {
        same_reading(self.as_str(), other.as_str())
    }
}

/// Whether a service may read two canonical paths as the same one.
pub(super) fn same_reading(one: &str, other: &str) -> bool {
    let read = |path: &str| -> Vec<u8> {
        WideReading::new(decode(path.bytes(), Charset::Utf8), Slashes::All).collect()
    };
    read(one) == read(other)
}

/// The character sets that a prefix is read in. One that is not UTF-8 was written for a service that
/// reads Latin-1, so it is not read as UTF-8 without its invalid bytes.
fn charsets(prefix: &PathPrefix) -> &'static [Charset] {
    if prefix.is_utf8() {
        &Charset::ALL
    } else {
        &Charset::ALL[1..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path of 60 KB of `/;` took 16 ms, nearly all of it in readings that are one and the same.
    #[test]
    fn only_hidden_slashes_make_other_ends_of_parameters() {
        for (path, hides) in [
            ("/;a/;b=c/%3Bd", false),
            ("/;%25/%C3/;\u{e9}", false),
            ("/;a%2Fb", true),
            ("/;a%252fb", true),
            ("/;a%5Cb", true),
            ("/;a\u{ff0f}b", true),
            ("/;a%EF%BC%8Fb", true),
            ("/;a\\b", true),
        ] {
            assert_eq!(hides_slashes(path, Charset::Utf8), hides, "{path}");
        }
        assert!(!hides_slashes("/;a%EF%BC%8Fb", Charset::Latin1));
    }
}
