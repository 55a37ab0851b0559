//! What to write in the place of what was written: that it is right, and there.

use super::hints::assert_said;
use super::*;

#[test]
fn the_table_to_write_in_the_place_of_something_else() {
    assert_said(
        r#"
        [limits]\nredis = "redis://h:6379" => write `{ url = "redis://127.0.0.1:6379" }`
        [limits]\nredis = true => write `{ url = "redis://127.0.0.1:6379" }`
        [limits]\nredis = false => leave it out, or write `{ url = "redis://127.0.0.1:6379" }`
        [upstreams.u]\nendpoints = "http://h"\nhealth = "/up" => write `{ path = "/up" }`
        [upstreams.u]\nendpoints = "http://h"\nhealth = true => write `{ path = "/healthz" }`
        [upstreams.u]\nendpoints = "http://h"\nhealth = false => write "off"
        [upstreams.u]\nendpoints = "http://h"\nbreaker = true => write `{ failures = 3 }`
        [upstreams.u]\nendpoints = "http://h"\nbreaker = 5 => write `{ failures = 5 }`
        [upstreams.u]\nendpoints = "http://h"\nretry = "none" => write "off"
        [upstreams.u]\nendpoints = "http://h"\nretry = 3 => write `{ attempts = 3 }`
        [upstreams.u]\nendpoints = "http://h"\nretry = { budget = 30 } => write `{ percent = 30 }`
        [upstreams.u]\nendpoints = "http://h"\nproxy_protocol = false => write "off"
        [upstreams]\nu = "http://h" => write `{ endpoints = ["http://h"] }`
        [upstreams]\nu = ["http://h", "http://i"] => write `{ endpoints = ["http://h", "http://i"] }`
        [[upstreams]]\nname = "u" => write `[upstreams.NAME]`, a table for each
        [[clients]]\nname = "u" => write `[clients.NAME]`, a table for each
        [clients]\nu = "sha256:aabb" => write `{ keys = ["sha256:..."] }`
        [access]\ncors = true => write `{ origins = ["https://app.example.com"] }`
        [access]\ncors = "none" => leave it out, or write `{ origins = ["https://app.example.com"] }`
        [routes]\n"/a" = { upstream = "http://h", cors = "none" } => write "off"
        [routes]\n"/a" = { upstream = ["http://h", "http://i"] } => put these into `[upstreams.NAME]`
        [routes]\n"/a" = { respond = "closed" } => write `{ status = 404, body = "closed" }`
        [routes]\n"/a" = { respond = 410 } => write `{ status = 410, body = "not here" }`
        [routes]\n"/a" = { redirect = 301 } => write `{ to = "/new", status = 301 }`
        [routes]\n"/a" = { upstream = "http://h", request_headers = { set = ["x: y"] } } => write `{ NAME = "VALUE" }`
        [routes]\n"/a" = { upstream = "http://h", response_headers = "x" } => write `{ set = { x-name = "value" } }`
        [routes]\n"/a" = 7 => write "http://127.0.0.1:4001"
        routes = "routes.json" => if this is a file, write `routes_file`
        clients = "clients.json" => if this is a file, write `clients_file`
        [route]\n"/a" = "http://h" => `"/a" = ...` belongs in `[routes]`
        tls = true => write `{ certificates = [{ cert = "cert.pem", key = "key.pem" }] }`
        [tls]\nacme = "a.test" => write `{ domains = ["a.test"] }`
        admin = "127.0.0.1:9001" => write `{ listen = "127.0.0.1:9001" }`
        admin = false => write `{ listen = "off" }`
        log = "debug" => write `{ level = "info" }`
        traces = "http://h:4318" => write `{ endpoint = "http://h:4318" }`
        traces = "${HOME}" => write `{ endpoint = "http://127.0.0.1:4318" }`
        "#,
    );
    let list = "[routes]\n\"/a\" = \"u\"\n[[upstreams]]\nname = \"u\"\nendpoints = \"http://h\"\n";
    assert_eq!(complaints(list).matches("error: ").count(), 1);
}

/// Its keys are those of the table, and none is missing.
#[test]
fn every_table_has_an_example_that_is_one() {
    let tables = crate::config::tables().iter().map(|table| &table.path);
    for path in tables.filter(|path| !path.is_empty()) {
        let path = path.replace("NAME", "n").replace("PREFIX", "\"/p\"");
        let said = complaints(&format!("{path} = true\n"));
        let (_, example) = said.split_once("write ").expect(&path);
        let example = example.lines().next().unwrap_or_default();
        let text = format!("{path} = {}\n", example.trim_matches('`'));
        let said = read(&text).map_or_else(|problems| problems.to_string(), |_| String::new());
        for wrong in [
            "unknown key",
            "is not TOML",
            &format!("error: `{path}` has no"),
        ] {
            assert!(!said.contains(wrong), "{text}: {said}");
        }
    }
}

#[test]
fn the_text_to_write_is_right() {
    assert_said(
        r#"
        [routes]\n"/a" = "http://::1:4001" => write `[::1]:4001`
        [routes]\n"/a" = "http://2001:db8::1" => write `[2001:db8::1]`
        [routes]\n"/a" = "//localhost:4001" => write `http://localhost:4001`
        [routes]\n"/a" = "" => this is empty
        [routes]\n"/a" = "ws://localhost:4001" => write `http://localhost:4001`
        [routes]\n"/a" = "wss://localhost" => write `https://localhost`
        [routes]\n"/a" = "grpc://localhost" => there is no HTTP/2 to services
        [routes]\n"/a" = { upstream = "http://h", timeout = "0" } => a duration must be longer than zero
        [routes]\n"/d/<id>" = "http://h" => write `/d`
        [routes]\n"/x/<int:id>" = "http://h" => write `/x`
        [routes]\n"/i/[0-9]+" = "http://h" => write `/i`
        [routes]\n"~/e/\\d+" = "http://h" => write `/e`
        [routes]\n"^/g" = "http://h" => write `/g`
        [routes]\n"/a" = { redirect = "/users/{id}" } => there are no patterns
        [routes]\n"/a" = "http://h/users/{id}" => appended by itself: write `http://h/users`
        [upstreams.u]\nendpoints = ["http://h:1/<id>/x"] => appended by itself: write `http://h:1`
        [routes]\n"/a" = { redirect = "/users/:id" } => `:id` is taken literally
        [routes]\n"/a" = { redirect = "https://x.test/$1" } => `$1` is taken literally
        [routes]\n"/a" = { upstream = "http://h", replace_prefix = "/users/:id" } => `:id` is taken literally
        [routes]\n"/a" = "http://h/users/:id" => `:id` is taken literally
        [upstreams.u]\nendpoints = "http://h/users/:id" => `:id` is taken literally
        [access]\nprotected = "/users"\npublic = "/users/:id" => `:id` is taken literally
        [routes]\n"/a" = { respond = { body = "${client}" } } => only values in `request_headers` and `response_headers`
        [clients.a]\nkeys = "SHA256:53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6" => write `sha256:` in lower case
        [clients.a]\nkeys = "sha256-53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6" => write `sha256:` in lower case
        [clients.a]\nkeys = "sha256: 53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6" => write `sha256:` in lower case
        [admin]\ntoken = "letmein" => Of a token, `tollgate keys hash` makes the hash
        [clients.a]\ngroups = ["group:x"] => write "x"
        [clients.a]\nkeys = [{ hash = "sha256:53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6", expires_at = "2027-01-01" }] => write "2027-01-01T00:00:00Z"
        [[route]]\nmethods = "GET,POST" => write `["GET", "POST"]`
        [[route]]\nmethods = "get | post" => write `["GET", "POST"]`
        [log]\naccess = "C:\logs" => `\` is written `\\`
        "#,
    );
}

#[test]
fn a_word_is_meant_as_its_table_has_it() {
    assert_said(
        r#"
        [limits]\nkey = "ip" => the keys here are
        [limits]\nbackend = "redis" => the store that gateways share is `redis`
        [limits]\nstore = "redis" => the store that gateways share is `redis`
        [limits]\nglobal = {} => `anonymous` is the limit of each address
        [limits]\nauthenticated = {} => `identified` that of each client
        [limits.redis]\nurl = "redis://h"\ntimeout = "1s" => did you mean `deadline`?
        [upstreams.u.health]\ntype = "http" => the keys here are
        [upstreams.u.health]\nthreshold = 2 => did you mean `down`?
        [upstreams.u.retry]\nmax = 2 => did you mean `attempts`?
        [upstreams.u.breaker]\ntimeout = "2s" => did you mean `cool_down`?
        [upstreams.u.breaker]\nthreshold = 2 => did you mean `failures`?
        [upstreams.u]\ntargets = "http://h" => did you mean `endpoints`?
        [backends.u]\nurl = "http://h" => did you mean `upstreams`?
        [[route]]\nrewrite = "/x" => did you mean `replace_prefix`?
        [[route]]\ntimeout_ms = 500 => did you mean `timeout`?
        [[route]]\nwebsocket = true => they pass without a key for them
        [[route]]\nwhitelist = "10.0.0.1" => did you mean `ip_allow`?
        [[route]]\nrespond = { code = 404, text = "x" } => did you mean `status`?
        [[route]]\nrespond = { text = "x" } => did you mean `body`?
        [[route]]\nrequest_headers = { append = {} } => did you mean `add`?
        [[route]]\nrequest_headers = { delete = "x" } => did you mean `remove`?
        [access.cors]\nallowed_origins = "*" => did you mean `origins`?
        [access.cors]\nallow_methods = "*" => did you mean `methods`?
        [access.cors]\nallow_credentials = true => did you mean `credentials`?
        [access.cors]\nexposed_headers = "*" => did you mean `expose`?
        [clients.x]\nlimit = 5 => the limit of a client is that of its `tier`
        [clients.x]\nrate_limit = 5 => the limit of a client is that of its `tier`
        [clients.x]\nkeys = { key = "s3cret" } => did you mean `hash`? A key does not stand here
        [log]\nfile = "x" => a file for the access log is `access = "PATH"`
        [server]\nreal_ip_header = "x" => did you mean `trusted_proxies`?
        [server]\ntrust_x_forwarded_for = true => did you mean `trusted_proxies`?
        "#,
    );
}

/// Wherever the first one is, and however it is written.
#[test]
fn what_is_given_twice_shows_the_first() {
    for (text, first) in [
        (
            "[access]\ncors = { origins = \"*\" }\n[access.cors]\n",
            "2:1 cors",
        ),
        (
            "[limits]\nanonymous = {}\n[limits.anonymous]\n",
            "2:1 anonymous",
        ),
        (
            "[routes]\n\"/a\" = \"http://h\"\n[routes.\"/a\"]\n",
            "2:1 \"/a\"",
        ),
        ("access.protected = []\n[access]\n", "1:1 access"),
        (
            "[limits.policies.a]\n[limits.policies.\"a\"]\n",
            "1:1 [limits",
        ),
        ("[routes]\n\"/a\" = 1\n'/a' = 2\n", "2:1 \"/a\""),
        (
            "[routes]\n\"/a\" = { timeout = 1, 'timeout' = 2 }\n",
            "2:10 timeout",
        ),
        (
            "[[route]]\nname = 1\n[[route]]\nname = 2\nhost = 3\n\"name\" = 4\n",
            "4:1 name",
        ),
        (
            "[log]\nlevel = 1\n[server]\n[log] # again\nlevel = 2\n",
            "1:1 [log]",
        ),
        ("[routes]\n[[routes]]\n", "1:1 [routes]"),
        ("[a]\nb.c = 1\n[a.b]\n", "2:1 b.c"),
    ] {
        let problems = read(text).expect_err(text);
        let said = rows(&problems);
        let expected = format!("given again here | {first}");
        assert!(said.contains(&expected), "{text}{said}");
    }
    for (text, format) in [
        ("{\"log\": {}, \"log\": {}}", Format::Json),
        ("log: {}\nlog: {}\n", Format::Yaml),
    ] {
        let read = parse("x", text, format, &environment, &|_| {
            Err(Unreadable::Missing)
        });
        let said = read.expect_err(text).to_string();
        for part in [
            "given again here",
            "first given here",
            "keep one of them, with what stands in both",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}
