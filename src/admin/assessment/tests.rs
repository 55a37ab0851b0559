use jiff::SignedDuration;

use crate::tls::Expiry;

use super::*;
use crate::limit::OnFailure;

fn quiet() -> Situation {
    Situation {
        phase: Phase::Serving,
        requests_per_second: 0.0,
        requests: 0,
        errors: 0,
        most_errors: None,
        in_flight: 0,
        not_ready: Vec::new(),
        redis: None,
        reload_refused: None,
        upstreams: Vec::new(),
        losses: Vec::new(),
        certificates: Vec::new(),
        now: "2026-01-31T12:10:00Z".parse().unwrap(),
    }
}

fn busy(requests: u64, errors: u64, of: &[(&str, u64)]) -> Situation {
    let most = of.iter().max_by_key(|(_, errors)| *errors);
    Situation {
        requests_per_second: f64::from(u32::try_from(requests).unwrap()) / 10.0,
        requests,
        errors,
        most_errors: most.map(|(route, errors)| ((*route).to_owned(), *errors)),
        ..quiet()
    }
}

fn away(seconds: u64, on_failure: OnFailure, instances: u32) -> RedisAway {
    RedisAway {
        for_time: Duration::from_secs(seconds),
        in_part: false,
        why: None,
        on_failure,
        instances,
    }
}

fn out(upstream: &str, out: usize, all: usize, seconds: u64) -> Trouble {
    Trouble {
        upstream: upstream.to_owned(),
        out,
        all,
        for_time: Duration::from_secs(seconds),
        why: vec!["checks fail: refused".to_owned()],
    }
}

fn reason(code: &'static str, text: &str) -> Reason {
    Reason {
        code,
        text: text.to_owned(),
    }
}

/// A certificate that ends so many hours from now.
fn ends(name: &str, hours: i64) -> Ending {
    let at = quiet().now + SignedDuration::from_hours(hours);
    Ending {
        shown_to: ShownTo::Clients,
        expiry: Expiry {
            names: vec![name.to_owned(), "other.test".to_owned()],
            issuer: None,
            at,
            has_expired: hours < 0,
        },
    }
}

/// Situations, with the sentence, how bad it is and the codes of the reasons.
#[test]
fn situations_are_told_in_one_sentence() {
    let refused = Some((
        "2026-01-31T12:03:20Z".parse().unwrap(),
        "a.toml:1:2: x".to_owned(),
    ));
    #[rustfmt::skip] // One situation, one line or two.
    let table: Vec<(Situation, &str, State, &[&str])> = vec![
        (quiet(), "0 req/s", State::Ok, &[]),
        (busy(52_130, 0, &[]), "5,213 req/s; no errors", State::Ok, &[]),
        (busy(3, 1, &[("a", 1)]), "0.3 req/s; 33 % errors, all from `a`", State::Ok, &[]),
        (busy(52_130, 209, &[("orders", 209)]), "5,213 req/s; 0.4 % errors, all from `orders`", State::Ok, &[]),
        (busy(1000, 20, &[("orders", 15), ("", 5)]), "100 req/s; 2.0 % errors, most from `orders`", State::Warning, &["errors"]),
        (busy(1000, 20, &[("a", 10), ("b", 10)]), "100 req/s; 2.0 % errors", State::Warning, &["errors"]),
        (busy(99, 50, &[("", 50)]), "9.9 req/s; 51 % errors, all without a route", State::Critical, &["errors"]),
        (busy(1_000_000, 5, &[("a", 5)]), "100,000 req/s; <0.1 % errors, all from `a`", State::Ok, &[]),
        (Situation { redis: Some(away(42, OnFailure::Local, 3)), reload_refused: refused, ..busy(52_130, 209, &[("orders", 209)]) },
         "5,213 req/s; 0.4 % errors, all from `orders`; Redis away for 42 s, counting here, 3 instances; reload refused at 12:03 UTC",
         State::Warning, &["redis_away", "reload_refused"]),
        (Situation { redis: Some(RedisAway { why: Some("refused".to_owned()), ..away(600, OnFailure::Open, 1) }), ..quiet() },
         "0 req/s; Redis away for 10 min (refused), admitting without counting, 1 instance", State::Warning, &["redis_away"]),
        (Situation { redis: Some(away(600, OnFailure::Open, 1)), ..quiet() },
         "0 req/s; Redis away for 10 min, admitting without counting, 1 instance", State::Warning, &["redis_away"]),
        (Situation { redis: Some(away(7200, OnFailure::Closed, 2)), ..quiet() },
         "0 req/s; Redis away for 2 h, refusing what would be counted, 2 instances", State::Critical, &["redis_away"]),
        (Situation { upstreams: vec![out("orders", 1, 3, 90)], ..busy(100, 0, &[]) },
         "10 req/s; no errors; `orders`: 1 of 3 endpoints out for 90 s (checks fail: refused)", State::Warning, &["endpoints_out"]),
        (Situation { upstreams: vec![out("a", 1, 1, 5), out("b", 2, 2, 200), Trouble { why: vec![], ..out("c", 1, 2, 3) }, out("d", 1, 2, 3)], ..quiet() },
         "0 req/s; `a`: its endpoint out for 5 s (checks fail: refused); `b`: all 2 endpoints out for 3 min (checks fail: refused); `c`: 1 of 2 endpoints out for 3 s; 1 more upstream with endpoints out",
         State::Critical, &["endpoints_out", "endpoints_out", "endpoints_out", "endpoints_out"]),
        (Situation { upstreams: vec![Trouble { why: ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec(), ..out("a", 5, 5, 5) }], ..quiet() },
         "0 req/s; `a`: all 5 endpoints out for 5 s (a, b, c, and 2 other causes)", State::Critical, &["endpoints_out"]),
        (Situation { not_ready: vec![reason("no_certificate", "No certificate for `a.test`."), reason("x", "X.")], ..quiet() },
         "Not ready: no certificate for `a.test`, X; 0 req/s", State::Critical, &["no_certificate", "x"]),
        (Situation { not_ready: ["No a.", "There is no b.", "Redis is not c.", "D.", "E."].map(|text| reason("x", text)).to_vec(), ..quiet() },
         "Not ready: no a, there is no b, Redis is not c, and 2 more; 0 req/s", State::Critical, &["x", "x", "x", "x", "x"]),
        (Situation { losses: vec![
             Loss::AccessLines { for_time: Duration::from_secs(9), why: "full".to_owned() },
             Loss::Counters { for_time: Duration::from_secs(8), why: "full".to_owned() },
             Loss::Spans,
         ], ..busy(20, 0, &[]) },
         "2.0 req/s; no errors; access lines are lost (full); counters are not saved (full); spans are dropped", State::Warning,
         &["access_lines_lost", "counters_not_saved", "spans_dropped"]),
        (Situation { phase: Phase::Starting, not_ready: vec![reason("starting", "The gateway is starting.")], ..quiet() },
         "Starting; 0 req/s", State::Warning, &["starting"]),
        (Situation { phase: Phase::Draining, in_flight: 1234, not_ready: vec![reason("draining", "It ends.")], ..quiet() },
         "Draining, 1,234 in flight; 0 req/s", State::Warning, &["draining"]),
        (Situation { certificates: vec![ends("api.example", 6 * 24 + 5)], ..quiet() },
         "0 req/s; the certificate of `api.example` ends in 6 days", State::Warning, &["certificate_ends"]),
        (Situation { certificates: vec![ends("late.example", 40), ends("api.example", -72)], ..quiet() },
         "0 req/s; the certificate of `api.example` ended 3 days ago, the certificate of `late.example` ends in 40 h",
         State::Critical, &["certificate_ends", "certificate_ends"]),
        (Situation { certificates: vec![Ending { shown_to: ShownTo::Upstream("orders".to_owned()), ..ends("x", 40) }], ..quiet() },
         "0 req/s; the certificate for `orders` ends in 40 h", State::Warning, &["certificate_ends"]),
        (Situation { certificates: vec![Ending { shown_to: ShownTo::Redis, ..ends("x", -40) }], ..quiet() },
         "0 req/s; the certificate for Redis ended 40 h ago", State::Critical, &["certificate_ends"]),
    ];
    for (situation, sentence, state, codes) in table {
        let assessment = situation.assess();
        assert_eq!(assessment.sentence, sentence);
        let found: Vec<_> = assessment
            .reasons
            .iter()
            .map(|reason| reason.code)
            .collect();
        assert_eq!((assessment.state, &found[..]), (state, codes), "{sentence}");
    }
}

#[test]
fn a_certificate_that_ends_is_told_with_its_names_and_the_moment() {
    let finding = |ending: Ending| {
        let certificates = vec![ending];
        let found = Situation {
            certificates,
            ..quiet()
        }
        .assess();
        (found.reasons[0].text.clone(), found.reasons[0].since)
    };
    let (text, since) = finding(ends("a.test", 24));
    assert_eq!(
        text,
        "The certificate for `a.test`, `other.test` expires soon, at 2026-02-01T12:10:00Z."
    );
    assert!(since.is_none());
    let (text, since) = finding(Ending {
        shown_to: ShownTo::Upstream("orders".to_owned()),
        ..ends("a.test", -1)
    });
    assert!(
        text.starts_with("For `orders`, the certificate for `a.test`")
            && text.contains("has expired"),
        "{text}"
    );
    assert_eq!(since.unwrap().to_string(), "2026-01-31T11:10:00.000Z");
    let mut of_chain = ends("a.test", 24);
    of_chain.expiry.issuer = Some("CN=Below".to_owned());
    let (text, _) = finding(of_chain);
    assert!(
        text.starts_with("`CN=Below` in the chain of the certificate for"),
        "{text}"
    );
}

#[test]
fn a_finding_says_since_when() {
    let situation = Situation {
        redis: Some(RedisAway {
            why: Some("it does not answer in time".to_owned()),
            ..away(42, OnFailure::Local, 3)
        }),
        reload_refused: Some((quiet().now, "a.toml:1:2: x".to_owned())),
        ..quiet()
    };
    let assessment = situation.assess();
    let since = assessment.reasons[0].since.unwrap().to_string();
    assert_eq!(since, "2026-01-31T12:09:18.000Z");
    let json = serde_json::to_value(&assessment.reasons[0]).unwrap();
    assert_eq!(json["severity"], "warning");
    assert_eq!(
        json["text"],
        "Redis does not answer (it does not answer in time): counting here."
    );
    assert_eq!(
        assessment.reasons[1].text,
        "The last reload was refused: a.toml:1:2: x; what was served is served on."
    );
}
