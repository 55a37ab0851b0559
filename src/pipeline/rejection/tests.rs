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
