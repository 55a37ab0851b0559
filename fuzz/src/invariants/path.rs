//! The canonical path: final, read alike by every service, never out of its prefix, and never
//! around a protected one.

use tollgate::message::mapping::PathMapping;
use tollgate::message::path::RequestPath;
use tollgate::route::{PathPrefix, ProtectedPrefix, ProtectedPrefixes};

const PREFIXES: [&str; 3] = ["/", "/api/orders", "/a"];

/// The bytes are a path.
pub fn check(input: &[u8]) {
    let steps = RequestPath::steps(input);
    let Ok(path) = RequestPath::parse(input) else {
        assert!(steps.is_empty());
        return;
    };
    let text = path.as_str();
    assert_eq!(steps.is_empty(), text.as_bytes() == input, "{steps:?}");
    check_shape(text, &path);
    let again = RequestPath::parse(text.as_bytes()).expect("it is a path");
    assert_eq!(again.as_str(), text, "a canonical path is final");
    if let Some(all) = path.with_all_slashes() {
        assert!(all.contains("//") && text != all);
        let again = RequestPath::parse(all.as_bytes()).expect("it is a path");
        assert_eq!(again, path, "with all its slashes it is the same path");
    }
    assert_eq!(
        read(text.as_bytes()),
        read(input),
        "it is the path that was meant"
    );
    let levels = [decoded(text.as_bytes()), decoded(&decoded(text.as_bytes()))];
    let utf8 = levels
        .iter()
        .all(|bytes| std::str::from_utf8(bytes).is_ok());
    assert!(utf8 || !path.is_utf8(), "{text} is not UTF-8");
    for service in lenient(text.as_bytes()) {
        let up = |segment: &&[u8]| matches!(*segment, b"." | b"..");
        assert!(
            !service.split(|b| *b == b'/').any(|segment| up(&segment)),
            "{text}"
        );
    }
    for prefix in PREFIXES {
        check_prefix(prefix, text, path.has_encoded_slash());
    }
}

/// Only what RFC 3986 lets stand in a path, in its one normal spelling.
fn check_shape(text: &str, path: &RequestPath<'_>) {
    assert!(text.starts_with('/') && !text.contains("//"), "{text}");
    assert_eq!(path.has_encoded_slash(), text.contains("%2F"));
    let mut encoded_control = false;
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte == b'%' {
            let digits = std::str::from_utf8(&rest[..2]).expect("two digits follow");
            assert_eq!(digits, digits.to_ascii_uppercase());
            let byte = u8::from_str_radix(digits, 16).expect("they are hexadecimal");
            assert!(!is_unreserved(byte) && byte != b'\\', "{text}");
            encoded_control |= byte.is_ascii_control();
            rest = &rest[2..];
        } else {
            assert!(
                is_unreserved(*byte) || b"!$&'()*+,;=:@/".contains(byte),
                "{text}"
            );
        }
    }
    assert_eq!(path.has_encoded_control(), encoded_control, "{text}");
}

/// A service appends what is left under a prefix to a path of its own, and stays below that.
fn check_prefix(prefix: &str, text: &str, encoded_slash: bool) {
    let route = PathPrefix::parse(prefix).expect("it is a prefix");
    if route.covers(text) {
        let mut sent = Vec::new();
        let mapping = PathMapping {
            public: prefix.trim_end_matches('/'),
            base: "/base",
            inserted: "",
        };
        mapping.put(&mut sent, text);
        let sent = String::from_utf8(sent).expect("it is text");
        assert!(sent == "/base" || sent.starts_with("/base/"), "{sent}");
        let seen = RequestPath::parse(sent.as_bytes()).expect("it is a path");
        assert_eq!(seen.as_str(), sent, "nothing climbs out of /base");
    }
    let wanted = read(prefix.to_ascii_lowercase().as_bytes());
    let protected = ProtectedPrefixes::new(
        vec![ProtectedPrefix {
            prefix: route,
            methods: Vec::new(),
            allow: None,
        }],
        Vec::new(),
    );
    let reaches = |path: &[u8]| {
        let service = read(&path.to_ascii_lowercase());
        let service: Vec<Vec<u8>> = service.iter().map(|segment| cut(segment)).collect();
        service.starts_with(&wanted)
    };
    let once = decoded(text.as_bytes());
    // Whether a service sees the segments as they are or decodes their slashes first, splits the
    // query off only then, leaves out what is not UTF-8, reads Latin-1, or has no case at all.
    let valid =
        |path: &[u8]| String::from_utf8_lossy(path).replace(char::REPLACEMENT_CHARACTER, "");
    let latin1: String = once.iter().map(|b| char::from(*b)).collect();
    let readings = [
        text.as_bytes().to_vec(),
        if encoded_slash {
            once.clone()
        } else {
            Vec::new()
        },
        before_query(&once),
        valid(&once).into_bytes(),
        valid(&before_query(&decoded(valid(&once).as_bytes()))).into_bytes(),
        once.iter()
            .copied()
            .filter(|b| !b.is_ascii_control())
            .collect(),
        valid(&once).to_uppercase().into_bytes(),
        latin1.to_lowercase().into_bytes(),
        trimmed(&before_query(&once)),
    ];
    if readings.iter().any(|path| reaches(path)) {
        assert!(
            protected.find(text, None).is_some(),
            "{text} reaches {prefix}"
        );
    }
}

fn before_query(path: &[u8]) -> Vec<u8> {
    let path = path.split(|b| matches!(b, b'?' | b'#')).next();
    path.unwrap_or_default().to_vec()
}

/// Without dots and blanks at the ends of its segments, as Windows takes them off.
fn trimmed(path: &[u8]) -> Vec<u8> {
    let ends = |b: &u8| matches!(b, b'.' | b' ');
    let segments = path.split(|b| *b == b'/').map(|segment| {
        let last = segment.iter().rposition(|b| !ends(b));
        &segment[..last.map_or(0, |last| last + 1)]
    });
    segments.collect::<Vec<_>>().join(&b'/')
}

/// The segments of a path, decoded once, walked as a service walks them.
fn read(path: &[u8]) -> Vec<Vec<u8>> {
    let mut segments = Vec::new();
    for segment in path.split(|b| *b == b'/').map(decoded) {
        match &segment[..] {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    segments
}

/// What services make of a path that decode it once or twice, and cut parameters off or not.
fn lenient(path: &[u8]) -> Vec<Vec<u8>> {
    let once = decoded(path);
    let twice = decoded(&once);
    let mut readings = vec![path.to_vec(), once, twice];
    for at in 0..readings.len() {
        let segments: Vec<_> = readings[at].split(|b| *b == b'/').map(cut).collect();
        readings.push(segments.join(&b'/'));
    }
    readings
}

fn cut(segment: &[u8]) -> Vec<u8> {
    let first = segment.split(|b| *b == b';').next();
    first.unwrap_or_default().to_vec()
}

/// Broken escapes stay as they are.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        let digit = |at: usize| after.get(at).and_then(|b| char::from(*b).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (byte, digit(0), digit(1)) {
            out.push(u8::try_from(high << 4 | low).expect("two digits make a byte"));
            rest = &after[2..];
        } else {
            out.push(*byte);
            rest = after;
        }
    }
    out
}

fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~".contains(&b)
}
