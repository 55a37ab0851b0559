//! What becomes of paths, honest and hostile.

use std::borrow::Cow;

use proptest::prelude::*;

use super::super::lenient_servers::{SERVICES, segments, walked};
use super::{AmbiguousPath, RequestPath, is_plainly_canonical, normalize};

fn canonical(path: &str) -> String {
    RequestPath::parse(path.as_bytes())
        .unwrap_or_else(|e| panic!("{path}: {e}"))
        .as_str()
        .to_owned()
}

#[test]
fn spellings_of_one_path_become_one() {
    for (path, wanted) in [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("//a///b", "/a/b"),
        ("/a/./b", "/a/b"),
        ("/a/.", "/a/"),
        ("/a/b/..", "/a/"),
        ("/a/b/../c", "/a/c"),
        ("/../../a", "/a"),
        ("/..", "/"),
        ("/a/%2e%2E/b", "/b"),
        ("/%61%2Db", "/a-b"),
        ("/a%3ab", "/a%3Ab"),
        ("/caf\u{e9}", "/caf%C3%A9"),
        ("/a|b", "/a%7Cb"),
        ("/a;v=1/b", "/a;v=1/b"),
        ("/a%2fb", "/a%2Fb"),
        ("/.well-known/x", "/.well-known/x"),
        ("/...", "/..."),
        ("/a%252Fb", "/a%252Fb"),
        ("/a/b//", "/a/b/"),
        ("/a/..//b", "/b"),
    ] {
        assert_eq!(canonical(path), wanted, "{path}");
    }
    assert!(RequestPath::parse(b"/a%2Fb").unwrap().has_encoded_slash());
    assert!(!RequestPath::parse(b"/a/b").unwrap().has_encoded_slash());
}

#[test]
fn what_has_two_readings_is_refused() {
    use AmbiguousPath::{
        BrokenEscape, Control, HiddenDots, NoLeadingSlash, Overlong, UncertainParent,
    };
    for (path, why) in [
        ("", NoLeadingSlash),
        ("a", NoLeadingSlash),
        ("*", NoLeadingSlash),
        ("/a\\b", AmbiguousPath::Backslash),
        ("/a%00", Control),
        ("/a%0d%0a", Control),
        ("/a\u{1}", Control),
        ("/%", BrokenEscape),
        ("/%z1", BrokenEscape),
        ("/%u002e", BrokenEscape),
        ("/a%2", BrokenEscape),
        ("/%c0%ae%c0%ae/a", Overlong),
        ("/a%25c0%25ae", Overlong),
        ("/..%c0%afa", Overlong),
        ("/%e0%80%ae/a", Overlong),
        ("/%f0%80%80%ae", Overlong),
        ("/..;/a", HiddenDots),
        ("/.;x/a", HiddenDots),
        ("/%2e%2e;a=b", HiddenDots),
        ("/..%2fa", HiddenDots),
        ("/x%2f..", HiddenDots),
        ("/x%2F..%2Fa", HiddenDots),
        ("/..%3Bx", HiddenDots),
        ("/%252e%252e/a", HiddenDots),
        ("/..%252fa", HiddenDots),
        ("/%25%32%65./a", HiddenDots),
        ("/..%255cx", HiddenDots),
        ("/..%2500x", HiddenDots),
        ("/a%2F.;b", HiddenDots),
        ("/a;x%2F..", HiddenDots),
        ("/%f8%80%80%80%ae/a", Overlong),
        ("/..%20/a", HiddenDots),
        ("/%20./a", HiddenDots),
        ("/..+/a", HiddenDots),
        ("/+../a", HiddenDots),
        ("/..%3Fx", HiddenDots),
        ("/.%23x", HiddenDots),
        ("/.%FF./a", HiddenDots),
        ("/..%C2%A0", HiddenDots),
        // Full-width dots, two dots in one character, a full-width slash, an invisible character.
        ("/%EF%BC%8E%EF%BC%8E/a", HiddenDots),
        ("/%E2%80%A5/a", HiddenDots),
        ("/..%EF%BC%8Fa", HiddenDots),
        ("/.%E2%80%8B./a", HiddenDots),
        // A full-width percent sign, full-width digits, and digits that are escaped twice.
        ("/%EF%BC%852e%EF%BC%852e/a", HiddenDots),
        ("/%25%EF%BC%92e./a", HiddenDots),
        ("/%2525%2532%2565./a", HiddenDots),
        ("//..", UncertainParent),
        ("/a/%20/..", UncertainParent),
        ("/a/.../../b", UncertainParent),
        ("/a/%FF/../b", UncertainParent),
        ("/a%3Fx/../b", UncertainParent),
        ("/a%EF%BC%8Fx/../b", UncertainParent),
        ("/a//../b", UncertainParent),
        ("/a//b/../../c", UncertainParent),
        ("/;x/%2e%2e/b", UncertainParent),
        ("/a%2Fb/..", UncertainParent),
        ("/a/%252f/../b", UncertainParent),
    ] {
        assert_eq!(
            RequestPath::parse(path.as_bytes()).map(|p| p.as_str().to_owned()),
            Err(why),
            "{path}"
        );
    }
}

#[test]
fn what_only_looks_like_dots_passes() {
    for path in [
        "/a/..b",
        "/a/.b/c.",
        "/...;x",
        "/a..",
        "/a;../b",
        "/a;..",
        "/a%2Fb..",
        "/%252Fa",
        "/;a",
        "/...%20",
        "/.%20x",
        "/+",
        "/%20/a",
        "/%E2%80%A6",
        "/.%C3%A9",
        "/50%25%C3%A9c",
        "/%C0_",
        "/a%C1",
        "/%EF%BC%85off",
    ] {
        assert_eq!(canonical(path), path);
    }
}

#[test]
fn what_is_not_utf8_is_marked() {
    for path in [
        "/caf%C3%A9",
        "/caf\u{e9}",
        "/%F0%9F%A6%80",
        "/%25C3%25A9",
        "/%2525C3%2525A9",
        "/a%20b",
        "/%25",
    ] {
        assert!(
            RequestPath::parse(path.as_bytes()).unwrap().is_utf8(),
            "{path}"
        );
    }
    let raw: [&[u8]; 3] = [b"/\xff", b"/caf\xe9", b"/\xc3%41"];
    let escaped = [
        "/%FF",
        "/a%80",
        "/%C3",
        "/%C3x",
        "/%E2%82",
        "/%E2%82x",
        "/%F0%9F%A6",
        "/%ED%A0%80",
        "/%F5%80%80%80",
        "/%C0_",
        "/%C1",
        "/%FE%80",
        "/%25FF",
        "/%C3%25A9",
        "/%25C3%A9",
        "/%2525FF",
        "/%C3%A9/%E9",
    ];
    for path in escaped.iter().map(|path| path.as_bytes()).chain(raw) {
        let text = String::from_utf8_lossy(path);
        assert!(!RequestPath::parse(path).unwrap().is_utf8(), "{text}");
    }
}

#[test]
fn canonical_paths_pass_the_quick_check() {
    for path in [
        "/",
        "/a/b/",
        "/a;v=1/b",
        "/.well-known/x",
        "/...",
        "/..a",
        "/a%20b%3A",
        "/a+b",
        "/~a/!$&'()*+,;=:@",
    ] {
        assert!(is_plainly_canonical(path.as_bytes()), "{path}");
    }
}

#[test]
fn long_paths_are_read_in_one_go() {
    for piece in [
        "/a/..",
        "/.",
        "%25",
        "%252e",
        ";",
        "/%2e%2e",
        "/a%2F",
        ".",
        "%20",
        ".+",
        "%EF%BC%8E",
        "%FF",
        "%EF%B7%BA",
        "%CC%81",
        "%EF%BC%8525",
    ] {
        let path = format!("/x{}", piece.repeat(4_000));
        let begun = std::time::Instant::now();
        let _ = RequestPath::parse(path.as_bytes());
        // A reading that is quadratic in the path's length takes far longer.
        assert!(begun.elapsed().as_secs() < 5, "{piece}");
    }
}

#[test]
fn steps_name_what_was_changed() {
    assert_eq!(RequestPath::steps(b"/a/b"), Vec::<&str>::new());
    assert_eq!(
        RequestPath::steps(b"//a/%61/../b"),
        [
            "decoded unreserved characters",
            "merged slashes",
            "removed dot segments"
        ]
    );
    assert_eq!(
        RequestPath::steps(b"/a%2fb|"),
        ["escapes in upper case", "escaped what a path cannot have"]
    );
}

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
