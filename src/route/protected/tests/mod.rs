//! What is protected, and that no service is reached around it.

mod exceptions;
mod methods_and_lists;
mod slashes;
mod spellings;

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
