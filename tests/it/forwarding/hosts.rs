//! Which host a route is for, and which one its service is asked for.

use crate::support::{Gateway, Request, Upstream, each};

#[test]
fn a_wildcard_is_for_hosts_one_label_deep_after_exact_names() {
    let [any, wild, exact] = [(); 3].map(|()| Upstream::echo());
    let route = |hosts: &str, upstream: &Upstream| {
        let url = upstream.url();
        format!("[[route]]\nprefix = \"/\"\nhosts = {hosts}\nupstream = \"{url}\"\n")
    };
    let gateway = Gateway::start(&format!(
        "{}{}{}",
        route("[]", &any),
        route("\"*.Example.com\"", &wild),
        route("\"www.example.com\"", &exact)
    ));
    for (host, upstream) in [
        ("www.example.com", &exact),
        ("WWW.example.com:8080", &exact),
        ("api.example.com", &wild),
        ("API.EXAMPLE.COM.", &wild),
        ("example.com", &any),
        ("a.b.example.com", &any),
        ("example.org", &any),
    ] {
        gateway.ask(&Request::get("/a").host(host)).is(200);
        assert_eq!(upstream.only().fields.one("host"), Some(host));
    }
}

#[test]
fn a_service_is_asked_for_the_host_that_the_route_says() {
    let upstream = Upstream::start(|peer| {
        loop {
            let seen = peer.request()?;
            let host = seen.fields.one("host").unwrap_or_default();
            peer.send(format!(
                "HTTP/1.1 302 Found\r\nLocation: http://{host}/a\r\nContent-Length: 0\r\n\r\n"
            ))?;
        }
    });
    let url = upstream.url();
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/\" = \"{url}\"\n\
         \"/kept\" = {{ upstream = \"{url}\", strip_prefix = false, host = \"shop.internal:8080\" }}\n\
         \"/endpoint\" = {{ upstream = \"{url}\", host = \"endpoint\" }}"
    ));
    let endpoint = upstream.address().to_string();
    each(
        [
            ("/", "shop.test", "http://shop.test/a"),
            ("/kept", "shop.internal:8080", "http://shop.test/a"),
            ("/endpoint", &endpoint, "http://shop.test/endpoint/a"),
        ],
        |(path, sent, location)| {
            let response = gateway.ask(&Request::get(path).host("shop.test"));
            assert_eq!(response.fields.one("location"), Some(*location));
            let seen = upstream.only();
            assert_eq!(seen.fields.one("host"), Some(*sent));
            assert_eq!(seen.fields.one("x-forwarded-host"), Some("shop.test"));
        },
    );
}
