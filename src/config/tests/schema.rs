//! The JSON Schema: the repository has it as it is, the repository's files are valid under it, and
//! it refuses what the reader refuses.

use regex_lite::Regex;
use serde_json::{Value as Json, json};

use super::docs::{assert_up_to_date, examples};
use super::*;
use crate::config::plain;

fn schema() -> Json {
    crate::config::schema().parse().unwrap()
}

#[test]
fn the_repository_has_the_schema_as_it_is() {
    assert_up_to_date("tollgate.schema.json", &crate::config::schema());
}

#[test]
fn the_files_of_the_repository_are_valid() {
    let fleet = include_str!("../../../bench/fleet.toml");
    let bench = include_str!("../../../bench/tollgate.toml");
    let redis = include_str!("../../../bench/tollgate-redis.toml");
    let bench_with_redis = format!("{bench}{redis}");
    for text in [
        include_str!("../../../tollgate.toml"),
        fleet,
        &bench_with_redis,
    ] {
        let text = text.replace("@PORT@", "3000").replace("@LEASE@", "auto");
        let text = text.replace("@KEY_HASH@", &"0".repeat(64));
        let text = Regex::new("@[A-Z]+@").unwrap().replace_all(&text, "1");
        good(&text);
        assert_valid(&text);
    }
}

#[test]
fn the_examples_of_the_documentation_are_valid() {
    for example in examples() {
        assert_valid(example);
    }
}

#[test]
fn what_the_reader_refuses_is_not_valid() {
    for text in [
        "protcted = 1",
        "[access]\nprotcted = ['/a']",
        "[routes]\n'/a' = { upstram = 'http://x' }",
        "[routes]\n'/a' = {}",
        "[routes]\n'/a' = { redirect = '/b', respond = {} }",
        "[routes]\na = 'http://x'",
        "[limits]\nanonymous = { requests = 0, per = '1m' }",
        "[limits]\nanonymous = { requests = 1, per = 60 }",
        "[limits.redis]\nurl = 'redis://h'\nmode = 'clustered'",
        "[server]\nidle_timeout = '10 s'",
        "[server]\nwatch = 'yes'",
        "[clients.a]\nkeys = ['secret']",
        "[upstreams.a]\nendpoints = { url = 'http://x', weight = -1 }",
        "[upstreams.a]\nendpoints = 'http://x'\nbalance = 'random'",
        "[upstreams.a]\nendpoints = 'http://x'\nbalance = 5",
        "[upstreams.a]\nendpoints = 'http://x'\nprotocol = false",
        "[upstreams.a]\nendpoints = 'http://x'\nproxy_protocol = true",
        "[log]\nlevel = 3",
        "[log]\nfields = [1]",
        "[upstreams.a]\nendpoints = 'http://x'\nhash_by = 'header:a b'",
        "[upstreams.a]\nendpoints = 'http://x'\nmax_requests = 'auto'",
        "[upstreams.a]\nendpoints = 'http://x'\nretry = 'on'",
        "[upstream_defaults]\nendpoints = 'http://x'",
        "[upstream_defaults.health]\npath = 'healthz'",
        "[upstream_defaults.health]\nstatuses = 99",
        "[upstream_defaults.health]\ngrpc = 'orders/Get'",
        "[upstream_defaults.breaker]\nstatuses = '5xx'",
    ] {
        assert!(read(text).is_err(), "{text}");
        assert!(!errors(text).is_empty(), "{text}");
    }
}

/// A pattern says nothing of what is no string.
#[test]
fn patterns_are_for_strings_alone() {
    fn look(schema: &Json, of_names: bool) {
        if schema.get("pattern").is_some() && !of_names {
            assert_eq!(schema["type"], "string", "{schema}");
        }
        for (word, part) in schema.as_object().into_iter().flatten() {
            look(part, word == "propertyNames");
        }
        for part in schema.as_array().into_iter().flatten() {
            look(part, of_names);
        }
    }
    look(&schema(), false);
}

#[test]
fn variables_are_valid_in_strings() {
    let text = "[server]\nidle_timeout = '${IDLE:-5s}'\n[limits.redis]\nurl = 'redis://:${PASSWORD}@h'\nmode = '${MODE:-single}'\n[clients.a]\nkeys = ['sha256:${HASH}']";
    assert_valid(text);
}

#[test]
fn a_file_may_name_its_schema() {
    let named = "{\"$schema\": \"./tollgate.schema.json\", \"routes\": {\"/a\": \"http://x\"}}";
    let read = parse(
        "x.json",
        named,
        Format::Json,
        &environment,
        &|_| unreachable!(),
    );
    assert!(read.is_ok());
    let root = schema();
    assert_eq!(check(&root, &root, &named.parse().unwrap(), ""), [""; 0]);
    good("#:schema ./tollgate.schema.json\n[routes]\n\"/a\" = \"http://x\"\n");
}

fn assert_valid(text: &str) {
    assert_eq!(errors(text), [""; 0], "{text}");
}

/// What is wrong with a TOML file under the schema.
fn errors(text: &str) -> Vec<String> {
    let value = plain("x.toml", text, Format::Toml).unwrap();
    let root = schema();
    check(&root, &root, &value, "")
}

/// As much of JSON Schema as ours has in it. A word that is not known fails the test.
fn check(root: &Json, schema: &Json, value: &Json, at: &str) -> Vec<String> {
    let mut errors = Vec::new();
    for (word, rule) in schema.as_object().unwrap() {
        let one = |schema: &Json| check(root, schema, value, at);
        let list = || rule.as_array().unwrap().iter();
        let text = value.as_str();
        let fits = match word.as_str() {
            "$schema" | "title" | "description" | "default" | "definitions" => true,
            "$ref" => {
                let path = rule.as_str().unwrap().trim_start_matches('#');
                errors.extend(one(root.pointer(path).unwrap()));
                true
            }
            "allOf" => list().all(|schema| one(schema).is_empty()),
            "anyOf" => list().any(|schema| one(schema).is_empty()),
            "oneOf" => list().filter(|schema| one(schema).is_empty()).count() == 1,
            "enum" => list().any(|one| one == value),
            "const" => rule == value,
            "type" => is_a(rule.as_str().unwrap(), value),
            "minimum" => value.as_f64() >= rule.as_f64(),
            "exclusiveMinimum" => value.as_f64() > rule.as_f64(),
            "maximum" => value.as_f64() <= rule.as_f64(),
            "minLength" => text != Some(""),
            "pattern" => {
                let pattern = Regex::new(rule.as_str().unwrap()).unwrap();
                text.is_none_or(|text| pattern.is_match(text))
            }
            "items" => {
                let items = value.as_array().into_iter().flatten();
                errors.extend(items.flat_map(|item| check(root, rule, item, at)));
                true
            }
            "required" => list().all(|key| value.get(key.as_str().unwrap()).is_some()),
            "propertyNames" | "properties" | "additionalProperties" => {
                let entries = value.as_object().into_iter().flatten();
                for (key, value) in entries {
                    let at = format!("{at}.{key}");
                    let declared = schema["properties"].get(key);
                    errors.extend(match (word.as_str(), declared) {
                        ("propertyNames", _) => check(root, rule, &json!(key), &at),
                        ("properties", Some(declared)) => check(root, declared, value, &at),
                        ("additionalProperties", None) if *rule == json!(false) => {
                            vec![format!("{at}: is not declared")]
                        }
                        ("additionalProperties", None) => check(root, rule, value, &at),
                        _ => Vec::new(),
                    });
                }
                true
            }
            other => panic!("the schema has `{other}`, which this test does not know"),
        };
        if !fits {
            errors.push(format!("{at}: `{word}` does not fit"));
        }
    }
    errors
}

fn is_a(kind: &str, value: &Json) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        other => panic!("{other}"),
    }
}
