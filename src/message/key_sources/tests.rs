//! Tests of where keys are found, and of how they are taken out.

use super::*;
use crate::message::fields::fields;

const HEADER: HeaderName = HeaderName::from_static("x-api-key");

fn all() -> KeySources {
    KeySources::new(
        &HEADER,
        [
            KeySource::Header,
            KeySource::Bearer,
            KeySource::Query("api_key".into()),
            KeySource::Cookie("key".into()),
        ],
    )
}

/// The key that is found, `?` for several, nothing for none.
fn find(sources: &KeySources, lines: &str, query: &str) -> Option<String> {
    match sources
        .find(&HEADER, &fields(lines), Some(query.as_bytes()))
        .key
    {
        SentKey::Nothing => None,
        SentKey::Key(key) => Some(String::from_utf8(key.into_owned()).unwrap()),
        SentKey::Several => Some("?".to_owned()),
    }
}

#[test]
fn a_key_is_found_in_each_place() {
    for (lines, query, key) in [
        ("", "", None),
        ("X-Api-Key: k\r\n", "", Some("k")),
        ("Authorization: Bearer k\r\n", "", Some("k")),
        ("Authorization: bearer   k\r\n", "", Some("k")),
        ("Authorization: Bearer\r\n", "", Some("")),
        ("Authorization: Basic k\r\n", "", None),
        ("Authorization: Bearerk\r\n", "", None),
        ("", "api_key=k", Some("k")),
        ("", "a=1&api_key=k%2B+%3d&b", Some("k++=")),
        ("", "api%5Fkey=k", Some("k")),
        ("", "api_key", Some("")),
        ("", "API_KEY=k&xapi_key=k&api_key2=k&a=api_key=k", None),
        ("Cookie: a=b; key=k; c\r\n", "", Some("k")),
        ("Cookie: key = \"k\"\r\n", "", Some("k")),
        ("Cookie: Key=k; akey=k\r\n", "", None),
        ("X-Api-Key: k\r\nCookie: key=k\r\n", "api_key=k", Some("k")),
    ] {
        assert_eq!(
            find(&all(), lines, query).as_deref(),
            key,
            "{lines} {query}"
        );
    }
}

#[test]
fn of_several_keys_none_is_preferred() {
    for (lines, query) in [
        ("X-Api-Key: k\r\nX-Api-Key: k\r\n", ""),
        ("X-Api-Key: k\r\nAuthorization: Bearer l\r\n", ""),
        ("X-Api-Key: k\r\n", "api_key=l"),
        ("X-Api-Key: k\r\n", "api_key="),
        ("X-Api-Key: \r\n", "api_key=l"),
        ("Cookie: key=k\r\n", "api_key=l"),
        ("Cookie: key=k; key=k\r\n", ""),
        ("Cookie: key=k\r\nCookie: key=l\r\n", ""),
        ("", "api_key=k&api_key=k"),
        ("X-Api-Key: k\r\nX-Api-Key: l\r\nCookie: key=l\r\n", ""),
    ] {
        assert_eq!(
            find(&all(), lines, query).as_deref(),
            Some("?"),
            "{lines} {query}"
        );
    }
}

#[test]
fn a_key_that_stands_in_cookies_alone_is_told_from_others() {
    for (lines, query, by_cookie) in [
        ("Cookie: key=k\r\n", "", true),
        ("Cookie: key=k; key=l\r\n", "", true),
        ("Cookie: key=k\r\nX-Api-Key: k\r\n", "", false),
        ("Cookie: key=k\r\nX-Api-Key: l\r\n", "", false),
        ("Cookie: key=k\r\nAuthorization: Bearer l\r\n", "", false),
        ("Cookie: key=k\r\n", "api_key=", false),
        ("X-Api-Key: k\r\n", "", false),
        ("Cookie: a=b\r\n", "", false),
    ] {
        let fields = fields(lines);
        let sent = all()
            .find(&HEADER, &fields, Some(query.as_bytes()))
            .by_cookie;
        assert_eq!(sent, by_cookie, "{lines} {query}");
    }
}

#[test]
fn only_places_that_are_named_are_looked_at() {
    let lines = "X-Api-Key: k\r\nAuthorization: Bearer l\r\nCookie: key=m\r\n";
    let only = |source| find(&KeySources::new(&HEADER, [source]), lines, "api_key=n&x=o");
    assert_eq!(only(KeySource::Header).as_deref(), Some("k"));
    assert_eq!(only(KeySource::Bearer).as_deref(), Some("l"));
    assert_eq!(only(KeySource::Cookie("key".into())).as_deref(), Some("m"));
    assert_eq!(only(KeySource::Query("x".into())).as_deref(), Some("o"));
    assert_eq!(only(KeySource::Query("y".into())), None);
}

#[test]
fn keys_are_taken_out_of_queries_and_cookies_and_the_rest_stays() {
    let (sources, header) = (all(), KeySources::new(&HEADER, [KeySource::Header]));
    for (query, rest) in [
        ("api_key=k", Some("")),
        ("a=1&api_key=k", Some("a=1")),
        ("api_key=k&a=%20+&&b", Some("a=%20+&&b")),
        ("api%5fkey=k&api_key=l&c=", Some("c=")),
        ("a=1", None),
        ("", None),
    ] {
        let without = sources.query_without_keys(query.as_bytes());
        let without = without.map(|rest| String::from_utf8(rest).unwrap());
        assert_eq!(without.as_deref(), rest, "{query}");
        assert_eq!(header.query_without_keys(query.as_bytes()), None);
    }
    for (cookie, rest) in [
        ("key=k", Some("")),
        ("a=b; key=k;c=\"d\"", Some("a=b; c=\"d\"")),
        ("key =k; a=b", Some("a=b")),
        ("a=b;c=d", None),
        ("tollgate_admin=s; key=k", Some("")),
    ] {
        let without = sources.cookie_for_service(cookie.as_bytes(), false);
        let without = without.map(|rest| String::from_utf8(rest).unwrap());
        assert_eq!(without.as_deref(), rest, "{cookie}");
    }
    // A session of the admin port is nothing for services, whatever they get.
    for (cookie, rest) in [
        ("key=k; tollgate_admin=s", Some("key=k")),
        ("tollgate_admin =s", Some("")),
        ("a=b; tollgate_administrator=c", None),
        ("key=k; a=tollgate_admin", None),
    ] {
        let without = sources.cookie_for_service(cookie.as_bytes(), true);
        let without = without.map(|rest| String::from_utf8(rest).unwrap());
        assert_eq!(without.as_deref(), rest, "{cookie}");
    }
}

#[test]
fn a_challenge_names_the_schemes() {
    let of = |sources: &[KeySource], wrong| {
        let sources = KeySources::new(&HEADER, sources.to_vec());
        sources.challenge(wrong).to_owned()
    };
    let key = "ApiKey realm=\"tollgate\", header=\"x-api-key\"";
    let query = KeySource::Query("k".into());
    assert_eq!(of(&[KeySource::Header], true), key);
    assert_eq!(of(&[query], false), "ApiKey realm=\"tollgate\"");
    assert_eq!(
        all().places(),
        "the x-api-key field or an Authorization field with Bearer or the query parameter api_key or the cookie key"
    );
    let bearer = [KeySource::Bearer];
    assert_eq!(of(&bearer, false), "Bearer realm=\"tollgate\"");
    assert_eq!(
        of(&bearer, true),
        "Bearer realm=\"tollgate\", error=\"invalid_token\""
    );
    let both = of(&[KeySource::Bearer, KeySource::Header], false);
    assert_eq!(both, format!("{key}, Bearer realm=\"tollgate\""));
}
