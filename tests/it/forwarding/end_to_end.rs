//! End-to-end fields pass both ways as they came: values, repetitions, order, letter case.

use crate::support::{Request, Shop, Upstream, latin1};

#[test]
fn request_fields_arrive_as_they_were_sent() {
    let shop = Shop::open();
    let sent = [
        ("Accept", "text/html, */*;q=0.1"),
        ("X-Multi", "one"),
        ("Accept-Encoding", "gzip, br"),
        ("Authorization", "Basic dTpw"),
        ("Cookie", "a=1; b=\"2\""),
        ("X-Multi", "two, three"),
        ("User-Agent", "tests/1 (x; y)"),
        ("If-None-Match", "W/\"a\", \"b\""),
        ("Range", "bytes=0-1"),
        ("X-Inner", "a  b\tc , d"),
        ("X-Empty", ""),
        ("Content-Type", "text/plain; charset=\"utf-8\""),
        ("Referer", "http://r.test/?a=b"),
        ("x-lower", "1"),
        ("X-UPPER", "2"),
        ("X-Multi", "four"),
        (
            "Traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        ("X-Latin", "caf\u{e9}"),
        ("Cookie", "c=3"),
    ];
    let request = sent
        .iter()
        .fold(Request::post("/api/inventory/x", "x"), |r, (n, v)| {
            r.field(n, v)
        });
    shop.ask(&request).is(200);

    let seen = shop.inventory.only();
    let ours = |name: &str| sent.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    let arrived: Vec<_> = seen
        .fields
        .0
        .iter()
        .filter(|(name, _)| ours(name))
        .collect();
    let expected: Vec<_> = sent
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    assert_eq!(arrived, expected.iter().collect::<Vec<_>>());
    let raw = latin1("X-Latin: caf\u{e9}\r\n");
    assert!(
        seen.raw.windows(raw.len()).any(|w| w == raw),
        "not byte for byte"
    );
}

#[test]
fn response_fields_come_back_as_they_were_sent() {
    let lines = [
        "Set-Cookie: a=1; HttpOnly",
        "Date: Tue, 24 Nov 2026 10:00:00 GMT",
        "Set-Cookie: b=2, x; Expires=Tue, 01 Dec 2026 00:00:00 GMT",
        "X-Dup: one",
        "Set-Cookie: c=3",
        "Server: upstream/1",
        "X-Dup: two",
        "ETag: W/\"abc\"",
        "Cache-Control: no-store",
        "Vary: Accept, Accept-Encoding",
        "X-Empty:",
        "x-lower: 1",
        "WWW-Authenticate: Basic realm=\"up, stream\"",
        "Location: https://example.com/elsewhere?a=b",
    ];
    let answer = format!(
        "HTTP/1.1 203 My Own Reason\r\n{}\r\nContent-Length: 2\r\n\r\nok",
        lines.join("\r\n")
    );
    let shop = Shop::selling(Upstream::answering(answer), "");
    let response = shop.ask(&Request::get("/api/inventory/x"));
    assert_eq!(
        (response.status, response.reason.as_str()),
        (203, "My Own Reason")
    );

    let expected: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| line.split_once(':').expect("a field"))
        .map(|(n, v)| (n, v.trim()))
        .collect();
    let ours = |name: &str| expected.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    let came: Vec<_> = response.fields.0.iter().filter(|(n, _)| ours(n)).collect();
    let came: Vec<_> = came.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(came, expected);
}

#[test]
fn nothing_is_added_twice() {
    let answer = "HTTP/1.1 200 OK\r\nX-Request-Id: up-1\r\nDate: Tue, 24 Nov 2026 10:00:00 GMT\r\nVia: 1.1 other\r\n\
                  Server: up\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n";
    let shop = Shop::selling(Upstream::answering(answer), "");
    let fields = [
        ("X-Request-Id", "r-1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "h.test"),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Prefix", "/fake"),
        ("X-Real-IP", "203.0.113.1"),
        ("User-Agent", "u"),
        ("Accept-Encoding", "gzip"),
        ("Via", "1.0 fred"),
    ];
    let request = fields
        .iter()
        .fold(Request::post("/api/inventory/x", "x"), |r, (n, v)| {
            r.field(n, v)
        });
    let response = shop.ask(&request);
    let seen = shop.inventory.only();
    for (side, names) in [
        ("request", seen.fields.names()),
        ("response", response.fields.names()),
    ] {
        let mut sorted: Vec<_> = names
            .iter()
            .filter(|n| *n != "via" && *n != "x-forwarded-for")
            .collect();
        sorted.sort();
        let twice: Vec<_> = sorted.windows(2).filter(|w| w[0] == w[1]).collect();
        assert!(twice.is_empty(), "{side}: {twice:?}");
    }
}

#[test]
fn an_unusual_status_and_an_empty_reason_pass() {
    for (status_line, status) in [
        ("HTTP/1.1 299 Odd", 299),
        ("HTTP/1.1 599 Very Odd", 599),
        ("HTTP/1.1 404 ", 404),
        ("HTTP/1.1 418", 418),
    ] {
        let shop = Shop::selling(
            Upstream::answering(format!("{status_line}\r\nContent-Length: 2\r\n\r\nok")),
            "",
        );
        let response = shop.ask(&Request::get("/api/inventory/x"));
        assert_eq!(response.is(status).text(), "ok");
    }
}

#[test]
fn the_key_stays_with_the_gateway_unless_asked_for() {
    let shop = Shop::open();
    shop.ask(&Request::get("/api/orders/x").with_key()).is(200);
    let seen = shop.orders.only();
    assert!(!seen.fields.has("x-api-key") && !seen.raw.windows(7).any(|w| w == b"the-key"));
    assert_eq!(seen.fields.one("x-client-id"), Some("mobile-app"));

    let (inventory, orders) = (Upstream::echo(), Upstream::echo());
    let config = Shop::config(&inventory, &orders, "").replace(
        "[access]",
        "[access]\nforward_api_key = true\napi_key_header = \"Authorization-Key\"\nclient_header = \"X-Caller\"",
    );
    let gateway = crate::support::Gateway::start(&config);
    let request = Request::get("/api/orders/x").field("authorization-key", crate::support::KEY);
    gateway.ask(&request).is(200);
    let seen = orders.only();
    assert_eq!(
        seen.fields.one("authorization-key"),
        Some(crate::support::KEY)
    );
    assert_eq!(seen.fields.one("x-caller"), Some("mobile-app"));
    assert!(!seen.fields.has("x-client-id"));
}
