//! What may be a secret is not shown, of a good file or however wrong it is.

use super::*;

#[track_caller]
fn assert_hidden(text: &str, format: Format) {
    let name = match format {
        Format::Toml => "tollgate.toml",
        Format::Json => "tollgate.json",
        Format::Yaml => "tollgate.yaml",
    };
    let read = parse(name, text, format, &environment, &|_| {
        Err(Unreadable::Missing)
    });
    let problems = read.expect_err(text);
    let said = format!("{problems} {problems:?} {}", problems.render(true));
    assert!(!said.contains("s3cr"), "{text}: {said}");
    assert!(!said.contains("hunter2"), "{text}: {said}");
}

#[test]
fn secrets_in_a_good_file() {
    let loaded = good("[limits.redis]\nurl = \"redis://u:${PASSWORD}@h\"\n");
    assert!(!format!("{loaded:?}").contains("hunter2"));
}

/// A warning quotes what is odd: a path, a name, a host.
#[test]
fn what_variables_hold_is_in_no_warning() {
    let text = "[[route]]\nprefix = \"/a/${PASSWORD}/:id\"\nupstream = \"http://h/${PASSWORD}/$1\"\nhost = \"${PASSWORD}.test\"\n\
        [[route]]\nprefix = \"/A/${PASSWORD}-x\"\nupstream = \"http://h\"\n\
        [access]\nprotected = [\"/b/${PASSWORD}\", \"/a/${PASSWORD}\"]\npublic = [\"/p/${PASSWORD}\"]\n";
    let said = lints(text);
    assert!(said.len() > 4, "{said:#?}");
    assert!(
        said.iter().all(|lint| !lint.contains("hunter2")),
        "{said:#?}"
    );
    let named = "`/b/${PASSWORD}` is protected, but no route leads there";
    assert!(said.iter().any(|lint| lint.ends_with(named)), "{said:#?}");
}

#[test]
fn secrets_where_they_belong_and_in_variables() {
    for text in [
        "[limits.redis]\nurl = \"redis://u:s3cr@h:x\"\n",
        "[limits.redis]\nurl = \"redis://u:${PASSWORD}@h:x\"\n",
        "[limits.redis]\nurl = \"redis://${USER:-u:s3cr}@h:x\"\n",
        "[limits.redis]\nurl = [\"redis://u:s3cr@h\", \"redis://u:s3cr@i\"]\n",
        "[limits.redis]\nurl = \"redis://h:x\"\npassword = \"s3cr\"\n",
        "[routes]\n\"/a\" = \"http://u:s3cr@h\"\n",
        "[routes]\n\"/a\" = \"http://u:${PASSWORD}@h\"\n",
        "[clients.a]\nkeys = [\"s3cr\"]\n",
        "[clients.a]\nkeys = [\"sha256:s3cr\"]\n",
        "[clients.a]\nkeys = [\"${PASSWORD}\"]\n",
        "[clients.a]\nkeys = \"s3cr\"\n",
        "[admin]\ntoken = \"s3cr\"\n",
        "[admin]\nread_token = \"SHA256:s3cr\"\n",
        "[admin]\ntoken = { hash = \"s3cr\" }\n",
        "[traces]\nendpoint = \"http://h:4318/v1?api_key=s3cr\"\n",
        "[upstreams.u]\nendpoints = \"http://h\"\nhealth = { path = \"/up?token=s3cr\", interval = \"x\" }\n",
        "[upstreams.u]\nendpoints = \"http://h\"\n[upstreams.u.health]\npath = \"up?token=s3cr\"\n",
        // What is secret stands beside the problem, in the line that is shown.
        "clients = { a = { keys = [{ key = \"s3cr\" }], tier = 7 } }\n",
    ] {
        assert_hidden(text, Format::Toml);
    }
}

/// An operator's token has as many digits as its hash, and may be written in its place.
#[test]
fn a_token_in_the_place_of_its_hash() {
    let token = "5".repeat(64);
    let said = complaints(&format!("[admin]\ntoken = \"{token}\"\n"));
    assert!(!said.contains(&token), "{said}");
    for part in ["write `sha256:` in front of it", "`tollgate keys hash`"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn the_hash_of_nothing() {
    for key in [&b""[..], b"\n", b"\r\n"] {
        let hash = crate::client::ApiKeyHash::of(key);
        for config in ["[admin]\ntoken", "[clients.a]\nkeys"] {
            let said = complaints(&format!("{config} = \"{hash}\"\n"));
            assert!(said.contains("the hash of nothing"), "{said}");
        }
    }
}

#[test]
fn secrets_in_a_path_that_changes() {
    let config = |token: &str| {
        let health = format!("health = {{ path = \"/up?deep=1&token={token}\" }}");
        format!("[routes]\n\"/\" = \"u\"\n[upstreams.u]\nendpoints = \"http://h\"\n{health}\n")
    };
    let said = reload(&good(&config("s3cr1")), &good(&config("s3cr2"))).join("\n");
    assert!(said.contains("`upstreams.u.health.path`"), "{said}");
    assert!(said.contains("/up?..."), "{said}");
    assert!(!said.contains("s3cr"), "{said}");
}

#[test]
fn secrets_at_keys_that_nobody_knows() {
    for text in [
        "[clients.x]\nkey = \"s3cr\"\n",
        "client = \"s3cr\"\n",
        "client = { x = { keys = [\"s3cr\"] } }\n",
        "[clients.x]\nkey = [\"s3cr\"]\n",
        "[clients.x]\napi_key = \"s3cr\"\n",
        "[clients.x]\nkey = { a = [{ b = \"s3cr\" }] }\n",
        "[clients.x]\nkeys = [{ key = \"s3cr\" }]\n",
        "[clients.x]\nkeys = [{ hash = \"s3cr\", expires_at = \"s3cr-s3cr-\" }]\n",
        "[clients.x]\nkeys = [{ hash = { x = \"s3cr\" } }]\n",
        "[clients.x]\nkeys = [[\"s3cr\"]]\n",
        "[clients.x]\nkeys = { s3cr = \"s3cr\" }\n",
        "[clients.x]\nkeys = [\"\"\"\ns3cr\ns3cr\"\"\"]\n",
        "[clients.x.tier]\nkeys = [\"s3cr\"]\n",
        "[clients]\nx = \"s3cr\"\n",
        "[clients]\nx = [\"s3cr\"]\n",
        "[clients]\ntier = \"s3cr\"\n",
        "[[clients]]\nname = \"x\"\nkey = \"s3cr\"\n",
        "clients = \"s3cr\"\n",
        "[client.x]\nkeys = [\"s3cr\"]\n",
        "[limits.redis]\nurl = \"redis://h\"\npasword = \"s3cr\"\n",
        "[limits.redis]\nurl = \"redis://h\"\nusername = \"s3cr\"\n",
        "[limits.redis]\nurl = \"redis://h\"\npassword = [\"s3cr\"]\n",
        "[limits.redis]\nurl = 1\nusername = { x = \"s3cr\" }\npassword = \"s3cr\"\n",
        "limits.redis = { url = 1, password = \"s3cr\" }\n",
        "[limits.redis]\nurl = \"redis://:s3cr@h\"\npassword = \"s3cr\"\n",
        "[limits.redis]\nurl = { host = \"h\", password = \"s3cr\" }\n",
        "[[limits.redis]]\nurl = \"redis://h\"\npassword = \"s3cr\"\n",
        "[limits.redis]\nurl = \"u:s3cr@h\"\n",
        "[access]\napi_keys = { x = \"s3cr\" }\n",
        "[access]\nprotected = { x = \"s3cr\" }\n",
        "[routes]\npassword = \"s3cr\"\n",
        "[upstreams.a]\nauth-Token = [{ x = \"s3cr\" }]\n",
        "[routes]\nkeys = [\"s3cr\"]\n",
        "[routes]\n\"/a\" = \"u:s3cr@h\"\n",
        "[routes]\n\"http://u:s3cr@h\" = \"http://h\"\n",
        "[access]\nprotected = [\"u:s3cr@h\"]\n",
        "[upstreams.\"u:s3cr@h\"]\nendpoints = [\"http://h\"]\n",
        "[routes]\n\"/a\" = { upstream = \"http://h\", token = \"s3cr\" }\n",
        "[routes]\n\"/a\" = { upstrem = \"http://h\", request_headers = { set = { x = \"s3cr\" } } }\n",
        "[[route]]\nprefix = \"/a\"\nupstream = \"http://h\"\nrequest_headers = { add = { x = \"s3cr\", y = \"${z}\" } }\n",
        "[routes.\"/a\"]\nupstream = \"http://h\"\nresponse_headers = { set = { te = \"s3cr\" } }\n",
        "[routes.\"/a\"]\nupstream = \"http://h\"\nresponse_headers.set.x = [\"s3cr\"]\n",
    ] {
        assert_hidden(text, Format::Toml);
    }
}

#[test]
fn secrets_of_header_fields_however_they_are_written() {
    for key in ["request_headers", "response_headers"] {
        for value in [
            "[\"authorization: Bearer hunter2\"]",
            "[\"x-hunter2\", \"x\"]",
            "\"authorization: Bearer hunter2\"",
            "\"hunter\\\\hunter2\"",
            "7 # hunter2",
            "{ set = [\"authorization: Bearer hunter2\"] }",
            "{ set = \"x hunter2\" }",
            "{ add = [\"x-key: hunter2\"] }",
            "{ remove = [\"authorization: Bearer hunter2\"] }",
            "{ remove = [\"x-key:hunter2\"] }",
            "{ remove = [\"x-a: hunter2\"] }",
            "{ remove = \"Cookie sid=hunter2\" }",
            "{ remove = { authorization = \"Bearer hunter2\" } }",
            "[{ name = \"authorization\", value = \"Bearer hunter2\" }]",
            "{ authorization = \"Bearer hunter2\" }",
            "{ x = \"hunter\", y = \"s3cr\" }",
            "{ sett = [\"x: hunter2\"] }",
        ] {
            let keys = format!("{key} = {value}\n");
            let upstream = "upstream = \"http://h\"\n";
            assert_hidden(&format!("[routes.\"/a\"]\n{upstream}{keys}"), Format::Toml);
            assert_hidden(
                &format!("[[route]]\nprefix = \"/a\"\n{upstream}{keys}"),
                Format::Toml,
            );
        }
    }
    let json = r#"{"routes": {"/a": {"upstream": "http://h", "request_headers": ["authorization: Bearer hunter2"]}}}"#;
    assert_hidden(json, Format::Json);
    let yaml = "routes:\n  /a:\n    upstream: http://h\n    request_headers:\n      - \"authorization: Bearer hunter2\"\n";
    assert_hidden(yaml, Format::Yaml);
}

#[test]
fn secrets_in_the_place_of_something_else() {
    for text in [
        "[limits]\nredis = \"hunter2\"\n",
        "[limits]\nredis = [\"hunter2\"]\n",
        "[limits]\nredis = \"redis://:hunter2@h\"\n",
        "[limits.redis]\nurl = \"hunter2\"\n",
        "[limits.redis]\nurl = [\"redis://h\", \"hunter2\"]\n",
        "[limits.redis]\nurl = [[\"hunter2\"]]\n",
        "[limits.redis]\nurl = \"redis://h?password=hunter2\"\n",
        "[access]\napi_key_header = \"X-Key: hunter2\"\n",
        "[access]\napi_key_header = \"X-Key hunter2\"\n",
        "[access]\nclient_header = \"x: hunter2\"\n",
        "[access]\nkey_sources = [\"header: hunter2\"]\n",
        "[access]\nkey_sources = [\"X-Key=hunter2\"]\n",
        "[access]\nprotected = [\"/a?api_key=hunter2\"]\n",
        "[access.cors]\norigins = \"https://a.test\"\nheaders = [\"Authorization: Bearer hunter2\"]\n",
        "[admin]\ntoken = \"Bearer hunter2\"\n",
        "[upstreams.u]\nendpoints = \"http://h\"\nbalance = \"hash\"\nhash_by = \"header: hunter2\"\n",
        "[upstreams.u]\nendpoints = [\"Authorization: Bearer hunter2\"]\n",
    ] {
        assert_hidden(text, Format::Toml);
    }
}

#[test]
fn what_is_no_secret_is_shown() {
    for (text, shown) in [
        (
            "[routes.\"/a\"]\nupstream = \"http://h\"\nallow = [\"client:a b\"]\n",
            "allow = [",
        ),
        ("[access]\nprotected = [\"api\"]\n", "protected = ["),
        (
            "[limits.redis]\nurl = \"redis://h\"\ndeadline = \"1h\"\n",
            "deadline = \"1h\"",
        ),
    ] {
        let said = complaints(text);
        assert!(said.contains(shown), "{said}");
    }
}

#[test]
fn secrets_beside_a_problem_on_the_one_line_of_a_file() {
    let text = r#"{"lisen": 1, "routes": {"/a": "http://u:s3cr@h"}, "clients": {"x": {"keys": ["s3cr", {"hash": "s3cr"}], "key": "s3cr"}, "y": "s3cr"}, "access": {"api_keys": {"x": "s3cr"}}, "limits": {"redis": {"url": "redis://:s3cr@h", "password": "s3cr"}}}"#;
    assert_hidden(text, Format::Json);
    assert_hidden(&text.replace("\"lisen\": 1", "\"listen\" 1"), Format::Json);
    assert_hidden(
        &text.replace("\"lisen\": 1", "\"log\": {}, \"log\": {}"),
        Format::Json,
    );
    assert_hidden(
        &text.replace("\"y\": \"s3cr\"", "\"y\": \"\\\"s3cr\", s3cr"),
        Format::Json,
    );
    assert_hidden(
        "{\"clients\": {\"x\": {\"keys\": [\"s3cr\n\"]}}}",
        Format::Json,
    );
    let toml = "access = { api_keys = { x = \"s3cr\" }, protcted = [] }\n";
    assert_hidden(toml, Format::Toml);
}

#[test]
fn secrets_in_what_is_not_toml() {
    for text in [
        "[clients.x]\nkeys = [\"s3cr\" x]\n",
        "[clients.x]\nkeys = [\"s3cr]\n",
        "[limits.redis]\nurl = \"redis://u:s3cr@h\" x\n",
        "[clients.x]\nkeys = s3cr\n",
        "[clients.x\nkeys = [\"s3cr\"]\n",
        "[clients.x] keys = [\"s3cr\"]\n",
        "[clients.x]\nkeys = [\n  \"s3cr=\" x,\n  's3cr==' x\n]\n",
        "[clients.x]\nkeys = [\"s3cr\"]\nkeys = [\"s3cr\"]\n",
        "clients.x.keys = [\n  \"s3cr\" x\n]\n",
        "[limits.redis]\nurl = \"redis://h\"\npassword = s3cr\n",
        "limits = { redis = { url = \"redis://h\", password = \"s3cr\" } x\n",
        "[access]\napi_keys = [[\n[\"s3cr\"], [\"s3cr\" x],\n]]\n",
    ] {
        assert_hidden(text, Format::Toml);
    }
}

#[test]
fn secrets_in_yaml() {
    for text in [
        "clients:\n  x:\n    keys: [s3cr]\n",
        "clients:\n  x:\n    keys:\n      - s3cr\n",
        "clients:\n  x:\n    keys:\n      - hash: >-\n          s3cr\n          s3cr\n",
        "clients: {x: {keys: [s3cr]}, y: {key: s3cr}}\n",
        "clients:\n  x:\n    keys: [é, s3cr]\n    tier: {}\n",
        "clients:\n  x:\n    keys: &s3cr [s3cr]\n",
        "clients:\n  x:\n    keys: !s3cr s3cr\n",
        "clients:\n  x:\n    s3cr: 1\n    s3cr: 2\n",
        "clients:\n  x:\n  keys: [s3cr\n",
        "limits:\n  redis:\n    url: redis://h\n    password: [s3cr]\n",
        "limits:\n  redis:\n    url: u:s3cr@h\n",
        "limits: {redis: {url: \"redis://u:s3cr@h:x\"}}\n",
        "routes:\n  keys: [s3cr]\n",
    ] {
        assert_hidden(text, Format::Yaml);
    }
}

#[test]
fn the_place_of_what_is_not_shown_is_said() {
    assert_complaints(
        "listen = \"127.0.0.1:3000\", x\n",
        "\
error: this is not TOML
--> tollgate.toml:1:26
 = note: unexpected key or value, expected newline, `#`

1 problem
",
    );
}

/// A key as `tollgate keys new` makes them, wherever somebody has put one.
#[test]
fn keys_of_our_own_anywhere() {
    let digits = "70129031".repeat(8);
    let key = format!("tg_{digits}");
    for text in [
        "[clients]\nKEY = \"mobile\"\n",
        "[clients.KEY]\nkeys = []\n",
        "[clients.x]\nKEY = 1\n",
        "[clients.x]\nkeys = [\"KEY\"]\n",
        "[clients.x]\ntier = \"KEY\"\n",
        "[clients.x]\ntier = \"a\" # KEY\n",
        "[access]\napi_key_header = \"x-api-key: KEY\"\n",
        "[access]\nprotected = [\"KEY\"]\n",
        "[access]\nprotected = [{ prefix = \"/\", allow = [\"client:KEY\"] }]\n",
        "[access]\nprotected = [{ prefix = \"/\", allow = [\"KEY\"] }]\n",
        "[routes]\n\"/a\" = \"http://h?x=KEY\"\n",
        "[routes]\n\"/a\" = \"KEY\"\n",
        "[routes]\nKEY = \"http://h\"\n",
        "[upstreams.KEY]\nendpoints = \"http://h\"\n",
        "[server]\nKEY = 1\n",
        "KEY = [\n",
        "listen = \"${KEY}\"\n",
    ] {
        let read = read(&text.replace("KEY", &key));
        let problems = read.expect_err(text);
        let mut said = format!("{problems} {problems:?} {}", problems.render(true));
        said.extend(
            problems
                .findings()
                .map(|it| serde_json::json!(it).to_string()),
        );
        assert!(!said.contains("70129031"), "{text}: {said}");
    }
    let said = complaints(&format!("[clients.{key}]\nkeys = []\n"));
    assert!(
        said.contains("this is a key, not a name: treat it as leaked"),
        "{said}"
    );
}

#[test]
fn keys_of_our_own_in_a_good_file() {
    let config = |digits: &str| {
        let key = format!("tg_{}", digits.repeat(8));
        let set = format!("request_headers = {{ set = {{ x = \"{key}\" }} }}");
        let route = format!("[routes.\"/{key}\"]\nupstream = \"http://h/{key}\"\n{set}\n");
        good(&format!(
            "{route}[limits]\nstate_file = \"/{key}\"\n[clients.x]\n"
        ))
    };
    let (old, new) = (config("70129031"), config("70129032"));
    let mut said = reload(&old, &new).join("\n") + &oddities(&new).concat();
    for line in new.written.shown_lines() {
        said += &serde_json::json!(line).to_string();
    }
    assert!(said.contains("tg_..."), "{said}");
    assert!(!said.contains("7012903"), "{said}");
}
