//! What the upstream is told about the way here: only the gateway's own word, and that of
//! proxies it was told to trust.

use crate::support::{Request, Shop, each};

#[test]
fn the_upstream_learns_who_asked_and_how() {
    let shop = Shop::open();
    shop.ask(&Request::get("/api/inventory/7").host("shop.test:8080"))
        .is(200);
    let seen = shop.inventory.only();
    assert_eq!(seen.target, "/7");
    assert_eq!(seen.fields.one("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.fields.one("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.fields.one("x-forwarded-host"), Some("shop.test:8080"));
    assert_eq!(
        seen.fields.one("x-forwarded-prefix"),
        Some("/api/inventory")
    );
    assert_eq!(seen.fields.one("host"), Some("shop.test:8080"));
    let via = seen.fields.one("via").expect("Via");
    assert!(via.starts_with("1.1 "), "{via}");
}

#[test]
fn what_an_untrusted_peer_says_is_discarded() {
    let shop = Shop::open();
    let fields = [
        "Forwarded: for=203.0.113.66",
        "X-Real-IP: 203.0.113.66",
        "x-real-ip: 203.0.113.66",
        "X-Forwarded-For: 203.0.113.66",
        "X-Forwarded-For: 203.0.113.66, 127.0.0.1",
        "X-Forwarded-Proto: 203.0.113.66",
        "X-Forwarded-Host: 203.0.113.66",
        "X-Forwarded-Port: 203.0.113.66",
        "X-Forwarded-Prefix: 203.0.113.66",
        "X-Forwarded-Anything: 203.0.113.66",
        "X_Forwarded_For: 203.0.113.66",
        "X-Forwarded_For: 203.0.113.66",
        "X_Real_IP: 203.0.113.66",
    ];
    each(fields, |field| {
        let (name, value) = field.split_once(": ").expect("a field");
        for more in ["", name] {
            let request = Request::get("/api/inventory/x")
                .field(name, value)
                .field("Connection", more);
            shop.ask(&request.field(name, value)).is(200);
            let seen = shop.inventory.only();
            assert!(
                !format!("{:?}", seen.fields).contains("203.0.113.66"),
                "{:?}",
                seen.fields
            );
            assert_eq!(seen.fields.one("x-forwarded-for"), Some("127.0.0.1"));
        }
    });
}

#[test]
fn what_a_trusted_proxy_says_is_passed_on_and_added_to() {
    let shop = Shop::with("[server]\ntrusted_proxies = [\"127.0.0.0/8\"]");
    let request = Request::get("/api/inventory/x")
        .field("X-Forwarded-For", "198.51.100.7, 203.0.113.9")
        .field("X-Forwarded-Proto", "https")
        .field("X-Forwarded-Host", "public.test");
    shop.ask(&request).is(200);
    let seen = shop.inventory.only();
    let chain = seen.fields.all("x-forwarded-for").join(", ");
    assert_eq!(chain, "198.51.100.7, 203.0.113.9, 127.0.0.1");
    assert_eq!(seen.fields.one("x-forwarded-proto"), Some("https"));
    assert_eq!(seen.fields.one("x-forwarded-host"), Some("public.test"));
    // The address that is logged is the last one that nobody trusted vouches for.
    assert_eq!(shop.gateway.access_log(1)[0]["ip"], "203.0.113.9");
}

#[test]
fn the_client_is_the_last_address_that_a_trusted_proxy_names() {
    let shop = Shop::with("[server]\ntrusted_proxies = [\"127.0.0.0/8\", \"203.0.113.0/24\"]");
    let rows: [(&[&str], &str); 8] = [
        (&["198.51.100.7"], "198.51.100.7"),
        (
            &["198.51.100.66, 198.51.100.7, 203.0.113.9"],
            "198.51.100.7",
        ),
        (
            &["198.51.100.66", "198.51.100.7", "203.0.113.9"],
            "198.51.100.7",
        ),
        (&["203.0.113.8, 203.0.113.9"], "203.0.113.8"),
        (&["2001:db8::7"], "2001:db8::7"),
        (&["::ffff:198.51.100.7"], "198.51.100.7"),
        (&["198.51.100.7, garbage"], "127.0.0.1"),
        (&[""], "127.0.0.1"),
    ];
    each(rows.iter().enumerate(), |(nth, (fields, ip))| {
        let target = format!("/api/inventory/{nth}");
        let request = fields
            .iter()
            .fold(Request::get(&target), |r, v| r.field("X-Forwarded-For", v));
        shop.ask(&request).is(200);
        let lines = shop.gateway.access_log(nth + 1);
        assert_eq!(lines[*nth]["ip"], *ip);
    });
}

#[test]
fn a_client_that_names_no_host_learns_no_address() {
    let upstream = crate::support::Upstream::start(|peer| {
        loop {
            let request = peer.request()?;
            let host = request.fields.one("host").unwrap_or_default().to_owned();
            peer.reply(&request, host.as_bytes())?;
        }
    });
    let shop = Shop::selling(upstream, "");
    let mut client = shop.gateway.connect();
    client.send("GET /api/inventory/x HTTP/1.0\r\n\r\n");
    let mut answer = Vec::new();
    while let Ok(more) = client.some() {
        answer.extend(more);
    }
    let answer = String::from_utf8(answer).expect("ASCII");
    assert!(answer.contains(" 200 "), "{answer}");
    assert!(!answer.contains("127.0.0.1"), "{answer}");
    assert!(!shop.inventory.only().fields.has("x-forwarded-host"));
}

#[test]
fn services_may_not_be_told_of_the_gateway() {
    let shop = Shop::with("[server]\nvia = false");
    shop.ask(&Request::get("/api/inventory/x")).is(200);
    assert!(!shop.inventory.only().fields.has("via"));
}

#[test]
fn via_goes_on_from_what_it_was() {
    let shop = Shop::open();
    shop.ask(
        &Request::get("/api/inventory/x")
            .http10()
            .field("Via", "1.0 fred, 1.1 p.test"),
    )
    .is(200);
    let seen = shop.inventory.only();
    let via = seen.fields.items("via");
    assert_eq!(via[..2], ["1.0 fred", "1.1 p.test"]);
    assert!(via.len() == 3 && via[2].starts_with("1.0 "), "{via:?}");
}

#[test]
fn a_route_may_keep_its_prefix_and_an_endpoint_has_a_path_of_its_own() {
    let upstream = crate::support::Upstream::echo();
    let url = upstream.url();
    let gateway = crate::support::Gateway::start(&format!(
        "[routes]\n\"/kept\" = {{ upstream = \"{url}\", strip_prefix = false }}\n\"/based\" = \"{url}/base/v1\"\n\"/slash\" = \"{url}/base/\"\n\"/\" = \"{url}\""
    ));
    let rows = [
        ("/kept", "/kept", None),
        ("/kept/a/", "/kept/a/", None),
        ("/based", "/base/v1", Some("/based")),
        ("/based/", "/base/v1/", Some("/based")),
        ("/based/a?q", "/base/v1/a?q", Some("/based")),
        ("/based?q", "/base/v1?q", Some("/based")),
        ("/slash?q", "/base/?q", Some("/slash")),
        ("/slash/a", "/base/a", Some("/slash")),
        ("/elsewhere/", "/elsewhere/", None),
        ("/", "/", None),
    ];
    each(rows, |(target, sent, prefix)| {
        gateway.ask(&Request::get(target)).is(200);
        let seen = upstream.only();
        assert_eq!(seen.target, *sent);
        assert_eq!(seen.fields.one("x-forwarded-prefix"), *prefix);
    });
}

#[test]
fn a_proxy_that_nobody_has_listed_is_logged_once() {
    let shop = Shop::open();
    let request = Request::get("/api/inventory/x").field("X-Forwarded-For", "203.0.113.66");
    // Many connections, so that all workers meet it.
    for _ in 0..20 {
        shop.ask(&request).is(200);
    }
    let remedy = |line: &serde_json::Value| {
        let message = line["message"].as_str().unwrap_or_default();
        line["peer"] == "127.0.0.1" && message.contains("server.trusted_proxies")
    };
    shop.gateway.wait_log("the remedy", remedy);
    let lines = shop.gateway.log();
    assert_eq!(
        lines.iter().filter(|line| remedy(line)).count(),
        1,
        "{lines:#?}"
    );

    let trusting = Shop::with("[server]\ntrusted_proxies = [\"127.0.0.1\"]");
    trusting.ask(&request).is(200);
    let lines = trusting.gateway.log();
    assert!(!lines.iter().any(remedy), "{lines:#?}");
}
