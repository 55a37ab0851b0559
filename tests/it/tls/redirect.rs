//! A listener that sends clients to `https`.

use crate::support::tls::Authority;
use crate::support::{Client, Gateway, Request, Upstream, each};

#[test]
fn clients_are_sent_to_the_same_url_with_https() {
    let (authority, upstream) = (Authority::new(), Upstream::echo());
    authority.issue("a", &["a.test", "*.b.test"]);
    let gateway = Gateway::start(&format!(
        "listen = [{{ address = \"127.0.0.1:0\", redirect = \"https\" }}, {{ address = \"127.0.0.2:0\", tls = true }}]\n{}\
         [[route]]\nprefix = \"/c\"\nhosts = [\"c.test\"]\nupstream = \"{}\"\n",
        authority.certificate("a"),
        upstream.url(),
    ));
    let rows = [
        ("/x/y?z=1&z=2", "a.test", Some("https://a.test/x/y?z=1&z=2")),
        ("/", "A.test:8080", Some("https://A.test/")),
        ("/%7Ea", "x.b.test", Some("https://x.b.test/%7Ea")),
        ("/c", "c.test", Some("https://c.test/c")),
        (
            "http://a.test/abs?q",
            "other.test",
            Some("https://a.test/abs?q"),
        ),
        ("/", "b.test", None),
        ("/", "other.test", None),
        ("/", "127.0.0.1", None),
    ];
    each(rows, |(target, host, location)| {
        let mut client = Client::to(gateway.address());
        for method in ["GET", "POST", "HEAD"] {
            let answer = client.ask(&Request::new(method, target).host(host));
            match location {
                Some(location) => {
                    answer.is(308);
                    assert_eq!(answer.fields.one("location"), Some(*location));
                }
                None => assert_eq!(answer.status, 404),
            }
        }
    });
    let health = gateway.ask(&Request::get("/health").host("other.test"));
    health.is(200);
    assert!(upstream.take().is_empty(), "nothing is served there");
}

/// A balancer that ends TLS and leads both ports to this one would be sent back for ever.
#[test]
fn what_a_trusted_proxy_took_from_tls_is_served() {
    let (authority, upstream) = (Authority::new(), Upstream::echo());
    authority.issue("a", &["a.test"]);
    let required = format!(
        "[tls.client_auth]\nmode = \"required\"\nca = \"{}\"\n",
        authority.path("ca.pem").display()
    );
    let with = |trusted: &str, client_auth: &str| {
        Gateway::start(&format!(
            "listen = [{{ address = \"127.0.0.1:0\", redirect = \"https\" }}, {{ address = \"127.0.0.2:0\", tls = true }}]\n[server]\ntrusted_proxies = [{trusted}]\n{}{client_auth}\n[[route]]\nprefix = \"/\"\nupstream = \"{}\"\n",
            authority.certificate("a"),
            upstream.url(),
        ))
    };
    let rows = [
        ("\"127.0.0.1\"", "", Some("https"), 200),
        ("\"127.0.0.1\"", "", Some("http"), 308),
        ("\"127.0.0.1\"", "", None, 308),
        ("\"10.0.0.1\"", "", Some("https"), 308),
        // Nobody has asked for a certificate.
        ("\"127.0.0.1\"", &required, Some("https"), 308),
    ];
    each(rows, |(trusted, client_auth, proto, status)| {
        let mut request = Request::get("/x").host("a.test");
        if let Some(proto) = proto {
            request = request.field("x-forwarded-proto", proto);
        }
        with(trusted, client_auth).ask(&request).is(*status);
        let seen = upstream.take();
        let told = seen
            .first()
            .map(|seen| seen.fields.one("x-forwarded-proto"));
        assert_eq!(told, (*status == 200).then_some(Some("https")));
    });
}
