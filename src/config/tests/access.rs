//! Who may call: what is said of values that do not fit, and of what is odd.

use super::*;

#[test]
fn origins_and_credentials_of_cors() {
    assert_problems(
        r#"[access.cors]
origins = ["https://app.test/", "*"]
credentials = true
expose = ["*"]
[[route]]
prefix = "/a"
upstream = "http://localhost:4002"
cors = { origins = [] }
[[route]]
prefix = "/b"
upstream = "http://localhost:4002"
cors = "on"
"#,
        r#"
2:12 "https://app.test/": `access.cors.origins` takes an origin such as "https://app.example.com", or "*": an origin ends without a slash: write "https://app.test"
2:33 "*": `credentials` cannot be given to any origin: list the origins | 3:15 true: or leave this out = any page on the web could act as the person who looks at it
4:11 "*": with `credentials` browsers take `*` for the name of a field: list the fields
8:20 []: `origins` lists no origin: name one, or leave `cors` out
12:8 "on": `route.cors` takes a table, or "off": write `{ origins = ["https://app.example.com"] }`
"#,
    );
}

#[test]
fn whom_a_list_lets_in_and_what_is_public() {
    assert_problems(
        r#"[access]
protected = [{ prefix = "/a", allow = ["partner", "group:a b"], method = "GET" }, "/b"]
public = ["/B", "/c/"]
ip_allow = ["10.0.0.1/8", "office"]
"#,
        r#"
2:40 "partner": `access.protected.allow` takes a client or a group such as "group:partner": write "group:partner" or "client:partner"
2:51 "group:a b": `access.protected.allow` takes a client or a group such as "group:partner": a name has 1 to 128 characters of A-Z a-z 0-9 . _ -
2:65 method: unknown key `method`: did you mean `methods`?
3:11 "/B": `/B` is protected and public: public here | 2:83 "/b": protected here = `public` is for paths below a protected one
3:17 "/c/": `access.public` takes a path prefix such as "/api/orders": it must not end with a slash: write `/c`
4:13 "10.0.0.1/8": `access.ip_allow` takes a network or an address such as "10.0.0.0/8": write "10.0.0.0/8"
4:27 "office": `access.ip_allow` takes a network or an address such as "10.0.0.0/8": this is neither a network nor an address
"#,
    );
}

#[test]
fn what_lets_nobody_in_or_excepts_nothing_is_odd() {
    let text = r#"[routes]
"/a" = { upstream = "http://x", allow = ["group:nobody", "group:staff", "client:b"] }
[access]
protected = ["/a", { prefix = "/a/b", allow = ["client:gone", "client:shopp", "group:stff", "client:staff", "group:shop"] }, { prefix = "/a/c", methods = "POST" }]
public = ["/a/b/c", "/d"]
[clients.b]
keys = ["sha256:53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6"]
groups = "staff"
[clients.shop]
keys = ["sha256:63a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6"]
[limits]
anonymous = { requests = 1, per = "1s" }
"#;
    assert_eq!(
        lints(text),
        [
            "tollgate.toml:2:42: no client is in the group `nobody`, so this lets nobody in",
            "tollgate.toml:4:48: there is no client `gone`, so this lets nobody in",
            "tollgate.toml:4:63: there is no client `shopp`, so this lets nobody in: did you mean `client:shop`?",
            "tollgate.toml:4:79: no client is in the group `stff`, so this lets nobody in: did you mean `group:staff`?",
            "tollgate.toml:4:93: there is no client `staff`, so this lets nobody in: did you mean `group:staff`?",
            "tollgate.toml:4:109: no client is in the group `shop`, so this lets nobody in: did you mean `client:shop`?",
            "tollgate.toml:4:137: `/a/c` is protected already by `/a`",
            "tollgate.toml:5:21: `/d` is public anyway: nothing protects it",
        ]
    );
}

#[test]
fn places_for_keys() {
    assert_problems(
        r#"[access]
key_sources = ["header:x-key", "query", "query:a&b", "cookie:a b", "body", "bearer"]
api_key_header = "authorization"
"#,
        r#"
2:16 "header:x-key": `access.key_sources` takes a place for a key such as "header": write "header", and `api_key_header = "x-key"`
2:32 "query": `access.key_sources` takes a place for a key such as "header": write "query:NAME"
2:41 "query:a&b": `access.key_sources` takes a place for a key such as "header": a parameter's name has letters, digits and `-._~`
2:54 "cookie:a b": `access.key_sources` takes a place for a key such as "header": this cannot be the name of a cookie
2:68 "body": `access.key_sources` takes a place for a key such as "header": write "header", "bearer", "query:NAME" or "cookie:NAME"
2:76 "bearer": a key in `authorization` cannot be read in two ways: `Bearer KEY` is taken for a key | 3:18 "authorization": all of the field is taken for a key
"#,
    );
    let none = complaints("[access]\nkey_sources = []\n");
    assert!(
        none.contains("`access.key_sources` names no place for a key"),
        "{none}"
    );
}

#[test]
fn a_client_s_key_is_no_token_of_operators() {
    let (key, other) = ("a".repeat(64), "b".repeat(64));
    for name in ["token", "read_token"] {
        let config = |token: &str| {
            format!(
                "[admin]\n{name} = 'sha256:{token}'\n[routes]\n'/' = 'http://x'\n[clients.one]\nkeys = 'sha256:{key}'\n"
            )
        };
        good(&config(&other));
        let problems = read(&config(&key)).unwrap_err().to_string();
        let said = format!("`admin.{name}` is a key of the client `one`");
        assert!(problems.contains(&said), "{problems}");
        assert!(!problems.contains(&key[..20]), "{problems}");
    }
}
