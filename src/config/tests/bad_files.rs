//! What is said of files with problems: keys, names, and syntax; and how users see it.

use super::*;

#[test]
fn a_slip_in_a_key() {
    assert_complaints(
        r#"[access]
protcted = ["/api/orders"]
forward_api_key = "no"
[server]
colour = "red"
"#,
        r#"error: unknown key `protcted`
 --> tollgate.toml:2:1
  |
2 | protcted = ["/api/orders"]
  | ^^^^^^^^ did you mean `protected`?

error: `access.forward_api_key` takes true or false
 --> tollgate.toml:3:19
  |
3 | forward_api_key = "no"
  |                   ^^^^ write `false`, without quotes

error: unknown key `colour`
 --> tollgate.toml:5:1
  |
5 | colour = "red"
  | ^^^^^^
  |
  = help: the keys here are workers, trusted_proxies, request_id_header, odd_field_names, via, max_connections, max_connections_per_ip, max_head, max_headers, header_timeout, idle_timeout, min_body_rate, drain_delay, drain_timeout, watch

3 problems
"#,
    );
}

#[test]
fn keys_in_the_wrong_place() {
    assert_problems(
        r#"workers = 4
[routes]
"/api/orders" = "http://localhost:4002"
listen = "127.0.0.1:3000"
[log]
trusted_proxies = []
"#,
        "
1:1 workers: unknown key `workers`: this belongs in `[server]`
4:1 listen: `listen` is not a valid path prefix: this belongs at the top of the main file, before the first table or in `[admin]`
6:1 trusted_proxies: unknown key `trusted_proxies`: this belongs in `[server]`
",
    );
}

#[test]
fn names_that_lead_nowhere() {
    assert_problems(
        r#"[routes]
"/api/orders" = "ordres"
"/api/search" = "localhost:4003"
"/api/stock" = "warehouse"
[upstreams.orders]
endpoints = ["http://localhost:4002"]
[clients.web]
tier = "silver"
"#,
        r#"
2:17 "ordres": there is no upstream `ordres`: did you mean `orders`?
3:17 "localhost:4003": there is no upstream `localhost:4003`: if this is an address, write `http://localhost:4003`
4:16 "warehouse": there is no upstream `warehouse` = add `[upstreams.warehouse]`, or write a URL
8:8 "silver": there is no tier `silver` = add `[limits.tiers.silver]`
"#,
    );
}

#[test]
fn routes_that_no_request_can_tell_apart() {
    assert_complaints(
        r#"[routes]
"/api/orders" = "http://localhost:4002"
[[route]]
prefix = "/api/orders"
upstream = "http://localhost:4003"
[[route]]
prefix = "/api/orders"
upstream = "http://localhost:4004"
methods = ["GET"]
"#,
        r#"error: no request can tell these two routes apart
 --> tollgate.toml:4:10
  |
2 | "/api/orders" = "http://localhost:4002"
  | ------------- and this one
3 | [[route]]
4 | prefix = "/api/orders"
  |          ^^^^^^^^^^^^^ this route
  |
  = help: give one of them other `hosts` or `methods`

1 problem
"#,
    );
}

#[test]
fn keys_that_are_none() {
    assert_complaints(
        r#"[clients.mobile-app]
keys = [
  "demo-key-mobile-app",
  "sha256:53a04f1fc0c388b7",
  { hash = "sha256:53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6", not_before = "2027-01-01T00:00:00Z", expires_at = "2026-01-01T00:00:00Z" },
]
[limits.tiers.gold]
requests = 1
per = "1s"
[clients."web app"]
tier = "gold"
[clients.web]
keys = ["sha256:53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6"]
[clients.tablet]
keys = { hash = "x" }
"#,
        r#"error: `clients.mobile-app.keys` takes the hash of a key such as "sha256:..."
--> tollgate.toml:3:3
 = note: a hash is `sha256:` and 64 hexadecimal digits. If this is a key itself, treat it as leaked: make another with `tollgate keys new`. Of a token, `tollgate keys hash` makes the hash

error: `clients.mobile-app.keys` takes the hash of a key such as "sha256:..."
--> tollgate.toml:4:3
 = note: this has 16 hexadecimal digits instead of 64

error: this key expires before it begins to hold
--> tollgate.toml:5:137
 = note: it begins to hold here: tollgate.toml:5:100

error: `web app` is not a valid name for a client
--> tollgate.toml:10:10
 = note: a client's name has 1 to 128 characters of A-Z a-z 0-9 . _ -

error: this key is given twice
--> tollgate.toml:13:9
 = note: given again here
 = note: first given here: tollgate.toml:5:12
 = help: a key says who is calling, so it belongs to one client, once

error: `clients.tablet.keys.hash` takes the hash of a key such as "sha256:..."
--> tollgate.toml:15:17
 = note: a hash is `sha256:` and 64 hexadecimal digits. If this is a key itself, treat it as leaked: make another with `tollgate keys new`. Of a token, `tollgate keys hash` makes the hash

6 problems
"#,
    );
}

#[test]
fn what_is_not_toml() {
    assert_problems(
        r#"listen = "127.0.0.1:3000
[routes]
"/api/orders" = http://localhost:4002
"/a" = "http://a"
"/a" = "http://b"
"#,
        r#"
1:25 : this is not TOML: invalid basic string, expected `"`
3:17 http://localhost:4002: this is not TOML: a string is written in quotes: `"..."`
5:1 "/a": this key is given twice: given again here | 4:1 "/a" = "http://a": first given here = keep one of them; several values go into one list
"#,
    );
}

#[test]
fn a_bracket_that_is_not_closed_is_one_problem() {
    for (text, expected) in [
        (
            "[routes]\n\"/a\" = \"http://a\"\n[access]\nprotected = [\n  \"/a\",\n  \"/b\"\n\n[server]\nworkers = 1\n",
            "4:13 [: this is not TOML: this `[` is not closed",
        ),
        (
            "x = \n[routes]\n\"/a\" = { upstream = \"http://x\"\n\"/b\" = \"http://y\"\n[log]\n",
            "1:5 : this is not TOML: a string is written in quotes: `\"...\"`\n3:8 {: this is not TOML: this `{` is not closed",
        ),
        (
            "a.b = [[1, 2]",
            "1:7 [: this is not TOML: this `[` is not closed",
        ),
        (
            "a = [{ b = [1, 2], c = [1, [2]",
            "1:24 [: this is not TOML: this `[` is not closed",
        ),
        // It is the string that does not end.
        (
            "a = [\"x]\nb = 1\n",
            "1:9 : this is not TOML: invalid basic string, expected `\"`",
        ),
        (
            "a = [\"\"\"x]\nb = 1\n",
            "3:1 : this is not TOML: invalid multi-line basic string, expected `\"`",
        ),
    ] {
        assert_problems(text, &format!("\n{expected}\n"));
    }
}

#[test]
fn variables_that_are_not_set() {
    assert_problems(
        r#"listen = "${ADDRESS}:3000"
[log]
access = "${HOME}/${1}/access.log"
level = "${LEVEL:-info"
[limits.redis]
url = "redis://:${REDIS_PASSWORD}@localhost"
"#,
        "
1:11 ${ADDRESS}: the variable `ADDRESS` is not set: needed here = set it, or give a default: `${ADDRESS:-default}`
3:19 ${1}: this is not the name of a variable: letters, digits and `_`, not starting with a digit = write `${NAME}` or `${NAME:-default}`
4:10 ${: a `${` without its `}` = write `${NAME}` or `${NAME:-default}`
6:17 ${REDIS_PASSWORD}: the variable `REDIS_PASSWORD` is not set: needed here = set it, or give a default: `${REDIS_PASSWORD:-default}`
",
    );
}

#[test]
fn addresses_given_twice() {
    assert_complaints(
        r#"listen = ["127.0.0.1:3000", "[::1]:3000", "127.0.0.1:3000"]
"#,
        r#"error: `127.0.0.1:3000` is given twice
 --> tollgate.toml:1:43
  |
1 | listen = ["127.0.0.1:3000", "[::1]:3000", "127.0.0.1:3000"]
  |           ----------------                ^^^^^^^^^^^^^^^^ given again here
  |           |
  |           first given here

1 problem
"#,
    );
}
