//! What is said of paths, hosts, methods and header fields that cannot be called so.

use super::*;

#[test]
fn a_prefix_that_no_path_of_its_route_can_have() {
    assert_problems(
        r#"[routes]
"/caf%E9" = "http://localhost:4002"
"/th%E9" = { upstream = "http://localhost:4002", path_encoding = "any" }
"/x" = { upstream = "http://localhost:4002", path_encoding = "latin-1" }
"#,
        r#"
2:1 "/caf%E9": no request that this route takes can have such a path: it is not UTF-8 = `path_encoding = "any"` takes paths that are not UTF-8
4:62 "latin-1": `routes."/x".path_encoding` takes "utf-8" or "any": this is none of them
"#,
    );
}

#[test]
fn malformed_prefixes_hosts_and_methods() {
    assert_problems(
        r#"[access]
protected = ["api", "/api/", "/a//b", "/a/../b", "/a?b"]
[[route]]
prefix = "/b"
upstream = "http://localhost:4002"
hosts = ["a.*.com", "example.com:80"]
methods = ["get", "TRACE", "GET,PUT", "*", "all", "Any"]
"#,
        r#"
2:14 "api": `access.protected` takes a path prefix such as "/api/orders": it must start with `/`: write `/api`
2:21 "/api/": `access.protected` takes a path prefix such as "/api/orders": it must not end with a slash: write `/api`
2:30 "/a//b": `access.protected` takes a path prefix such as "/api/orders": it must be a canonical path: write `/a/b`
2:39 "/a/../b": `access.protected` takes a path prefix such as "/api/orders": it must be a canonical path: write `/b`
2:50 "/a?b": `access.protected` takes a path prefix such as "/api/orders": it must not contain `?`: a prefix has no query, fragment or parameters
6:10 "a.*.com": `route.hosts` takes the name of a host such as "api.example.com": a wildcard stands for the first label alone: `*.example.com`
6:21 "example.com:80": `route.hosts` takes the name of a host such as "api.example.com": write `example.com`: ports are not compared
7:12 "get": `route.methods` takes a method such as "GET": write `GET`: methods are case-sensitive
7:19 "TRACE": `route.methods` takes a method such as "GET": CONNECT and TRACE are always refused
7:28 "GET,PUT": `route.methods` takes a method such as "GET": a method is one word: write `["GET", "PUT"]`
7:39 "*": `route.methods` takes a method such as "GET": leave `methods` out: any method is taken; in `cors`, write "*"
7:44 "all": `route.methods` takes a method such as "GET": leave `methods` out: any method is taken; in `cors`, write "*"
7:51 "Any": `route.methods` takes a method such as "GET": leave `methods` out: any method is taken; in `cors`, write "*"
"#,
    );
}

#[test]
fn fields_that_are_taken() {
    assert_problems(
        r#"[access]
api_key_header = "Host"
client_header = "x_client_id"
[server]
request_id_header = "X.Request.Id"
odd_field_names = "keep"
"#,
        r#"
2:18 "Host": `access.api_key_header` takes the name of a header field such as "x-caller": this field has a meaning of its own
3:17 "x_client_id": `access.client_header` takes the name of a header field such as "x-caller": write `x-client-id`
5:21 "X.Request.Id": `server.request_id_header` takes the name of a header field such as "x-caller": a name has letters, digits and `-`
6:19 "keep": `server.odd_field_names` takes "drop" or "pass": this is none of them
"#,
    );
}

#[test]
fn fields_that_are_the_same() {
    assert_problems(
        r#"[access]
api_key_header = "X-Caller"
client_header = "x-caller"
"#,
        r#"
3:17 "x-caller": `access.api_key_header` and `access.client_header` are the same: both are `x-caller`
"#,
    );
}
