//! What an answer says about the limit, in each of the four styles.

use crate::support::{Request, Response, Shop, Upstream};

fn shop(headers: &str, upstream: Upstream) -> Shop {
    Shop::selling(
        upstream,
        &format!("[limits]\nanonymous = {{ requests = 3, per = \"1m\" }}\nheaders = \"{headers}\""),
    )
}

/// Three answers within the limit, one beyond, and one without a route.
fn answers(shop: &Shop) -> Vec<Response> {
    let targets = [
        "/api/inventory/1",
        "/nowhere",
        "/api/inventory/3",
        "/api/inventory/4",
    ];
    targets
        .iter()
        .map(|target| shop.ask(&Request::get(target)))
        .collect()
}

fn standard_is_told(response: &Response, left: u64) {
    assert_eq!(
        response.fields.one("ratelimit-policy"),
        Some("\"anonymous\";q=3;w=60")
    );
    let field = response.fields.one("ratelimit").expect("RateLimit");
    let t = field
        .strip_prefix(&format!("\"anonymous\";r={left};t="))
        .unwrap_or_else(|| panic!("{field}"));
    assert!(
        (1..=60).contains(&t.parse::<u64>().expect("seconds")),
        "{field}"
    );
}

fn legacy_is_told(response: &Response, left: u64) {
    assert_eq!(response.fields.one("x-ratelimit-limit"), Some("3"));
    assert_eq!(
        response.fields.one("x-ratelimit-remaining"),
        Some(left.to_string().as_str())
    );
    let reset = response
        .fields
        .one("x-ratelimit-reset")
        .expect("X-RateLimit-Reset");
    assert!(
        (1..=60).contains(&reset.parse::<u64>().expect("seconds")),
        "{reset}"
    );
}

fn has(response: &Response, standard: bool, legacy: bool) {
    for name in ["ratelimit", "ratelimit-policy"] {
        assert_eq!(
            response.fields.has(name),
            standard,
            "{name}: {:?}",
            response.fields
        );
    }
    for name in [
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ] {
        assert_eq!(
            response.fields.has(name),
            legacy,
            "{name}: {:?}",
            response.fields
        );
    }
}

#[test]
fn each_style_is_sent_on_every_answer() {
    for (style, standard, legacy) in [
        ("standard", true, false),
        ("legacy", false, true),
        ("both", true, true),
        ("off", false, false),
    ] {
        let shop = shop(style, Upstream::echo());
        let answers = answers(&shop);
        assert_eq!(
            answers.iter().map(|a| a.status).collect::<Vec<_>>(),
            [200, 404, 200, 429],
            "{style}"
        );
        for (response, left) in answers.iter().zip([2, 1, 0, 0]) {
            has(response, standard, legacy);
            if standard {
                standard_is_told(response, left);
            }
            if legacy {
                legacy_is_told(response, left);
            }
        }
        assert!(
            answers[3].fields.has("retry-after"),
            "{style}: Retry-After has no style"
        );
    }
}

#[test]
fn the_gateways_own_replace_those_of_the_upstream_if_there_is_a_limit() {
    let answer = "HTTP/1.1 200 OK\r\nRateLimit: \"up\";r=1;t=1\r\nRateLimit-Policy: \"up\";q=1;w=1\r\n\
                  X-RateLimit-Limit: 7\r\nX-RateLimit-Remaining: 6\r\nX-RateLimit-Reset: 5\r\nContent-Length: 0\r\n\r\n";
    let free =
        Shop::selling(Upstream::answering(answer), "").ask(&Request::get("/api/inventory/x"));
    assert_eq!(free.fields.one("ratelimit"), Some("\"up\";r=1;t=1"));
    assert_eq!(free.fields.one("x-ratelimit-limit"), Some("7"));

    let limited =
        shop("standard", Upstream::answering(answer)).ask(&Request::get("/api/inventory/x"));
    standard_is_told(&limited, 2);
    let limited = shop("both", Upstream::answering(answer)).ask(&Request::get("/api/inventory/x"));
    standard_is_told(&limited, 2);
    legacy_is_told(&limited, 2);
}
