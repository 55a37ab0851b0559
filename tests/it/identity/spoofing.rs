//! Names that only the gateway gives: what a client sends under them, or under anything that an
//! upstream could read as them, never arrives.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::support::{Request, Shop, each};

/// The gateway's own, and those under which Kong and others pass on who calls.
const NAMES: [&str; 8] = [
    "x-client-id",
    "x-client-name",
    "x-consumer-username",
    "x-consumer-id",
    "x-consumer-groups",
    "x-credential-identifier",
    "x-authenticated-userid",
    "x-anonymous-consumer",
];

/// Every way to write the name with some of its dashes as underscores.
fn twins(name: &str) -> Vec<String> {
    let dashes: Vec<usize> = name.match_indices('-').map(|(at, _)| at).collect();
    let spell = |mask: usize| {
        let mut twin = name.to_owned();
        for (nth, &at) in dashes.iter().enumerate() {
            if mask >> nth & 1 == 1 {
                twin.replace_range(at..=at, "_");
            }
        }
        twin
    };
    (0..1 << dashes.len()).map(spell).collect()
}

#[test]
fn identity_fields_of_a_client_never_arrive() {
    let shop = Shop::open();
    let spellings = NAMES.iter().flat_map(|name| twins(name));
    let spellings = spellings.flat_map(|twin| [twin.clone(), twin.to_uppercase(), camel(&twin)]);
    each(spellings, |name| {
        for connection in ["keep-alive", name] {
            let request = |target| {
                Request::get(target)
                    .field(name, "spoofed")
                    .field("Connection", connection)
                    .field(name, "spoofed")
            };
            shop.ask(&request("/api/inventory/x")).is(200);
            let seen = shop.inventory.only();
            assert!(
                !format!("{:?}", seen.fields).contains("spoofed"),
                "anonymous: {:?}",
                seen.fields
            );
            assert!(
                !seen.fields.has("x-client-id"),
                "anonymous callers have no name"
            );

            shop.ask(&request("/api/orders/x").with_key()).is(200);
            let seen = shop.orders.only();
            assert!(
                !format!("{:?}", seen.fields).contains("spoofed"),
                "identified: {:?}",
                seen.fields
            );
            assert_eq!(seen.fields.one("x-client-id"), Some("mobile-app"));
        }
    });
}

#[test]
fn an_identity_field_does_not_identify() {
    let shop = Shop::open();
    each(NAMES, |name| {
        shop.ask(&Request::get("/api/orders/x").field(name, "mobile-app"))
            .is_refusal(401, "api_key_required");
    });
    shop.nothing_got_through();
}

#[test]
fn a_field_of_another_name_is_nobodys_business() {
    let shop = Shop::open();
    let request = Request::get("/api/inventory/x")
        .field("x-client-identity", "1")
        .field("client-id", "2");
    shop.ask(&request).is(200);
    let seen = shop.inventory.only();
    assert_eq!(seen.fields.one("x-client-identity"), Some("1"));
    assert_eq!(seen.fields.one("client-id"), Some("2"));
}

/// gunicorn takes `SCRIPT_NAME` of a peer on the same machine for a part of the path, and CGI makes
/// `HTTP_X_CLIENT_ID` of `X.Client.Id`.
#[test]
fn fields_with_odd_names_do_not_arrive_unless_they_may() {
    let names = "!#$%&'*+.^`|~_".chars().map(|c| format!("Tenant{c}Name"));
    let passing = "[server]\nodd_field_names = \"pass\"";
    for (more, arrives) in [("", false), (passing, true)] {
        let shop = Shop::with(more);
        let mut client = shop.gateway.connect();
        each(names.clone(), |name| {
            client.send(format!(
                "POST /api/inventory/x HTTP/1.1\r\nHost: gateway.test\r\n{name}: 1\r\nProxy: evil\r\n\
                 X.Client.Id: evil\r\nScript_Name: evil\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{name}: 2\r\nProxy: evil\r\n\
                 X.Client.Id: evil\r\nScript_Name: evil\r\nX-Good: 3\r\n\r\n"
            ));
            client.answer().is(200);
            let seen = shop.inventory.only();
            assert_eq!(seen.fields.has(name), arrives, "{:?}", seen.fields);
            assert_eq!(seen.trailers.has(name), arrives, "{:?}", seen.trailers);
            assert_eq!(seen.trailers.one("x-good"), Some("3"));
            let all = format!("{:?} {:?}", seen.fields, seen.trailers);
            assert!(!all.contains("evil"), "{all}");
        });
    }
}

#[test]
fn the_configured_name_is_guarded_like_the_usual_one() {
    let (inventory, orders) = (
        crate::support::Upstream::echo(),
        crate::support::Upstream::echo(),
    );
    let config = Shop::config(&inventory, &orders, "")
        .replace("[access]", "[access]\nclient_header = \"X-Acme-Caller\"");
    let gateway = crate::support::Gateway::start(&config);
    let spellings = twins("x-acme-caller")
        .into_iter()
        .chain(NAMES.map(str::to_owned));
    each(spellings, |name| {
        gateway
            .ask(
                &Request::get("/api/orders/x")
                    .field(name, "spoofed")
                    .with_key(),
            )
            .is(200);
        let seen = orders.only();
        assert!(
            !format!("{:?}", seen.fields).contains("spoofed"),
            "{:?}",
            seen.fields
        );
        assert_eq!(seen.fields.one("x-acme-caller"), Some("mobile-app"));
    });
}

/// `x-client-id` as `X-Client-Id`.
fn camel(name: &str) -> String {
    let mut up = true;
    let letter = |c: char| {
        let letter = if up { c.to_ascii_uppercase() } else { c };
        up = matches!(c, '-' | '_');
        letter
    };
    name.chars().map(letter).collect()
}

/// Names by which services are told what a request is for, behind whatever its path was checked for.
const CLAIMS: [&str; 18] = [
    "X-Original-URL",
    "x-rewrite-url",
    "X-Original-URI",
    "X-Rewrite-Uri",
    "X-Request-URI",
    "Request-Uri",
    "X-Original-Path",
    "x-envoy-original-path",
    "X-Script-Name",
    "SCRIPT-NAME",
    "X-Path-Info",
    "Path-Info",
    "x-matched-path",
    "x-invoke-path",
    "X-Original-Host",
    "X-HTTP-Host-Override",
    "X-Accel-Mapping",
    "X-Sendfile-Type",
];

#[test]
fn fields_that_services_take_for_the_target_arrive_from_trusted_proxies_alone() {
    for (more, arrives) in [
        ("", false),
        ("[server]\ntrusted_proxies = [\"127.0.0.1\"]", true),
    ] {
        let shop = Shop::with(more);
        each(CLAIMS, |name| {
            let request = Request::get("/api/inventory/x").field(name, "/api/orders");
            shop.ask(&request).is(200);
            let seen = shop.inventory.only();
            assert_eq!(seen.fields.has(&name.to_lowercase()), arrives, "{name}");
        });
    }
}

/// Calibre-Web and others have this class, from a snippet of Flask's.
const REVERSE_PROXIED: &str = r#"
import os, sys, threading
from wsgiref.simple_server import make_server, WSGIRequestHandler
class Quiet(WSGIRequestHandler):
    def log_message(self, *_): pass
def app(env, start):
    name = env.get("HTTP_X_SCRIPT_NAME", "")
    if name and env["PATH_INFO"].startswith(name):
        env["PATH_INFO"] = env["PATH_INFO"][len(name):]
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"secret" if env["PATH_INFO"].startswith("/admin") else b"public"]
server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0))).start()
print(server.server_port, flush=True)
server.serve_forever()
"#;

#[test]
fn a_wsgi_application_is_not_led_past_a_protected_prefix() {
    let mut child = Command::new("python3")
        .args(["-c", REVERSE_PROXIED])
        // It ends when this pipe does, also if the test fails.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is there");
    let mut port = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut port)
        .unwrap();
    let gateway = crate::support::Gateway::start(&format!(
        "[routes]\n\"/\" = \"http://127.0.0.1:{}\"\n\
         [routes.\"/calibre\"]\nupstream = \"http://127.0.0.1:{}\"\nstrip_prefix = false\n\
         request_headers.set.x-script-name = \"/calibre\"\n\
         [access]\nprotected = [\"/admin\", \"/calibre/admin\"]\n",
        port.trim(),
        port.trim()
    ));
    let ask = |path, name: &str| {
        let answer = gateway.ask(&Request::get(path).field("X-Script-Name", name));
        (answer.status, answer.text())
    };
    assert_eq!(ask("/x", ""), (200, "public".to_owned()));
    assert_eq!(ask("/x/admin", "/x"), (200, "public".to_owned()));
    assert_eq!(ask("/calibre/x/admin", "/calibre/x").1, "public");
    assert_eq!(ask("/calibre/admin", "").0, 401);
    assert_eq!(ask("/calibre/calibre/admin", "").1, "public");
    drop(child.stdin.take());
    child.wait().unwrap();
}
