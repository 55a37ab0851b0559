//! How spans get to a collector, and what becomes of them without one.

use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;

use super::{PARENT, TRACE, traced};
use crate::support::collector::{Collector, Reply};
use crate::support::tls::{Authority, provider};
use crate::support::{Gateway, Request, Shop, Silent, eventually, with_admin};

/// Ends the gateway, and says how many spans were exported and dropped.
pub(super) fn end(mut shop: Shop) -> (u64, u64) {
    shop.gateway.signal(rustix::process::Signal::TERM);
    shop.gateway.wait_exit();
    shop.gateway.wait_log_end();
    counts(&shop.gateway)
}

fn counts(gateway: &Gateway) -> (u64, u64) {
    let log = gateway.log();
    let mut lines = log.iter();
    let line = lines.find(|line| line["message"] == "the last spans have been sent");
    let line = line.unwrap_or_else(|| panic!("{}", gateway.log_text()));
    let number = |name: &str| line[name].as_u64().expect("a number");
    (number("exported"), number("dropped"))
}

/// How often the log says this.
fn said(gateway: &Gateway, text: &str) -> usize {
    let says = |line: &&Value| line["message"].as_str().is_some_and(|it| it.contains(text));
    gateway.log().iter().filter(says).count()
}

const LOST: &str = "the collector takes no spans";
const BACK: &str = "the collector takes spans again";

#[test]
fn spans_go_over_http_and_over_grpc() {
    for (collector, path, kind) in [
        (Collector::http(), "/v1/traces", "application/x-protobuf"),
        (
            Collector::grpc(),
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            "application/grpc",
        ),
    ] {
        let secret = "[traces.headers]\nAuthorization = \"Bearer s3cret\"\n";
        let shop = traced(&collector, secret);
        for _ in 0..3 {
            shop.ask(&Request::get("/api/inventory/x")).is(200);
        }
        let (exported, dropped) = end(shop);
        assert_eq!((exported, dropped), (6, 0));
        assert_eq!(collector.spans().len(), 6);
        for asked in collector.asked() {
            assert_eq!(asked.path, path);
            assert_eq!(asked.headers["content-type"], kind);
            assert_eq!(asked.headers["authorization"], "Bearer s3cret");
            let agent = asked.headers["user-agent"].to_str().expect("text");
            assert!(agent.starts_with("tollgate/"), "{agent}");
            assert!(!asked.headers.contains_key("content-encoding"));
        }
    }
}

#[test]
fn spans_go_through_tls_to_who_is_trusted() {
    let authority = Authority::new();
    authority.issue("collector", &["127.0.0.1"]);
    let read = |file: &str| std::fs::read(authority.path(file)).expect("a file");
    let chain = CertificateDer::from_pem_slice(&read("collector.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(&read("collector-key.pem")).expect("a key");
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .expect("a pair");
    for grpc in [false, true] {
        let mut config = config.clone();
        if grpc {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        let collector = Collector::secure(grpc, config);
        let ca = format!("ca = \"{}\"\n", authority.path("ca.pem").display());
        let shop = traced(&collector, &ca);
        shop.ask(&Request::get("/api/inventory/x")).is(200);
        assert_eq!(end(shop), (2, 0));
        assert_eq!(collector.spans().len(), 2);
        // Another authority's is not taken, and nothing is sent.
        let other = Authority::new();
        let ca = format!("ca = \"{}\"\n", other.path("ca.pem").display());
        let shop = traced(&collector, &ca);
        shop.ask(&Request::get("/api/inventory/x")).is(200);
        assert_eq!(end(shop), (0, 2));
        assert_eq!(collector.spans().len(), 2);
    }
}

#[test]
fn a_collector_that_is_gone_is_waited_for() {
    let collector = Collector::http();
    let shop = traced(&collector, "");
    shop.ask(&Request::get("/api/inventory/x")).is(200);
    collector.wait_for(2);
    collector.go_down();
    for _ in 0..20 {
        shop.ask(&Request::get("/api/inventory/x")).is(200);
    }
    let lost = |line: &Value| {
        line["message"]
            .as_str()
            .is_some_and(|it| it.starts_with(LOST))
    };
    let line = shop.gateway.wait_log("the loss", lost);
    assert!(
        line["collector"]
            .as_str()
            .is_some_and(|it| it.starts_with("http://127."))
    );
    shop.ask(&Request::get("/api/inventory/x")).is(200);
    collector.come_up();
    collector.wait_for(44);
    shop.ask(&Request::get("/api/inventory/x")).is(200);
    collector.wait_for(46);
    assert_eq!(said(&shop.gateway, LOST), 1, "{}", shop.gateway.log_text());
    assert_eq!(said(&shop.gateway, BACK), 1, "{}", shop.gateway.log_text());
    assert_eq!(end(shop), (46, 0));
    assert_eq!(collector.spans().len(), 46);
}

#[test]
fn whatever_is_not_taken_is_counted() {
    const REQUESTS: usize = 5000;
    // It neither takes connections nor refuses them.
    let silent = Silent::on(([127, 0, 0, 1], 0).into());
    let shop = Shop::with(&format!(
        "[traces]\nendpoint = \"http://{}\"\nsample = 1\n",
        silent.address()
    ));
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                let mut client = shop.gateway.connect();
                for _ in 0..REQUESTS / 5 {
                    client.ask(&Request::get("/api/inventory/x")).is(200);
                }
            });
        }
    });
    let begun = Instant::now();
    let (exported, dropped) = end(shop);
    assert_eq!((exported, dropped), (0, 2 * REQUESTS as u64));
    // Two seconds for the last spans, and what the rest of an end takes on a busy machine.
    assert!(
        begun.elapsed() < Duration::from_secs(6),
        "{:?}",
        begun.elapsed()
    );
}

/// A gateway with two spans for a collector that answers so first.
fn answered(collector: &Collector, replies: &[Reply]) -> Shop {
    collector.replies(replies);
    let shop = traced(collector, "");
    shop.ask(&Request::get("/api/inventory/x")).is(200);
    collector.wait_for_requests(replies.len());
    shop
}

#[test]
fn what_may_be_taken_later_is_sent_again() {
    for (collector, replies) in [
        (
            Collector::http(),
            [Reply::Status(429, Some(1)), Reply::Status(503, None)],
        ),
        (Collector::grpc(), [Reply::Grpc(14), Reply::Grpc(4)]),
    ] {
        let shop = answered(&collector, &replies);
        collector.wait_for(2);
        assert_eq!(end(shop), (2, 0));
        let times = collector.times();
        assert_eq!(times.len(), 3);
        let pauses = [times[1] - times[0], times[2] - times[1]];
        let least = match replies[0] {
            Reply::Status(..) => Duration::from_secs(1),
            _ => Duration::from_millis(250),
        };
        assert!(pauses[0] >= least, "{pauses:?}");
        assert!(pauses[1] >= Duration::from_millis(250), "{pauses:?}");
    }
}

/// Details of a status in Base64: a `RetryInfo` of 1.5 s, and a `DebugInfo`.
const LATER: &str =
    "CAgaNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIARCAyrXuAQ==";
const NEVER: &str = "CAgSBGJ1c3kaLwoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLkRlYnVnSW5mbxIDEgF4";

#[test]
fn a_collector_over_grpc_says_when_to_come_again() {
    let collector = Collector::grpc();
    let replies = [Reply::Detailed(8, LATER), Reply::Detailed(14, LATER)];
    let shop = answered(&collector, &replies);
    collector.wait_for(2);
    assert_eq!(end(shop), (2, 0));
    let times = collector.times();
    for pause in [times[1] - times[0], times[2] - times[1]] {
        assert!(pause >= Duration::from_millis(1500), "{times:?}");
    }
}

#[test]
fn what_is_refused_for_good_is_dropped() {
    for (collector, reply) in [
        (Collector::http(), Reply::Status(400, None)),
        (Collector::http(), Reply::Status(404, Some(1))),
        (Collector::grpc(), Reply::Grpc(3)),
        (Collector::grpc(), Reply::Grpc(8)),
        (Collector::grpc(), Reply::Detailed(8, NEVER)),
    ] {
        let shop = answered(&collector, &[reply]);
        let lost = |line: &Value| {
            line["message"]
                .as_str()
                .is_some_and(|it| it.starts_with(LOST))
        };
        shop.gateway.wait_log("the refusal", lost);
        assert_eq!(end(shop), (0, 2));
        assert_eq!(collector.times().len(), 1);
    }
}

#[test]
fn what_is_taken_in_part_is_counted_so() {
    for collector in [Collector::http(), Collector::grpc()] {
        let shop = answered(&collector, &[Reply::Rejects(1)]);
        let complaint = |line: &Value| line["why"] == "too old" && line["rejected"] == 1;
        shop.gateway.wait_log("the complaint", complaint);
        assert_eq!(end(shop), (1, 1));
    }
}

#[test]
fn what_is_dropped_is_a_metric() {
    let collector = Collector::http();
    collector.replies(&[Reply::Status(400, None)]);
    let gateway = Gateway::start(&with_admin(&collector.config(), ""));
    let dropped = || gateway.scrape().get("tollgate_spans_dropped_total");
    assert!(dropped().abs() < f64::EPSILON, "it is there from the start");
    gateway.ask(&Request::get("/x")).is(404);
    eventually("the loss of the one span", || {
        ((dropped() - 1.0).abs() < f64::EPSILON).then_some(())
    });
}

#[test]
fn a_bucket_leads_to_a_trace_that_is_recorded() {
    let collector = Collector::http();
    let service = crate::support::Upstream::echo();
    let routes = format!(
        "[routes]\n\"/a\" = \"{0}\"\n\"/b\" = \"{0}\"\n",
        service.url()
    );
    let config = format!("{routes}{}", collector.config());
    let gateway = Gateway::start(&with_admin(&config, ""));
    let request = |path: &str| Request::get(path).field("traceparent", PARENT);
    gateway.ask(&request("/b/x")).is(200);
    let read = |accept: &str| {
        let request = Request::get("/metrics").field("Accept", accept);
        gateway.ask_admin(request).text()
    };
    let open_metrics = || read("application/openmetrics-text");
    let exemplars = |text: &str| {
        let lines = text.lines().filter(|line| line.contains(" # {"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let [line] = &eventually("an exemplar", || {
        let found = exemplars(&open_metrics());
        (!found.is_empty()).then_some(found)
    })[..] else {
        panic!("several exemplars of one request");
    };
    let (series, exemplar) = line.split_once(" # ").expect("an exemplar");
    assert!(
        series.starts_with("tollgate_request_duration_seconds_bucket{"),
        "{line}"
    );
    assert!(
        series.contains("route=\"/b\"") && series.ends_with(" 1"),
        "{line}"
    );
    let exemplar = exemplar.strip_prefix(&format!("{{trace_id=\"{TRACE}\"}} "));
    let numbers: Vec<f64> = exemplar
        .expect("the trace")
        .split(' ')
        .map(|it| it.parse().expect("a number"))
        .collect();
    let [took, at] = numbers[..] else {
        panic!("{line}");
    };
    let (_, bound) = series.split_once("le=\"").expect("a bound");
    let (bound, _) = bound.split_once('"').expect("a bound");
    assert!(
        took <= bound.parse().unwrap_or(f64::INFINITY) && at > 1.7e9,
        "{line}"
    );
    assert!(open_metrics().ends_with("# EOF\n"));
    assert!(
        exemplars(&read("text/plain")).is_empty(),
        "they are not for the older format"
    );
}

#[test]
fn the_last_spans_are_sent_at_the_end() {
    let collector = Collector::http();
    let shop = traced(&collector, "");
    for _ in 0..10 {
        shop.ask(&Request::get("/api/inventory/x")).is(200);
    }
    assert_eq!(end(shop), (20, 0));
    assert_eq!(collector.spans().len(), 20);
}

#[test]
fn a_reload_begins_moves_and_ends_traces() {
    let (first, second) = (Collector::http(), Collector::grpc());
    let shop = Shop::open();
    let config = |more: &str| Shop::config(&shop.inventory, &shop.orders, more);
    shop.ask(&Request::get("/api/inventory/x")).is(200);
    for collector in [&first, &second] {
        shop.gateway.reload(&config(&collector.config()));
        shop.ask(&Request::get("/api/inventory/x")).is(200);
        collector.wait_for(2);
    }
    let secret = "[traces.headers]\nauthorization = \"Bearer s3cret\"\n";
    let more = format!(
        "{}{secret}",
        second.config().replace("sample = 1.0", "sample = 0.5")
    );
    shop.gateway.reload(&config(&more));
    shop.gateway.reload(&config(""));
    shop.inventory.take();
    shop.ask(&Request::get("/api/inventory/x")).is(200);
    assert!(!shop.inventory.only().fields.has("traceparent"));
    let log = shop.gateway.log_text();
    assert!(log.contains("`traces.sample`: 1 -> 0.5"), "{log}");
    assert!(!log.contains("s3cret"), "{log}");
    assert_eq!(end(shop), (4, 0));
    let spans = [first.spans(), second.spans()];
    assert_eq!(spans.map(|spans| spans.len()), [2, 2]);
}
