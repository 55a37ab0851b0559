//! Keys in every form, what their members say, and whose side is whose.

use crate::client::ApiKeyHash;
use crate::import::{Imported, KeysAre, Source, node};

fn read(keys: &str, keys_are: Option<KeysAre>) -> Result<Imported, String> {
    let source = |name, text| Source { name, text };
    let imported = node(
        source("routes.json", "{}"),
        None,
        Some(source("keys.json", keys)),
        keys_are,
    );
    imported
        .map(Imported::good)
        .map_err(|error| error.to_string())
}

fn import(keys: &str, keys_are: Option<KeysAre>) -> Imported {
    read(keys, keys_are).expect("a file that can be read")
}

fn hash(key: &str) -> String {
    ApiKeyHash::of(key.as_bytes()).to_string()
}

#[test]
fn keys_are_hashed_whatever_the_file_looks_like() {
    for keys in [
        r#"{ "demo-key-mobile-app": "mobile-app" }"#,
        r#"{ "mobile-app": "demo-key-mobile-app" }"#,
        r#"{ "demo-key-mobile-app": { "client": "mobile-app" } }"#,
        r#"{ "mobile-app": { "apiKey": "demo-key-mobile-app" } }"#,
        r#"{ "mobile-app": ["demo-key-mobile-app"] }"#,
        r#"{ "clients": [{ "name": "mobile-app", "key": "demo-key-mobile-app" }] }"#,
    ] {
        let side = keys.starts_with(r#"{ "mobile-app": "demo"#);
        let imported = import(keys, side.then_some(KeysAre::Values));
        let hash = hash("demo-key-mobile-app");
        let client = format!("[clients.mobile-app]\nkeys = [\"{hash}\"]\n");
        assert!(imported.toml.contains(&client), "{keys}: {}", imported.toml);
        assert!(!imported.toml.contains("demo-key"), "{}", imported.toml);
    }
}

#[test]
fn two_keys_of_a_client_are_one_client_and_names_become_valid() {
    let keys = r#"{ "k1": "Mobile App", "k2": "Mobile App", "k3": "Mobile/App" }"#;
    let imported = import(keys, None);
    let clients = format!(
        "[clients.Mobile-App]\n# was \"Mobile App\"\nkeys = [\"{}\", \"{}\"]\n\n[clients.Mobile-App-2]\n# was \"Mobile/App\"\nkeys = [\"{}\"]\n",
        hash("k1"),
        hash("k2"),
        hash("k3"),
    );
    assert!(imported.toml.contains(&clients), "{}", imported.toml);
    assert!(
        imported.differs.is_empty(),
        "a client with two keys leaves no doubt"
    );
}

#[test]
fn pairs_of_strings_are_taken_as_documented() {
    for (keys, key, client) in [
        (
            r#"{ "key1": "clientA", "key2": "clientB" }"#,
            "key1",
            "clientA",
        ),
        (
            r#"{ "hunter2": "backoffice", "s3cret": "mobile-app" }"#,
            "s3cret",
            "mobile-app",
        ),
        (
            r#"{ "topsecret": "mobile-app-v2" }"#,
            "topsecret",
            "mobile-app-v2",
        ),
        (r#"{ "a1b2c3": "Mustermann" }"#, "a1b2c3", "Mustermann"),
        (
            r#"{ "web-key": "web-2024-frontend-app" }"#,
            "web-key",
            "web-2024-frontend-app",
        ),
    ] {
        let imported = import(keys, None);
        let written = format!("[clients.{client}]\nkeys = [\"{}\"]\n", hash(key));
        assert!(imported.toml.contains(&written), "{}", imported.toml);
        let said = [
            "keys.json: the names are taken as the keys, the values as the clients; if it is the other way round, say `--keys-are values`",
        ];
        assert_eq!(imported.differs, said);
        assert!(import(keys, Some(KeysAre::Names)).differs.is_empty());
    }
}

#[test]
fn pairs_that_may_be_the_other_way_round_are_refused_until_that_is_said() {
    for (keys, left, right) in [
        (
            r#"{ "partner-company-of-berlin-2024": "s3cret" }"#,
            "partner-company-of-berlin-2024",
            "s3cret",
        ),
        (
            r#"{ "clients": { "mobile-app": "demo-key-mobile-app" } }"#,
            "mobile-app",
            "demo-key-mobile-app",
        ),
    ] {
        let wrong = read(keys, None).expect_err(keys);
        assert!(
            wrong.contains("say which with `--keys-are names`"),
            "{wrong}"
        );
        assert!(!wrong.contains(right), "{wrong}");
        for (keys_are, client, key) in [
            (KeysAre::Values, left, right),
            (KeysAre::Names, right, left),
        ] {
            let imported = import(keys, Some(keys_are));
            let written = format!("[clients.{client}]\nkeys = [\"{}\"]\n", hash(key));
            assert!(imported.toml.contains(&written), "{}", imported.toml);
            assert!(imported.differs.is_empty());
        }
    }
}

#[test]
fn nothing_is_said_of_sides_where_there_are_none() {
    let keys = r#"[{ "key": "a", "client": "m" }]"#;
    let wrong = read(keys, Some(KeysAre::Names)).expect_err("a list");
    assert!(wrong.contains("does not pair strings"), "{wrong}");
}

#[test]
fn keys_that_are_not_in_force_are_left_out() {
    let keys = r#"[
        { "key": "a", "client": "m", "enabled": false },
        { "key": "b", "client": "n", "expires": "2020-01-01", "revoked": true },
        { "key": "c", "client": "n", "expires": "2099-01-01", "scopes": ["read"] }
    ]"#;
    let imported = import(keys, None);
    let written = format!(
        "[clients.n]\nkeys = [{{ hash = \"{}\", expires_at = \"2099-01-01T00:00:00Z\" }}]\n",
        hash("c")
    );
    assert!(imported.toml.contains(&written), "{}", imported.toml);
    assert!(!imported.toml.contains("clients.m"), "{}", imported.toml);
    assert_eq!(
        imported.left_out,
        [
            "keys.json: client m: a key, for `enabled` says that it is not in force",
            "keys.json: client n: a key, for `expires` says that it has expired",
            "keys.json: client n: a key, for `revoked` says that it is not in force",
            "keys.json: client n: `scopes` has no counterpart",
        ]
    );
    for keys in [
        r#"{ "demo": { "client": "m", "revoked": true } }"#,
        r#"{ "m": { "keys": ["a", "b"], "active": false } }"#,
    ] {
        let imported = import(keys, None);
        assert_eq!(imported.left_out.len(), 1, "{:?}", imported.left_out);
        assert!(!imported.toml.contains("[clients"), "{}", imported.toml);
    }
}
