//! What a route does: one of three, and nothing that means nothing there.

use super::*;

#[test]
fn a_route_does_one_of_three() {
    assert_problems(
        r#"[routes]
"/a" = { methods = ["GET"] }
"/b" = { upstream = "http://localhost:4002", redirect = "/c" }
"/c" = { redirect = { to = "//example.com", status = 304 } }
"/d" = { respond = { status = 302 } }
"/e" = { respond = { status = 204, body = "x" } }
"#,
        r#"
2:1 "/a": the route `/a` has no `upstream`: add one, or `redirect` or `respond`
3:57 "/c": a route has one of `upstream`, `redirect` and `respond`: this is another | 3:21 "http://localhost:4002": this is one
4:28 "//example.com": `routes."/c".redirect.to` takes a path or a URL such as "/new": write a path with one slash in front, or `https:` as well
4:54 304: `routes."/c".redirect.status` takes 301, 302, 303, 307 or 308
5:31 302: a redirect has a place that it leads to = write `redirect = { to = "/new", status = 308 }` instead
6:43 "x": an answer with status 204 has no body
"#,
    );
}

#[test]
fn nothing_is_written_that_means_nothing() {
    for (route, said) in table(
        "
        respond = {}, timeout = '5s' => `timeout` is for a route with an `upstream`
        redirect = '/b', strip_prefix = false => `strip_prefix` is for
        redirect = '/b', replace_prefix = '/c' => `replace_prefix` is for
        redirect = '/b', rewrite_redirects = false => `rewrite_redirects` is for
        respond = {}, host = 'endpoint' => `host` is for
        upstream = 'http://h', strip_prefix = false, replace_prefix = '/c' => takes the place of a prefix that is taken off
        redirect = '/a/b' => the redirect to `/a/b` leads to itself
        redirect = '/a?x=1', methods = ['POST'] => leads to itself
        upstream = 'http://h', host = 'http://h' => write the name without `http://`
        ",
    ) {
        let said_there = complaints(&format!("[routes]\n'/a' = {{ {route} }}"));
        assert!(said_there.contains(said), "{route}: {said_there}");
        assert!(said_there.ends_with("1 problem\n"), "{route}: {said_there}");
    }
    for route in [
        "redirect = '/b'",
        "redirect = 'https://www.example.com/a'",
        "redirect = '/a', hosts = ['old.example.com']",
    ] {
        let other = "[[route]]\nprefix = '/a'\nredirect = '/c'\nhosts = ['x.example.com']";
        let text = format!("[routes]\n'/a' = {{ {route} }}\n'/' = 'http://h'\n{other}");
        let read = read(&text);
        assert_eq!(read.is_ok(), !route.contains("old"), "{route}");
    }
}

#[test]
fn a_route_that_begins_to_lead_to_a_service_becomes_public() {
    let (answered, forwarded) = (
        "[routes]\n'/a' = { respond = {} }",
        "[routes]\n'/a' = 'http://h'",
    );
    let (before, after) = (good(answered), good(forwarded));
    assert_eq!(reload(&before, &after)[0], "Public: the new route `/a`");
    let lines = reload(&after, &before);
    assert!(
        lines.iter().all(|line| line.starts_with("Applied: ")),
        "{lines:?}"
    );
}

#[test]
fn routes_that_take_the_same_requests() {
    let two = |one: &str, other: &str| {
        let route =
            |keys: &str| format!("[[route]]\nprefix = \"/a\"\nupstream = \"http://h\"\n{keys}\n");
        complaints(&(route(one) + &route(other)))
    };
    let meant = "the names that a route is for stand in `hosts`";
    let said = two("host = \"a.test\"", "host = \"b.test\"");
    assert!(said.contains(meant), "{said}");
    let said = two("hosts = [\"a.test\", \"b.test\"]", "hosts = \"B.test\"");
    assert!(
        said.contains("both of these routes take `b.test`"),
        "{said}"
    );
    assert!(!said.contains(meant), "{said}");
    let said = two("methods = [\"GET\", \"PUT\"]", "methods = \"PUT\"");
    assert!(said.contains("both of these routes take `PUT`"), "{said}");
    let said = two("hosts = \"a.test\"", "hosts = \"a.test\"");
    assert!(
        said.contains("no request can tell these two routes apart"),
        "{said}"
    );
}
