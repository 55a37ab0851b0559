//! Exceptions from protection open the paths that are written, and no other.

use proptest::prelude::*;

use super::super::*;
use super::{entry, hostile};
use crate::message::lenient_servers::{SERVICES, segments};

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
fn a_path_whose_repeated_slashes_are_kept_is_no_exception() {
    let prefixes = with_exceptions();
    for (path, merged, kept) in [
        ("/login/x", false, false),
        ("//login/x", false, true),
        ("/login//x", false, true),
    ] {
        let path = RequestPath::parse(path.as_bytes()).unwrap();
        let protects = |keeps| prefixes.protects(&path, &Method::GET, keeps).is_some();
        assert_eq!(
            (protects(false), protects(true)),
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
