//! Which spellings of a path are protected, and that no service is reached around it.

use proptest::prelude::*;

use super::*;
use crate::message::lenient_servers::{SERVICES, segments};

/// Prefixes that are protected from all methods, for every client.
fn protected(prefixes: &[&str]) -> ProtectedPrefixes {
    ProtectedPrefixes::new(
        prefixes.iter().map(|text| entry(text)).collect(),
        Vec::new(),
    )
}

fn entry(prefix: &str) -> ProtectedPrefix {
    ProtectedPrefix {
        prefix: PathPrefix::parse(prefix).unwrap(),
        methods: Vec::new(),
        allow: None,
    }
}

fn protects(prefix: &str, path: &str) -> bool {
    protected(&[prefix])
        .find(path, Some(&Method::GET))
        .is_some()
}

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

/// Each byte is looked at a few times, however a path is made.
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
        for path in [
            format!("/x{}", piece.repeat(20_000)),
            format!("/x{}/z", piece.repeat(20_000)),
        ] {
            let begun = std::time::Instant::now();
            assert!(prefixes.find(&path, None).is_none(), "{piece}");
            assert!(begun.elapsed().as_secs() < 5, "{piece}");
        }
    }
}

#[test]
fn repeated_slashes_are_read_as_services_may() {
    let kept = protected(&["/api/orders"]).with_kept_slashes(true);
    let merged = protected(&["/api/orders"]);
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
            merged.protects(&path, &Method::GET).is_some(),
            anywhere,
            "{path:?}"
        );
        assert_eq!(
            kept.protects(&path, &Method::GET).is_some(),
            where_kept,
            "{path:?}"
        );
    }
}

#[test]
fn the_shortest_of_several_is_found() {
    let texts = ["/b/c", "/b", "/a", "/b-c", "/b/c/d"];
    let prefixes = protected(&texts);
    assert!(prefixes.iter().map(|one| one.prefix.as_str()).eq(texts));
    for (path, wanted) in [
        ("/b/c/d", Some("/b")),
        ("/B", Some("/b")),
        ("/b-c/x", Some("/b-c")),
        ("/a/b", Some("/a")),
        ("/b-", None),
        ("/c", None),
        ("/", None),
    ] {
        let found = prefixes.find(path, None).map(|one| one.prefix.as_str());
        assert_eq!(found, wanted, "{path}");
    }
}

#[test]
fn nothing_is_protected_by_nothing() {
    assert!(ProtectedPrefixes::default().find("/api", None).is_none());
}

/// Paths of the pieces that attacks on path handling are made of.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = [
        "/",
        "/",
        "/",
        "/",
        "api",
        "api",
        "api+x",
        "api",
        "API",
        "orders",
        "orders",
        "%6Frders",
        "Order%73",
        "order%2573",
        ";",
        ";",
        "%3b",
        "%2f",
        "%2f",
        "%252F",
        "%255c",
        "x",
        "..",
        "%20",
        "%25",
        "+",
        ".",
        ".json",
        "%3f",
        "%23",
        "%2500",
        "%00",
        "%0a",
        "%01",
        "%250a",
        "%ff",
        "%c3",
        "%e2%82",
        "%25ff",
        "order%c5%bf",
        "ap%c4%b1",
        "%ef%bd%81pi",
        "%ef%bc%856frders",
        "%ef%bc%8f",
        "%ef%bc%9b",
        "%ef%bc%85",
        "2f",
        "%c3%a9",
        "%e9",
        "%E3%A9",
        "caf",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..10)
        .prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #[test]
    fn no_service_is_reached_around_protection(path in hostile()) {
        let Ok(canonical) = RequestPath::parse(path.as_bytes()) else {
            return Ok(());
        };
        let path = canonical.as_str();
        for prefix in ["/api", "/api/orders", "/api/orders/x", "/caf%C3%A9", "/api%20x"] {
            for service in SERVICES {
                let read = |path: &str| -> Vec<Vec<u8>> {
                    let segments = segments(path, service).into_iter();
                    segments.map(|segment| segment.to_ascii_lowercase()).collect()
                };
                if read(path).starts_with(&read(prefix)) {
                    prop_assert!(
                        protects(prefix, path),
                        "{path} reaches {prefix}, read by {service:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn many_prefixes_protect_what_each_protects(path in hostile()) {
        let texts = ["/api", "/api/orders", "/x", "/orders/x", "/api%20"];
        let prefixes = protected(&texts);
        if let Ok(path) = RequestPath::parse(path.as_bytes()) {
            let any = texts.iter().any(|prefix| protects(prefix, path.as_str()));
            prop_assert_eq!(prefixes.find(path.as_str(), None).is_some(), any);
        }
    }
}

/// Everything is protected but `/login` and `/caf%C3%A9`; `/login/admin` is protected all the same.
fn with_exceptions() -> ProtectedPrefixes {
    let public = ["/login", "/caf%C3%A9", "/a/b"].map(|text| PathPrefix::parse(text).unwrap());
    let protected = ["/", "/login/admin", "/A"].map(entry);
    ProtectedPrefixes::new(protected.into(), public.into())
}

#[test]
fn an_exception_opens_the_very_letters_and_nothing_else() {
    let prefixes = with_exceptions();
    for path in [
        "/login",
        "/login/",
        "/login/x",
        "/login/a%20b/c;d",
        "/caf%C3%A9/x",
        "/a/b/c",
    ] {
        assert!(prefixes.find(path, None).is_none(), "{path}");
    }
    for path in [
        "/",
        "/Login",
        "/LOGIN/x",
        "/loginx",
        "/login.json",
        "/login;x",
        "/login%20",
        "/login.",
        "/login%2Fx",
        "/login%3Fx",
        "/login%00",
        "/%EF%BD%8Cogin",
        "/login%FF",
        "/x/login",
        "/cafe",
        "/caf%E9",
        "/CAF%C3%A9",
        "/A/b",
        "/a",
    ] {
        assert!(prefixes.find(path, None).is_some(), "{path}");
    }
}

#[test]
fn what_is_protected_below_an_exception_stays_so_in_all_readings() {
    let prefixes = with_exceptions();
    for path in [
        "/login/admin",
        "/login/ADMIN/x",
        "/login/%61dmin",
        "/login/admin;x",
        "/login/x%2F..%2Fadmin",
        "/login%2Fadmin",
        "/login/admin%3Fx",
        "/login/adm%FFin",
    ] {
        let Ok(canonical) = RequestPath::parse(path.as_bytes()) else {
            continue;
        };
        assert!(prefixes.find(canonical.as_str(), None).is_some(), "{path}");
    }
    assert!(prefixes.find("/login/administration", None).is_none());
}

#[test]
fn methods_are_compared_without_case_and_get_takes_head_along() {
    let of = |methods: &[Method]| {
        let only = ProtectedPrefix {
            methods: methods.to_vec(),
            ..entry("/a")
        };
        ProtectedPrefixes::new(vec![only], Vec::new())
    };
    let method = |text: &str| Method::from_bytes(text.as_bytes()).unwrap();
    for (methods, asked, protected) in [
        (&[Method::POST][..], "POST", true),
        (&[Method::POST], "post", true),
        (&[Method::POST], "GET", false),
        (&[Method::GET], "HEAD", true),
        (&[Method::GET], "head", true),
        (&[Method::HEAD], "GET", false),
        (&[Method::GET, Method::PUT], "PUT", true),
    ] {
        let prefixes = of(methods);
        let found = prefixes.find("/A/x", Some(&method(asked)));
        assert_eq!(found.is_some(), protected, "{methods:?} {asked}");
        assert!(prefixes.find("/a", None).is_none(), "not from all methods");
    }
}

#[test]
fn every_list_that_covers_a_path_is_asked() {
    let of = |prefix: &str, list: usize| ProtectedPrefix {
        allow: Some(list),
        ..entry(prefix)
    };
    let prefixes = vec![entry("/"), of("/a", 1), of("/a/b", 2), of("/c", 3)];
    let public = vec![PathPrefix::parse("/a/b/c").unwrap()];
    let prefixes = ProtectedPrefixes::new(prefixes, public);
    let asked = |path: &str| {
        let mut asked = Vec::new();
        let path = RequestPath::parse(path.as_bytes()).unwrap();
        prefixes.find_restricted(&path, &Method::GET, |_, list| {
            asked.push(list);
            None::<()>
        });
        asked.sort_unstable();
        asked.dedup();
        asked
    };
    assert_eq!(asked("/a/b/x"), [1, 2]);
    assert_eq!(asked("/A;x/%62/x"), [1, 2]);
    assert_eq!(asked("/a"), [1]);
    assert_eq!(asked("/x"), [0; 0]);
    assert_eq!(asked("/a/b/c/d"), [0; 0], "lifted");
    assert_eq!(asked("/a/b/C"), [1, 2]);
}

#[test]
fn a_path_whose_repeated_slashes_are_kept_is_no_exception() {
    let (merging, keeping) = (with_exceptions(), with_exceptions().with_kept_slashes(true));
    for (path, merged, kept) in [
        ("/login/x", false, false),
        ("//login/x", false, true),
        ("/login//x", false, true),
    ] {
        let path = RequestPath::parse(path.as_bytes()).unwrap();
        let protects =
            |prefixes: &ProtectedPrefixes| prefixes.protects(&path, &Method::GET).is_some();
        assert_eq!(
            (protects(&merging), protects(&keeping)),
            (merged, kept),
            "{path:?}"
        );
    }
}

proptest! {
    #[test]
    fn what_an_exception_opens_no_service_reads_as_anything_else(
        path in hostile(),
        below in any::<bool>(),
    ) {
        let path = if below { format!("/api{path}") } else { path };
        let Ok(canonical) = RequestPath::parse(path.as_bytes()) else {
            return Ok(());
        };
        let path = canonical.as_str();
        for public in ["/api", "/api/orders", "/caf%C3%A9"] {
            let prefixes = ProtectedPrefixes::new(
                vec![entry("/")],
                vec![PathPrefix::parse(public).unwrap()],
            );
            if prefixes.find(path, None).is_some() {
                continue;
            }
            for service in SERVICES {
                let read = segments(path, service);
                prop_assert!(
                    read.starts_with(&segments(public, service)),
                    "{path} is public as {public}, read by {service:?}"
                );
            }
        }
    }
}
