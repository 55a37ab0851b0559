//! What is said of what people bring from other programs, or write by habit.

use super::*;

/// Checks that each text of a table has a problem or a warning that says something.
pub(super) fn assert_said(rows: &str) {
    for (text, expected) in table(rows) {
        let said = match read(&text) {
            Ok(loaded) => loaded.lints.iter().map(ToString::to_string).collect(),
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
    assert_said(
        r#"
        [upstreams.u]\nurl = "http://h" => did you mean `endpoints`?
        [limits.anonymous]\nrequests = 1\nwindow = "1s" => did you mean `per`?
        port = 80 => did you mean `listen`?
        [consumers.x]\nkeys = [] => did you mean `clients`?
        [clients.x]\napi_key = "s3cret" => did you mean `keys`?
        threads = 4 => `workers` is what it is called here, in `[server]`
        access_log = "a" => write `access = "PATH"` in `[log]`
        [cors]\norigins = "*" => this belongs in `[routes.PREFIX]` or in `[route]` or in `[access]`
        [routes]\ndomain = "x" => `hosts` is what it is called here
        [metrics]\nport = 9 => `/metrics` of the admin port
        [tls]\ncert = "x" => what clients are shown stands in `[[tls.certificates]]`
        [tls]\nkey = "x" => what clients are shown stands in `[[tls.certificates]]`
        [[listen]]\naddress = "127.0.0.1:1"\nkey = "x" => what clients are shown stands in `[[tls.certificates]]`
        [tls]\ncertificate = "x" => did you mean `certificates`?
        [upstreams.u]\nendpoints = "http://h"\n[upstreams.u.tls]\ncertificate = "x" => did you mean `cert`?
        ssl_certificate = "x" => `cert` is what it is called here
        http2 = true => there is no HTTP/2 yet
        [tls]\nprotocols = ["TLSv1.2"] => did you mean `min_version`?
        protocols = ["h2"] => HTTP/1.1 is what is spoken to services
        [limits.redis]\nurl = "redis://h"\nauth = "s3cret" => did you mean `password`?
        [admin]\npassword = "s3cret" => did you mean `token`?
        [admin]\nauth = "s3cret" => did you mean `token`?
        [admin]\nuser = "s3cret" => did you mean `token`?
        [admin]\nenabled = false => `listen = "off"` is no admin port
        [server]\ntimeout = "9s" => `header_timeout` and `idle_timeout` are here
        [upstreams.u]\nendpoints = "http://h"\nhealth = { uri = "/x" } => did you mean `path`?
        [routes."/a"]\nupstream = "http://h"\nheaders = {} => `request_headers` and `response_headers` change fields
        [routes."/a"]\nupstream = "http://h"\nadd_headers = {} => `request_headers` and `response_headers` change fields
        [[route]]\nset-headers = {} => `request_headers` and `response_headers` change fields
        [routes."/a"]\nupstream = "http://h"\nrequest_headers = { authorization = "x" } => did you mean `set = { authorization = ... }`?
        [routes."/a"]\nupstream = "http://h"\nresponse_headers = { x-a = "x" } => did you mean `set = { x-a = ... }`?
        [routes]\n"/a" = ":4001" => write `http://127.0.0.1:4001`
        [routes]\n"/a" = ["http://a:1", "http://b:2"] => put these into `[upstreams.NAME]` as `endpoints`
        [log]\nlevel = "warning" => did you mean "warn"?
        [log]\nformat = "text" => did you mean "pretty"?
        [access]\nprotected = { prefix = "/a", allow = "*" } => leave `allow` out
        password = "s3cret" => this belongs in `[limits.redis]`
        [upstreams.u]\nmax_fails = 3 => `failures` is what it is called here, in `[upstreams.NAME.breaker]`
        [upstreams.u]\nfail_timeout = "9s" => `cool_down` is what it is called here, in `[upstreams.NAME.breaker]`
        [upstreams.u]\nrise = 2 => `up` is what it is called here, in `[upstreams.NAME.health]`
        [upstreams.u.breaker]\nmax_fails = 3 => did you mean `failures`?
        [upstreams.u.health]\nhealthy_threshold = 2 => did you mean `up`?
        [upstreams.u.health]\nunhealthy-threshold = 2 => did you mean `down`?
        [upstreams.u.health]\nrise = 2 => did you mean `up`?
        [upstreams.u.health]\nfall = 2 => did you mean `down`?
        [auth]\nkind = "jwt" => clients are known by API keys alone
        plugins = [] => there are none
        [admin]\nlisten = "/run/admin.sock" => write "unix:/run/admin.sock"
        "#,
    );
    for (key, expected) in table(
        "
        url => did you mean `upstream`?
        proxy_pass => did you mean `upstream`?
        domain => did you mean `hosts`?
        path => unknown key `path`
        rate_limit => did you mean `limits`?
        retries => `retry` is what it is called here, in `[upstreams.NAME]`
        ",
    ) {
        let said = complaints(&format!(
            "[[route]]\nprefix = \"/a\"\n{key} = \"http://h\"\n"
        ));
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn values_that_are_written_otherwise() {
    assert_said(
        r#"
        [limits]\nanonymous = "60/m" => write `{ requests = 60, per = "1m" }`
        [limits]\nidentified = "100 requests per hour" => write `{ requests = 100, per = "1h" }`
        [limits]\ninvalid_keys = "5r/s" => write `{ requests = 5, per = "1s" }`
        [limits]\nanonymous = "7/10s" => write `{ requests = 7, per = "10s" }`
        [limits]\nanonymous = "many" => write `{ requests = 60, per = "1m" }`
        [limits]\nanonymous = "0/m" => write `{ requests = 60, per = "1m" }`
        [limits]\nanonymous = 30 => write `{ requests = 30, per = "1m" }`
        [limits]\ntiers = { a = "9/d" } => write `{ requests = 9, per = "1d" }`
        [limits]\npolicies = { a = "9/day" } => write `{ requests = 9, per = "1d" }`
        [routes."/a"]\nupstream = "http://h"\nlimits = { requests = 5, per = "1s" } => write it as `[limits.policies.NAME]` for routes
        [routes."/a"]\nupstream = "http://h"\n[routes."/a".limits]\nrequests = 5\nper = "1s" => write it as `[limits.policies.NAME]` for routes
        [clients.a.tier]\nrequests = 5\nper = "1s" => as `[limits.tiers.NAME]` for clients
        [limits]\nanonymous = true => write `{ requests = 60, per = "1m" }`
        [limits]\nanonymous = "off" => leave it out, or write `{ requests = 60, per = "1m" }`
        [limits]\nanonymous = { requests = "600", per = "1m" } => write `600`, without quotes
        [limits]\nanonymous = { requests = "${HOURLY:-600}", per = "1m" } => numbers, `true` and `false` cannot come from a variable
        [server]\nwatch = "${WATCH:-no}" => numbers, `true` and `false` cannot come from a variable
        [limits]\nanonymous = { requests = "0", per = "1m" } => this is a string
        [server]\nworkers = " 4" => write `4`, without quotes
        [log]\nsample_ok = "10%" => write `0.1`, without quotes
        [log]\nsample_ok = "12.5 %" => write `0.125`, without quotes
        [log]\nsample_ok = "0.5" => write `0.5`, without quotes
        [log]\nsample_ok = "1000%" => this is a string
        [log]\nsample_ok = "NaN" => this is a string
        [server]\nwatch = "yes" => write `true`, without quotes
        [server]\nwatch = "Off" => write `false`, without quotes
        [server]\nwatch = "perhaps" => this is a string
        [access]\ncors = ["https://app.example.com"] => write `{ origins = ["https://app.example.com"] }`
        [access]\ncors = "*" => write `{ origins = ["*"] }`
        [routes]\n"/a" = { upstream = "http://h", host = "a.test" } => only for this name? write `hosts`
        [routes]\n"/a" = { upstream = "http://h", host = ["a.test"] } => stand in its `hosts`
        listen = 80 => write "0.0.0.0:80"
        listen = [80, "127.0.0.1:81"] => write "0.0.0.0:80"
        listen = 65536 => write "0.0.0.0:3000"
        "#,
    );
    let yaml = parse(
        "x.yaml",
        "server: { watch: yes }\n",
        Format::Yaml,
        &environment,
        &|_| Err(Unreadable::Missing),
    );
    let said = yaml.expect_err("no boolean").to_string();
    assert!(said.contains("write `true`, without quotes"), "{said}");
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
        ("colour = { x = 1 }", true),
        ("colour = { x = \"a8Kd93jf0dkq\" }", false),
        ("colour = { a8Kd93jf0dkq = 1 }", false),
        ("my_token = { x = \"red\" }", false),
        ("auth = true", true),
        ("auth = \"red\"", false),
        ("api_key = \"red\"", false),
        ("rate = \"5/s\"", true),
        ("allowed_origins = [\"*\"]", true),
        ("proxy_pass = \"http://h\"", true),
        ("headers = { x-a = \"b\" }", true),
        ("colour = \"u:p@h\"", false),
    ] {
        let said = complaints(&format!("[server]\n{line}\n"));
        assert_eq!(said.contains(line), is_shown, "{line}: {said}");
    }
    for header in [
        "[cors]",
        "[authentication]",
        "[metrics.prometheus]",
        "[[plugins]]",
    ] {
        let said = complaints(&format!("{header}\ncolour = \"a8Kd93jf0dkq\"\n"));
        assert!(said.contains(header), "{said}");
        assert!(!said.contains("a8Kd"), "{said}");
    }
    for key in ["limit", "api", "enabled", "oauth2"] {
        let said = complaints(&format!("[clients.x]\n{key} = true\n"));
        assert!(said.contains(&format!("unknown key `{key}`")), "{said}");
    }
}

#[test]
fn urls_that_are_miswritten() {
    for (url, expected) in table(
        "
        http//orders => write `http://orders`
        http://http//orders:80/x => write `http://orders:80/x`
        http://http://orders => write `http://orders`
        http:/orders => write `http://orders`
        http:orders => write `http://orders`
        http:///orders => write `http://orders`
        unix:/run/orders.sock => sockets of the file system are not supported
        unix:///run/orders.sock => sockets of the file system are not supported
        https//orders:444 => write `https://orders:444`
        https://http://orders => write `http://orders`
        https;//orders => write `https://orders`
        orders:80 => if this is an address, write `http://orders:80`
        httpd => there is no upstream `httpd`
        http://u:p@orders => must not contain a user name
        ",
    ) {
        let said = complaints(&format!("[routes]\n\"/a\" = \"{url}\"\n"));
        assert!(said.contains(expected), "{url}: {said}");
        if expected.contains("write `http://orders`") {
            let said = complaints(&format!("[upstreams.u]\nendpoints = \"{url}\"\n"));
            assert!(said.contains(expected), "{url}: {said}");
        }
    }
}

#[test]
fn what_stands_where_a_hash_belongs() {
    for (written, expected) in table(
        "
        tg_1234567890 => treat it as leaked: make another with `tollgate keys new`
        aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa => if this is the hash, write `sha256:` in front of it. If it is the token or the key itself, `tollgate keys hash` makes its hash
        sha512:aabb => hashes are SHA-256, not sha512
        md5:aabb => hashes are SHA-256, not md5
        sha256:aabb => this has 4 hexadecimal digits instead of 64
        ",
    ) {
        let said = complaints(&format!("[clients.x]\nkeys = [\"{written}\"]\n"));
        assert!(said.contains(expected), "{written}: {said}");
        assert!(!said.contains(&written), "{said}");
    }
}

#[test]
fn a_bad_value_of_a_variable_names_it() {
    let environment = |name: &str| match name {
        "EMPTY" => Ok(String::new()),
        "BAD" => Ok("ten".to_owned()),
        _ => Err(VarError::NotPresent),
    };
    for (value, expected) in table(
        "
        ${EMPTY} => the value comes from the environment, `EMPTY`, and is empty
        ${BAD} => the value comes from the environment, `BAD`
        ${BAD}${NONE:-} => the value comes from the environment, `BAD` and `NONE`
        ${NONE:-} => the value comes from the environment, `NONE`, and is empty
        ",
    ) {
        let text = format!("[server]\nidle_timeout = \"{value}\"\n");
        let files = |_: &Path| Err(Unreadable::Missing);
        let problems = parse("x.toml", &text, Format::Toml, &environment, &files);
        let said = problems.expect_err(&text).to_string();
        assert!(said.contains(&format!("= help: {expected}\n")), "{said}");
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
    assert_said(
        r#"
        listen = 127.0.0.1:3000 => a string is written in quotes: `"..."`
        listen = [127.0.0.1:3000] => a string is written in quotes: `"..."`
        listen = localhost:3000 => a string is written in quotes: `"..."`
        [server]\nidle_timeout = 30s => a string is written in quotes: `"..."`
        [limits]\nanonymous = { requests = 60, per = 1m } => a string is written in quotes: `"..."`
        [access]\nip_deny = [10.0.0.0/8] => a string is written in quotes: `"..."`
        [access]\nprotected = [/api] => a string is written in quotes: `"..."`
        [routes]\n"/a" = http://h => a string is written in quotes: `"..."`
        [routes]\n/api = "http://h" => or quotes around it: `"/api" = ...`
        [routes./api]\nupstream = "http://h" => or quotes around it: `"/api" = ...`
        "#,
    );
    let said = complaints("[server]\nworkers = 1\"\n");
    assert!(!said.contains("is written in quotes"), "{said}");
}

#[test]
fn a_variable_as_a_shell_has_it() {
    assert_said(
        r#"
        [routes]\n"/a" = "http://inv:$INV_PORT" => `$INV_PORT` is no variable here: write `${INV_PORT}`
        [routes]\n"/a" = "$INVENTORY" => `$INVENTORY` is no variable here: write `${INVENTORY}`
        "#,
    );
    let said = complaints("[limits.redis]\nurl = \"redis://:$SECRET@h:x\"\n");
    assert!(!said.contains("SECRET"), "{said}");
}

#[test]
fn routes_in_a_list_or_twice() {
    assert_said(
        r#"
        [[routes]]\nprefix = "/a" => routes in a list are `route` in the main file, in TOML `[[route]]`
        routes = [] => routes in a list are `route` in the main file, in TOML `[[route]]`
        [routes]\n"/a" = "http://h"\n[routes]\n"/b" = "http://h" => move these routes below the first `[routes]`
        [routes]\n"/a" = "http://h"\n[[routes]]\nprefix = "/b" => routes in a list are `[[route]]`
        "#,
    );
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
    assert_said(r#"[access]\nprotected = ["/users/:id"] => `:id` is taken literally"#);
}

#[test]
fn protection_without_any_client_that_has_a_key() {
    let text = "[routes]\n\"/a\" = \"http://h\"\n[access]\nprotected = [\"/a\"]\n[clients.x]\n";
    let said = lints(text).concat();
    let expected = "tollgate.toml:4:14: nobody gets to what is protected: no client has a key";
    assert!(said.contains(expected), "{said}");
    let hash = "a".repeat(64);
    let said = |keys: &str| lints(&format!("{text}keys = [{keys}]\n")).concat();
    let good = said(&format!("\"sha256:{hash}\""));
    assert!(!good.contains("nobody gets"), "{good}");
    let ended = format!("{{ hash = \"sha256:{hash}\", expires_at = \"2020-01-01T00:00:00Z\" }}");
    let said = said(&ended);
    assert!(
        said.contains("all keys of all clients have expired"),
        "{said}"
    );
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
