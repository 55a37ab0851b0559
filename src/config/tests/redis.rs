//! What stands behind Redis' address, and TLS to it.

use std::sync::Arc;

use crate::config::{Served, load_again};
use crate::limit::{RedisTarget, RedisTopology, RedisUrl};
use crate::tls::{Certificate, ClientTls, Purpose};

use super::*;

/// Reads a configuration of Redis beside which lie `ca.pem`, `cert.pem` and `key.pem`.
fn with_files(redis: &str) -> Result<Loaded, Problems> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let files = |path: &Path| match path.to_str() {
        Some("conf/ca.pem" | "/abs/cert.pem" | "conf/cert.pem") => Ok(cert.clone()),
        Some("conf/key.pem") => Ok(key.clone()),
        Some("conf/other-key.pem") => Ok(other.clone()),
        Some("conf/empty") => Ok(String::new()),
        _ => Err(Unreadable::Missing),
    };
    let text = format!("[limits.redis]\n{redis}\n");
    let name = "conf/tollgate.toml";
    parse(name, &text, Format::Toml, &environment, &files)
}

fn target(redis: &str) -> RedisTarget {
    fine(with_files(redis)).settings.redis.unwrap().target
}

#[test]
fn sentinels_and_clusters_have_several_addresses() {
    for (redis, shown) in table(
        r#"
        url = ["redis://a", "redis://b:7"]\nmode = "sentinel"\nmaster = "mymaster" => mymaster of a:6379, b:7
        url = ["redis://a", "redis://b:7"]\nmode = "cluster" => a:6379, b:7
        url = ["redis://u:p@a/1", "redis://u:p@b/1"]\nmode = "sentinel"\nmaster = "m" => m of a:6379, b:6379
        url = ["redis://u:p@a/1", "redis://b"]\nmode = "sentinel"\nmaster = "m" => m of a:6379, b:6379
        url = ["redis://u:p@a/1", "redis://b/1"]\nmode = "sentinel"\nmaster = "m" => m of a:6379, b:6379
        url = "redis://a"\nmode = "cluster" => a:6379
        url = "redis://a" => a:6379
        "#,
    ) {
        assert_eq!(target(&redis).to_string(), shown, "{redis}");
    }
}

#[test]
fn user_and_password_stand_in_the_url_or_beside_it() {
    for login in [
        "password = \"a/b#c?d%41\"",
        "username = \"u\"\npassword = \"${PASSWORD}\"",
        "username = \"u\"\npassword = \"\"",
    ] {
        target(&format!("url = \"redis://a\"\n{login}"));
    }
}

#[test]
fn certificates_are_read_from_files() {
    target("url = \"rediss://a\"\nca = \"ca.pem\"");
    target("url = \"rediss://a\"\nca = \"ca.pem\"\ncert = \"/abs/cert.pem\"\nkey = \"key.pem\"");
    let loaded = with_files("url = \"rediss://a\"\nca = \"ca.pem\"").unwrap();
    let files: Vec<_> = loaded.files.paths().collect();
    assert_eq!(files, [Path::new("conf/ca.pem")], "they are watched");
}

#[test]
fn another_certificate_is_another_redis() {
    // The certificates are made anew by each reading.
    let read = || with_files("url = \"rediss://a\"\nca = \"ca.pem\"").unwrap();
    assert_eq!(
        reload(&read(), &read()),
        [
            "NeedsRestart: `limits.redis.ca`: changed, still conf/ca.pem (the rest is not shown), which takes a restart"
        ]
    );
}

#[test]
fn what_does_not_go_together_is_said_where_it_stands() {
    for (redis, said) in table(
        r#"
        url = "redis://a"\nmode = "sentinel" => 3:8 `mode = "sentinel"` needs `master`
        url = "redis://a"\nmaster = "mymaster" => 3:10 `limits.redis.master` needs `mode = "sentinel"`
        url = ["redis://a", "redis://b"]\nmode = "sentinel"\nmaster = "my master" => 4:10 1 to 128 characters, without spaces
        url = ["redis://a", "redis://b"] => 2:7 give one address, or write `mode = "cluster"`
        url = "redis://a"\nusername = "u" => 3:12 `limits.redis.username` needs `password`
        url = "redis://:p@b"\npassword = "p" => 2:7 write them in one place
        url = "redis://a"\nusername = "u"\npassword = "${NONE}" => 4:13 the variable `NONE` is not set
        url = [] => 2:7 it has no address
        url = ["redis://a", "redis://u:p@b"]\nmode = "cluster" => 2:21 must be those of the first address
        url = "redis://a/1"\nmode = "cluster" => 2:7 a cluster has database 0 only
        url = "unix:///a"\nmode = "cluster" => 2:7 `unix://` is for one Redis
        url = ["redis://a", "unix:///a"]\nmode = "sentinel"\nmaster = "m" => 2:7 `unix://` is for one Redis
        url = ["redis://u:p@a/1", "redis://u:q@b/1"]\nmode = "cluster" => 2:27 must be those of the first address
        url = ["redis://u:p@a/1", "redis://u:p@b/2"]\nmode = "cluster" => 2:27 must be those of the first address
        url = ["redis://a", "rediss://b"]\nmode = "cluster"\nca = "ca.pem" => 2:21 must be those of the first address
        "#,
    ) {
        is_said(&redis, said);
    }
}

#[test]
fn all_that_does_not_go_together_is_said_at_once() {
    let said = |redis: &str| rows(&with_files(redis).unwrap_err());
    for (redis, parts) in [
        (
            "url = [\"redis://a\", \"redis://b\"]\nusername = \"u\"",
            ["needs `password`", "give one address, or write `mode ="],
        ),
        (
            "url = [\"redis://a\", \"redis://:q@b\"]\npassword = \"p\"\nmode = \"sentinel\"",
            ["write them in one place", "needs `master`"],
        ),
        (
            "url = [\"redis://a\", \"\", \"redis://b\"]\nmaster = \"m\"",
            ["none may be empty", "needs `mode = "],
        ),
        (
            "url = [\"rediss://a\", \"rediss://b\"]\nca = \"gone.pem\"",
            ["there is no such file", "give one address"],
        ),
    ] {
        let said = said(redis);
        for part in parts {
            assert!(said.contains(part), "{redis}\n{said}");
        }
    }
}

#[test]
fn the_part_of_a_url_that_is_wrong_is_said() {
    for (url, why) in [
        (
            "redis://:hunter#@localhost/0",
            "`#` is in the user or the password: write `%23`",
        ),
        ("localhost:6379", "write `redis://` in front"),
        ("redis://localhost/abc", "the number of a database"),
        ("http://localhost", "not a scheme of Redis"),
        ("redis://hunter@localhost", "a user alone is no login"),
    ] {
        let said = rows(&with_files(&format!("url = \"{url}\"")).unwrap_err());
        assert!(said.contains(why), "{url}: {said}");
    }
}

#[test]
fn files_that_do_not_fit_are_said_where_they_are_named() {
    for (redis, said) in table(
        r#"
        url = "redis://a"\nca = "ca.pem" => 3:6 write `rediss://` in `url`, or leave this out
        url = "rediss://a"\nca = "ca.pem"\ncert = "cert.pem" => 4:8 `limits.redis.key` is missing
        url = "rediss://a"\nca = "ca.pem"\nkey = "key.pem" => 4:7 `limits.redis.cert` is missing
        url = "rediss://a"\nca = "gone.pem" => 3:6 cannot read `conf/gone.pem`: there is no such file
        url = "rediss://a"\nca = "key.pem" => 3:6 there is no certificate in it, but a private key
        url = "rediss://a"\nca = "ca.pem"\ncert = "empty"\nkey = "key.pem" => 4:8 it is empty
        url = "rediss://a"\nca = "ca.pem"\ncert = "cert.pem"\nkey = "cert.pem" => 5:7 there is no private key in it, but a certificate
        url = "rediss://a"\nca = "ca.pem"\ncert = "cert.pem"\nkey = "other-key.pem" => 5:7 the key does not fit the certificate
        "#,
    ) {
        is_said(&redis, said);
    }
}

#[test]
fn a_certificate_that_has_expired_is_warned_of_and_shown() {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let (cert, key) = (params.self_signed(&key).unwrap().pem(), key.serialize_pem());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tollgate.toml");
    let text =
        "[limits.redis]\nurl = 'rediss://a'\nca = 'cert.pem'\ncert = 'cert.pem'\nkey = 'key.pem'";
    for (name, text) in [
        ("tollgate.toml", text),
        ("cert.pem", &cert),
        ("key.pem", &key),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let loaded = fine(load_again(&file, &environment, Served::default()));
    let lints = oddities(&loaded).concat();
    let said = "of what Redis is shown, the certificate has expired, at 2021-01-01T00:00:00Z";
    assert!(lints.contains(said), "{lints}");
    let target = loaded.settings.redis.unwrap().target;
    assert!(target.certificate().is_some());
    // As it was read while it was valid.
    let then = "2020-06-01T00:00:00Z".parse().unwrap();
    let shown = Certificate::read(Some(&cert), Some(&key), Purpose::Client, then).unwrap();
    let tls = ClientTls::new(None, Some(Arc::new(shown.clone())));
    let url = RedisUrl::parse("rediss://a").unwrap();
    let redis = RedisTarget::new(&[url], RedisTopology::Single, Some(tls)).unwrap();
    let served = Served {
        redis: Some(&redis),
        ..Served::default()
    };
    let target = fine(load_again(&file, &environment, served)).settings.redis;
    assert!(target.unwrap().target.certificate().unwrap().is(&shown));
}

/// Fails unless that is all that is said, behind its place.
#[track_caller]
fn is_said(redis: &str, said: &str) {
    let rows = rows(&with_files(redis).unwrap_err());
    let (place, said) = said.split_once(' ').unwrap();
    assert!(rows.starts_with(&format!("{place} ")), "{redis}\n{rows}");
    assert!(rows.contains(said), "{redis}\n{rows}");
    assert_eq!(rows.lines().count(), 1, "{redis}\n{rows}");
}
