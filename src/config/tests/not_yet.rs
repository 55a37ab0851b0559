//! What is not supported yet is refused where it is asked for, and never ignored.

use super::*;

#[test]
fn each_is_refused_by_itself() {
    for (text, what) in [
        (
            "[upstreams.u]\nendpoints = [\"http://a\", \"http://b\"]".to_owned(),
            "more than one endpoint",
        ),
        (
            "[upstreams.u]\nendpoints = [{ url = \"http://a\", weight = 2 }]".to_owned(),
            "`weight`",
        ),
        (
            "[upstreams.u]\nendpoints = [\"https://a\"]".to_owned(),
            "TLS to upstreams",
        ),
        (
            "[admin]\nlisten = \"127.0.0.1:9000\"".to_owned(),
            "`admin.listen`",
        ),
    ] {
        let said = complaints(&text);
        let expected = format!("{what} is not supported yet");
        assert!(said.contains(&expected), "{text}\n{said}");
        assert!(said.ends_with("\n1 problem\n"), "{text}\n{said}");
    }
}
