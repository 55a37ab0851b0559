//! The description of the admin port against the admin port: every path and method, both ways, and what is
//! really answered; and that nothing of it has a secret.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::layering::rust_files;
use crate::support::{Gateway, KEY, Request, Shop, ask_at, hash_of, with_admin};

const DESCRIPTION: &str = "/api/v1/openapi.json";
const TOKEN: &str = "the-token-for-changes-of-this-test";
const READ_TOKEN: &str = "the-token-for-reading-of-this-test";
const METHODS: [&str; 3] = ["get", "post", "put"];

/// What the sources route: each `.route("PATH", METHOD(...).METHOD(...))`.
fn routed() -> BTreeSet<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/admin");
    let mut found = BTreeSet::new();
    for file in rust_files(&folder) {
        let text = fs::read_to_string(file).expect("a source file");
        for part in text.split(".route(").skip(1) {
            // What counts requests has a `route` of its own.
            let literal = part.trim_start().strip_prefix('"');
            let Some((path, rest)) = literal.and_then(|it| it.split_once('"')) else {
                continue;
            };
            let rest = rest.split("\n}").next().unwrap_or_default();
            let methods = METHODS.iter().filter(|it| rest.contains(&format!("{it}(")));
            found.extend(methods.map(|it| (path.to_owned(), (*it).to_owned())));
        }
    }
    found
}

fn described(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().expect("paths");
    let each = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods").keys();
        methods.map(|method| (path.clone(), method.clone()))
    });
    each.collect()
}

#[test]
fn every_path_and_method_is_described_and_every_description_is_true() {
    let gateway = Gateway::start(&with_admin("[routes]", ""));
    let document = gateway.admin_json(DESCRIPTION);
    assert!(
        document["openapi"]
            .as_str()
            .is_some_and(|it| it.starts_with("3.1"))
    );
    let (routed, described) = (routed(), described(&document));
    assert!(routed.len() > 15, "{routed:?}");
    assert_eq!(routed, described);
    for (path, method) in &described {
        let path = path.replace(['{', '}'], "");
        if path.ends_with("/stream") || path.ends_with("/tail") {
            continue;
        }
        let request = Request::new(&method.to_uppercase(), &path).body("{}");
        let answer = gateway.ask_admin(request.field("content-type", "application/json"));
        assert_ne!(answer.status, 405, "{method} {path}");
        assert!(!answer.text().contains("There is no /"), "{method} {path}");
    }
}

#[test]
fn answers_are_as_described() {
    let shop = Shop::with(&with_admin(
        "[limits]\nidentified = { requests = 5, per = \"1h\" }",
        "",
    ));
    let gateway = &shop.gateway;
    let document = gateway.admin_json(DESCRIPTION);
    gateway
        .ask(&Request::get("/api/orders/x").with_key())
        .is(200);
    let mut checked = 0;
    for (path, _) in described(&document)
        .iter()
        .filter(|(_, method)| method == "get")
    {
        let schema = &document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
            ["schema"];
        if schema.is_null() || path.contains('{') {
            continue;
        }
        let answer = gateway.ask_admin(Request::get(path));
        if answer.status == 400 {
            // It asks for parameters.
            continue;
        }
        fits(&answer.is(200).json(), schema, &document, path);
        checked += 1;
    }
    assert!(checked >= 9, "{checked}");
    let post = |path: &str| Request::post(path, "").field("content-type", "application/json");
    let schema = |path: &str, method: &str, status: &str, media_type: &str| {
        document["paths"][path][method]["responses"][status]["content"][media_type]["schema"]
            .clone()
    };
    let problem = json!({ "$ref": "#/components/schemas/Problem" });
    fits(
        &gateway.ask_admin(Request::get("/nothing")).json(),
        &problem,
        &document,
        "a problem",
    );
    let (reload, json_type) = ("/api/v1/reload", "application/json");
    let answer = gateway.ask_admin(post(reload)).is(200).json();
    fits(
        &answer,
        &schema(reload, "post", "200", json_type),
        &document,
        reload,
    );
    gateway.rewrite("[routes]\n\"/c\" = \"nowhere\"");
    let answer = gateway.ask_admin(post(reload)).is(422).json();
    let refused = schema(reload, "post", "422", "application/problem+json");
    fits(&answer, &refused, &document, reload);
    let level = Request::new("PUT", "/api/v1/log-level")
        .body(r#"{"level":"info"}"#)
        .field("content-type", json_type);
    let answer = gateway.ask_admin(level).is(200).json();
    fits(
        &answer,
        &schema("/api/v1/log-level", "put", "200", json_type),
        &document,
        "log-level",
    );
}

/// Fails unless a value is as its schema says, as far as this description uses JSON Schema.
fn fits(value: &Value, schema: &Value, document: &Value, at: &str) {
    let words = schema
        .as_object()
        .unwrap_or_else(|| panic!("{at}: no schema"));
    for (word, says) in words {
        match word.as_str() {
            "$ref" => {
                let pointer = says.as_str().expect("a pointer").trim_start_matches('#');
                let target = document.pointer(pointer);
                fits(
                    value,
                    target.unwrap_or_else(|| panic!("{at}: {says}")),
                    document,
                    at,
                );
            }
            "type" => {
                let is = |it: &Value| match it.as_str().expect("a type") {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "null" => value.is_null(),
                    other => panic!("{at}: type {other}"),
                };
                let good = says
                    .as_array()
                    .map_or_else(|| is(says), |all| all.iter().any(is));
                assert!(good, "{at}: {value} is not {says}");
            }
            "const" => assert_eq!(value, says, "{at}"),
            "enum" => assert!(
                says.as_array().expect("a list").contains(value),
                "{at}: {value}"
            ),
            "required" => {
                for name in says.as_array().expect("a list") {
                    let name = name.as_str().expect("a name");
                    assert!(value.get(name).is_some(), "{at}: no `{name}` in {value}");
                }
            }
            "properties" => {
                for (name, schema) in says.as_object().expect("properties") {
                    if let Some(member) = value.get(name) {
                        fits(member, schema, document, &format!("{at}.{name}"));
                    }
                }
            }
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    fits(item, says, document, &format!("{at}[]"));
                }
            }
            "description" => {}
            "pattern" => {
                let digits = value
                    .as_str()
                    .is_some_and(|it| it.len() == 8 && it.bytes().all(|b| b.is_ascii_hexdigit()));
                assert!(says == "^[0-9a-f]{8}$" && digits, "{at}: {value}");
            }
            other => panic!("{at}: this test does not know `{other}`"),
        }
    }
}

#[test]
fn no_answer_has_a_secret() {
    let more = format!(
        "[clients.other]\nkeys = [\"{}\"]\n[tls]\nsecret = \"a-secret-of-thirty-two-characters-or-more\"\n\
         [limits.redis]\nurl = \"redis://somebody:the-password-of-redis@127.0.0.1:1\"\n",
        hash_of("the-key-of-another-client")
    );
    let tokens = format!(
        "token = \"{}\"\nread_token = \"{}\"",
        hash_of(TOKEN),
        hash_of(READ_TOKEN)
    );
    let shop = Shop::with(&with_admin(&more, &tokens));
    let gateway = &shop.gateway;
    let admin = gateway.admin();
    let mut secrets: Vec<String> = [
        "a-secret-of-thirty-two",
        "the-password-of-redis",
        "somebody:",
        TOKEN,
        READ_TOKEN,
        KEY,
        "the-key-of-another-client",
        "the-wrong-key-of-somebody",
    ]
    .map(str::to_owned)
    .into();
    // The first eight digits are what a key is called by, and no more of a hash is shown.
    let hashes = [TOKEN, READ_TOKEN, KEY, "the-key-of-another-client"].map(hash_of);
    secrets.extend(
        hashes
            .iter()
            .map(|hash| hash["sha256:".len()..]["01234567".len()..].to_owned()),
    );
    secrets.extend(
        hashes
            .iter()
            .map(|hash| hash["sha256:".len()..][..9].to_owned()),
    );

    gateway.ask(&Request::get("/api/orders/x").with_key());
    gateway.ask(&Request::get("/api/orders/x").field("x-api-key", "the-wrong-key-of-somebody"));
    let bearer = format!("Bearer {TOKEN}");
    let ask = |request: Request| ask_at(admin, request.field("authorization", &bearer));
    let document = ask(Request::get(DESCRIPTION)).json();
    let mut texts = Vec::new();
    for (path, method) in described(&document) {
        if path.ends_with("/stream") || path.ends_with("/tail") || method != "get" {
            continue;
        }
        texts.push((
            path.clone(),
            ask(Request::get(&path.replace(['{', '}'], ""))),
        ));
    }
    let post = |path: &str| Request::post(path, "").field("content-type", "application/json");
    texts.push(("reload".into(), ask(post("/api/v1/reload"))));
    // A file that is wrong right where the secrets are.
    let wrong = more
        .replace("[tls]", "[tls]\nsecrte = 1")
        .replace("url = ", "urll = ");
    gateway.rewrite(&with_admin(
        &format!("[routes]\n{wrong}"),
        &tokens.replace("token =", "tokn ="),
    ));
    texts.push(("refused reload".into(), ask(post("/api/v1/reload"))));
    texts.push(("status".into(), ask(Request::get("/api/v1/status"))));
    texts.push(("events".into(), ask(Request::get("/api/v1/events"))));
    assert!(texts.len() > 15);
    for (path, answer) in &texts {
        let text = format!("{:?}\n{}", answer.fields, answer.text());
        for secret in &secrets {
            assert!(
                !text.contains(secret.as_str()),
                "{path} has {secret}: {text}"
            );
        }
    }
}

#[test]
fn every_change_needs_the_token_for_changes_and_json() {
    let tokens = format!(
        "token = \"{}\"\nread_token = \"{}\"",
        hash_of(TOKEN),
        hash_of(READ_TOKEN)
    );
    let gateway = Gateway::start(&with_admin("[routes]", &tokens));
    let ask = |request: Request, token: &str| {
        gateway.ask_admin(request.field("authorization", &format!("Bearer {token}")))
    };
    let document = ask(Request::get(DESCRIPTION), TOKEN).json();
    let mut seen = 0;
    for (path, method) in described(&document) {
        // Sessions are begun and ended by whoever may read, too, and by a form.
        if method == "get" || path == "/login" || path == "/logout" {
            continue;
        }
        let request = Request::new(&method.to_uppercase(), &path.replace(['{', '}'], ""));
        let json = request.clone().field("content-type", "application/json");
        ask(json, READ_TOKEN).is_refusal(403, "read_only");
        ask(request.clone(), TOKEN).is_refusal(415, "json_required");
        let form = request.field("content-type", "application/x-www-form-urlencoded");
        ask(form, TOKEN).is_refusal(415, "json_required");
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}

/// A refusal of a parameter that is not known says which are.
#[test]
fn all_parameters_are_described() {
    let gateway = Gateway::start(&with_admin("[routes]", ""));
    let document = gateway.admin_json(DESCRIPTION);
    let shared = &document["components"]["parameters"];
    let mut seen = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let is_asked = path.starts_with("/api/v1/") && !methods["get"].is_null();
        if !is_asked || path == DESCRIPTION {
            continue;
        }
        let own = methods["get"]["parameters"].as_array();
        let own = own.map_or(&[][..], Vec::as_slice);
        let described: BTreeSet<_> = own
            .iter()
            .map(|it| match it["$ref"].as_str() {
                Some(at) => &shared[at.rsplit('/').next().unwrap_or_default()],
                None => it,
            })
            .filter(|it| it["in"] == "query")
            .filter_map(|it| it["name"].as_str())
            .collect();
        let answer = gateway.ask_admin(Request::get(&format!("{path}?no-such=1&url=/x")));
        answer.is_refusal(400, "bad_request");
        seen += 1;
        let detail = answer.json()["detail"].to_string();
        if described.is_empty() {
            assert!(detail.contains("no parameters"), "{path}: {detail}");
            continue;
        }
        // `tail` says it in other words: unknown field `no-such`, expected one of `route`, `client`, ...
        let known = detail
            .split_once("Known: ")
            .or(detail.split_once("expected one of "));
        let (_, known) = known.unwrap_or_else(|| panic!("{path}: {detail}"));
        let known: BTreeSet<_> = known
            .split(", ")
            .map(|name| name.trim_matches(['"', '.', '`']))
            .collect();
        assert_eq!(described, known, "{path}");
    }
    assert!(seen > 10, "{seen}");
}
