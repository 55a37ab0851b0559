//! How services behind the gateway may read a path, naively and independently of the code that
//! guards against it: whether escapes are decoded, how often, and when parameters are cut off.
//! Tests hold the canonical path and the protected prefixes against all of them.

/// What a service does to a path before it walks its segments.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// Cuts every segment at its first `;`.
    Cut,
    /// Decodes all escapes once; a broken one stays as it is.
    Decode,
}

/// The services that are known to exist, and some more.
pub(crate) const SERVICES: [&[Step]; 8] = [
    &[],
    &[Step::Cut],
    &[Step::Decode],
    &[Step::Cut, Step::Decode],
    &[Step::Decode, Step::Cut],
    &[Step::Decode, Step::Decode],
    &[Step::Cut, Step::Decode, Step::Decode],
    &[Step::Decode, Step::Decode, Step::Cut],
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

fn all_segments(path: &str, service: &[Step]) -> Vec<Vec<u8>> {
    let mut path = path.as_bytes().to_vec();
    for step in service {
        path = match step {
            Step::Cut => cut(&path),
            Step::Decode => decode(&path),
        };
    }
    let slash = |b: &u8| matches!(b, b'/' | b'\\');
    // What stands before the first slash is no segment.
    path.split(slash).skip(1).map(<[u8]>::to_vec).collect()
}

fn cut(path: &[u8]) -> Vec<u8> {
    let segments = path.split(|b| *b == b'/');
    let cut = segments.map(|segment| segment.split(|b| *b == b';').next().unwrap_or_default());
    cut.collect::<Vec<_>>().join(&b'/')
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
