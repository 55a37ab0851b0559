//! What users see of paths, hosts, methods and header fields that cannot be called so, to the letter.

use super::*;

#[test]
fn a_prefix_that_no_path_of_its_route_can_have() {
    assert_complaints(
        r#"[routes]
"/caf%E9" = "http://localhost:4002"
"/th%E9" = { upstream = "http://localhost:4002", path_encoding = "any" }
"/x" = { upstream = "http://localhost:4002", path_encoding = "latin-1" }
"#,
        r#"error: no request that this route takes can have such a path
 --> tollgate.toml:2:1
  |
2 | "/caf%E9" = "http://localhost:4002"
  | ^^^^^^^^^ it is not UTF-8
  |
  = help: `path_encoding = "any"` takes paths that are not UTF-8

error: `routes."/x".path_encoding` takes "utf-8" or "any"
 --> tollgate.toml:4:62
  |
4 | "/x" = { upstream = "http://localhost:4002", path_encoding = "latin-1" }
  |                                                              ^^^^^^^^^ this is none of them

2 problems
"#,
    );
}

#[test]
fn malformed_prefixes_hosts_and_methods() {
    assert_complaints(
        r#"[access]
protected = ["api", "/api/", "/a//b", "/a/../b", "/a?b"]
[[route]]
prefix = "/b"
upstream = "http://localhost:4002"
hosts = ["a.*.com", "example.com:80"]
methods = ["get", "TRACE", "GET,PUT"]
"#,
        r#"error: `access.protected` takes a path prefix such as "/api/orders"
 --> tollgate.toml:2:14
  |
2 | protected = ["api", "/api/", "/a//b", "/a/../b", "/a?b"]
  |              ^^^^^ it must start with `/`: write `/api`

error: `access.protected` takes a path prefix such as "/api/orders"
 --> tollgate.toml:2:21
  |
2 | protected = ["api", "/api/", "/a//b", "/a/../b", "/a?b"]
  |                     ^^^^^^^ it must not end with a slash: write `/api`

error: `access.protected` takes a path prefix such as "/api/orders"
 --> tollgate.toml:2:30
  |
2 | protected = ["api", "/api/", "/a//b", "/a/../b", "/a?b"]
  |                              ^^^^^^^ it must be a canonical path: write `/a/b`

error: `access.protected` takes a path prefix such as "/api/orders"
 --> tollgate.toml:2:39
  |
2 | protected = ["api", "/api/", "/a//b", "/a/../b", "/a?b"]
  |                                       ^^^^^^^^^ it must be a canonical path: write `/b`

error: `access.protected` takes a path prefix such as "/api/orders"
 --> tollgate.toml:2:50
  |
2 | protected = ["api", "/api/", "/a//b", "/a/../b", "/a?b"]
  |                                                  ^^^^^^ it must not contain `?`: a prefix has no query, fragment or parameters

error: `route.hosts` takes the name of a host such as "api.example.com"
 --> tollgate.toml:6:10
  |
6 | hosts = ["a.*.com", "example.com:80"]
  |          ^^^^^^^^^ a wildcard stands for the first label alone: `*.example.com`

error: `route.hosts` takes the name of a host such as "api.example.com"
 --> tollgate.toml:6:21
  |
6 | hosts = ["a.*.com", "example.com:80"]
  |                     ^^^^^^^^^^^^^^^^ write `example.com`: ports are not compared

error: `route.methods` takes a method such as "GET"
 --> tollgate.toml:7:12
  |
7 | methods = ["get", "TRACE", "GET,PUT"]
  |            ^^^^^ write `GET`: methods are case-sensitive

error: `route.methods` takes a method such as "GET"
 --> tollgate.toml:7:19
  |
7 | methods = ["get", "TRACE", "GET,PUT"]
  |                   ^^^^^^^ CONNECT and TRACE are always refused

error: `route.methods` takes a method such as "GET"
 --> tollgate.toml:7:28
  |
7 | methods = ["get", "TRACE", "GET,PUT"]
  |                            ^^^^^^^^^ a method is one word

10 problems
"#,
    );
}

#[test]
fn fields_that_are_taken() {
    assert_complaints(
        r#"[access]
api_key_header = "Host"
client_header = "x_client_id"
[server]
request_id_header = "X.Request.Id"
odd_field_names = "keep"
"#,
        r#"error: `access.api_key_header` takes the name of a header field such as "x-caller"
 --> tollgate.toml:2:18
  |
2 | api_key_header = "Host"
  |                  ^^^^^^ this field has a meaning of its own

error: `access.client_header` takes the name of a header field such as "x-caller"
 --> tollgate.toml:3:17
  |
3 | client_header = "x_client_id"
  |                 ^^^^^^^^^^^^^ write `x-client-id`

error: `server.request_id_header` takes the name of a header field such as "x-caller"
 --> tollgate.toml:5:21
  |
5 | request_id_header = "X.Request.Id"
  |                     ^^^^^^^^^^^^^^ a name has letters, digits and `-`

error: `server.odd_field_names` takes "drop" or "pass"
 --> tollgate.toml:6:19
  |
6 | odd_field_names = "keep"
  |                   ^^^^^^ this is none of them

4 problems
"#,
    );
}

#[test]
fn fields_that_are_the_same() {
    assert_complaints(
        r#"[access]
api_key_header = "X-Caller"
client_header = "x-caller"
"#,
        r#"error: `access.api_key_header` and `access.client_header` are the same
 --> tollgate.toml:3:17
  |
3 | client_header = "x-caller"
  |                 ^^^^^^^^^^ both are `x-caller`

1 problem
"#,
    );
}
