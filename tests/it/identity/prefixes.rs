//! Prefixes match whole segments, the longest one first, and routes of one prefix are told apart
//! by host and method.

use crate::support::{Gateway, Request, Shop, Upstream, each};

#[test]
fn a_prefix_ends_at_a_segment() {
    let shop = Shop::open();
    let paths = [
        "/api/ordersX",
        "/api/orders-admin",
        "/api/orders.json",
        "/api/orders_",
        "/api/order",
        "/api/inventory-admin",
        "/api/inventoryX/1",
        "/api",
        "/",
        "/api/inventory%2D",
        "/inventory",
    ];
    each(paths, |path| {
        shop.ask(&Request::get(path)).is_refusal(404, "no_route");
        shop.ask(&Request::get(path).with_key())
            .is_refusal(404, "no_route");
    });
    shop.nothing_got_through();
    for path in [
        "/api/orders",
        "/api/orders/",
        "/api/orders/7",
        "/api/orders?x=1",
    ] {
        shop.ask(&Request::get(path).with_key()).is(200);
        shop.orders.only();
    }
}

#[test]
fn the_most_specific_route_wins() {
    let names = ["root", "api", "orders", "host", "post", "host-post"];
    let upstreams = names.map(|_| Upstream::echo());
    let urls: Vec<_> = upstreams.iter().map(Upstream::url).collect();
    let gateway = Gateway::start(&format!(
        r#"
[[route]]
prefix = "/"
upstream = "{}"
[[route]]
prefix = "/api"
upstream = "{}"
[[route]]
prefix = "/api/orders"
upstream = "{}"
[[route]]
prefix = "/api/orders"
upstream = "{}"
hosts = ["shop.test"]
[[route]]
prefix = "/api/orders"
upstream = "{}"
methods = ["POST"]
[[route]]
prefix = "/api/orders"
upstream = "{}"
hosts = ["shop.test"]
methods = ["POST"]
"#,
        urls[0], urls[1], urls[2], urls[3], urls[4], urls[5]
    ));
    let rows = [
        ("GET", "a.test", "/", "root"),
        ("GET", "a.test", "/apis/orders", "root"),
        ("GET", "a.test", "/api/x", "api"),
        ("GET", "shop.test", "/api/ordersX", "api"),
        ("GET", "a.test", "/api/orders/1", "orders"),
        ("GET", "shop.test", "/api/orders/1", "host"),
        ("GET", "SHOP.TEST:8080", "/api/orders/1", "host"),
        ("POST", "a.test", "/api/orders/1", "post"),
        ("POST", "shop.test", "/api/orders/1", "host-post"),
        ("POST", "notshop.test", "/api/orders/1", "post"),
    ];
    each(rows, |(method, host, path, name)| {
        gateway.ask(&Request::new(method, path).host(host)).is(200);
        let took: Vec<_> = names
            .iter()
            .zip(&upstreams)
            .filter(|(_, up)| !up.take().is_empty())
            .collect();
        assert_eq!(
            took.iter().map(|(name, _)| **name).collect::<Vec<_>>(),
            [*name]
        );
    });
}

#[test]
fn a_route_is_chosen_by_the_authority_of_an_absolute_target() {
    let (one, two) = (Upstream::echo(), Upstream::echo());
    let gateway = Gateway::start(&format!(
        "[[route]]\nprefix = \"/a\"\nupstream = \"{}\"\nhosts = [\"one.test\"]\n\
         [[route]]\nprefix = \"/a\"\nupstream = \"{}\"\nhosts = [\"two.test\"]",
        one.url(),
        two.url()
    ));
    gateway.ask(&Request::get("/a").host("one.test")).is(200);
    one.only();
    gateway
        .ask(&Request::get("http://two.test/a").host("one.test"))
        .is(200);
    two.only();
    gateway
        .ask(&Request::get("/a").host("three.test"))
        .is_refusal(404, "no_route");
    assert!(one.take().is_empty() && two.take().is_empty());
}

#[test]
fn a_path_that_matches_with_other_methods_only_gets_405() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "[[route]]\nprefix = \"/a\"\nupstream = \"{0}\"\nmethods = [\"GET\"]\n[[route]]\nprefix = \"/a\"\nupstream = \"{0}\"\nmethods = [\"PUT\", \"DELETE\"]",
        upstream.url()
    ));
    let mut client = gateway.connect();
    let response = client.ask(&Request::post("/a/x", "hello"));
    response.is_refusal(405, "method_not_allowed");
    let mut allowed = response.fields.items("allow");
    allowed.sort();
    allowed.retain(|method| method != "head");
    assert_eq!(allowed, ["delete", "get", "put"]);
    client.ask(&Request::get("/a/x")).is(200);
    client.ask(&Request::new("DELETE", "/a/x")).is(200);
    client
        .ask(&Request::new("get", "/a/x"))
        .is_refusal(405, "method_not_allowed");
}
