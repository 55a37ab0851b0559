//! The target that is forwarded: the canonical path without the prefix, the query byte for byte.

use crate::support::{Request, Shop, each};

#[test]
fn paths_that_are_canonical_pass_as_they_are() {
    let shop = Shop::open();
    let paths = [
        "/7",
        "/a/b/c/",
        "/b%20c%C3%A9;p=1/~x!$&'()*+,=:@",
        "/a%252Fb",
        "/a%3Fb%23",
        "/.well-known/x",
        "/..a/a../...",
        "/a;b=c",
        "/%7Bid%7D",
        "/-._~",
    ];
    each(paths, |path| {
        shop.ask(&Request::get(&format!("/api/inventory{path}")))
            .is(200);
        assert_eq!(shop.inventory.only().target, *path);
    });
}

#[test]
fn other_spellings_are_made_canonical_before_anything_else() {
    let shop = Shop::open();
    let rows = [
        ("/api/inventory", "/"),
        ("/api/inventory/", "/"),
        ("/api/inventory?x=1", "/?x=1"),
        ("/api/inventory/%61%2d%7E", "/a-~"),
        ("/api/inventory/%c3%a9", "/%C3%A9"),
        ("/api//inventory///a//", "/a/"),
        ("/api/./inventory/a/./b/../c", "/a/c"),
        ("/api/inventory/a/..", "/"),
        ("/api/inventory/a/.", "/a/"),
        ("/%61pi/inventor%79/x", "/x"),
        ("/../../api/inventory/x", "/x"),
        ("/api/orders/../inventory/x", "/x"),
        ("/api/orders/%2e%2E/inventory/x", "/x"),
    ];
    each(rows, |(sent, forwarded)| {
        shop.ask(&Request::get(sent)).is(200);
        assert_eq!(shop.inventory.only().target, *forwarded);
    });
}

#[test]
fn a_query_is_kept_byte_for_byte() {
    let shop = Shop::open();
    let queries = [
        "q=%26%2F&e=&f=a+b&&g",
        "?a?b",
        "a=/../b//c",
        "a=http://x/y",
        "%00%zz%",
        "",
        "%2e%2e/%2f",
        "a=b\\c",
        "'",
    ];
    each(queries, |query| {
        shop.ask(&Request::get(&format!("/api/inventory/x?{query}")))
            .is(200);
        assert_eq!(shop.inventory.only().target, format!("/x?{query}"));
    });
}

#[test]
fn an_encoded_slash_is_refused_unless_the_route_keeps_it() {
    let shop = Shop::open();
    shop.ask(&Request::get("/api/inventory/a%2Fb"))
        .is_refusal(400, "ambiguous_path");
    shop.ask(&Request::get("/api/inventory/a%2fb"))
        .is_refusal(400, "ambiguous_path");

    let upstream = crate::support::Upstream::echo();
    let gateway = crate::support::Gateway::start(&format!(
        "[routes]\n\"/keep\" = {{ upstream = \"{}\", encoded_slash = \"keep\" }}",
        upstream.url()
    ));
    gateway.ask(&Request::get("/keep/a%2fb")).is(200);
    assert_eq!(upstream.only().target, "/a%2Fb");
    gateway
        .ask(&Request::get("/keep/..%2fb"))
        .is_refusal(400, "ambiguous_path");
    // Decoded, it would arrive as `//h/b`: with a host to some services.
    gateway
        .ask(&Request::get("/keep/%2Fh/b"))
        .is_refusal(400, "ambiguous_path");
}

#[test]
fn an_encoded_url_passes_where_it_leads_to_nothing_protected() {
    let upstream = crate::support::Upstream::echo();
    let gateway = crate::support::Gateway::start(&format!(
        "[routes]\n\"/proxy\" = {{ upstream = \"{url}\", encoded_slash = \"keep\" }}\n\
         \"/kept\" = {{ upstream = \"{url}\", merge_slashes = false }}\n\
         \"/\" = \"{url}\"\n\
         [access]\nprotected = [\"/api/orders\"]",
        url = upstream.url()
    ));
    each(
        [
            "/https%3A%2F%2Fexample.com",
            "/https%3a%2f%2Fexample.com%2Fa%3Fb%3Dc/x",
        ],
        |path| {
            gateway.ask(&Request::get(&format!("/proxy{path}"))).is(200);
            let wanted = path.replace("%3a%2f", "%3A%2F");
            assert_eq!(upstream.only().target, wanted);
        },
    );
    each(
        [
            "/proxy/https%3A%2F%2Fexample.com%2Fapi%2Forders",
            "/proxy/https%3A%2F%2Fexample.com/API/orders/7",
            "/proxy/x%2F%2Fapi/orders",
        ],
        |path| {
            gateway
                .ask(&Request::get(path))
                .is_refusal(401, "api_key_required");
        },
    );
    each(
        [
            "/proxy/%2F%2Fexample.com",
            "/proxy/a%2F%252Fexample.com",
            "/proxy/a%2F%2Fb%2F%2Fc%2F%2Fd%2F%2Fe%2F%2Ff",
            "/https%3A%2F%2Fexample.com",
            "/kept/https%3A%2F%2Fexample.com",
            "/kept/x//h%252Fapi%252Forders",
        ],
        |path| {
            gateway
                .ask(&Request::get(path))
                .is_refusal(400, "ambiguous_path");
        },
    );
}

#[test]
fn ambiguous_slashes_are_refused_before_the_caller_is_looked_at() {
    let upstream = crate::support::Upstream::echo();
    let gateway = crate::support::Gateway::start(&format!(
        "[routes]\n\"/\" = \"{url}\"\n\
         \"/kept\" = {{ upstream = \"{url}\", merge_slashes = false }}\n\
         [access]\nip_deny = [\"127.0.0.1\"]\n\
         [access.cors]\norigins = [\"https://app.test\"]\n",
        url = upstream.url()
    ));
    each(["/a%2F%2Fb", "/kept/a//b//c//d//e//f"], |path| {
        let wrong_key = Request::get(path).field("X-API-Key", "wrong");
        gateway.ask(&wrong_key).is_refusal(400, "ambiguous_path");
        let preflight = Request::new("OPTIONS", path)
            .field("Origin", "https://app.test")
            .field("Access-Control-Request-Method", "PUT");
        gateway.ask(&preflight).is_refusal(400, "ambiguous_path");
    });
}

#[test]
fn a_path_that_is_not_utf8_is_refused_unless_the_route_takes_any() {
    let shop = Shop::open();
    let targets = ["/caf%E9", "/%C0_", "/a%C1", "/%25FF"];
    each(targets, |target| {
        let request = Request::get(&format!("/api/inventory{target}"));
        let response = shop.ask(&request);
        let detail = response.is_refusal(400, "ambiguous_path").json()["detail"].to_string();
        assert!(detail.contains("UTF-8"), "{detail}");
    });

    let upstream = crate::support::Upstream::echo();
    let gateway = crate::support::Gateway::start(&format!(
        "[routes]\n\"/\" = {{ upstream = \"{}\", path_encoding = \"any\" }}\n\
         [access]\nprotected = [\"/admin\"]",
        upstream.url()
    ));
    each(targets, |target| {
        gateway.ask(&Request::get(target)).is(200);
        assert_eq!(upstream.only().target, *target);
    });
    gateway
        .ask(&Request::get("/%C0%AEa"))
        .is_refusal(400, "ambiguous_path");
    for target in ["/%FFadmin", "/adm%ECn", "/ADMIN%A0/x"] {
        gateway
            .ask(&Request::get(target))
            .is_refusal(401, "api_key_required");
    }
}

/// A gateway with a protected prefix, and an upstream that all paths lead to.
fn with_route(rules: &str) -> (crate::support::Gateway, crate::support::Upstream) {
    let upstream = crate::support::Upstream::echo();
    let url = upstream.url();
    let gateway = crate::support::Gateway::start(&format!(
        "[routes]\n\"/\" = {{ upstream = \"{url}\", {rules} }}\n\
         \"/img\" = {{ upstream = \"{url}\", {rules} }}\n\
         [access]\nprotected = [\"/api/orders\"]"
    ));
    (gateway, upstream)
}

#[test]
fn slashes_are_merged_unless_they_matter_to_the_service() {
    let (gateway, upstream) = with_route("merge_slashes = false");
    let rows = [
        (
            "/img/http://h.test//a.png?q=//",
            "/http://h.test//a.png?q=//",
        ),
        ("//img//h//a", "/h//a"),
        ("/img//", "/"),
        ("//a///b//", "/a///b//"),
        ("/img/a/b", "/a/b"),
        ("/a/.//b/%2e/c", "/a//b/c"),
    ];
    each(rows, |(target, sent)| {
        gateway.ask(&Request::get(target)).is(200);
        assert_eq!(upstream.only().target, *sent);
    });
    each(["/a//../b", "/a//..%2fb", "/a//b//c//d//e//f"], |target| {
        gateway
            .ask(&Request::get(target))
            .is_refusal(400, "ambiguous_path");
    });
    let protected = [
        "/api//orders",
        "//api/orders",
        "/x//api/orders",
        "/api//x/orders/7",
    ];
    each(protected, |target| {
        gateway
            .ask(&Request::get(target))
            .is_refusal(401, "api_key_required");
    });
    assert_eq!(upstream.take().len(), 0);
}

#[test]
fn too_many_repeated_slashes_are_refused_before_they_are_compared() {
    // It is protected as well, but that is not asked.
    let (gateway, _upstream) = with_route("merge_slashes = false");
    gateway
        .ask(&Request::get("/api/orders//a//b//c//d//e"))
        .is_refusal(400, "ambiguous_path");
}

#[test]
fn escaped_control_characters_are_refused_unless_the_route_keeps_them() {
    let (gateway, upstream) = with_route("encoded_controls = \"keep\"");
    for (target, sent) in [
        ("/img/a%0ab", "/a%0Ab"),
        ("/%00", "/%00"),
        ("/a%7F/", "/a%7F/"),
    ] {
        gateway.ask(&Request::get(target)).is(200);
        assert_eq!(upstream.only().target, sent);
    }
    each(
        ["/..%00/a", "/%0A../a", "/a/%00/../b", "/.%01./a"],
        |target| {
            gateway
                .ask(&Request::get(target))
                .is_refusal(400, "ambiguous_path");
        },
    );
    let protected = [
        "/api/orders%00",
        "/api/%00orders",
        "/api/or%0Aders",
        "/api%0D%0A/orders",
        "/%01api/orders",
        "/api/%01/orders",
    ];
    each(protected, |target| {
        gateway
            .ask(&Request::get(target))
            .is_refusal(401, "api_key_required");
    });
    assert_eq!(upstream.take().len(), 0);
}

#[test]
fn ambiguous_paths_are_refused_and_the_connection_goes_on() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    let paths = [
        "/a\\b",
        "/a%5Cb",
        "/a%5cb",
        "/a%00",
        "/a%0a",
        "/a%0D%0Ab",
        "/a%7f",
        "/a%1f",
        "/%",
        "/%z1",
        "/%u002e",
        "/..;x/y",
        "/.;/y",
        "/..%2fx",
        "/x%2f..",
        "/%2e%2e%2fx",
        "/%c0%ae%c0%ae/x",
        "/%c0%af",
        "/..%3bx/y",
        "/..%20/y",
        "/..%3Fx",
        "/%EF%BC%8E./y",
        "/%FF",
    ];
    each(paths, |path| {
        let response = client.ask(&Request::get(&format!("/api/inventory{path}")));
        response.is_refusal(400, "ambiguous_path");
        let detail = response.json()["detail"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(detail.len() > 10, "detail says which part: {detail:?}");
    });
    Shop::still_serves(&mut client);
}
