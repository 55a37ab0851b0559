//! `tollgate explain` against the gateway itself: what it says would become of a request is what
//! becomes of it.

use crate::support::{Ending, Gateway, KEY, Request, Shop, Upstream, each, folder_with, tollgate};

/// What is asked, and the status and code that both have to tell.
type Row = (&'static str, &'static str, Vec<String>, u16, &'static str);

fn row(
    method: &'static str,
    target: &'static str,
    fields: &[&str],
    status: u16,
    code: &'static str,
) -> Row {
    let fields = fields.iter().map(|field| (*field).to_owned()).collect();
    (method, target, fields, status, code)
}

fn rows() -> Vec<Row> {
    let key = &*format!("x-api-key: {KEY}");
    let long = &*format!("X: {}", "y".repeat(3000));
    let many: Vec<_> = (0..20).map(|n| format!("X-{n}: y")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let target: &'static str = format!("/{}", "t".repeat(16 * 1024)).leak();
    let length = "Content-Length: 11";
    let app = "Origin: https://app.test";
    let asks = "Access-Control-Request-Method: PUT";
    vec![
        row("GET", "/api/inventory/7?x=1", &[], 200, ""),
        row("GET", "/api/orders/7", &[key], 200, ""),
        row("GET", "/api/orders/7", &[], 401, "api_key_required"),
        row(
            "GET",
            "/api/inventory/7",
            &["x-api-key: no"],
            401,
            "invalid_api_key",
        ),
        row(
            "GET",
            "/api/inventory/7",
            &[key, key],
            401,
            "invalid_api_key",
        ),
        row("GET", "/nowhere", &[], 404, "no_route"),
        row("GET", "/api/inventory/%00", &[], 400, "ambiguous_path"),
        row("GET", "/api/inventory/%2F", &[], 400, "ambiguous_path"),
        row("GET", "/health", &[], 200, ""),
        row("HEAD", "/health", &[], 200, ""),
        row("POST", "/health", &[], 404, "no_route"),
        // The gateway as a whole.
        row("OPTIONS", "*", &[], 404, "no_route"),
        row("OPTIONS", "*", &[key], 404, "no_route"),
        row("OPTIONS", "*", &["x-api-key: no"], 401, "invalid_api_key"),
        // As far as the gateway.
        row("OPTIONS", "/api/inventory/7", &["Max-Forwards: 0"], 200, ""),
        row("OPTIONS", "/api/inventory/7", &["Max-Forwards: 1"], 200, ""),
        row("OPTIONS", "/nowhere", &["Max-Forwards: 0"], 404, "no_route"),
        row("GET", "/api/inventory/7", &["Max-Forwards: 0"], 200, ""),
        // What a head may be.
        row("GET", "/api/inventory/7", &[long], 431, "headers_too_large"),
        row("GET", "/api/inventory/7", &many, 431, "headers_too_large"),
        row("GET", target, &[], 414, "uri_too_long"),
        row("GET", "/a b", &[], 400, "bad_request"),
        row("GET", "/api/inventory/7", &["No colon"], 400, "bad_request"),
        row("GET", "api/inventory/7", &[], 400, "bad_request"),
        row("TRACE", "/api/inventory/7", &[], 501, "not_implemented"),
        row("CONNECT", "shop.test:80", &[], 501, "not_implemented"),
        row(
            "GET",
            "/api/inventory/7",
            &["Transfer-Encoding: gzip"],
            501,
            "not_implemented",
        ),
        row(
            "GET",
            "/api/inventory/7",
            &[length, "Content-Length: 12"],
            400,
            "bad_request",
        ),
        // CORS.
        row("OPTIONS", "/app/1", &[app, asks], 204, ""),
        row("OPTIONS", "/app/1", &[app], 200, ""),
        row(
            "OPTIONS",
            "/api/orders/1",
            &[app, asks],
            401,
            "api_key_required",
        ),
        row("GET", "/app/1", &[app], 200, ""),
        // What a route takes.
        row("POST", "/upload", &[length], 413, "body_too_large"),
        row("PUT", "/upload", &[], 405, "method_not_allowed"),
        // What a route answers itself.
        row("GET", "/moved/1", &[], 307, ""),
        row("GET", "/closed", &[], 410, ""),
        row("HEAD", "/closed", &[], 410, ""),
    ]
}

#[test]
fn what_it_says_is_what_happens() {
    let (inventory, orders) = (Upstream::echo(), Upstream::echo());
    let more = format!(
        "[[route]]\nprefix = \"/upload\"\nmethods = [\"POST\"]\nupstream = \"{0}\"\nbody_limit = \"10B\"\n\
         [[route]]\nprefix = \"/app\"\nupstream = \"{0}\"\ncors = {{ origins = \"https://app.test\" }}\n\
         [[route]]\nprefix = \"/moved\"\nredirect = {{ to = \"/new\", status = 307 }}\n\
         [[route]]\nprefix = \"/closed\"\nrespond = {{ status = 410, body = \"gone\" }}\n\
         [server]\nmax_head = \"2KiB\"\nmax_headers = 16",
        inventory.url()
    );
    let gateway = Gateway::start(&Shop::config(&inventory, &orders, &more));
    each(rows(), |(method, target, fields, status, code)| {
        let mut request = Request::new(method, target).host("localhost");
        let mut head = String::from_utf8(request.head_bytes()).expect("ASCII");
        for field in fields {
            head.insert_str(head.len() - 2, &format!("{field}\r\n"));
        }
        let mut client = gateway.connect();
        client.send(&head);
        request = Request::new(method, target);
        let Ending::Whole(response) = client.ending_of(&request) else {
            panic!("no answer");
        };
        let told = (response.status, told_code(&response.body));
        assert_eq!(told, (*status, (*code).to_owned()), "the gateway");

        let file = gateway.dir().join("tollgate.toml");
        let status_text = status.to_string();
        let mut args = vec!["explain", method, target, "--json"];
        args.extend(["--expect", &status_text, "-c"]);
        args.push(file.to_str().expect("a path in UTF-8"));
        for field in fields {
            args.extend(["-H", field.as_str()]);
        }
        let done = tollgate(&args);
        assert_eq!(done.code, Some(0), "{done:?}");
        let told: serde_json::Value = serde_json::from_str(&done.stdout).expect("JSON");
        let refused = &told["refused"];
        if code.is_empty() {
            assert!(refused.is_null(), "{told}");
            let seen = inventory.take().len() + orders.take().len();
            assert_eq!(told["sends"].is_string(), seen == 1, "{told}");
            assert_eq!(told["answers"].is_string(), seen == 0, "{told}");
        } else {
            assert_eq!(
                (&refused["status"], &refused["code"]),
                (&(*status).into(), &(*code).into())
            );
        }
    });
}

/// The code of a problem document, if it is one.
fn told_code(body: &[u8]) -> String {
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let code = problem.and_then(|problem| problem["code"].as_str().map(str::to_owned));
    code.unwrap_or_default()
}

#[test]
fn it_says_whether_a_page_may_call() {
    let (inventory, orders) = (Upstream::echo(), Upstream::echo());
    let more = "[access.cors]\norigins = [\"https://app.test\"]\ncredentials = true\n";
    let gateway = Gateway::start(&Shop::config(&inventory, &orders, more));
    let file = gateway.dir().join("tollgate.toml");
    let file = file.to_str().expect("a path in UTF-8");
    for (origin, said) in [
        (None, "pages of https://app.test may call, with credentials"),
        (
            Some("Origin: https://app.test"),
            "pages of https://app.test may call, with credentials",
        ),
        (
            Some("Origin: https://evil.test"),
            "pages of https://evil.test may not call: it is not listed",
        ),
    ] {
        let mut args = vec!["explain", "GET", "/api/inventory/1", "-c", file];
        if let Some(origin) = origin {
            args.extend(["-H", origin]);
        }
        let done = tollgate(&args);
        let line = format!("cors        {said}\n");
        assert!(done.stdout.contains(&line), "{}", done.stdout);
    }
}

#[test]
fn the_endpoint_that_it_names_is_the_one_that_is_asked() {
    let services = [Upstream::echo(), Upstream::echo(), Upstream::echo()];
    let urls = services.each_ref().map(|one| format!("{:?}", one.url()));
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = [{}]\nbalance = \"hash\"\nhash_by = \"header:x-tenant\"\n",
        urls.join(", ")
    ));
    let file = gateway.dir().join("tollgate.toml");
    let file = file.to_str().expect("a path in UTF-8");
    let mut named = std::collections::HashSet::new();
    for tenant in 0..60 {
        let field = format!("X-Tenant: t{tenant}");
        let args = ["explain", "GET", "/x", "--json", "-H", &field, "-c", file];
        let told: serde_json::Value = serde_json::from_str(&tollgate(&args).stdout).expect("JSON");
        let request = Request::get("/x").field("X-Tenant", &format!("t{tenant}"));
        gateway.connect().ask(&request).is(200);
        let asked = services.iter().find(|one| !one.take().is_empty());
        let url = asked.expect("one was asked").url();
        assert_eq!(
            told["picks"],
            format!("{url} by hash of the field x-tenant")
        );
        assert_eq!(told["sends"], format!("{url}/x"));
        named.insert(url);
    }
    assert_eq!(named.len(), 3);
    let done = tollgate(&["explain", "GET", "/x", "-c", file]);
    let address = "by hash of the address 127.0.0.1\n";
    assert!(done.stdout.contains(address), "{}", done.stdout);
}

#[test]
fn it_says_which_of_several_endpoints_may_be_asked() {
    for (rules, picks) in [
        (
            "",
            "the fewest requests in flight for its weight; at the moment several may be picked",
        ),
        ("balance = \"round-robin\"", "one after another, by weight"),
        (
            "balance = \"hash\"",
            "by hash of the address 127.0.0.1, and of the addresses that names have",
        ),
    ] {
        let text = format!(
            "[routes]\n\"/a\" = \"up\"\n[upstreams.up]\nendpoints = [{{ url = \"http://a/v1\", weight = 0 }}, \"http://b/v1\", {{ url = \"http://c/v1\", weight = 2 }}, {{ url = \"http://d/v1\", backup = true }}]\n{rules}\n"
        );
        let dir = folder_with(&text);
        let file = dir.path().join("tollgate.toml");
        let file = file.to_str().expect("a path in UTF-8");
        let done = tollgate(&["explain", "GET", "/a/1", "-c", file]);
        let expected = format!(
            "sends       GET /v1/1\n\
             endpoint    http://a:80/v1: weight 0, takes nothing new\n\
             endpoint    http://b:80/v1: weight 1\n\
             endpoint    http://c:80/v1: weight 2\n\
             endpoint    http://d:80/v1: weight 1, a backup: while no other can be used\n\
             picks       {picks}\n"
        );
        assert!(done.stdout.ends_with(&expected), "{}", done.stdout);
    }
}

#[test]
fn it_says_why_no_other_endpoint_may_be_asked() {
    let off = "{ url = \"http://off\", weight = 0 }";
    let [one, two] =
        ["one", "two"].map(|name| format!("{{ url = \"http://{name}\", backup = true }}"));
    for (endpoints, picks) in [
        (
            format!("\"http://a\", {off}"),
            "http://a:80: the other takes nothing new",
        ),
        (
            format!("\"http://a\", {one}"),
            "http://a:80: the other is a backup",
        ),
        (
            format!("\"http://a\", {one}, {two}"),
            "http://a:80: the others are backups",
        ),
        (
            format!("\"http://a\", {off}, {one}"),
            "http://a:80: the others are backups, or take nothing new",
        ),
        (
            format!("{off}, {one}"),
            "http://one:80, a backup: the other takes nothing new",
        ),
    ] {
        let text =
            format!("[routes]\n\"/a\" = \"up\"\n[upstreams.up]\nendpoints = [{endpoints}]\n");
        let dir = folder_with(&text);
        let file = dir.path().join("tollgate.toml");
        let file = file.to_str().expect("a path in UTF-8");
        let done = tollgate(&["explain", "GET", "/a/1", "-c", file]);
        let expected = format!("\npicks       {picks}\n");
        assert!(done.stdout.ends_with(&expected), "{}", done.stdout);
    }
}

#[test]
fn it_says_by_which_of_two_backups_a_text_is_served() {
    let text = "[routes]\n\"/a\" = \"up\"\n[upstreams.up]\nbalance = \"hash\"\nendpoints = [{ url = \"http://10.0.0.1\", weight = 0 }, { url = \"http://10.0.0.2\", backup = true }, { url = \"http://10.0.0.3\", backup = true }]\n";
    let dir = folder_with(text);
    let file = dir.path().join("tollgate.toml");
    let file = file.to_str().expect("a path in UTF-8");
    let done = tollgate(&["explain", "GET", "/a/1", "-c", file]);
    let end = " by hash of the address 127.0.0.1\n";
    assert!(done.stdout.ends_with(end), "{}", done.stdout);
}

#[test]
fn it_says_as_whose_a_connection_is_announced() {
    let text = "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n[routes]\n\"/a\" = \"http://a\"\n[upstream_defaults]\nproxy_protocol = \"v2\"\n";
    let dir = folder_with(text);
    let file = dir.path().join("tollgate.toml");
    let file = file.to_str().expect("a path in UTF-8");
    let forwarded = "X-Forwarded-For: 192.0.2.7";
    let done = tollgate(&["explain", "GET", "/a", "-H", forwarded, "-c", file]);
    let announces = "\nannounces   192.0.2.7 as the client, in a PROXY protocol header (v2)\n";
    assert!(done.stdout.ends_with(announces), "{}", done.stdout);
}
