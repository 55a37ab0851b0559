//! Whatever stands in a file, reading it ends with an answer.

use proptest::prelude::*;

use super::*;

const FILES: [&str; 3] = [
    r#"
routes:
  /a: { upstream: u, timeout: 5s, limits: [x], cost: 5 }
route:
  - prefix: /a
    upstream: "http://[::1]:80/base"
clients:
  a.b:
    keys:
      - hash: sha256:${HASH:-0}
        not_before: 2026-01-01T00:00:00Z
limits:
  redis:
    url: redis://u:${PASSWORD}@h/1
log:
  access: >-
    é
    x
"#,
    include_str!("../../../tollgate.toml"),
    r#"
routes_file = "routes.json"
[routes]
"/a" = { upstream = "u", timeout = "5s", limits = ["x"], cost = 5, hosts = ["h"], methods = ["GET"] }
[[route]]
prefix = "/a"
upstream = "http://[::1]:80/base"
[upstreams.u]
endpoints = [{ url = "http://10.0.0.2:4002", weight = 2 }, "http://h:1"]
hash_by = "header:x-y"
max_requests = "adaptive"
health = { path = "/a", statuses = [200, "300-399"] }
breaker = "off"
[upstream_defaults]
keep = 5
retry = { budget = { percent = 1 }, body = "1KiB" }
[access]
api_key_header = "x-key"
[clients."a.b"]
keys = [{ hash = "sha256:${HASH:-0}", not_before = 2026-01-01T00:00:00Z }]
[limits]
identified = { requests = 600, per = "1m", algorithm = "token-bucket", burst = 3 }
redis.url = ["redis://u:${PASSWORD}@h/1"]
policies.x = { requests = 1, per = "1s", by = "ip" }
[server]
trusted_proxies = ["10.0.0.0/8"]
max_head = "64KiB"
"#,
];

/// A piece of a file that is more likely to mean something than any character.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~\n]{0,6}",
        any::<char>().prop_map(String::from),
        Just("\"".to_owned()),
        Just("[".to_owned()),
        Just("= {".to_owned()),
        Just("${".to_owned()),
        Just("é\r\n".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("-1".to_owned()),
        Just("[[route]]\n".to_owned()),
        Just("\n  - ".to_owned()),
        Just("&x *x ".to_owned()),
        Just(": |\n".to_owned()),
    ]
}

fn mutated() -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), 0_usize..8, piece());
    let edits = prop::collection::vec(edit, 1..5);
    (prop::sample::select(FILES.to_vec()), edits).prop_map(|(file, edits)| {
        let mut characters: Vec<char> = file.chars().collect();
        for (at, removed, piece) in edits {
            let start = at.index(characters.len() + 1);
            let end = (start + removed).min(characters.len());
            characters.splice(start..end, piece.chars());
        }
        characters.into_iter().collect()
    })
}

fn try_all(text: &str) {
    for format in [Format::Toml, Format::Json, Format::Yaml] {
        let routes = |_: &std::path::Path| Ok("{\"/r\": \"http://x\"}".to_owned());
        match parse("x", text, format, &environment, &routes) {
            Ok(loaded) => assert!(!loaded.settings.listen.is_empty()),
            Err(problems) => {
                let shown = problems.render(false);
                assert!(shown.starts_with("error: "), "{shown}");
                assert!(!shown.contains("hunter2"), "{shown}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_mutated_file_is_answered(text in mutated()) {
        try_all(&text);
    }

    #[test]
    fn any_text_is_answered(text in "\\PC*") {
        try_all(&text);
    }
}
