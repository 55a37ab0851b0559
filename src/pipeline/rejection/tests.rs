//! Tests of rejections.

use super::*;

#[test]
fn a_problem_has_the_members_of_rfc_9457_and_our_own() {
    let field = KeySources::default();
    let problem = Rejection::Internal.problem(&field, "id-1");
    let problem: serde_json::Value = serde_json::from_slice(&problem).unwrap();
    assert_eq!(problem["type"], "urn:tollgate:problem:internal");
    assert_eq!(
        (&problem["title"], &problem["error"]),
        (&"Internal error".into(), &"Internal error".into())
    );
    assert_eq!(
        (&problem["status"], &problem["code"]),
        (&500.into(), &"internal".into())
    );
    assert_eq!(problem["request_id"], "id-1");
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|detail| !detail.is_empty())
    );
}

#[test]
fn the_largest_body_is_said_in_units_that_it_has_whole() {
    let detail = |limit| {
        let too_large = Rejection::BodyTooLarge { limit };
        too_large.detail(&KeySources::default()).into_owned()
    };
    for (limit, size) in [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1000, "1000 bytes"),
        (1024, "1 KiB"),
        (1025, "1025 bytes"),
        (1536 << 10, "1536 KiB"),
        (10 << 20, "10 MiB"),
        (1 << 30, "1 GiB"),
        (3 << 40, "3072 GiB"),
    ] {
        let expected = format!("The body must not exceed {size} on this route.");
        assert_eq!(detail(limit), expected);
    }
}
