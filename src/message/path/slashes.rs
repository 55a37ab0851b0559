//! The slashes of a path: which are merged, and what services make of those that are encoded. A canonical
//! path in which they could see other slashes than it shows, beside a `//`, is refused.

use crate::message::escapes::Decoded;
use crate::message::lenient::{self, Charset};

/// The path with one slash for each run of them.
pub(super) fn merge_slashes(path: &str) -> String {
    let mut merged = String::with_capacity(path.len());
    let mut before = ' ';
    merged.extend(
        path.chars()
            .filter(|c| std::mem::replace(&mut before, *c) != '/' || *c != '/'),
    );
    merged
}

/// Whether a path without repeated slashes has some when it is decoded, however often. A service that
/// takes blanks off sees none of those in between.
pub(super) fn has_encoded_run(path: &str) -> bool {
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if !segment.contains('%') {
            continue;
        }
        // The slashes around the segment are there as well; at the end of the path there is none.
        let (mut empty, mut encoded) = (true, false);
        for byte in lenient::decode(segment.bytes(), Charset::Utf8) {
            match byte {
                b'/' | b'\\' if empty => return true,
                b'/' | b'\\' => (empty, encoded) = (true, true),
                b' ' | b'+' | 0 => {}
                _ => empty = false,
            }
        }
        if encoded && empty && segments.peek().is_some() {
            return true;
        }
    }
    false
}

/// Whether all services that decode slashes see the same ones: they are written as `/` or `%2F` alone,
/// and no segment between them is empty once blanks, control characters or parameters are taken off.
pub(super) fn shows_its_slashes(path: &str) -> bool {
    let decoded = path.replace("%2F", "/");
    let mut segments = decoded.split('/').filter(|segment| !segment.is_empty());
    segments.all(|segment| {
        let mut bytes = Decoded::new(segment.bytes());
        let mut empty = true;
        !bytes.any(|decoded| decoded.byte.is_ascii_control())
            && lenient::decode(segment.bytes(), Charset::Utf8).all(|byte| {
                let ends = matches!(byte, b';' | b'?' | b'#');
                let hidden = matches!(byte, b'/' | b'\\') || (empty && ends);
                empty = empty && matches!(byte, b' ' | b'+' | b'.');
                !hidden
            })
            && !empty
    })
}
