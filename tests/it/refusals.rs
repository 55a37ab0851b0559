//! Every answer that the gateway makes itself, row by row: status, short message, code, the
//! fields that belong to it, and whether the connection goes on.

use std::collections::BTreeSet;

use crate::support::{Client, Gateway, Gone, Request, Response, Upstream, hash_of, noise};

/// One row of the table. An empty value in `field` means: present, whatever it says.
struct Row {
    status: u16,
    error: &'static str,
    code: &'static str,
    closes: bool,
    fields: &'static [(&'static str, &'static str)],
    /// The bytes that bring it about.
    request: Vec<u8>,
}

const AUTHENTICATE: (&str, &str) = (
    "www-authenticate",
    "ApiKey realm=\"tollgate\", header=\"x-api-key\"",
);

/// Codes of the contract that nothing can bring about from outside, and why.
const EXCEPTED: [(&str, &str); 9] = [
    ("internal", "only a bug leads there"),
    (
        "overloaded",
        "a worker that lags, a shortage of files; see `overload`, `unreachable`",
    ),
    ("client_slow", "takes five seconds; see `crawl`"),
    ("forbidden", "wants a list of clients; see `access`"),
    ("ip_forbidden", "wants a list of addresses; see `access`"),
    (
        "upstream_tls",
        "wants a service with TLS; see `tls::services::failures`",
    ),
    ("circuit_open", "wants failures; see `failing::circuits`"),
    (
        "loop_detected",
        "wants an upstream that leads back; see `forwarding::loops`",
    ),
    ("no_healthy_endpoint", "wants checks; see `failing::checks`"),
];

/// All codes of the contract.
const CODES: [&str; 28] = [
    "bad_request",
    "ambiguous_path",
    "invalid_api_key",
    "api_key_required",
    "forbidden",
    "ip_forbidden",
    "no_route",
    "method_not_allowed",
    "request_timeout",
    "client_slow",
    "body_too_large",
    "uri_too_long",
    "rate_limited",
    "headers_too_large",
    "internal",
    "not_implemented",
    "upstream_unreachable",
    "upstream_tls",
    "upstream_reset",
    "upstream_invalid",
    "circuit_open",
    "no_healthy_endpoint",
    "overloaded",
    "limiter_unavailable",
    "upstream_timeout",
    "loop_detected",
    "version_not_supported",
    "client_closed",
];

#[test]
fn every_code_stands_in_the_docs() {
    let docs = include_str!("../../docs/codes.md");
    for code in CODES {
        assert!(docs.contains(&format!("\n| `{code}` | ")), "{code}");
    }
}

#[test]
fn every_refusal_is_as_the_contract_says() {
    let served = Upstream::echo();
    let down = Upstream::down(|_| Ok(()));
    let silent = Upstream::start(|peer| {
        peer.request()?;
        peer.wait_closed();
        Err(Gone)
    });
    let resetting = Upstream::start(|peer| {
        peer.request()?;
        Err(Gone)
    });
    let invalid = Upstream::answering_once("garbage\r\n\r\n");
    let gateway = gateway([&served, &down, &silent, &resetting, &invalid]);
    gateway
        .ask(&Request::get("/served").field("x-api-key", "tight"))
        .is(200);
    for row in rows() {
        row.holds(&mut gateway.connect());
    }

    // The row that needs a Redis that is not there.
    let redis = Upstream::down(|_| Ok(()));
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/a\" = \"{}\"\n[limits]\nanonymous = {{ requests = 9, per = \"1m\" }}\n\
         [limits.redis]\nurl = \"redis://{}\"\non_failure = \"closed\"",
        served.url(),
        redis.address()
    ));
    limiter_row().holds(&mut gateway.connect());

    let tested: BTreeSet<_> = rows()
        .iter()
        .map(|row| row.code)
        .chain([limiter_row().code])
        .collect();
    let excepted: BTreeSet<_> = EXCEPTED
        .iter()
        .map(|(code, _)| *code)
        .chain(["client_closed"])
        .collect();
    assert!(tested.is_disjoint(&excepted), "excepted, but tested");
    let all: BTreeSet<_> = tested.union(&excepted).copied().collect();
    assert_eq!(all, CODES.into_iter().collect());
}

/// A gateway on which every row can come about.
fn gateway(upstreams: [&Upstream; 5]) -> Gateway {
    let [served, down, silent, resetting, invalid] = upstreams.map(Upstream::url);
    Gateway::start(&format!(
        r#"
[routes]
"/served" = "{served}"
"/down" = "{down}"
"/silent" = {{ upstream = "{silent}", timeout = "400ms" }}
"/resetting" = "{resetting}"
"/invalid" = "{invalid}"
"/small" = {{ upstream = "{served}", body_limit = "1KiB" }}
[[route]]
prefix = "/get"
upstream = "{served}"
methods = ["GET"]
[access]
protected = ["/served/secret"]
[clients.tight]
keys = ["{}"]
tier = "tight"
[limits.tiers.tight]
requests = 1
per = "1h"
[server]
header_timeout = "1500ms"
"#,
        hash_of("tight"),
    ))
}

#[rustfmt::skip] // One row of the contract, one line.
fn rows() -> Vec<Row> {
    let row = |status, error, code, request: Request| Row::new(status, error, code, request.bytes());
    let raw = |status, error, code, raw: &str| Row::new(status, error, code, raw.into()).closes();
    let get = Request::get;
    let retry = &[("retry-after", ""), ("ratelimit", ""), ("ratelimit-policy", "")];
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(100_000));
    let large = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(100_000));
    let connect = "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n";
    vec![
        raw(400, "Bad request", "bad_request", "GET /served HTTP/1.1\r\n\r\n"),
        row(400, "Ambiguous path", "ambiguous_path", get("/served/%00")),
        row(401, "Invalid API key", "invalid_api_key", get("/served").field("x-api-key", "x")).with(&[AUTHENTICATE]),
        row(401, "API key required", "api_key_required", get("/served/secret")).with(&[AUTHENTICATE]),
        row(404, "No route found", "no_route", get("/nowhere")),
        row(405, "Method not allowed", "method_not_allowed", Request::post("/get", "x")).with(&[("allow", "")]),
        raw(408, "Request timeout", "request_timeout", "GET /served HTTP/1.1\r\nHos"),
        row(413, "Request body too large", "body_too_large", Request::post("/small", noise(1025))),
        raw(414, "URI too long", "uri_too_long", &long),
        row(429, "Too many requests", "rate_limited", get("/served").field("x-api-key", "tight")).with(retry),
        raw(431, "Request headers too large", "headers_too_large", &large),
        raw(501, "Not implemented", "not_implemented", connect),
        row(502, "Bad gateway", "upstream_unreachable", get("/down")),
        row(502, "Bad gateway", "upstream_reset", get("/resetting")),
        row(502, "Bad gateway", "upstream_invalid", get("/invalid")),
        row(504, "Upstream timed out", "upstream_timeout", get("/silent")),
        raw(505, "HTTP version not supported", "version_not_supported", "GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
    ]
}

fn limiter_row() -> Row {
    let (error, code) = ("Service temporarily unavailable", "limiter_unavailable");
    Row::new(503, error, code, Request::get("/a").bytes()).with(&[("retry-after", "")])
}

impl Row {
    fn new(status: u16, error: &'static str, code: &'static str, request: Vec<u8>) -> Self {
        let (closes, fields) = (false, &[]);
        Self {
            status,
            error,
            code,
            closes,
            fields,
            request,
        }
    }

    fn closes(self) -> Self {
        Self {
            closes: true,
            ..self
        }
    }

    fn with(self, fields: &'static [(&'static str, &'static str)]) -> Self {
        Self { fields, ..self }
    }

    fn holds(&self, client: &mut Client) {
        let (status, code) = (self.status, self.code);
        client.send(&self.request);
        let response = client.answer();
        assert_eq!(
            response.status,
            status,
            "the status of {code}: {}",
            response.text()
        );
        self.is_told(&response);
        for (name, value) in self.fields {
            let is = response.fields.one(name);
            let fits = if value.is_empty() {
                is.is_some()
            } else {
                is == Some(*value)
            };
            assert!(fits, "{code}: {name} is {is:?}, not {value:?}");
        }
        let unwanted = [
            "www-authenticate",
            "allow",
            "retry-after",
            "ratelimit",
            "ratelimit-policy",
        ];
        let wanted = |name: &&str| self.fields.iter().any(|(field, _)| field == name);
        for name in unwanted.iter().filter(|name| !wanted(name)) {
            assert!(
                !response.fields.has(name),
                "{code}: {name} does not belong there"
            );
        }
        assert_eq!(
            response.announces_close(),
            self.closes,
            "{code}: Connection"
        );
        if self.closes {
            client.is_closed();
        } else {
            client.ask(&Request::get("/health")).is(200);
        }
    }

    /// The parts that all refusals have in common.
    fn is_told(&self, response: &Response) {
        let code = self.code;
        assert_eq!(
            response.fields.one("content-type"),
            Some("application/problem+json"),
            "{code}"
        );
        assert_eq!(
            response.fields.one("cache-control"),
            Some("no-store"),
            "{code}"
        );
        assert!(response.fields.has("date"), "{code}: Date");
        let problem = response.json();
        let members: BTreeSet<_> = problem
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        let of_limit: &[&str] = match code {
            "rate_limited" => &["limit", "limit_source"],
            "limiter_unavailable" => &["limit"],
            _ => &[],
        };
        let expected = [
            "type",
            "title",
            "status",
            "detail",
            "error",
            "code",
            "request_id",
        ];
        let expected = expected.iter().chain(of_limit).copied().collect();
        assert_eq!(members, expected, "{code}");
        assert_eq!(problem["status"], self.status, "{code}");
        assert_eq!(problem["error"], self.error, "{code}");
        assert_eq!(problem["code"], code);
        assert_eq!(
            problem["request_id"].as_str(),
            response.fields.one("x-request-id"),
            "{code}"
        );
        let texts = ["type", "title", "detail", "request_id"];
        for member in texts.iter().chain(of_limit) {
            assert!(
                problem[member]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{code}: {member}"
            );
        }
    }
}
