//! From which addresses requests may come.

use crate::support::{Gateway, Request, Upstream, each, hash_of, tollgate};

#[test]
fn addresses_are_looked_at_before_keys_everywhere_and_by_route() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&format!(
        r#"
[routes]
"/" = {{ upstream = "{url}", strip_prefix = false }}
"/office" = {{ upstream = "{url}", strip_prefix = false, ip_allow = ["10.0.0.0/8", "2001:db8::/32"] }}
[access]
protected = ["/"]
ip_deny = ["203.0.113.0/24", "10.9.0.0/16"]
[access.cors]
origins = "https://app.test"
[clients.a]
keys = ["{key}"]
[server]
trusted_proxies = "127.0.0.1"
"#,
        url = upstream.url(),
        key = hash_of("k"),
    ));
    let file = gateway.dir().join("tollgate.toml");
    let file = file.to_str().expect("a path in UTF-8");
    let rows = [
        ("/", "192.0.2.1", 200, ""),
        ("/", "203.0.113.7", 403, "ip_forbidden"),
        ("/nowhere/%00", "192.0.2.1", 400, "ambiguous_path"),
        ("/office/x", "10.1.2.3", 200, ""),
        ("/office/x", "::ffff:10.1.2.3", 200, ""),
        ("/office/x", "2001:db8::7", 200, ""),
        ("/office/x", "10.9.1.1", 403, "ip_forbidden"),
        ("/office/x", "192.0.2.1", 403, "ip_forbidden"),
        // The IPv4 address in one of NAT64.
        ("/office/x", "64:ff9b::10.1.2.3", 200, ""),
        ("/", "64:ff9b::203.0.113.7", 403, "ip_forbidden"),
        // The route's rules are not spelled around.
        ("/Office/x", "192.0.2.1", 400, "ambiguous_path"),
        ("/office;x", "192.0.2.1", 400, "ambiguous_path"),
    ];
    each(rows, |(target, from, status, code)| {
        let request = Request::get(target).field("X-Forwarded-For", from);
        let response = gateway.ask(&request.clone().field("x-api-key", "k"));
        let args = [
            "explain",
            "GET",
            target,
            "--json",
            "-c",
            file,
            "-H",
            "x-api-key: k",
        ];
        let done = tollgate(&[&args[..], &["--from", from]].concat());
        let told: serde_json::Value = serde_json::from_str(&done.stdout).expect("JSON");
        if code.is_empty() {
            response.is(*status);
            upstream.only();
            assert!(told["refused"].is_null(), "{told}");
            return;
        }
        response.is_refusal(*status, code);
        assert_eq!(told["refused"]["code"], *code, "{told}");
        assert!(upstream.take().is_empty());
        if *status == 403 {
            assert_eq!(response.json()["error"], "Address not allowed");
            let wrong = gateway.ask(&request.clone().field("x-api-key", "wrong"));
            wrong.is_refusal(403, code);
            let preflight = Request::new("OPTIONS", target)
                .field("X-Forwarded-For", from)
                .field("Origin", "https://app.test")
                .field("Access-Control-Request-Method", "GET");
            gateway.ask(&preflight).is_refusal(403, code);
        }
    });
    gateway
        .ask(&Request::get("/health").field("X-Forwarded-For", "203.0.113.7"))
        .is(200);
    let done = tollgate(&["explain", "GET", "/", "--from", "203.0.113.7", "-c", file]);
    let said = "address     203.0.113.7 may not call: 203.0.113.0/24 is in access.ip_deny\n";
    assert!(done.stdout.contains(said), "{}", done.stdout);
}

#[test]
fn the_log_says_which_rule_keeps_an_address_out() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/\" = \"{0}\"\n\"/office\" = {{ upstream = \"{0}\", ip_allow = \"10.0.0.0/8\" }}\n\
         [access]\nip_deny = \"203.0.113.0/24\"\n[server]\ntrusted_proxies = \"127.0.0.1\"",
        upstream.url(),
    ));
    for (target, from, detail) in [
        ("/", "203.0.113.7", "203.0.113.0/24 is in access.ip_deny"),
        (
            "/office/x",
            "192.0.2.1",
            "it is not in the route's ip_allow",
        ),
        (
            "/",
            "unknown",
            "a trusted proxy names no address in X-Forwarded-For",
        ),
    ] {
        let request = Request::get(target).field("X-Forwarded-For", from);
        let id = format!("from-{from}");
        let response = gateway.ask(&request.field("x-request-id", &id));
        response.is_refusal(403, "ip_forbidden");
        assert!(!response.json().to_string().contains("203.0.113.0"));
        assert_eq!(gateway.line_of(&id)["detail"], detail);
    }
}

#[test]
fn a_proxy_that_does_not_say_who_called_is_not_the_caller() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/\" = \"{0}\"\n\"/office\" = {{ upstream = \"{0}\", ip_allow = \"127.0.0.0/8\" }}\n\
         [server]\ntrusted_proxies = \"127.0.0.1\"",
        upstream.url(),
    ));
    let from =
        |target, from: &str| gateway.ask(&Request::get(target).field("X-Forwarded-For", from));
    for unknown in ["unknown", "192.0.2.1, unknown", "fe80::1%eth0"] {
        from("/office", unknown).is_refusal(403, "ip_forbidden");
        // Where nobody is kept out it does not matter.
        from("/x", unknown).is(200);
    }
    from("/office", "127.0.0.9").is(200);
}
