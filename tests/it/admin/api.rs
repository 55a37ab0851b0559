//! What the admin port says of requests, clients, limits and services: the numbers are those that were sent.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Gateway, KEY, Request, Shop, Upstream, each, eventually, with_admin};

pub(super) const LIMITED: &str = "[limits]\nidentified = { requests = 5, per = \"1h\" }\n";

pub(super) fn shop(more: &str) -> Shop {
    Shop::with(&with_admin(more, ""))
}

/// The item of a list with this name.
pub(super) fn item(gateway: &Gateway, list: &str, name: &str) -> Value {
    let listed = gateway.admin_json(&format!("/api/v1/{list}?q={name}"));
    let items = listed["items"].as_array().expect("items");
    let named = |it: &&Value| it["name"] == name || it["policy"] == name;
    items.iter().find(named).expect(name).clone()
}

/// Waits until a value of the admin port is as it should be.
fn wait(gateway: &Gateway, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
    eventually(path, || {
        Some(gateway.admin_json(path)).filter(|it| fits(it))
    })
}

#[test]
fn numbers_are_those_of_what_was_sent() {
    let shop = shop(LIMITED);
    let gateway = &shop.gateway;
    // How long the first second was nobody says.
    wait(gateway, "/api/v1/history", |it| it["from"].is_number());
    for _ in 0..7 {
        gateway.ask(&Request::get("/api/orders/1").with_key());
    }
    for _ in 0..3 {
        gateway.ask(&Request::get("/api/orders/1")).is(401);
    }
    gateway.ask(&Request::get("/nowhere")).is(404);
    for _ in 0..4 {
        gateway.ask(&Request::get("/api/inventory/1")).is(200);
    }
    let orders = eventually("the route's numbers", || {
        let route = item(gateway, "routes", "/api/orders");
        (route["requests"] == 10).then_some(route)
    });
    assert_eq!(orders["codes"]["200"], 5);
    assert_eq!(orders["codes"]["429"], 2);
    assert_eq!(orders["codes"]["401"], 3);
    assert_eq!(orders["protected"], true);
    assert_eq!(orders["in_flight"], 0);
    let client = item(gateway, "clients", "mobile-app");
    assert_eq!(
        (&client["requests"], &client["limited"]),
        (&7.into(), &2.into())
    );
    let limit = item(gateway, "limits", "identified");
    assert_eq!(
        (&limit["allowed"], &limit["limited"]),
        (&5.into(), &2.into())
    );
    assert_eq!(
        (&limit["limit"], &limit["window_seconds"]),
        (&5.into(), &3600.into())
    );

    let all = wait(gateway, "/api/v1/history", |history| {
        (total(history) - 15.0).abs() < 0.5
    });
    assert_eq!(all["interval_seconds"], 1);
    let of_orders = gateway.admin_json("/api/v1/history?route=/api/orders");
    assert!((total(&of_orders) - 10.0).abs() < 0.2, "{of_orders}");
    let of_code = gateway.admin_json("/api/v1/history?code=rate_limited");
    assert!((total(&of_code) - 2.0).abs() < 0.1, "{of_code}");
    let status = gateway.admin_json("/api/v1/status");
    assert_eq!(status["phase"], "serving");
    assert_eq!(status["ready"], true);
    let refused = gateway.admin_json("/api/v1/requests?code=rate_limited");
    assert_eq!(refused["items"][0]["status"], 429);
    assert_eq!(refused["items"][0]["client"], "mobile-app");
    let with_code = |list: &str, code: &str| names_with_code(gateway, list, code);
    assert_eq!(with_code("routes", "rate_limited"), ["/api/orders"]);
    assert_eq!(with_code("clients", "rate_limited"), ["mobile-app"]);
    assert_eq!(with_code("limits", "rate_limited"), ["identified"]);
    // These never came to an upstream, nor was it a limit that refused them.
    assert_eq!(with_code("routes", "api_key_required"), ["/api/orders"]);
    for list in ["upstreams", "clients", "limits"] {
        for code in ["api_key_required", "no_route"] {
            assert!(with_code(list, code).is_empty(), "{list} {code}");
        }
    }
    assert!(with_code("upstreams", "rate_limited").is_empty());
}

/// The names that a list has of a code.
fn names_with_code(gateway: &Gateway, list: &str, code: &str) -> Vec<String> {
    let listed = gateway.admin_json(&format!("/api/v1/{list}?code={code}"));
    let items = listed["items"].as_array().expect("items");
    assert_eq!(listed["total"], items.len());
    let name = |it: &Value| {
        it["name"]
            .as_str()
            .or(it["policy"].as_str())
            .map(str::to_owned)
    };
    items.iter().filter_map(name).collect()
}

/// How many requests the points of a history have, about: rates are rounded, and by the time that passed.
fn total(history: &Value) -> f64 {
    let points = history["points"].as_array().expect("points");
    let at = |nth: usize, column: usize| points[nth][column].as_f64().expect("a number");
    let mut total = 0.0;
    for nth in 1..points.len() {
        total += at(nth, 1) * (at(nth, 0) - at(nth - 1, 0));
    }
    total.round()
}

#[test]
fn what_is_left_of_a_limit_and_the_last_use_of_a_key_are_shown() {
    let config = |keys: &str| {
        let other = "\n[clients.idle]\nkeys = [\"sha256:";
        let other = format!("{other}{}\"]\n{keys}", "0".repeat(64));
        with_admin(&format!("{LIMITED}{other}"), "")
    };
    let shop = Shop::with(&config(""));
    let gateway = &shop.gateway;
    let before = item(gateway, "clients", "mobile-app");
    assert_eq!(before["quota"]["left"], 5);
    assert_eq!(before["keys"][0]["last_used"], Value::Null);
    for _ in 0..2 {
        gateway
            .ask(&Request::get("/api/orders/1").with_key())
            .is(200);
    }
    let client = item(gateway, "clients", "mobile-app");
    let quota = &client["quota"];
    assert_eq!(
        (&quota["limit"], &quota["used"], &quota["left"]),
        (&5.into(), &2.into(), &3.into())
    );
    let resets = quota["resets_in_seconds"].as_f64().expect("a number");
    assert!((3000.0..=3600.0).contains(&resets), "{resets}");
    let key = &client["keys"][0];
    let used = key["last_used"].as_str().expect("a time").to_owned();
    assert_eq!(key["state"], "valid");
    assert_eq!(key["key_id"].as_str().map(str::len), Some(8));
    let idle = item(gateway, "clients", "idle");
    assert_eq!(idle["keys"][0]["last_used"], Value::Null);
    assert_eq!(
        (&idle["quota"]["used"], &idle["quota"]["left"]),
        (&0.into(), &5.into())
    );
    // A reload that keeps the key keeps when it was used.
    gateway.reload(&Shop::config(
        &shop.inventory,
        &shop.orders,
        &config("groups = [\"a\"]\n"),
    ));
    let client = item(gateway, "clients", "mobile-app");
    assert_eq!(client["keys"][0]["last_used"], used);
}

#[test]
fn a_service_that_sleeps_is_told_apart_from_the_gateway() {
    let sleeps = Upstream::start(|peer| {
        loop {
            peer.request()?;
            std::thread::sleep(Duration::from_millis(300));
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
        }
    });
    let shop = Shop::selling(sleeps, &with_admin("", ""));
    let gateway = &shop.gateway;
    let mut client = gateway.connect();
    let mut longest = Duration::ZERO;
    for _ in 0..4 {
        let begun = std::time::Instant::now();
        client.ask(&Request::get("/api/inventory/1")).is(200);
        longest = longest.max(begun.elapsed());
    }
    let status = wait(gateway, "/api/v1/status", |it| {
        it["now"]["p99_ms"].is_number()
    });
    let longest = longest.as_secs_f64() * 1000.0;
    // A client on a busy machine may take a while to see what has come.
    let fits = |it: &Value| {
        let millis = it.as_f64().expect("a number");
        let about = 300.0 * 0.91..=longest * 1.09;
        assert!(about.contains(&millis), "{millis} of {longest}");
    };
    fits(&status["now"]["p99_ms"]);
    for part in ["service_p50_ms", "service_p90_ms", "service_p99_ms"] {
        fits(&status["now"][part]);
    }
    fits(&item(gateway, "routes", "/api/inventory")["p99_ms"]);
    let gateway_p99 = status["now"]["gateway_p99_ms"].as_f64().expect("a number");
    // Less than 5 on a machine that has nothing else to do; the other tests run beside this one.
    assert!(gateway_p99 < 30.0, "{gateway_p99}");
}

#[test]
fn an_endpoint_that_is_lost_is_shown_with_the_reason_and_told_in_the_sentence() {
    let shop = shop("[upstream_defaults]\nretry = \"off\"\n");
    let gateway = &shop.gateway;
    gateway.ask(&Request::get("/api/inventory/1")).is(200);
    let url = shop.inventory.url();
    let address = url.trim_start_matches("http://");
    let up = item(gateway, "upstreams", &url);
    let endpoint = &up["endpoints"][0];
    assert_eq!(
        (&endpoint["state"], &endpoint["address"]),
        (&"up".into(), &address.into())
    );
    shop.inventory.go_down();
    for _ in 0..3 {
        gateway.ask(&Request::get("/api/inventory/1")).is(502);
    }
    let status = wait(gateway, "/api/v1/status", |it| it["state"] == "critical");
    let reasons = status["reasons"].as_array().expect("reasons");
    assert!(
        reasons.iter().any(|it| it["code"] == "endpoints_out"),
        "{status}"
    );
    let sentence = status["sentence"].as_str().expect("a sentence");
    assert!(
        sentence.contains(&format!("`{url}`: its endpoint out for")),
        "{sentence}"
    );
    assert_eq!(
        names_with_code(gateway, "upstreams", "upstream_unreachable"),
        [url.as_str()]
    );
    assert!(names_with_code(gateway, "limits", "upstream_unreachable").is_empty());
    let down = item(gateway, "upstreams", &url);
    let endpoint = &down["endpoints"][0];
    assert_eq!(endpoint["state"], "circuit_open");
    assert_eq!(endpoint["why"], "requests failed: refused");
    assert!(endpoint["since"].is_string());
    let events = gateway.admin_json("/api/v1/events?kind=circuit_opened");
    assert_eq!(events["items"][0]["fields"]["endpoint"], address);
}

#[test]
fn a_refused_reload_is_an_event_a_mark_and_a_part_of_the_sentence() {
    let shop = shop("");
    let gateway = &shop.gateway;
    // Marks are those of the time that the charts show.
    wait(gateway, "/api/v1/history", |it| it["from"].is_number());
    gateway.rewrite("[routes]\n\"/x\" = 7\n");
    gateway.signal(Signal::HUP);
    gateway.wait_log("the refusal", |line| line["event"] == "reload_refused");
    let status = wait(gateway, "/api/v1/status", |it| {
        it["config"]["last"]["outcome"] == "refused" && it["state"] == "warning"
    });
    let sentence = status["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("; reload refused at "), "{sentence}");
    let reason = status["reasons"][0]["text"].as_str().expect("a text");
    assert!(
        reason.starts_with("The last reload was refused: "),
        "{reason}"
    );
    assert!(reason.contains("tollgate.toml:3:8: "), "{reason}");
    let finding = &status["config"]["last"]["findings"][0];
    assert_eq!(status["config"]["last"]["outcome"], "refused");
    assert_eq!(
        (&finding["line"], &finding["column"]),
        (&3.into(), &8.into()),
        "{finding}"
    );
    let config = gateway.admin_json("/api/v1/config");
    assert_eq!(
        (&config["generation"], &config["last"]),
        (&1.into(), &status["config"]["last"])
    );
    let line = serde_json::json!({"table": "access", "key": "protected", "value": "[/api/orders]", "default": false});
    let text = config["text"].as_array().expect("lines");
    assert!(text.contains(&line), "{text:?}");
    let events = gateway.admin_json("/api/v1/events?level=error");
    assert_eq!(events["items"][0]["kind"], "reload_refused");
    let history = wait(gateway, "/api/v1/history", |it| it["from"].is_number());
    let marks = history["marks"].as_array().expect("marks");
    let kinds: Vec<_> = marks.iter().map(|mark| mark["kind"].as_str()).collect();
    assert_eq!(kinds.last(), Some(&Some("reload_refused")), "{marks:?}");
    gateway.reload(&Shop::config(
        &shop.inventory,
        &shop.orders,
        &with_admin("", ""),
    ));
    // The log says so a moment before.
    wait(gateway, "/api/v1/status", |it| it["state"] == "ok");
}

#[test]
fn lists_are_shown_in_parts_and_bad_questions_are_refused() {
    let routes = (0..25).map(|n| format!("\"/r{n:02}\" = \"http://127.0.0.1:9\""));
    let routes = routes.collect::<Vec<_>>().join("\n");
    let gateway = Gateway::start(&with_admin(&format!("[routes]\n{routes}"), ""));
    let (mut names, mut path) = (Vec::new(), "/api/v1/routes?sort=-name&limit=10".to_owned());
    loop {
        let part = gateway.admin_json(&path);
        assert_eq!(part["total"], 25);
        let items = part["items"].as_array().expect("items");
        names.extend(
            items
                .iter()
                .map(|it| it["name"].as_str().expect("a name").to_owned()),
        );
        let Some(cursor) = part["next_cursor"].as_str() else {
            break;
        };
        path = format!("/api/v1/routes?sort=-name&limit=10&cursor={cursor}");
    }
    let all: Vec<_> = (0..25).rev().map(|n| format!("/r{n:02}")).collect();
    assert_eq!(names, all);
    assert_eq!(gateway.admin_json("/api/v1/routes?q=R1")["total"], 10);
    each(
        [
            "/api/v1/routes?limit=0",
            "/api/v1/routes?cursor=x",
            "/api/v1/routes?sort=secret",
            "/api/v1/routes?x=1",
            "/api/v1/events?kind=x",
            "/api/v1/requests?status=7xx",
            "/api/v1/requests?slow=fast",
            "/api/v1/history?code=x",
            "/api/v1/history?code=internal&route=x",
            "/api/v1/clients?q=a&q=b",
        ],
        |path| {
            let answer = gateway.ask_admin(Request::get(path));
            answer.is_refusal(400, "bad_request");
        },
    );
    let unknown = gateway.ask_admin(Request::get("/api/v1/history?route=x"));
    unknown.is_refusal(404, "not_found");
}

#[test]
fn no_answer_has_a_key_or_its_digest() {
    let shop = shop(LIMITED);
    shop.gateway
        .ask(&Request::get("/api/orders/1?a=b").with_key());
    shop.gateway
        .ask(&Request::get("/api/orders/1").field("x-api-key", "wrong-key-of-somebody"));
    let config = std::fs::read_to_string(shop.gateway.dir().join("tollgate.toml"));
    let config = config.expect("the configuration");
    let digest = config.split("sha256:").nth(1).and_then(|it| it.get(..64));
    let digest = digest.expect("a digest");
    for path in [
        "status",
        "routes",
        "clients",
        "limits",
        "upstreams",
        "requests",
        "events",
        "history",
        "config",
    ] {
        let text = shop
            .gateway
            .ask_admin(Request::get(&format!("/api/v1/{path}")))
            .text();
        for secret in [KEY, "wrong-key-of-somebody", &digest[8..24], "?a=b"] {
            assert!(!text.contains(secret), "{path} has {secret}");
        }
    }
}
