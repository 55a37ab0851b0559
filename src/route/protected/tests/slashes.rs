//! What services may make of slashes that are repeated or encoded leads nobody around protection.

use proptest::prelude::*;

use super::super::*;
use super::protected;
use crate::message::lenient_servers::{SERVICES, led_by_run, segments};
use crate::route::slashes::{MAX_RUNS, are_uncertain, runs};

/// Paths with slashes of all kinds.
fn with_slashes() -> impl Strategy<Value = String> {
    let pieces = [
        "/",
        "/",
        "//",
        "%2f",
        "%2F%2F",
        "/%2F",
        "%2F/",
        "%252F",
        "%255c",
        "%25",
        "2F",
        "api",
        "API",
        "orders",
        "orders",
        "order%2573",
        "x",
        "h",
        ":",
        "%3A",
        "%20",
        ";",
        "%3f",
        "%23",
        "%00",
        "%01",
        "%ff",
        "%ef%bc%8f",
        "+",
        ".",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..12)
        .prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// A path that is not refused for its slashes.
    #[test]
    fn no_service_is_led_around_protection_by_slashes(path in with_slashes(), keeps in any::<bool>()) {
        let Ok(path) = RequestPath::parse(path.as_bytes()) else {
            return Ok(());
        };
        let kept = path.with_all_slashes().filter(|_| keeps);
        let refused = kept.is_some() && path.hides_slashes() || runs(&path, keeps) > MAX_RUNS;
        if refused || !are_uncertain(&path, keeps) {
            return Ok(());
        }
        for prefix in ["/api", "/api/orders", "/orders", "/x/api"] {
            for service in SERVICES {
                let small = |segments: &[Vec<u8>]| -> Vec<Vec<u8>> {
                    segments.iter().map(|segment| segment.to_ascii_lowercase()).collect()
                };
                let prefix_segments = small(&segments(prefix, service));
                for led in led_by_run(kept.unwrap_or(path.as_str()), service) {
                    prop_assert!(
                        !small(&led).starts_with(&prefix_segments)
                            || protected(&[prefix]).protects(&path, &Method::GET, keeps).is_some(),
                        "{path:?} leads {service:?} to {prefix}"
                    );
                }
            }
        }
    }
}

#[test]
fn encoded_slashes_are_read_as_services_may() {
    let prefixes = protected(&["/api/orders"]);
    for (path, is_protected) in [
        ("/proxy/https%3A%2F%2Fexample.com", false),
        ("/proxy/https%3A%2F%2Fexample.com/orders", false),
        ("/proxy/https%3A%2F%2Fexample.com%2Fapi%2Forders%3Fx", true),
        ("/proxy/https%3A%2F%2Fexample.com/API/Orders", true),
        ("/proxy/x%2F%2Fapi/orders", true),
        ("/api/x%2F%2Forders", true),
        ("/api/%2Forders", true),
        ("/api/https%3A%2F%2Fh/orders", true),
        ("/x%2F%2Fapi/y", false),
    ] {
        let path = RequestPath::parse(path.as_bytes()).unwrap();
        for keeps in [false, true] {
            let found = prefixes.protects(&path, &Method::GET, keeps);
            assert_eq!(found.is_some(), is_protected, "{path:?}");
        }
    }
    // Kept slashes, and what a service decodes before it looks at them.
    for path in ["//h%2Fapi%2Forders", "/x//h%2Fapi/orders"] {
        let path = RequestPath::parse(path.as_bytes()).unwrap();
        assert!(
            prefixes.protects(&path, &Method::GET, true).is_some(),
            "{path:?}"
        );
    }
}
