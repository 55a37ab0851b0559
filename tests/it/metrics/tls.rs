//! What is counted of TLS towards clients.

use std::sync::Arc;

use crate::support::tls::{Authority, client_through};
use crate::support::{Request, eventually};

use super::start;

#[test]
fn handshakes_connections_and_expiry_are_told() {
    let authority = Authority::new();
    authority.issue("a", &["a.test", "www.a.test"]);
    let gateway = start(&format!(
        "listen = {{ address = \"127.0.0.1:0\", tls = true }}\n{}[routes]\n",
        authority.certificate("a"),
    ));
    let config = Arc::new(authority.client());
    let mut client = client_through(gateway.address(), &config, "a.test");
    client.ask(&Request::get("/x").host("a.test")).is(404);
    let mut other = gateway.connect();
    other.ask(&Request::get("/x"));
    eventually("the handshakes to be counted", || {
        let scrape = gateway.scrape();
        let handshakes = |outcome: &str| {
            scrape.get(&format!(
                "tollgate_tls_handshakes_total{{outcome=\"{outcome}\"}}"
            ))
        };
        let open = scrape.get("tollgate_connections{side=\"client\",protocol=\"https\"}");
        ((handshakes("done"), handshakes("not_tls"), open) == (1.0, 1.0, 1.0)).then_some(())
    });
    let scrape = gateway.scrape();
    for name in ["a.test", "www.a.test"] {
        let expiry = format!("tollgate_certificate_expiry_timestamp_seconds{{name=\"{name}\"}}");
        assert!(scrape.get(&expiry) > 1e9, "{name}");
    }
    drop(client);
    eventually("the connection to end", || {
        let open = gateway
            .scrape()
            .get("tollgate_connections{side=\"client\",protocol=\"https\"}");
        (open == 0.0).then_some(())
    });
}
