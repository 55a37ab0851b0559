//! What becomes of paths, honest and hostile.

use super::{AmbiguousPath, RequestPath, is_plainly_canonical};
use crate::message::processor_time::assert_linear;

pub(super) fn canonical(path: &str) -> String {
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
        ("/a\u{1}", Control),
        ("/a\u{7f}", Control),
        ("/%00..", HiddenDots),
        ("/..%0A/a", HiddenDots),
        ("/.%00./a", HiddenDots),
        ("/.%01./a", HiddenDots),
        ("/%2500../a", HiddenDots),
        ("/a/%00/../b", UncertainParent),
        ("/a/%1F/../b", UncertainParent),
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
fn an_encoded_slash_beside_another_slash_is_marked_or_refused() {
    for path in [
        "/x%2F%252Fh/secret",
        "/x%2F%2Fh%252Fsecret",
        "/x%2F%2Fh/%255Csecret",
        "/x%2F%2Fh%EF%BC%8Fsecret",
        "/x%2F%2F%20/h",
        "/x%2F%2F;a/h",
        "/x%2F%2F%3Fh/secret",
        "/x%2F%2Fh/%2500",
        "/x%2F%2Fh/%25%012F",
        "/%252Fh/secret",
        "/%25252Fh/secret",
        "/%255Ch/secret",
        "/%20%2Fh/secret",
        "/%EF%BC%8Fh/secret",
    ] {
        let parsed = RequestPath::parse(path.as_bytes());
        assert_eq!(parsed, Err(AmbiguousPath::EncodedSlashes), "{path}");
    }
    for (path, encoded_run) in [
        ("/%2Fh/secret", true),
        ("/%2F%2Fh/secret", true),
        ("/x/%2Fsecret", true),
        ("/x%2f/secret", true),
        ("/login/%2F/h/zz", true),
        ("/x/https%3A%2F%2Fh%2Fa%3Fb", true),
        ("/x%2Fh/secret", false),
        ("/x//h%2Fsecret", false),
        ("/x%2F", false),
    ] {
        let parsed = RequestPath::parse(path.as_bytes()).unwrap();
        assert_eq!(parsed.has_encoded_run(), encoded_run, "{path}");
        let configured = RequestPath::parse_configured(path);
        assert_eq!(configured.is_err(), encoded_run, "{path}");
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
        "/x%252Fa",
        "/x%2F",
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
fn what_routes_decide_is_marked() {
    let parse = |path: &'static str| RequestPath::parse(path.as_bytes()).unwrap();
    for (path, control) in [
        ("/a%00", true),
        ("/a%0d%0Ab", true),
        ("/%7f", true),
        ("/a%20b", false),
        ("/a%2500", false),
        ("/%80", false),
    ] {
        assert_eq!(parse(path).has_encoded_control(), control, "{path}");
        assert_eq!(
            RequestPath::parse_configured(path).is_err(),
            control,
            "{path}"
        );
    }
    for (path, all) in [
        ("/a/b/", None),
        ("//a", Some("//a")),
        ("/a///b//", Some("/a///b//")),
        ("/a/.//b", Some("/a//b")),
        ("/a//b/../%63", Some("/a//c")),
    ] {
        assert_eq!(parse(path).with_all_slashes(), all, "{path}");
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
        assert_linear(500, piece, |pieces| {
            let path = format!("/x{}", piece.repeat(pieces));
            RequestPath::parse(path.as_bytes()).is_ok()
        });
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
