//! Prefixes compared as widely as any service reads paths. A path lies under a prefix if any reading
//! of it does: decoded ever so often or not at all, with `;parameters` cut off before or after,
//! ended at an encoded `?`, trimmed, with an extension, whatever its letters' case.

use crate::message::escapes::{Decoded, decode_once};
use crate::message::lenient::{Charset, decode};

use super::PathPrefix;

/// Prefixes in their wide readings.
#[derive(Debug, Default)]
pub(super) struct WidePrefixes {
    /// In the order of their bytes.
    sorted: Vec<WidePrefix>,
    /// Whether `/a.json` lies under `/a`.
    extensions: bool,
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
        for (place, prefix) in prefixes {
            // To a service that reads Latin-1 a prefix in UTF-8 has other letters.
            for charset in charsets(prefix) {
                let decoded = decode(prefix.as_str().as_bytes(), *charset);
                let text = WideReading::new(&decoded).collect();
                all.push(WidePrefix { text, place });
            }
        }
        all.sort_unstable();
        all.dedup();
        Self {
            sorted: all,
            extensions: false,
        }
    }

    /// The same for services that ignore extensions (`.json`), and streams of NTFS (`::$DATA`).
    pub(super) fn with_extensions(self) -> Self {
        Self {
            extensions: true,
            ..self
        }
    }

    /// Asks `check` about each prefix that `path` (a canonical path) lies under in some reading, the
    /// shortest of a reading first, until it has an answer.
    pub(super) fn find_map<T>(
        &self,
        path: &str,
        mut check: impl FnMut(usize) -> Option<T>,
    ) -> Option<T> {
        if self.sorted.is_empty() {
            return None;
        }
        // Where nothing is encoded, all readings are one.
        if !path.contains('%') {
            return self.search(WideReading::new(path.as_bytes()), &mut check);
        }
        let path = path.as_bytes();
        let ascii = Decoded::new(path).all(|decoded| decoded.byte.is_ascii());
        let charsets = if ascii {
            &Charset::ALL[..1]
        } else {
            &Charset::ALL
        };
        charsets.iter().find_map(|charset| {
            let decoded = decode(path, *charset);
            self.search(WideReading::new(&decoded), &mut check)
                .or_else(|| {
                    other_ends_of_parameters(path, &decoded, *charset)
                        .iter()
                        .find_map(|text| self.search(WideReading::new(text), &mut check))
                })
        })
    }

    /// Walks a reading and the sorted prefixes at once, so that a long path costs no more with many
    /// prefixes, and stops where none begins like it.
    fn search<T>(
        &self,
        mut reading: WideReading<'_>,
        check: &mut impl FnMut(usize) -> Option<T>,
    ) -> Option<T> {
        let mut candidates = &self.sorted[..];
        for depth in 0.. {
            let next = reading.next();
            if next.is_none_or(|b| self.ends_name(b)) {
                // In the order of bytes, what ends here comes first.
                let ended = candidates.iter().take_while(|one| one.text.len() == depth);
                if let Some(found) = ended.map(|one| one.place).find_map(&mut *check) {
                    return Some(found);
                }
            }
            let next = next?;
            let at_depth = |wide: &WidePrefix| wide.text.get(depth).copied();
            if [candidates.first()?, candidates.last()?].map(at_depth) == [Some(next); 2] {
                // All go on like this, for they are sorted.
                continue;
            }
            let from = candidates.partition_point(|wide| at_depth(wide) < Some(next));
            let to = candidates.partition_point(|wide| at_depth(wide) <= Some(next));
            candidates = candidates.get(from..to)?;
        }
        None
    }

    /// Whether some service takes what comes before `b` for the whole name: at the end of a segment
    /// and at that of a path which ends at a NUL, or is decoded before the query is split off.
    fn ends_name(&self, b: u8) -> bool {
        matches!(b, b'/' | b'?' | b'#' | 0) || (self.extensions && matches!(b, b'.' | b':'))
    }
}

/// Whether a service may take two canonical paths for one.
pub(super) fn same_reading(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|path| decode(path.as_bytes(), Charset::Utf8));
    WideReading::new(&one).eq(WideReading::new(&other))
}

/// The character sets that a prefix may be written in. One that is not UTF-8 is for a service that
/// reads Latin-1: what is left of it without the bytes that are not UTF-8 is not what it means.
fn charsets(prefix: &PathPrefix) -> &'static [Charset] {
    if prefix.is_utf8() {
        &Charset::ALL
    } else {
        &Charset::ALL[1..]
    }
}

/// The same path for services that see another end of its parameters: `/api;%2Fx/orders` is
/// `/api/x/orders` where slashes are decoded first, and `/api/orders` where they are not.
fn other_ends_of_parameters(path: &[u8], decoded: &[u8], charset: Charset) -> Vec<Vec<u8>> {
    if !decoded.contains(&b';') {
        return Vec::new();
    }
    let slashes = |b: &u8| if *b == b'\\' { b'/' } else { *b };
    vec![
        cut_segments(path, charset),
        cut_segments(&decode_once(path), charset),
        decoded.iter().map(slashes).collect(),
    ]
}

/// Decodes the segments of `path` one by one, and cuts each at its first semicolon.
fn cut_segments(path: &[u8], charset: Charset) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    for segment in path.split(|b| *b == b'/') {
        let decoded = decode(segment, charset);
        out.extend(decoded.into_iter().take_while(|b| *b != b';'));
        out.push(b'/');
    }
    out
}

/// The bytes of a decoded path as the most lenient service would compare them: ASCII letters in
/// lower case, without parameters, backslashes taken for slashes, blanks around segments and dots
/// behind them taken off, empty segments left out, no slash at the end.
#[derive(Debug)]
struct WideReading<'p> {
    rest: &'p [u8],
    at: Position,
    /// Dots and blanks that leave at least so much of `rest` behind them are not at the end of a
    /// segment.
    inside: usize,
}

/// Where in a path a reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// In a segment.
    Name,
    /// Behind slashes, which are told when a segment follows.
    Slash,
    /// In parameters.
    Parameters,
}

impl<'p> WideReading<'p> {
    fn new(decoded: &'p [u8]) -> Self {
        Self {
            rest: decoded,
            at: Position::Name,
            inside: usize::MAX,
        }
    }

    /// Skips the dots and blanks that `rest` begins with if they end their segment. No run of them is
    /// looked at twice, for clients choose how long they are.
    fn skip_trailing(&mut self) -> bool {
        if self.rest.len() > self.inside {
            return false;
        }
        let run = self
            .rest
            .iter()
            .take_while(|b| is_dot_or_blank(**b))
            .count();
        let end = self.rest.get(run).copied();
        let trailing = end.is_none_or(|b| matches!(b, b'/' | b'\\' | b';' | b'?' | b'#' | 0));
        if trailing {
            self.rest = &self.rest[run..];
        } else {
            self.inside = self.rest.len() - run;
        }
        trailing
    }
}

impl Iterator for WideReading<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        loop {
            let (&byte, after) = self.rest.split_first()?;
            match (byte, self.at) {
                (b'/', _) => self.at = Position::Slash,
                (_, Position::Parameters) | (b' ' | b'+', Position::Slash) => {}
                (b'\\', _) => self.at = Position::Slash,
                (b';', _) => self.at = Position::Parameters,
                (b'.' | b' ' | b'+', _) if self.skip_trailing() => continue,
                (_, Position::Slash) => {
                    // The byte is left for the next call.
                    self.at = Position::Name;
                    return Some(b'/');
                }
                (byte, Position::Name) => {
                    self.rest = after;
                    // A blank in forms, and to some services in paths.
                    return Some(if byte == b'+' {
                        b' '
                    } else {
                        byte.to_ascii_lowercase()
                    });
                }
            }
            self.rest = after;
        }
    }
}

fn is_dot_or_blank(b: u8) -> bool {
    matches!(b, b'.' | b' ' | b'+')
}
