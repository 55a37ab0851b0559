//! TOML, JSON and YAML are three ways to write the same.

use super::*;
use crate::config::plain;

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
fields = ["time", "path"]
sample_ok = 2_5.0e-2
"#;

const YAML: &str = r#"
listen: ["127.0.0.1:3000", "[::1]:3000"]

routes:
  /api/orders: orders
  /api/search:   # a comment
    upstream: http://10.0.0.9:8080
    timeout: 5s
    body_limit: 10MiB
    limits: [search]
    cost: 5

route:
  - prefix: /api/orders
    upstream: orders
    hosts: [Admin.example.com]
    methods: [GET, PUT]
    strip_prefix: false
    encoded_slash: keep
    path_encoding: any

upstreams:
  orders:
    endpoints:
      - url: http://10.0.0.1:4002/v2
    connect_timeout: 1s

access: { protected: [/api/orders], client_header: x-caller }

clients:
  mobile-app:
    keys:
      - sha256:53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6
      - hash: "sha256:0000000000000000000000000000000000000000000000000000000000000000"
        expires_at: 2027-01-01T00:00:00Z
    tier: gold

limits:
  anonymous: { requests: 60, per: 1m, algorithm: sliding-window }
  headers: both
  tiers:
    gold: { requests: 6000, per: 1m }
  policies:
    search:
      requests: 20
      per: 1s
      algorithm: token-bucket
      burst: 40
      by: route
      mode: shadow
      on_failure: open
  redis:
    url: redis://:${PASSWORD}@127.0.0.1:6379/1
    on_failure: closed

server: { workers: 3, trusted_proxies: [10.0.0.0/8, "::1"], watch: true }
log:
  access: >-
    logs/access.log
  fields: [time, path]
  sample_ok: +.25
"#;

fn read_json(text: &str) -> Result<Loaded, Problems> {
    parse("tollgate.json", text, Format::Json, &environment, &|_| {
        Err(Unreadable::Missing)
    })
}

fn read_yaml(text: &str) -> Result<Loaded, Problems> {
    parse("tollgate.yaml", text, Format::Yaml, &environment, &|_| {
        Err(Unreadable::Missing)
    })
}

#[test]
fn all_formats_give_the_same() {
    let toml = good(TOML);
    assert_same(&toml, &fine(read_yaml(YAML)));
    let json = plain("tollgate.toml", TOML, Format::Toml).unwrap();
    let json = format!("{json:#}");
    assert_same(&toml, &fine(read_json(&json)));
    assert_same(&toml, &fine(read_yaml(&json)));
}

fn assert_same(toml: &Loaded, json: &Loaded) {
    assert_eq!(reload(toml, json), [""; 0]);
    let shown = |loaded: &Loaded| {
        let routes = loaded.snapshot.routes.routes();
        format!(
            "{:?} {routes:?} {:?} {:?}",
            loaded.settings, loaded.snapshot.upstreams, loaded.snapshot.access_lines
        )
    };
    assert_eq!(shown(toml), shown(json));
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
        ("{\"log\": {}, \"log\": {}}", "this key is given twice"),
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

#[test]
fn what_yaml_has_beyond_a_configuration_is_refused_where_it_stands() {
    for (text, said) in table(
        r#"
        a: &x b => 1:4 anchors are not supported
        a: [&x b] => 1:5 anchors are not supported
        a: *x => 1:4 aliases are not supported
        x: &x [1]\ny: [*x, *x] => 1:4 aliases are not supported
        <<: *x => 1:5 aliases are not supported
        *x : 1 => 1:1 aliases are not supported
        a: !!str 5 => 1:4 tags are not supported
        a: !x\n  b: c => 1:4 tags are not supported
        log: {}\n---\nlog: {} => 2:1 several documents are not supported
        %YAML 1.1\n---\nlog: {} => 1:1 this is not YAML
        log: {}\nlog: {} => 2:1 this key is given twice
        8080: a => 1:1 this is a whole number; quote it
        true: a => 1:1 this is true or false; quote it
        ? [a]\n: b => 1:3 this is a list; quote it
        : b => 1:1 this is null; quote it
        log:\n	level: info => 2:2 this is not YAML
        log: 'info => 1:6 this is not YAML
        a: b: c => 1:5 this is not YAML
        é: [ => 1:4 this is not YAML
        - a => 1:1 the file must be a table
        log: => 1:4 this is null
        log: {level: no} # é => 1:14 this is none of them
        server:\n  watch: no => 2:10 write `false`, without quotes
        server:\n  workers: 1.5 => 2:12 this is a number with a fraction
        server:\n  idle_timeout: 30 => 2:17 write "30s"
        server:\n  idel_timeout: 5s => 2:3 did you mean `idle_timeout`?
        "#,
    ) {
        let rows = rows(&read_yaml(&text).expect_err(&text));
        let (place, why) = said.split_once(' ').unwrap();
        assert!(rows.contains(why), "{text}: {rows}");
        assert!(
            rows.lines()
                .any(|row| row.starts_with(&format!("{place} ")))
        );
    }
    for nested in ["[", "{a: ", "- ", "? "] {
        let said = read_yaml(&nested.repeat(100_000))
            .expect_err(nested)
            .to_string();
        assert!(said.contains("this is not YAML"), "{said}");
    }
}

#[test]
fn a_file_of_yaml_without_anything_is_an_empty_one() {
    for text in [
        "",
        "# nothing\n",
        "\u{feff}# nothing\n",
        "{}",
        "---\n{}\n...\n",
    ] {
        assert_same(&fine(read_yaml(text)), &good(""));
    }
}

#[test]
fn a_problem_in_yaml_has_its_line_and_a_caret() {
    let said = read_yaml("server:\n  # é\n  idle_timeout: \"10 s\"   # é\n").unwrap_err();
    let expected = "\
error: `server.idle_timeout` takes a duration such as \"30s\"
 --> tollgate.yaml:3:17
  |
3 |   idle_timeout: \"10 s\"   # é
  |                 ^^^^^^ write `10s`, without spaces

1 problem
";
    assert_eq!(said.to_string(), expected);
}
