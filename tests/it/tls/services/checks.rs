//! Checks by gRPC through TLS: HTTP/2 is all that is offered, by the upstream's own settings.

use rustls::version::{TLS12, TLS13};
use serde_json::json;

use super::authority::Authority;
use super::trusts;
use crate::support::grpc::{GrpcService, Reply};
use crate::support::{Gateway, eventually};

/// The configuration of a service that is checked.
fn config(url: &str, tls: &str) -> String {
    format!(
        "[routes]\n\"/a\" = \"up\"\n[upstreams.up]\nendpoints = [\"{url}\"]\n\
         health = {{ grpc = true, interval = \"20ms\", timeout = \"10s\" }}\n[upstreams.up.tls]\n{tls}\n"
    )
}

/// Checks a service in vain; the reason.
fn reason(service: &GrpcService, tls: &str) -> String {
    let gateway = Gateway::start(&config(&service.url(), tls));
    let down = |line: &serde_json::Value| line["event"] == "endpoint_down";
    let line = gateway.wait_log("the endpoint to be down", down);
    line["reason"].as_str().expect("a reason").to_owned()
}

#[test]
fn http2_is_offered_and_nothing_else() {
    let authority = Authority::new();
    let mut server = authority.signs(&["127.0.0.1"]).server();
    // It would rather speak HTTP/1.1.
    server.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    let service = GrpcService::secure(Reply::Says(1), server);
    let gateway = Gateway::start(&config(&service.url(), &trusts(&authority)));
    eventually("checks", || (service.checks().len() > 2).then_some(()));
    assert_eq!(service.checks()[0].uri.scheme_str(), Some("https"));
    assert!(!gateway.log_text().contains("endpoint_down"));
}

#[test]
fn a_service_without_http2_is_told_apart() {
    let authority = Authority::new();
    for protocols in [vec![b"http/1.1".to_vec()], vec![]] {
        let mut server = authority.signs(&["127.0.0.1"]).server();
        server.alpn_protocols = protocols;
        let service = GrpcService::secure(Reply::Says(1), server);
        assert_eq!(reason(&service, &trusts(&authority)), "no_http2");
        assert!(service.checks().is_empty());
    }
}

#[test]
fn the_settings_of_the_upstream_hold() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let signed = authority.signs(&["orders.test"]);
    let trusted = trusts(&authority);
    let service = GrpcService::secure(Reply::Says(2), signed.server());
    for (tls, expected) in [
        (trusted.clone(), "tls_wrong_name"),
        (trusts(&clients), "tls_unknown_issuer"),
        (
            format!("{trusted}server_name = \"orders.test\"\n"),
            "not_serving",
        ),
        ("verify = false\n".to_owned(), "not_serving"),
    ] {
        assert_eq!(reason(&service, &tls), expected, "{tls}");
    }
    let named = format!("{trusted}server_name = \"orders.test\"\n");
    for version in [&TLS12, &TLS13] {
        let asks = signed.server_with(&[version], Some(&clients));
        let service = GrpcService::secure(Reply::Says(2), asks);
        // With TLS 1.3 this comes once the call has been sent.
        assert_eq!(reason(&service, &named), "tls_refused", "{version:?}");
        let own = clients.keep("gateway", &clients.signs(&[]));
        assert_eq!(
            reason(&service, &format!("{named}{own}")),
            json!("not_serving")
        );
    }
}
