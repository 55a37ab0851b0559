//! Checks of endpoints: what is asked, as it is written of one upstream or of all.

use super::*;
use crate::upstream::{HealthCall, Statuses};

/// What endpoints are asked of an upstream with this in its `health`, and this in that of all.
fn call(own: &str, of_all: &str) -> HealthCall {
    let loaded = good(&text(own, of_all));
    let [upstream] = &loaded.snapshot.upstreams[..] else {
        panic!("one upstream");
    };
    let health = upstream.rules.health.as_deref();
    health.expect("checks").call.clone()
}

fn text(own: &str, of_all: &str) -> String {
    format!(
        "[upstream_defaults]\nhealth = {{ {of_all} }}\n[upstreams.u]\nendpoints = \"http://h\"\nhealth = {{ {own} }}\n"
    )
}

fn get(path: &str, statuses: impl IntoIterator<Item = u16>) -> HealthCall {
    let statuses: Vec<_> = statuses.into_iter().collect();
    HealthCall::Http {
        path: path.into(),
        statuses: Statuses::of(&statuses),
    }
}

fn about(service: &str) -> HealthCall {
    HealthCall::Grpc {
        service: service.into(),
    }
}

#[test]
fn a_check_is_a_get_unless_grpc_is_asked_for() {
    for (own, expected) in [
        ("", get("/healthz", 200..400)),
        ("grpc = false", get("/healthz", 200..400)),
        (
            "grpc = false, path = \"/up\", statuses = 204",
            get("/up", [204]),
        ),
        ("grpc = true", about("")),
        ("grpc = \"orders.v1.Orders\"", about("orders.v1.Orders")),
        ("grpc = \"x${NONE:-readiness}\"", about("xreadiness")),
    ] {
        assert_eq!(call(own, ""), expected, "{own}");
    }
}

#[test]
fn what_all_upstreams_say_of_a_get_does_not_count_with_grpc() {
    for (own, of_all, expected) in [
        ("grpc = true", "path = \"/up\", statuses = [204]", about("")),
        ("grpc = \"a\"", "grpc = true", about("a")),
        ("", "grpc = true, interval = \"1s\"", about("")),
        (
            "grpc = false, path = \"/up\"",
            "grpc = true",
            get("/up", 200..400),
        ),
    ] {
        assert_eq!(call(own, of_all), expected, "{own} {of_all}");
    }
}

#[test]
fn what_a_check_by_grpc_has_no_use_for_is_refused() {
    let path = "`path` has no meaning in a check by gRPC: one method is called";
    let statuses =
        "`statuses` has no meaning in a check by gRPC: an answer passes that says SERVING";
    for (own, of_all, parts) in [
        (
            "grpc = true, path = \"/up\"",
            "",
            &[
                path,
                "it is by gRPC",
                "the name of the service to ask about",
            ][..],
        ),
        // It says no more than its absence would, and is there all the same.
        ("grpc = \"a\", path = \"/healthz\"", "", &[path]),
        ("grpc = true, statuses = []", "", &[statuses]),
        ("", "grpc = true, path = \"/up\"", &[path, ":2:"]),
        (
            "grpc = false",
            "grpc = true, path = \"/up\"",
            &[path, ":2:"],
        ),
        (
            "path = \"/up\"",
            "grpc = true",
            &[path, ":5:", "or write `grpc = false`"],
        ),
        (
            "grpc = 1",
            "",
            &["takes true or false, or the name", "this is a whole number"],
        ),
        ("grpc = \"\"", "", &["write true: the server as a whole"]),
        ("grpc = \"true\"", "", &["write true, without quotes"]),
        ("grpc = \"a b\"", "", &["neither blanks"]),
        ("grpc = \"orders.v1.Orders/Get\"", "", &["without a method"]),
    ] {
        let said = complaints(&text(own, of_all));
        assert!(said.ends_with("\n1 problem\n"), "{own} {of_all}\n{said}");
        for part in parts {
            assert!(said.contains(part), "{part:?} of {own} {of_all}\n{said}");
        }
    }
    let long = format!("grpc = \"{}\"", "a".repeat(257));
    assert!(complaints(&text(&long, "")).contains("at most 256 characters"));
}

#[test]
fn other_programs_words_lead_here() {
    for (lines, part) in [
        ("grpc_health_check = {}", "did you mean `health`?"),
        ("grpc = true", "this belongs in"),
    ] {
        let said = complaints(&format!(
            "[upstreams.u]\nendpoints = \"http://h\"\n{lines}\n"
        ));
        assert!(said.contains(part), "{said}");
    }
}
