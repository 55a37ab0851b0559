//! Who may call: what users see of values that do not fit, and of what is odd.

use super::*;

#[test]
fn origins_and_credentials_of_cors() {
    assert_complaints(
        r#"[access.cors]
origins = ["https://app.test/", "*"]
credentials = true
expose = ["*"]
[[route]]
prefix = "/a"
upstream = "http://localhost:4002"
cors = { origins = [] }
[[route]]
prefix = "/b"
upstream = "http://localhost:4002"
cors = "on"
"#,
        r#"error: `access.cors.origins` takes an origin such as "https://app.example.com", or "*"
 --> tollgate.toml:2:12
  |
2 | origins = ["https://app.test/", "*"]
  |            ^^^^^^^^^^^^^^^^^^^ an origin ends without a slash: write "https://app.test"

error: `credentials` cannot be given to any origin
 --> tollgate.toml:2:33
  |
2 | origins = ["https://app.test/", "*"]
  |                                 ^^^ list the origins
3 | credentials = true
  |               ---- or leave this out
  |
  = help: any page on the web could act as the person who looks at it

error: with `credentials` browsers take `*` for the name of a field
 --> tollgate.toml:4:11
  |
4 | expose = ["*"]
  |           ^^^ list the fields

error: `origins` lists no origin
 --> tollgate.toml:8:20
  |
8 | cors = { origins = [] }
  |                    ^^ name one, or leave `cors` out

error: `route.cors` takes a table, or "off"
  --> tollgate.toml:12:8
   |
12 | cors = "on"
   |        ^^^^ this is a string

5 problems
"#,
    );
}
