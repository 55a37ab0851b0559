//! How services behind the gateway may read a path, naively and independently of the code that
//! guards against it: a service is a list of steps, each of which some real one is known to take.
//! Tests hold the canonical path and the protected prefixes against all of them.

use icu_normalizer::ComposingNormalizerBorrowed;

/// What a service does to a path before it walks its segments.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// Cuts every segment at its first `;` (servlet containers).
    Cut,
    /// Decodes all escapes once; a broken one stays as it is.
    Decode,
    /// Takes `+` for a blank (PHP's `urldecode`).
    PlusIsBlank,
    /// Splits off query and fragment.
    SplitQuery,
    /// Ends at a NUL (C).
    EndAtNul,
    /// Leaves out control characters (URL parsers of the WHATWG, Python's `urlsplit`).
    DropControls,
    /// Leaves out what is not UTF-8 (Bottle).
    IgnoreInvalid,
    /// Reads ISO 8859-1.
    Latin1,
    /// Compares letters of any script without case (Python's `(?i)`).
    IgnoreCase,
    /// Normalizes to NFKC.
    Nfkc,
    /// Normalizes to NFC.
    Nfc,
    /// Takes trailing dots and blanks off segments (Windows).
    TrimEnd,
    /// Takes blanks off both ends of segments (Spring's `AntPathMatcher`).
    Trim,
}

use Step::{
    Cut, Decode, DropControls, EndAtNul, IgnoreCase, IgnoreInvalid, Latin1, Nfc, Nfkc, PlusIsBlank,
    SplitQuery, Trim, TrimEnd,
};

/// The services that are known to exist, and some more.
pub(crate) const SERVICES: [&[Step]; 33] = [
    &[],
    &[Cut],
    &[Decode],
    &[Cut, Decode],
    &[Decode, Cut],
    &[Decode, Decode],
    &[Cut, Decode, Decode],
    &[Decode, Decode, Cut],
    &[Decode, SplitQuery],
    &[Decode, Decode, SplitQuery],
    &[PlusIsBlank, Decode, SplitQuery, Trim],
    &[Cut, Decode, SplitQuery],
    &[Decode, SplitQuery, Cut],
    &[Decode, Decode, EndAtNul],
    &[Decode, EndAtNul],
    &[Decode, DropControls],
    &[Decode, DropControls, Decode, Trim],
    &[Cut, Decode, DropControls, SplitQuery, TrimEnd],
    &[Decode, IgnoreInvalid],
    &[Decode, IgnoreInvalid, Decode, IgnoreInvalid],
    &[Cut, Decode, IgnoreInvalid],
    &[Decode, Latin1, IgnoreCase],
    &[Decode, Latin1, Nfkc],
    &[Decode, IgnoreInvalid, IgnoreCase],
    &[Decode, IgnoreInvalid, Nfc],
    &[Decode, IgnoreInvalid, Nfkc],
    &[Decode, IgnoreInvalid, Nfkc, Decode],
    &[Decode, IgnoreInvalid, Nfkc, Cut, IgnoreCase],
    &[Decode, IgnoreInvalid, IgnoreCase, Nfkc, SplitQuery],
    &[Decode, TrimEnd],
    &[Cut, Decode, TrimEnd],
    &[Decode, Cut, Trim],
    &[Decode, IgnoreInvalid, Nfkc, TrimEnd],
];

/// The segments that such a service sees, empty ones left out, dot segments as they stand.
pub(crate) fn segments(path: &str, service: &[Step]) -> Vec<Vec<u8>> {
    let mut segments = all_segments(path, service);
    segments.retain(|segment| !segment.is_empty());
    segments
}

/// Where such a service is led: dot segments are walked, before slashes are merged or after.
pub(crate) fn walked(path: &str, service: &[Step], merges_first: bool) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for segment in all_segments(path, service) {
        match segment.as_slice() {
            b"" if merges_first => {}
            b"." => {}
            b".." => drop(out.pop()),
            _ => out.push(segment),
        }
    }
    out.retain(|segment| !segment.is_empty());
    out
}

/// Where such a service may be led that takes what follows one `//` for a host, or a new beginning, or
/// for the host of a new beginning.
pub(crate) fn led_by_run(path: &str, service: &[Step]) -> Vec<Vec<Vec<u8>>> {
    let all = all_segments(path, service);
    let mut led = Vec::new();
    for at in (0..all.len()).filter(|at| all[*at].is_empty()) {
        let behind = all[at..].iter().skip_while(|segment| segment.is_empty());
        let behind: Vec<_> = behind.cloned().collect();
        let Some((_, path)) = behind.split_first() else {
            continue;
        };
        led.push([&all[..at], path].concat());
        led.push(path.to_vec());
        led.push(behind);
    }
    for segments in &mut led {
        segments.retain(|segment| !segment.is_empty());
    }
    led
}

/// The segments that such a service sees, empty ones and dot segments as they stand.
pub(crate) fn all_segments(path: &str, service: &[Step]) -> Vec<Vec<u8>> {
    let mut path = path.as_bytes().to_vec();
    for step in service {
        path = step.take(&path);
    }
    let slash = |b: &u8| matches!(b, b'/' | b'\\');
    // What stands before the first slash is no segment.
    path.split(slash).skip(1).map(<[u8]>::to_vec).collect()
}

impl Step {
    fn take(self, path: &[u8]) -> Vec<u8> {
        let text = || String::from_utf8_lossy(path);
        match self {
            Cut => each_segment(path, |segment| until(segment, b";")),
            Decode => decode(path),
            PlusIsBlank => path
                .iter()
                .map(|b| if *b == b'+' { b' ' } else { *b })
                .collect(),
            SplitQuery => until(path, b"?#").to_vec(),
            EndAtNul => until(path, b"\0").to_vec(),
            DropControls => path
                .iter()
                .copied()
                .filter(|b| !b.is_ascii_control())
                .collect(),
            IgnoreInvalid => text_only(path).into_bytes(),
            Latin1 => path
                .iter()
                .map(|b| char::from(*b))
                .collect::<String>()
                .into_bytes(),
            IgnoreCase => text()
                .chars()
                .flat_map(small)
                .collect::<String>()
                .into_bytes(),
            Nfkc => {
                let compatible = ComposingNormalizerBorrowed::new_nfkc();
                compatible.normalize(&text()).into_owned().into_bytes()
            }
            Nfc => {
                let composed = ComposingNormalizerBorrowed::new_nfc();
                composed.normalize(&text()).into_owned().into_bytes()
            }
            TrimEnd => each_segment(path, |segment| match segment {
                b"." | b".." => segment,
                _ => {
                    let last = segment.iter().rposition(|b| !matches!(b, b'.' | b' '));
                    &segment[..last.map_or(0, |last| last + 1)]
                }
            }),
            Trim => each_segment(path, <[u8]>::trim_ascii),
        }
    }
}

fn each_segment(path: &[u8], change: impl Fn(&[u8]) -> &[u8]) -> Vec<u8> {
    let segments: Vec<&[u8]> = path.split(|b| *b == b'/').map(change).collect();
    segments.join(&b'/')
}

/// What stands in front of the first of `ends`.
fn until<'p>(path: &'p [u8], ends: &[u8]) -> &'p [u8] {
    path.split(|b| ends.contains(b)).next().unwrap_or_default()
}

/// Letter by letter, what is left where it does not decode is dropped.
fn text_only(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    // Tests have no replacement character of their own.
    text.replace(char::REPLACEMENT_CHARACTER, "")
}

/// The small letter, as a table of simple case folding has it.
fn small(c: char) -> Vec<char> {
    match c {
        'ſ' => vec!['s'],
        'ı' | 'İ' => vec!['i'],
        '\u{212a}' => vec!['k'],
        _ => c.to_lowercase().collect(),
    }
}

fn decode(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = path;
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let digits = digits.filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.map(|two| u8::from_str_radix(two, 16)) {
            Some(Ok(byte)) if *first == b'%' => {
                out.push(byte);
                rest = &after[2..];
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}
