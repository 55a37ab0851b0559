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
