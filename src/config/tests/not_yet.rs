//! What is not supported yet is refused where it is asked for, and never ignored.

use super::*;

#[test]
fn each_is_refused_by_itself() {
    let redis = "[limits.redis]\nurl = \"redis://h\"\n";
    let route = "[upstreams.u]\nendpoints = [\"http://u\"]\n[routes]\n\"/a\" = { upstream = \"u\"";
    for (text, what) in [
        (
            format!("{route}, limits = [\"x\"] }}"),
            "`limits` on a route",
        ),
        (format!("{route}, cost = 5 }}"), "`cost`"),
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
            "[limits]\nanonymous = { requests = 1, per = \"1s\", algorithm = \"sliding-window\" }"
                .to_owned(),
            "another algorithm than \"fixed-window\"",
        ),
        (
            "[limits]\nidentified = { requests = 1, per = \"1s\", algorithm = \"token-bucket\" }"
                .to_owned(),
            "another algorithm than \"fixed-window\"",
        ),
        (
            "[limits.tiers.a]\nrequests = 1\nper = \"1s\"\nburst = 5".to_owned(),
            "`burst`",
        ),
        (
            "[limits.policies.a]\nrequests = 1\nper = \"1s\"\nby = \"route\"\nmode = \"shadow\""
                .to_owned(),
            "`limits.policies`",
        ),
        (
            "[limits]\nstate_file = \"/var/lib/tollgate/limits\"".to_owned(),
            "`limits.state_file`",
        ),
        (
            format!("{redis}mode = \"cluster\""),
            "another mode than \"single\"",
        ),
        (
            format!("{redis}mode = \"sentinel\""),
            "another mode than \"single\"",
        ),
        (
            format!("{redis}master = \"mymaster\""),
            "`limits.redis.master`",
        ),
        (
            "[limits.redis]\nurl = [\"redis://a\", \"redis://b\"]".to_owned(),
            "more than one `url`",
        ),
        (
            "[limits.redis]\nurl = \"rediss://a\"".to_owned(),
            "TLS to Redis",
        ),
        (format!("{redis}ca = \"ca.pem\""), "`limits.redis.ca`"),
        (format!("{redis}cert = \"cert.pem\""), "`limits.redis.cert`"),
        (format!("{redis}key = \"key.pem\""), "`limits.redis.key`"),
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

#[test]
fn it_is_checked_all_the_same() {
    let said = complaints(
        r#"
        [limits.policies.a]
        requests = "many"
        per = "1s"
        by = "clint"
        mode = 1
        on_failure = "local"
        bye = "ip"
        "#,
    );
    for expected in [
        "`limits.policies.a.requests` takes a whole number",
        "did you mean \"client\"?",
        "`limits.policies.a.mode` takes \"enforce\" or \"shadow\"",
        "unknown key `bye`",
        "`limits.policies` is not supported yet",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
}
