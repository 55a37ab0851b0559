//! Tests of what pages of other origins are told.

use super::*;
use crate::message::fields::fields;
use crate::message::sink::List;

fn rules() -> CorsRules {
    CorsRules {
        origins: Some(vec!["https://b.test".into(), "https://a.test".into()]),
        credentials: false,
        methods: Some(vec!["GET".into(), "PUT".into()]),
        headers: None,
        expose: vec!["Retry-After".into(), "etag".into()],
        max_age: 600,
    }
}

fn put(put: impl FnOnce(&mut List)) -> Vec<String> {
    let mut list = List::default();
    put(&mut list);
    let lines = list.0.into_iter();
    lines
        .map(|(name, value)| format!("{name}: {value}"))
        .collect()
}

#[test]
fn a_listed_origin_is_told_and_no_other() {
    let cors = Cors::new(rules());
    let told = |lines: &str| put(|sink| cors.put_fields(sink, &fields(lines)));
    for origin in ["https://a.test", "https://b.test"] {
        let told = told(&format!("Origin: {origin}\r\n"));
        assert_eq!(
            told,
            [
                format!("access-control-allow-origin: {origin}"),
                "access-control-expose-headers: Retry-After, etag".to_owned(),
            ]
        );
    }
    for lines in [
        "",
        "Origin: null\r\n",
        "Origin: *\r\n",
        "Origin: https://A.test\r\n",
        "Origin: https://a.test:443\r\n",
        "Origin: https://a.test.evil.test\r\n",
        "Origin: http://a.test\r\n",
        "Origin: https://a.test, https://b.test\r\n",
        "Origin: https://a.test\r\nOrigin: https://b.test\r\n",
    ] {
        assert_eq!(told(lines), [""; 0], "{lines}");
    }
}

#[test]
fn a_wildcard_is_for_hosts_below_with_the_same_scheme_and_port() {
    let origins = ["https://a.test", "https://*.b.test", "http://*.b.test:8080"];
    let cors = Cors::new(CorsRules {
        origins: Some(origins.map(Into::into).to_vec()),
        ..rules()
    });
    for origin in [
        "https://a.test",
        "https://x.b.test",
        "https://x-1.y_2.b.test",
        "http://x.b.test:8080",
    ] {
        assert!(cors.allows(origin.as_bytes()), "{origin}");
    }
    for origin in [
        "https://b.test",
        "https://.b.test",
        "https://x..b.test",
        "https://xb.test",
        "https://x.b.test:8080",
        "https://x.b.test.evil.test",
        "https://evil.test/x.b.test",
        "https://evil.test#x.b.test",
        "https://u@x.b.test",
        "https://X.b.test",
        "https://evil.test:1.b.test",
        "http://x.b.test",
        "http://x.b.test:80801",
        "https://x.a.test",
        "null",
        "",
    ] {
        assert!(!cors.allows(origin.as_bytes()), "{origin}");
    }
}

#[test]
fn what_a_preflight_asks_for_is_written_back_within_bounds() {
    let cors = Cors::new(CorsRules {
        methods: None,
        ..rules()
    });
    let told = |asked: &str, method: &str| {
        let lines = format!(
            "Origin: https://a.test\r\nAccess-Control-Request-Method: {method}\r\nAccess-Control-Request-Headers: {asked}\r\n"
        );
        let told = put(|sink| cors.put_preflight(sink, &fields(&lines)));
        let has = |name: &str| told.iter().any(|line| line.starts_with(name));
        (
            has("access-control-allow-headers"),
            has("access-control-allow-methods"),
        )
    };
    let names = |count: usize| vec!["x"; count].join(",");
    assert_eq!(told(&names(64), "PUT"), (true, true));
    assert_eq!(told(&names(65), "PUT"), (false, true));
    assert_eq!(told(&"x".repeat(4096), "PUT"), (true, true));
    assert_eq!(told(&"x".repeat(4097), &"P".repeat(4097)), (false, false));
}

#[test]
fn any_origin_is_told_a_star() {
    let cors = Cors::new(CorsRules {
        origins: None,
        ..rules()
    });
    let told = put(|sink| cors.put_fields(sink, &fields("")));
    assert_eq!(told[0], "access-control-allow-origin: *");
    assert!(!cors.varies());
}

#[test]
fn a_preflight_is_told_what_may_be_sent() {
    let asked = "Origin: https://a.test\r\nAccess-Control-Request-Method: PATCH\r\nAccess-Control-Request-Headers: x-api-key,x-b\r\n";
    let cors = Cors::new(CorsRules {
        credentials: true,
        ..rules()
    });
    let told = put(|sink| cors.put_preflight(sink, &fields(asked)));
    assert_eq!(
        told[1..],
        [
            "access-control-allow-origin: https://a.test",
            "access-control-allow-credentials: true",
            "access-control-allow-methods: GET, PUT",
            "access-control-allow-headers: x-api-key,x-b",
            "access-control-max-age: 600",
        ]
    );
    let any = Cors::new(CorsRules {
        methods: None,
        headers: Some(vec!["x-c".into()]),
        ..rules()
    });
    let told = put(|sink| any.put_preflight(sink, &fields(asked)));
    assert_eq!(
        told[2..4],
        [
            "access-control-allow-methods: PATCH",
            "access-control-allow-headers: x-c",
        ]
    );
    let other = asked.replace("a.test", "c.test");
    let told = put(|sink| cors.put_preflight(sink, &fields(&other)));
    assert_eq!(told.len(), 1, "only Vary: {told:?}");
}

#[test]
fn a_preflight_is_an_options_with_an_origin_and_a_method() {
    let asked = "Origin: https://a.test\r\nAccess-Control-Request-Method: PUT\r\n";
    let method = preflight_method(&Method::OPTIONS, &fields(asked));
    assert_eq!(method, Some(Method::PUT));
    for (method, lines) in [
        (Method::GET, asked),
        (Method::OPTIONS, "Origin: https://a.test\r\n"),
        (Method::OPTIONS, "Access-Control-Request-Method: PUT\r\n"),
        (
            Method::OPTIONS,
            "Origin: https://a.test\r\nAccess-Control-Request-Headers: a\r\n",
        ),
        (
            Method::OPTIONS,
            "Origin: https://a.test\r\nAccess-Control-Request-Method: \r\n",
        ),
    ] {
        assert_eq!(preflight_method(&method, &fields(lines)), None, "{lines}");
    }
}
