//! What reaches a service: in the order that it came, without what is not meant for it, and with
//! what only the gateway says.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::message::caller::Entry;
use crate::message::field_rules::{self, Variables};
use crate::message::fields::fields;
use crate::message::sink::List;

fn names(odd: OddFieldNames) -> Names {
    Names {
        key_sources: KeySources::default(),
        api_key: HeaderName::from_static("x-api-key"),
        forward_api_key: false,
        client: HeaderName::from_static("x-client-id"),
        request_id: HeaderName::from_static("x-request-id"),
        odd,
        via: Some("tollgate"),
    }
}

/// The fields that a service gets for these, as HTTP/2 would have them.
fn sent(lines: &str, change: impl FnOnce(&mut Forwarding<'_>)) -> Vec<String> {
    sent_by(&names(OddFieldNames::Drop), lines, change)
}

fn sent_by<'n>(
    names: &'n Names,
    lines: &str,
    change: impl FnOnce(&mut Forwarding<'n>),
) -> Vec<String> {
    let mut to = Forwarding {
        names,
        peer: Peer {
            address: IpAddr::from([192, 0, 2, 7]),
            port: 0,
            entry: Entry::Plain,
        },
        trusted: false,
        host: b"shop.test",
        other_host: None,
        client: Some("app"),
        request_id: b"r1",
        prefix: Some("/api"),
        edit: None,
        persistence: Persistence::Stays,
        version: Version::Http11,
        renamed: Renamed::default(),
        trace: None,
    };
    change(&mut to);
    let mut head = List::default();
    put_request(
        &mut head,
        &Method::GET,
        |out| out.push(b'/'),
        &fields(&format!("Host: shop.test\r\n{lines}")),
        BodyLength::None,
        &to,
    );
    let fields = head.0.split_off(3);
    let line = |(name, value): &(String, String)| format!("{name}: {value}");
    let authority = match to.host {
        b"" => ":authority: unknown.invalid",
        _ => ":authority: shop.test",
    };
    assert_eq!(
        head.0.iter().map(line).collect::<Vec<_>>(),
        [":method: GET", authority, ":path: /"]
    );
    fields.iter().map(line).collect()
}

const OWN: [&str; 7] = [
    "x-forwarded-for: 192.0.2.7",
    "x-forwarded-proto: http",
    "x-forwarded-host: shop.test",
    "x-forwarded-prefix: /api",
    "via: 1.1 tollgate",
    "x-request-id: r1",
    "x-client-id: app",
];

#[test]
fn a_route_sets_adds_and_removes_before_what_only_the_gateway_says() {
    let lines = "X-Env: a\r\nX-Id: b\r\nx_debug: c\r\nAccept: d\r\nConnection: x-env\r\n";
    let rules = &field_rules::example();
    let variables = Variables {
        client: Some("app"),
        address: IpAddr::from([203, 0, 113, 9]),
        request_id: b"r1",
    };
    let got = sent_by(&names(OddFieldNames::Pass), lines, |to| {
        to.edit = Some(Edit { rules, variables });
    });
    let own = [
        "x-id: b",
        "accept: d",
        "x-env: prod",
        "x-who: app at 203.0.113.9",
        "x-id: r1",
    ];
    assert_eq!(got, [&own[..], &OWN].concat());
}

#[test]
fn the_rest_passes_in_its_order_between_what_the_gateway_says() {
    let lines = sent("B: 2\r\na: 1\r\nB:\r\nCookie: c\r\n", |_| {});
    assert_eq!(lines[..4], ["b: 2", "a: 1", "b: ", "cookie: c"]);
    assert_eq!(lines[4..], OWN);
}

#[test]
fn a_trusted_proxy_is_believed_and_added_to() {
    let lines = "X-Forwarded-For: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\nX-Forwarded-Prefix: /v1\r\n\
                 X-Forwarded-Proto: https\r\nVia: 1.0 a\r\nX-Forwarded-For: 2.2.2.2\r\n";
    let seen = sent(lines, |to| to.trusted = true);
    for line in [
        "forwarded: for=1.1.1.1",
        "x-forwarded-for: 1.1.1.1, 2.2.2.2, 192.0.2.7",
        "x-forwarded-proto: https",
        "x-forwarded-prefix: /v1/api",
        "via: 1.0 a, 1.1 tollgate",
    ] {
        assert_eq!(
            seen.iter().filter(|seen| *seen == line).count(),
            1,
            "{line}"
        );
    }
    assert_eq!(seen.len(), OWN.len() + 1);
    let of_others = sent(lines, |_| {});
    assert_eq!(of_others.len(), OWN.len());
}

#[test]
fn a_host_that_was_not_named_is_told_to_nobody() {
    let seen = sent("", |to| to.host = b"");
    assert!(!seen.iter().any(|line| line.starts_with("x-forwarded-host")));
    let lines = "X-Forwarded-Host: shop.test\r\n";
    let seen = sent(lines, |to| {
        (to.host, to.trusted) = (b"", true);
    });
    assert!(seen.contains(&"x-forwarded-host: shop.test".to_owned()));
}

#[test]
fn via_stays_as_it_came_where_it_is_not_wanted() {
    let quiet = Names {
        via: None,
        ..names(OddFieldNames::Drop)
    };
    let vias = |lines: &str| {
        let mut seen = sent_by(&quiet, lines, |_| {});
        seen.retain(|line| line.starts_with("via"));
        seen
    };
    assert_eq!(vias(""), [""; 0]);
    assert_eq!(
        vias("Via: 1.0 a\r\nVia: 1.1 b\r\n"),
        ["via: 1.0 a", "via: 1.1 b"]
    );
    assert_eq!(vias("Connection: via\r\nVia: 1.0 a\r\n"), [""; 0]);
}

#[test]
fn fields_with_odd_names_reach_a_service_if_they_may_and_look_like_none_that_counts() {
    let pass = names(OddFieldNames::Pass);
    for separator in "!#$%&'*+.^`|~_".chars() {
        for looks_like in [
            "x-client-id",
            "X-Consumer-Username",
            "x-request-id",
            "x-api-key",
            "X-Forwarded-For",
            "x-forwarded-anything",
            "x-real-ip",
            "content-length",
            "transfer-encoding",
            "proxy-connection",
            "content-type",
            "script-name",
        ] {
            let line = format!(
                "{}: evil\r\n",
                looks_like.replace('-', &separator.to_string())
            );
            assert_eq!(sent(&line, |_| {}).len(), OWN.len(), "{line}");
            assert_eq!(sent_by(&pass, &line, |_| {}).len(), OWN.len(), "{line}");
        }
        for (name, trusted) in [("tenant", false), ("script", true)] {
            let line = format!("{name}{separator}name: /x");
            let lines = format!("{line}\r\n");
            let trust = |to: &mut Forwarding<'_>| to.trusted = trusted;
            assert!(!sent(&lines, trust).contains(&line));
            assert!(sent_by(&pass, &lines, trust).contains(&line));
        }
    }
    for odd in [&pass, &names(OddFieldNames::Drop)] {
        assert_eq!(
            sent_by(odd, "Proxy: http://evil\r\n", |_| {}).len(),
            OWN.len()
        );
    }
}

/// RFC 9110 section 6.5.1.
#[test]
fn trailers_pass_unless_they_say_what_has_been_decided() {
    let names = names(OddFieldNames::Drop);
    let passes = |name: &str, receiver| {
        let fields = fields(&format!("{name}: 1\r\n"));
        fields
            .iter()
            .all(|field| names.passes_as_trailer(field, receiver))
    };
    for receiver in [Receiver::Service, Receiver::Client] {
        for name in [
            "X-Sum",
            "grpc-status",
            "Content-MD5",
            "Content-Digest",
            "If-Anything",
            "Ages",
            "Ranges",
            "Expires-At",
            "Server-Timing",
            "Date",
            "Server",
        ] {
            assert!(passes(name, receiver), "{name}");
        }
        for name in [
            "Content-Length",
            "transfer-encoding",
            "Trailer",
            "Host",
            "TE",
            "Connection",
            "Content-Type",
            "Content-Encoding",
            "Content-Range",
            "X-Api-Key",
            "Authorization",
            "Cookie",
            "X-Client-Id",
            "X-Client-Name",
            "X-Request-Id",
            "X-Forwarded-Anything",
            "Via",
            "Proxy",
            "Proxy-Authenticate",
        ] {
            assert!(!passes(name, receiver), "{name}");
        }
    }
    assert!(passes("x_sum", Receiver::Client) && !passes("x_sum", Receiver::Service));
}

/// Names that hurt and names that do not, in any letter case, and with underscores.
fn name() -> impl Strategy<Value = String> {
    let names = vec![
        "x-a",
        "x-b",
        "accept",
        "host",
        "via",
        "te",
        "close",
        "keep-alive",
        "x-api-key",
        "expect",
        "x-client-id",
        "x-client-name",
        "x-request-id",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-prefix",
        "forwarded",
        "x-real-ip",
        "proxy-connection",
    ];
    (prop::sample::select(names), any::<[bool; 2]>()).prop_map(|(name, [upper, twin])| {
        let name = if upper {
            name.to_uppercase()
        } else {
            name.to_owned()
        };
        if twin { name.replace('-', "_") } else { name }
    })
}

fn folded(line: &str) -> String {
    let name = line.split(':').next().unwrap_or_default();
    name.to_lowercase().replace('_', "-")
}

proptest! {
    #[test]
    fn everything_that_connection_names_is_gone(
        named in prop::collection::vec(name(), 0..4),
        others in prop::collection::vec(name().prop_filter("once", |n| n != "host" && n != "HOST"), 0..8),
        trusted: bool,
    ) {
        let others = others.iter().map(|name| format!("{name}: evil\r\n"));
        let lines = format!("{}Connection: {}\r\n", others.collect::<String>(), named.join(" ,"));
        for line in sent(&lines, |to| to.trusted = trusted) {
            let name = line.split(':').next().unwrap();
            let is_named = named.iter().any(|named| named.eq_ignore_ascii_case(name));
            prop_assert!(OWN.contains(&&*line) || !is_named, "{line}");
        }
    }

    #[test]
    fn nobody_else_says_who_calls_and_from_where(
        claims in prop::collection::vec(name().prop_filter("once", |n| n != "host" && n != "HOST"), 0..8),
    ) {
        let claims = claims.iter().map(|name| format!("{name}: evil\r\n"));
        let lines = sent(&claims.collect::<String>(), |_| {});
        for line in &lines {
            let harmless = ["x-a", "x-b", "accept", "close", "expect", "via"];
            prop_assert!(OWN.contains(&&**line) || harmless.contains(&&*folded(line)), "{line}");
        }
        for own in OWN.iter().filter(|own| !own.starts_with("via")) {
            prop_assert!(lines.iter().filter(|line| folded(line) == folded(own)).eq([own]));
        }
    }
}

fn forwarded(keeps_state: bool) -> ForwardedTrace {
    ForwardedTrace {
        parent: [b'p'; 55],
        keeps_state,
    }
}

#[test]
fn a_trace_goes_on_as_it_came_or_as_the_gateway_has_it() {
    let lines = "TraceParent: a\r\ntracestate: b=1\r\nTraceState: c=2\r\ntraceparent: d\r\n";
    let traces = |lines: &str, change: fn(&mut Forwarding<'_>)| {
        let mut sent = sent(lines, change);
        sent.retain(|line| line.starts_with("trace"));
        sent
    };
    let as_it_came = [
        "traceparent: a",
        "tracestate: b=1",
        "tracestate: c=2",
        "traceparent: d",
    ];
    assert_eq!(traces(lines, |_| {}), as_it_came);
    let own = format!("traceparent: {}", "p".repeat(55));
    let keeps = traces(lines, |to| to.trace = Some(forwarded(true)));
    assert_eq!(keeps, ["tracestate: b=1", "tracestate: c=2", &own]);
    assert_eq!(
        traces(lines, |to| to.trace = Some(forwarded(false))),
        [&*own]
    );
    let named = format!("Connection: traceparent\r\n{lines}");
    assert_eq!(
        traces(&named, |to| to.trace = Some(forwarded(false))),
        [&*own]
    );
}
