//! TOML and JSON are two ways to write the same.

use super::*;

const TOML: &str = r#"
listen = ["127.0.0.1:3000", "[::1]:3000"]

[routes]
"/api/orders" = "orders"
"/api/search" = { upstream = "http://10.0.0.9:8080", timeout = "5s", body_limit = "10MiB", limits = ["search"], cost = 5 }

[[route]]
prefix = "/api/orders"
upstream = "orders"
hosts = ["Admin.example.com"]
methods = ["GET", "PUT"]
strip_prefix = false
encoded_slash = "keep"
path_encoding = "any"

[upstreams.orders]
endpoints = [{ url = "http://10.0.0.1:4002/v2" }]
connect_timeout = "1s"

[access]
protected = ["/api/orders"]
client_header = "x-caller"

[clients.mobile-app]
keys = [
    "sha256:53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6",
    { hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000", expires_at = 2027-01-01T00:00:00Z },
]
tier = "gold"

[limits]
anonymous = { requests = 60, per = "1m", algorithm = "sliding-window" }
headers = "both"
[limits.tiers.gold]
requests = 6000
per = "1m"
[limits.policies.search]
requests = 20
per = "1s"
algorithm = "token-bucket"
burst = 40
by = "route"
mode = "shadow"
on_failure = "open"
[limits.redis]
url = "redis://:${PASSWORD}@127.0.0.1:6379/1"
on_failure = "closed"

[server]
workers = 3
trusted_proxies = ["10.0.0.0/8", "::1"]
watch = true
[log]
access = "logs/access.log"
"#;

const JSON: &str = r#"{
  "listen": ["127.0.0.1:3000", "[::1]:3000"],
  "routes": {
    "/api/orders": "orders",
    "/api/search": { "upstream": "http://10.0.0.9:8080", "timeout": "5s", "body_limit": "10MiB", "limits": ["search"], "cost": 5 }
  },
  "route": [{
    "prefix": "/api/orders", "upstream": "orders", "hosts": ["Admin.example.com"],
    "methods": ["GET", "PUT"], "strip_prefix": false, "encoded_slash": "keep",
    "path_encoding": "any"
  }],
  "upstreams": {
    "orders": { "endpoints": [{ "url": "http://10.0.0.1:4002/v2" }], "connect_timeout": "1s" }
  },
  "access": { "protected": ["/api/orders"], "client_header": "x-caller" },
  "clients": {
    "mobile-app": {
      "keys": [
        "sha256:53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6",
        {
          "hash": "sha256:0000000000000000000000000000000000000000000000000000000000000000",
          "expires_at": "2027-01-01T00:00:00Z"
        }
      ],
      "tier": "gold"
    }
  },
  "limits": {
    "anonymous": { "requests": 60, "per": "1m", "algorithm": "sliding-window" },
    "headers": "both",
    "tiers": { "gold": { "requests": 6000, "per": "1m" } },
    "policies": {
      "search": {
        "requests": 20, "per": "1s", "algorithm": "token-bucket", "burst": 40,
        "by": "route", "mode": "shadow", "on_failure": "open"
      }
    },
    "redis": { "url": "redis://:${PASSWORD}@127.0.0.1:6379/1", "on_failure": "closed" }
  },
  "server": { "workers": 3, "trusted_proxies": ["10.0.0.0/8", "::1"], "watch": true },
  "log": { "access": "logs/access.log" }
}"#;

fn read_json(text: &str) -> Result<Loaded, Problems> {
    parse("tollgate.json", text, Format::Json, &environment, &|_| {
        Err(Unreadable::Missing)
    })
}

#[test]
fn both_formats_give_the_same() {
    let toml = good(TOML);
    let json = read_json(JSON).unwrap_or_else(|problems| panic!("{problems}"));
    let compared = crate::config::changes(&toml.written, &toml.written, &json.written);
    assert_eq!(compared, []);
    let shown = |loaded: &Loaded| {
        let routes = loaded.snapshot.routes.routes();
        format!(
            "{:?} {routes:?} {:?}",
            loaded.settings, loaded.snapshot.upstreams
        )
    };
    assert_eq!(shown(&toml), shown(&json));
}

#[test]
fn json_is_json_and_nothing_more() {
    for (text, why) in [
        ("", "the file is empty"),
        ("{\"listen\": \"a\"} // x", "comments are not allowed"),
        ("{\"routes\": {},}", "trailing commas are not allowed"),
        ("{listen: 1}", "this is not JSON"),
        ("{'listen': 1}", "this is not JSON"),
        ("{\"listen\": 0x1}", "this is not JSON"),
        ("{\"routes\": {} \"access\": {}}", "this is not JSON"),
        ("[]", "the file must be a table"),
        ("{\"routes\": null}", "this is null"),
        (
            "{\"server\": {\"workers\": 1.5}}",
            "this is a number with a fraction",
        ),
        ("{\"log\": {}, \"log\": {}}", "the key `log` is given twice"),
    ] {
        let said = read_json(text).expect_err(text).to_string();
        assert!(said.contains(why), "{text}: {said}");
    }
}

#[test]
fn a_byte_order_mark_says_nothing() {
    assert!(read_json("\u{feff}{\"routes\": {}}").is_ok());
    assert!(read("\u{feff}listen = '127.0.0.1:80'\n").is_ok());
    let said = complaints("\u{feff}listn = 1\n");
    assert!(said.contains("tollgate.toml:1:"), "{said}");
}
