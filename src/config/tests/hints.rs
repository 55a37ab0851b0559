//! What is said of what people bring from other programs, or write by habit.

use super::*;

/// Checks that each text has a problem or a warning that says something.
fn assert_said(table: &[(&str, &str)]) {
    for (text, expected) in table {
        let said = match read(text) {
            Ok(_) => lints(text).join("\n"),
            Err(problems) => problems.to_string(),
        };
        assert!(
            said.contains(expected),
            "{expected:?} is not said of\n{text}\n{said}"
        );
    }
}

#[test]
fn keys_of_other_programs() {
    let route = |key: &str| {
        format!("[[route]]\nprefix = \"/a\"\nupstream = \"http://h\"\n{key} = \"http://h\"\n")
    };
    assert_said(&[
        (
            "[[route]]\nprefix = \"/a\"\nurl = \"http://h\"\n",
            "did you mean `upstream`?",
        ),
        (&route("proxy_pass"), "did you mean `upstream`?"),
        (&route("domain"), "did you mean `hosts`?"),
        (&route("path"), "unknown key `path`"),
        (&route("rate_limit"), "did you mean `limits`?"),
        (
            "[upstreams.u]\nurl = \"http://h\"\n",
            "did you mean `endpoints`?",
        ),
        (
            "[limits.anonymous]\nrequests = 1\nwindow = \"1s\"\n",
            "did you mean `per`?",
        ),
        ("port = 80\n", "did you mean `listen`?"),
        ("[consumers.x]\nkeys = []\n", "did you mean `clients`?"),
        (
            "[clients.x]\napi_key = \"s3cret\"\n",
            "did you mean `keys`?",
        ),
        (
            "threads = 4\n",
            "`workers` is what it is called here, in `[server]`",
        ),
        (
            "access_log = \"a\"\n",
            "write `access = \"PATH\"` in `[log]`",
        ),
        (
            "[cors]\norigins = \"*\"\n",
            "this belongs in `[routes.PREFIX]` or in `[route]` or in `[access]`",
        ),
        (
            "[routes]\ndomain = \"x\"\n",
            "`hosts` is what it is called here",
        ),
        ("[metrics]\nport = 9\n", "`/metrics` of the admin port"),
        (
            "[tls]\ncert = \"x\"\n",
            "this belongs in `[tls.certificates]`",
        ),
        (
            "ssl_certificate = \"x\"\n",
            "`cert` is what it is called here",
        ),
        ("http2 = true\n", "there is no HTTP/2 yet"),
        (
            "[auth]\nkind = \"jwt\"\n",
            "clients are known by API keys alone",
        ),
        (
            &route("retries"),
            "`retry` is what it is called here, in `[upstreams.NAME]`",
        ),
        ("plugins = []\n", "there are none"),
        (
            "[admin]\nlisten = \"/run/admin.sock\"\n",
            "write \"unix:/run/admin.sock\"",
        ),
    ]);
}

#[test]
fn values_of_unknown_keys_are_shown_unless_they_may_be_secrets() {
    for (line, is_shown) in [
        ("colour = \"red\"", true),
        ("retries = 3", true),
        ("target = \"http://h:1/x\"", true),
        ("where = \"/var/log\"", true),
        ("names = [\"one\", \"two\"]", true),
        ("colour = \"a8Kd93jf0dkq\"", false),
        ("my_token = \"red\"", false),
        ("colour = { x = 1 }", false),
        ("colour = \"u:p@h\"", false),
    ] {
        let said = complaints(&format!("[server]\n{line}\n"));
        assert_eq!(said.contains(line), is_shown, "{line}: {said}");
    }
}

#[test]
fn urls_that_are_miswritten() {
    let route = |url: &str| format!("[routes]\n\"/a\" = \"{url}\"\n");
    for (url, expected) in [
        ("http//orders", "write `http://orders`"),
        ("http://http//orders:80/x", "write `http://orders:80/x`"),
        ("http://http://orders", "write `http://orders`"),
        ("http:/orders", "write `http://orders`"),
        ("http:orders", "write `http://orders`"),
        ("http:///orders", "write `http://orders`"),
        (
            "unix:/run/orders.sock",
            "sockets of the file system are not supported",
        ),
        (
            "unix:///run/orders.sock",
            "sockets of the file system are not supported",
        ),
        ("https//orders:444", "write `https://orders:444`"),
        ("https://http://orders", "write `http://orders`"),
        ("https;//orders", "write `https://orders`"),
        (
            "orders:80",
            "if this is an address, write `http://orders:80`",
        ),
        ("httpd", "there is no upstream `httpd`"),
        ("http://u:p@orders", "must not contain a user name"),
    ] {
        assert_said(&[(&route(url), expected)]);
        let upstream = format!("[upstreams.u]\nendpoints = \"{url}\"\n");
        if expected.contains("write `http://orders`") {
            assert_said(&[(&upstream, expected)]);
        }
    }
}

#[test]
fn what_stands_where_a_hash_belongs() {
    let digits = "a".repeat(64);
    for (written, expected) in [
        (
            "tg_1234567890",
            "treat it as leaked: make another with `tollgate keys new`",
        ),
        (
            &*digits,
            "if this is a hash, write `sha256:` in front of it",
        ),
        ("sha512:aabb", "hashes are SHA-256, not sha512"),
        ("md5:aabb", "hashes are SHA-256, not md5"),
        ("sha256:aabb", "this has 4 hexadecimal digits instead of 64"),
    ] {
        let text = format!("[clients.x]\nkeys = [\"{written}\"]\n");
        assert_said(&[(&text, expected)]);
        assert!(!complaints(&text).contains(written));
    }
}

#[test]
fn a_bad_value_of_a_variable_names_it() {
    let environment = |name: &str| match name {
        "EMPTY" => Ok(String::new()),
        "BAD" => Ok("ten".to_owned()),
        _ => Err(VarError::NotPresent),
    };
    for (value, expected) in [
        (
            "${EMPTY}",
            "= help: the value comes from the environment, `EMPTY`, and is empty",
        ),
        (
            "${BAD}",
            "= help: the value comes from the environment, `BAD`",
        ),
        (
            "${BAD}${NONE:-}",
            "= help: the value comes from the environment, `BAD` and `NONE`",
        ),
        (
            "${NONE:-}",
            "= help: the value comes from the environment, `NONE`, and is empty",
        ),
    ] {
        let text = format!("[server]\nidle_timeout = \"{value}\"\n");
        let files = |_: &Path| Err(Unreadable::Missing);
        let problems = parse("x.toml", &text, Format::Toml, &environment, &files);
        let said = problems.expect_err(&text).to_string();
        assert!(said.contains(&format!("{expected}\n")), "{said}");
    }
}

#[test]
fn a_dollar_and_a_brace_can_be_written() {
    let written = |text: &str| {
        let loaded = good(&format!("[limits]\nstate_file = \"{text}\"\n"));
        loaded
            .settings
            .state_file
            .expect("a file")
            .display()
            .to_string()
    };
    assert_eq!(written("a$${HOME}"), "a${HOME}");
    assert_eq!(written("$${HOME}${HOME}$$"), "${HOME}/home/gate$$");
    assert_eq!(written("${NONE:-$${x}"), "${x");
}

#[test]
fn the_address_of_redis_in_pieces() {
    let said = complaints("[limits.redis]\nhost = \"h\"\nport = 6379\ndb = 1\npass = \"x\"\n");
    assert_eq!(said.matches("did you mean `url`?").count(), 2, "{said}");
    for expected in ["add a URL", "stands in `url`", "did you mean `password`?"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn what_wants_quotes() {
    let value = "a string is written in quotes";
    let key = "or quotes around it: `\"/api\" = ...`";
    assert_said(&[
        ("listen = 127.0.0.1:3000\n", value),
        ("listen = [127.0.0.1:3000]\n", value),
        ("listen = localhost:3000\n", value),
        ("[server]\nidle_timeout = 30s\n", value),
        ("[limits]\nanonymous = { requests = 60, per = 1m }\n", value),
        ("[access]\nip_deny = [10.0.0.0/8]\n", value),
        ("[access]\nprotected = [/api]\n", value),
        ("[routes]\n\"/a\" = http://h\n", value),
        ("[routes]\n/api = \"http://h\"\n", key),
        ("[routes./api]\nupstream = \"http://h\"\n", key),
    ]);
    let said = complaints("[server]\nworkers = 1\"\n");
    assert!(!said.contains(value), "{said}");
}

#[test]
fn a_variable_as_a_shell_has_it() {
    assert_said(&[
        (
            "[routes]\n\"/a\" = \"http://inv:$INV_PORT\"\n",
            "`$INV_PORT` is no variable here: write `${INV_PORT}`",
        ),
        (
            "[routes]\n\"/a\" = \"$INVENTORY\"\n",
            "`$INVENTORY` is no variable here: write `${INVENTORY}`",
        ),
    ]);
    let said = complaints("[limits.redis]\nurl = \"redis://:$SECRET@h:x\"\n");
    assert!(!said.contains("SECRET"), "{said}");
}

#[test]
fn routes_in_a_list_or_twice() {
    let list = "routes in a list are `route` in the main file, in TOML `[[route]]`";
    assert_said(&[
        (
            "[[routes]]\nprefix = \"/a\"\nupstream = \"http://h\"\n",
            list,
        ),
        ("routes = []\n", list),
        (
            "[routes]\n\"/a\" = \"http://h\"\n[routes]\n\"/b\" = \"http://h\"\n",
            "move these routes below the first `[routes]`",
        ),
        (
            "[routes]\n\"/a\" = \"http://h\"\n[[routes]]\nprefix = \"/b\"\n",
            "routes in a list are `[[route]]`",
        ),
    ]);
}

#[test]
fn what_is_given_twice_says_where_it_was_first() {
    assert_complaints(
        "[clients.web]\nkeys = []\n[clients.app]\nkeys = []\n[clients.web]\nkeys = []\n",
        "\
error: this table is given twice
--> tollgate.toml:5:10
 = note: given again here
 = note: first given here: tollgate.toml:1:1
 = help: keep one of them, with what stands in both; two keys of a client go into one list

1 problem
",
    );
    let said = complaints("[clients.web]\nkeys = []\n[clients.app]\nkeys = []\nkeys = []\n");
    assert!(
        said.contains("error: this key is given twice\n--> tollgate.toml:5:1"),
        "{said}"
    );
    assert!(
        said.contains("first given here: tollgate.toml:4:1"),
        "{said}"
    );
    assert!(said.contains("several values go into one list"), "{said}");
}

#[test]
fn a_string_without_quotes() {
    assert_said(&[
        (
            "[routes]\n\"/a\" = http://h\n",
            "a string is written in quotes: `\"...\"`",
        ),
        ("listen = 0.0.0.0:3000\n", "this is not TOML"),
    ]);
}

#[test]
fn prefixes_have_no_patterns() {
    let routes = "[routes]\n\"/users/:id/orders\" = \"http://h\"\n\"/:x\" = \"http://h\"\n\"/a:b\" = \"http://h\"\n\"/a/:\" = \"http://h\"\n";
    let said = lints(routes);
    let patterns: Vec<_> = said
        .iter()
        .filter(|lint| lint.contains("literally"))
        .collect();
    assert_eq!(
        patterns,
        [
            "tollgate.toml:2:1: `:id` is taken literally, for prefixes have no patterns: `/users` takes all that is below it",
            "tollgate.toml:3:1: `:x` is taken literally, for prefixes have no patterns: `/` takes all that is below it",
        ]
    );
    assert_said(&[(
        "[access]\nprotected = [\"/users/:id\"]\n",
        "`:id` is taken literally",
    )]);
}

#[test]
fn protection_without_any_client_that_has_a_key() {
    let text = "[routes]\n\"/a\" = \"http://h\"\n[access]\nprotected = [\"/a\"]\n[clients.x]\n";
    assert_said(&[(
        text,
        "tollgate.toml:4:14: nobody gets to what is protected: no client has a key",
    )]);
    let hash = "a".repeat(64);
    let lints = lints(&format!("{text}keys = [\"sha256:{hash}\"]\n"));
    assert!(!lints.concat().contains("nobody gets"), "{lints:?}");
}

#[test]
fn an_empty_address_of_redis_is_none() {
    for url in ["\"${NONE:-}\"", "[\"\"]"] {
        let loaded = good(&format!(
            "[limits.redis]\nurl = {url}\nmode = \"cluster\"\n"
        ));
        assert!(loaded.settings.redis.is_none());
        assert!(loaded.written.has_empty_redis());
    }
    assert!(!good("").written.has_empty_redis());
    let said = complaints("[limits.redis]\nurl = [\"redis://h\", \"\"]\n");
    assert!(
        said.contains("of several addresses of Redis none may be empty"),
        "{said}"
    );
}
