//! Which spellings of a path are protected.

use super::super::*;
use super::{protected, protects};
use crate::message::processor_time::assert_linear;

/// The readings that docs/life-of-a-request.md promises, each by spellings of `/api/orders`.
const SPELLINGS: [(&str, &[&str]); 14] = [
    (
        "as it is",
        &["/api/orders", "/api/orders/", "/api/orders/7"],
    ),
    (
        "letter case",
        &["/API/Orders", "/%61pi/order%53", "/api/OrDers/7"],
    ),
    (
        "letter case of any script",
        &[
            "/api/order%C5%BF",
            "/ap%C4%B1/orders",
            "/AP%C4%B0/orders",
            "/api/order%EF%BC%B3",
        ],
    ),
    (
        "parameters",
        &[
            "/api;v=1/orders;x=/7",
            "/;x/api/orders",
            "/api/;x/orders",
            "/api/orders%3Bx",
            "/api/orders;",
            "/api;%2Fx/orders",
            "/api;%2Fx%2Fy/orders/7",
            "/api%3B%2Fx/orders",
            "/api;x%2Forders",
            "/api%EF%BC%9Bx/orders",
            "/api;x%255Corders",
            "/api;%EF%BC%8Fx/orders",
            "/;x%2Fy/api/orders",
            "/;x%EF%BC%8Fy%2Fapi/orders",
            "/;x%EF%BC%8Fy%252Fapi/orders",
            "/;x%252Fy%EF%BC%8Fapi/orders",
            "/;x%25252Fy%EF%BC%852Fapi/orders",
        ],
    ),
    (
        "encoded slashes",
        &[
            "/api%2Forders",
            "/api%2forders%2F7",
            "/api%2F%2Forders",
            "/api%EF%BC%8Forders",
        ],
    ),
    (
        "encoded more than once",
        &[
            "/api%252Forders",
            "/api/order%2573",
            "/api%255Corders",
            "/api%25252Forders",
            "/api/order%25%EF%BC%973",
        ],
    ),
    (
        "decoded before the query is split off",
        &[
            "/api/orders%3Fx",
            "/api/orders%23x",
            "/api/orders%253Fx",
            "/api/orders/%3F",
            "/api/orders%2500.png",
            "/api/orders%20%3Fx",
            "/api/orders%EF%BC%9Fx",
        ],
    ),
    (
        "blanks around segments and dots behind them",
        &[
            "/api/orders.",
            "/api./orders",
            "/api/orders%20",
            "/api/orders%20./7",
            "/api%20/%20orders.%2F7",
            "/api/orders+",
            "/api/orders.;x",
            "/api/orders%C2%A0",
            "/api/.../orders",
            "/api/%20/orders",
            "/api/orders..%3Fx",
            "/api/orders%2509",
        ],
    ),
    (
        "control characters, taken out or for blanks",
        &[
            "/api/orders%00",
            "/api/%00orders",
            "/api/or%0Aders",
            "/a%7Fpi/orders%0D%0A",
            "/api/%01orders",
            "/api/%01/orders",
            "/api/%250Aorders",
            "/ap%25250Ai/orders",
        ],
    ),
    ("streams of NTFS", &["/api/orders::$DATA"]),
    (
        "compatible characters (NFKC)",
        &[
            "/%EF%BD%81%EF%BD%90%EF%BD%89/orders",
            "/api/%E2%93%9Erders",
            "/api/%F0%9D%90%A8rders",
            "/api/%EF%BC%856Frders",
        ],
    ),
    ("accents", &["/%C3%A4pi/%C3%B6rders", "/a%CC%88pi/orders"]),
    (
        "invisible characters",
        &[
            "/a%E2%80%8Bpi/orders",
            "/api/or%C2%ADders",
            "/%EF%BB%BFapi/orders",
        ],
    ),
    (
        "bytes that are not UTF-8, left out or taken for Latin-1",
        &[
            "/api/%FForders",
            "/api/orders%80",
            "/ap%C3i/orders/7",
            "/%E2%82api/orders",
            "/api%F0%9F/orders",
            "/ap%EC/orders",
            "/api/%F6rders%A0",
            "/api/order%9A",
            "/api/%25FForders",
        ],
    ),
];

#[test]
fn spellings_that_some_service_takes_for_the_prefix_are_protected() {
    for (reading, paths) in SPELLINGS {
        for path in paths {
            assert!(protects("/api/orders", path), "{reading}: {path}");
        }
    }
}

#[test]
fn prefixes_are_read_as_widely() {
    for (prefix, path) in [
        ("/a%20b", "/A+B/c"),
        ("/a%20b", "/a%20b"),
        ("/a+b", "/a%20b"),
        ("/caf%C3%A9", "/CAF%C3%89"),
        ("/caf%C3%A9", "/cafe%CC%81/x"),
        ("/caf%C3%A9", "/caf%E9"),
        // `cafÃ©`, as a service sees it that reads Latin-1.
        ("/caf%C3%A9", "/caf%E3%A9"),
        ("/caf%E9", "/caf%E9"),
        ("/caf%E9", "/CAF%C9"),
        ("/stra%C3%9Fe", "/STRASSE"),
        ("/v1.0", "/V1.0/x"),
        ("/a.", "/a"),
        ("/%EF%BD%81", "/a"),
    ] {
        assert!(protects(prefix, path), "{prefix} {path}");
    }
    // Only Latin-1 can be meant.
    assert!(!protects("/%E9t%E9", "/t"));
}

#[test]
fn whole_segments_are_compared() {
    for path in [
        "/",
        "/api",
        "/api/order",
        "/api/orders-admin",
        "/api/ordersX",
        "/x/api/orders",
        "/api/inventory/orders",
        "/apiorders",
        "/api/orders%20x",
        "/api/orders%C3%A9",
        "/api/orders.json",
        "/api.json/orders",
        "/api%3F/orders",
        "/api/;orders",
        "/api;/x/orders",
    ] {
        assert!(!protects("/api/orders", path), "{path}");
    }
    assert!(protects("/", "/") && protects("/", "/anything"));
    assert!(!protects("/a%20b", "/a") && !protects("/v1.0", "/v1"));
}

#[test]
fn long_paths_are_read_in_one_go() {
    let prefixes = protected(&["/x/y"]);
    for piece in [
        ".",
        "+",
        "%20",
        "%20.",
        ";",
        "%3B",
        ";%2F",
        "%25",
        "%EF%BC%8E",
        "/...",
        "%FF",
        "%EF%B7%BA",
    ] {
        for end in ["", "/z"] {
            assert_linear(1_000, piece, |pieces| {
                let path = format!("/x{}{end}", piece.repeat(pieces));
                assert!(prefixes.find(&path, None).is_none(), "{piece}");
            });
        }
    }
}

#[test]
fn repeated_slashes_are_read_as_services_may() {
    let prefixes = protected(&["/api/orders"]);
    for (path, anywhere, where_kept) in [
        ("/api//orders", true, true),
        ("//api/orders/7", true, true),
        ("/api//host/orders", false, true),
        ("/x//api/orders", false, true),
        ("/api/x//orders", false, true),
        ("/api/x//y/z//host/orders", false, true),
        ("/x//host/API/orders", false, true),
        ("/x//host//api/orders", false, true),
        ("/x//api//host/orders", false, true),
        ("/x//api/y", false, false),
        ("/img/http://host/a", false, false),
        ("/api/y//orders", false, true),
        ("/y//orders", false, false),
    ] {
        let path = RequestPath::parse(path.as_bytes()).unwrap();
        assert_eq!(
            prefixes.protects(&path, &Method::GET, false).is_some(),
            anywhere,
            "{path:?}"
        );
        assert_eq!(
            prefixes.protects(&path, &Method::GET, true).is_some(),
            where_kept,
            "{path:?}"
        );
    }
}
