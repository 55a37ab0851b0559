//! What holds for every path, hostile ones above all.

use std::borrow::Cow;

use proptest::prelude::*;

use super::super::lenient_servers::{SERVICES, segments, walked};
use super::tests::canonical;
use super::{RequestPath, normalize};

/// Paths of the pieces that attacks on path handling are made of.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = [
        "/",
        "/",
        ".",
        "..",
        "/..",
        "%2e",
        "%2E",
        "%2f",
        "%2F",
        ";",
        "%3b",
        "a",
        "orders",
        "api",
        "%61",
        "%252e",
        "%255c",
        "%252f",
        "%25",
        "\\",
        "%00",
        "%0a",
        "%01",
        "é",
        "%c3%a9",
        "%C0",
        "%e0%80",
        " ",
        "|",
        "~",
        ":",
        "%",
        "%41",
        "%20",
        "+",
        "%3f",
        "%23",
        "%ff",
        "%a9",
        "%ef%bc%8f",
        "%ef%bc%8e",
        "%ef%bc%852",
        "%e2%80%8b",
        "%c2%a0",
        "%c5%bf",
        "%25ff",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..12)
        .prop_map(|pieces| format!("/{}", pieces.concat()))
}

/// Whether every escape in a canonical path is in upper case and needed.
fn escapes_are_normal(path: &str) -> bool {
    path.split('%').skip(1).all(|after| {
        let digits = after.get(..2).unwrap_or_default();
        let byte = u8::from_str_radix(digits, 16).unwrap_or(b'a');
        digits == digits.to_uppercase() && !byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte)
    })
}

/// RFC 3986 to the letter (sections 6.2.2.2 and 5.2.4), but that empty segments are left out.
fn resolved(path: &str) -> Vec<String> {
    let mut out = Vec::new();
    for segment in dots_decoded(path).split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(out.pop()),
            segment => out.push(canonical(&format!("/{segment}"))[1..].to_owned()),
        }
    }
    out
}

fn dots_decoded(path: &str) -> String {
    path.replace("%2e", ".").replace("%2E", ".")
}

proptest! {
    #[test]
    fn canonical_is_final(path in hostile()) {
        if let Ok(once) = RequestPath::parse(path.as_bytes()) {
            let text = once.as_str();
            let twice = RequestPath::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(&twice.text, &Cow::Borrowed(text));
            prop_assert!(matches!(twice.text, Cow::Borrowed(_)));
            prop_assert_eq!(twice.has_encoded_slash(), once.has_encoded_slash());
            prop_assert_eq!(twice.is_utf8(), once.is_utf8());
            prop_assert_eq!(once.has_encoded_slash(), text.contains("%2F"));
            prop_assert!(text.starts_with('/') && text.is_ascii() && !text.contains("//"));
            prop_assert!(escapes_are_normal(text), "{}", text);
            // It is copied only if it was changed, and then there are steps.
            let unchanged = text == path;
            prop_assert_eq!(matches!(once.text, Cow::Borrowed(_)), unchanged);
            prop_assert_eq!(RequestPath::steps(path.as_bytes()).is_empty(), unchanged);
        }
    }

    #[test]
    fn it_is_the_path_that_the_rfc_resolves(path in hostile()) {
        if let Ok(canonical) = RequestPath::parse(path.as_bytes()) {
            let text = canonical.as_str();
            prop_assert_eq!(resolved(&path).join("/"), text.trim_matches('/'));
            // `/a/`, `/a/.` and `/a/b/..` name what lies below; `/a` does not.
            let last = path.rsplit('/').next().unwrap_or_default();
            prop_assert_eq!(matches!(dots_decoded(last).as_str(), "" | "." | ".."), text.ends_with('/'));
        }
    }

    #[test]
    fn no_service_finds_a_way_up(path in hostile()) {
        if let Ok(canonical) = RequestPath::parse(path.as_bytes()) {
            for service in SERVICES {
                for segment in segments(canonical.as_str(), service) {
                    prop_assert!(
                        !matches!(segment.as_slice(), b"." | b".."),
                        "{} as read by {service:?}", canonical.as_str()
                    );
                }
            }
        }
    }

    /// So the canonical path lies under the same prefixes as the original one, for every service.
    #[test]
    fn a_service_is_led_where_the_path_as_it_came_would_have_led_it(path in hostile()) {
        if let (Ok(canonical), Ok(came)) = (RequestPath::parse(path.as_bytes()), normalize(path.as_bytes())) {
            for service in SERVICES {
                for merges_first in [false, true] {
                    prop_assert_eq!(
                        walked(&came, service, merges_first),
                        walked(canonical.as_str(), service, merges_first),
                        "{} as read by {:?}, merging first: {}", canonical.as_str(), service, merges_first
                    );
                }
            }
        }
    }

    #[test]
    fn bytes_of_any_kind_are_read_without_panic(path in prop::collection::vec(any::<u8>(), 0..64)) {
        let path = [b"/", path.as_slice()].concat();
        if let Ok(canonical) = RequestPath::parse(&path) {
            prop_assert!(RequestPath::parse(canonical.as_str().as_bytes()).is_ok());
        }
    }
}
