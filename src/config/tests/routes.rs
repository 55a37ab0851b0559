//! What a route does: one of three, and nothing that means nothing there.

use super::*;
use crate::config::{ChangeKind, changes};

#[test]
fn a_route_does_one_of_three() {
    assert_complaints(
        r#"[routes]
"/a" = { methods = ["GET"] }
"/b" = { upstream = "http://localhost:4002", redirect = "/c" }
"/c" = { redirect = { to = "//example.com", status = 304 } }
"/d" = { respond = { status = 302 } }
"/e" = { respond = { status = 204, body = "x" } }
"#,
        r#"error: the route `/a` has no `upstream`
 --> tollgate.toml:2:1
  |
2 | "/a" = { methods = ["GET"] }
  | ^^^^ add one, or `redirect` or `respond`

error: a route has one of `upstream`, `redirect` and `respond`
 --> tollgate.toml:3:57
  |
3 | "/b" = { upstream = "http://localhost:4002", redirect = "/c" }
  |                     ----------------------- this is one ^^^^ this is another

error: `routes."/c".redirect.to` takes a path or a URL such as "/new"
 --> tollgate.toml:4:28
  |
4 | "/c" = { redirect = { to = "//example.com", status = 304 } }
  |                            ^^^^^^^^^^^^^^^ write a path with one slash in front, or `https:` as well

error: `routes."/c".redirect.status` takes 301, 302, 303, 307 or 308
 --> tollgate.toml:4:54
  |
4 | "/c" = { redirect = { to = "//example.com", status = 304 } }
  |                                                      ^^^

error: a redirect has a place that it leads to
 --> tollgate.toml:5:31
  |
5 | "/d" = { respond = { status = 302 } }
  |                               ^^^
  |
  = help: write `redirect = { to = "/new", status = 308 }` instead

error: an answer with status 204 has no body
 --> tollgate.toml:6:43
  |
6 | "/e" = { respond = { status = 204, body = "x" } }
  |                                           ^^^

6 problems
"#,
    );
}

#[test]
fn nothing_is_written_that_means_nothing() {
    for (route, said) in [
        (
            "respond = {}, timeout = '5s'",
            "`timeout` is for a route with an `upstream`",
        ),
        (
            "redirect = '/b', strip_prefix = false",
            "`strip_prefix` is for",
        ),
        (
            "redirect = '/b', replace_prefix = '/c'",
            "`replace_prefix` is for",
        ),
        (
            "redirect = '/b', rewrite_redirects = false",
            "`rewrite_redirects` is for",
        ),
        ("respond = {}, host = 'endpoint'", "`host` is for"),
        (
            "upstream = 'http://h', strip_prefix = false, replace_prefix = '/c'",
            "takes the place of a prefix that is taken off",
        ),
        (
            "redirect = '/a/b'",
            "the redirect to `/a/b` leads to itself",
        ),
        ("redirect = '/a?x=1', methods = ['POST']", "leads to itself"),
        (
            "upstream = 'http://h', host = 'http://h'",
            "write the name without `http://`",
        ),
    ] {
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
    let before = read(answered).unwrap().written;
    let after = read(forwarded).unwrap().written;
    let said = |before, now| -> Vec<_> {
        let changes = changes(before, before, now).into_iter();
        changes
            .filter(|it| it.kind == ChangeKind::Public)
            .map(|it| it.to_string())
            .collect()
    };
    assert_eq!(said(&before, &after), ["the new route `/a`"]);
    assert_eq!(said(&after, &before), [""; 0]);
}
