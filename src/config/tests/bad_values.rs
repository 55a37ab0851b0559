//! What users see of values that do not fit, to the letter.

use crate::logging::Member;
use crate::words::Word;

use super::*;

#[test]
fn endpoints_that_are_none() {
    assert_complaints(
        r#"[routes]
"/a" = "https://localhost:0"
"/b" = "ftp://localhost"
"/c" = "http://localhost:99999"
"/d" = "http://user:secret@localhost"
"/e" = "http://localhost/base/"
[upstreams.none]
endpoints = []
[upstreams.missing]
"#,
        r#"error: `routes."/a"` takes a URL or the name of an upstream
 --> tollgate.toml:2:8
  |
2 | "/a" = "https://localhost:0"
  |        ^^^^^^^^^^^^^^^^^^^^^ the port must be a number from 1 to 65535

error: `routes."/b"` takes a URL or the name of an upstream
 --> tollgate.toml:3:8
  |
3 | "/b" = "ftp://localhost"
  |        ^^^^^^^^^^^^^^^^^ only `http://` and `https://` endpoints are supported

error: `routes."/c"` takes a URL or the name of an upstream
 --> tollgate.toml:4:8
  |
4 | "/c" = "http://localhost:99999"
  |        ^^^^^^^^^^^^^^^^^^^^^^^^ the port must be a number from 1 to 65535

error: `routes."/d"` takes a URL or the name of an upstream
--> tollgate.toml:5:8
 = note: an endpoint's URL must not contain a user name or password

error: an upstream has at least one endpoint
 --> tollgate.toml:8:13
  |
8 | endpoints = []
  |             ^^
  |
  = help: write its URL

error: `upstreams.missing` has no `endpoints`
 --> tollgate.toml:9:1
  |
9 | [upstreams.missing]
  | ^^^^^^^^^^^^^^^^^^^ add a URL such as "http://10.0.0.1:4002", or a table, or a list of them

6 problems
"#,
    );
}

#[test]
fn limits_that_are_none() {
    assert_complaints(
        r#"[limits]
anonymous = { requests = 0, per = "1500ms" }
identified = { requests = 600 }
headers = "ledacy"
ipv6_prefix = 129
[limits.tiers.identified]
requests = 6
per = 60
[limits.redis]
url = "redis://user:secret@localhost:port"
deadline = "1h"
key_prefix = "{tollgate}"
"#,
        r#"error: `limits.anonymous.requests` takes a number from 1 to 999999999999999
 --> tollgate.toml:2:26
  |
2 | anonymous = { requests = 0, per = "1500ms" }
  |                          ^

error: `limits.anonymous.per` takes a duration such as "1s"
 --> tollgate.toml:2:35
  |
2 | anonymous = { requests = 0, per = "1500ms" }
  |                                   ^^^^^^^^ a multiple of `1s`

error: `limits.identified` has no `per`
 --> tollgate.toml:3:14
  |
3 | identified = { requests = 600 }
  |              ^^^^^^^^^^^^^^^^^^ add a duration such as "1s"

error: `limits.headers` takes "standard", "legacy", "both" or "off"
 --> tollgate.toml:4:11
  |
4 | headers = "ledacy"
  |           ^^^^^^^^ did you mean "legacy"?

error: `limits.ipv6_prefix` takes a number from 1 to 128
 --> tollgate.toml:5:15
  |
5 | ipv6_prefix = 129
  |               ^^^

error: a tier cannot be called `identified`
 --> tollgate.toml:6:15
  |
6 | [limits.tiers.identified]
  |               ^^^^^^^^^^ a limit of its own has this name

error: `limits.tiers.identified.per` takes a duration such as "1s"
 --> tollgate.toml:8:7
  |
8 | per = 60
  |       ^^ write "60s"

error: `limits.redis.url` takes a URL such as "redis://127.0.0.1:6379", or a list of them
--> tollgate.toml:10:7
 = note: the URL of Redis is written `redis://[user:password@]host[:port][/database]` or `unix:///path[?db=database]`

error: `limits.redis.deadline` takes a duration such as "1s"
  --> tollgate.toml:11:12
   |
11 | deadline = "1h"
   |            ^^^^ at most `10s`

error: `limits.redis.key_prefix` takes 1 to 64 characters of A-Z a-z 0-9 . _ - : /
  --> tollgate.toml:12:14
   |
12 | key_prefix = "{tollgate}"
   |              ^^^^^^^^^^^^ `{` is not one of them

10 problems
"#,
    );
}

#[test]
fn values_of_the_wrong_kind() {
    assert_complaints(
        r#"listen = 3000
routes = []
[server]
max_head = 65536
header_timeout = 10
idle_timeout = "10"
drain_timeout = "half a minute"
watch = 1
workers = -1
trusted_proxies = ["10.0.0.1/8", "proxy"]
[log]
level = "information"
access = ""
"#,
        r#"error: `listen` takes an address such as "0.0.0.0:3000", or a table, or a list of them
 --> tollgate.toml:1:10
  |
1 | listen = 3000
  |          ^^^^ this is a whole number

error: `routes` takes a table
 --> tollgate.toml:2:10
  |
2 | routes = []
  |          ^^ this is a list; routes in a list are `route` in the main file, in TOML `[[route]]`

error: `server.max_head` takes a size such as "64KiB"
 --> tollgate.toml:4:12
  |
4 | max_head = 65536
  |            ^^^^^ write "65536B"

error: `server.header_timeout` takes a duration such as "30s"
 --> tollgate.toml:5:18
  |
5 | header_timeout = 10
  |                  ^^ write "10s"

error: `server.idle_timeout` takes a duration such as "30s"
 --> tollgate.toml:6:16
  |
6 | idle_timeout = "10"
  |                ^^^^ `10` needs a unit: write `10s`

error: `server.drain_timeout` takes a duration such as "30s"
 --> tollgate.toml:7:17
  |
7 | drain_timeout = "half a minute"
  |                 ^^^^^^^^^^^^^^^ write a number and a unit, such as `10s`

error: `server.watch` takes true or false
 --> tollgate.toml:8:9
  |
8 | watch = 1
  |         ^ this is a whole number

error: `server.workers` takes a number from 0 to 1024
 --> tollgate.toml:9:11
  |
9 | workers = -1
  |           ^^

error: `server.trusted_proxies` takes a network or an address such as "10.0.0.0/8"
  --> tollgate.toml:10:20
   |
10 | trusted_proxies = ["10.0.0.1/8", "proxy"]
   |                    ^^^^^^^^^^^^ write "10.0.0.0/8"

error: `server.trusted_proxies` takes a network or an address such as "10.0.0.0/8"
  --> tollgate.toml:10:34
   |
10 | trusted_proxies = ["10.0.0.1/8", "proxy"]
   |                                  ^^^^^^^ this is neither a network nor an address

error: `log.level` takes "error", "warn", "info", "debug" or "trace"
  --> tollgate.toml:12:9
   |
12 | level = "information"
   |         ^^^^^^^^^^^^^ this is none of them

error: `log.access` takes "stdout", "off" or a path
  --> tollgate.toml:13:10
   |
13 | access = ""
   |          ^^ this is empty

12 problems
"#,
    );
}

#[test]
fn members_and_shares_of_access_lines_are_those_that_there_are() {
    let all = Member::ALL.iter().map(|(name, _)| format!("\"{name}\""));
    let all: Vec<_> = all.collect();
    let (last, first) = all.split_last().unwrap();
    let all = format!("{} or {last}", first.join(", "));
    assert_complaints(
        r#"[log]
fields = ["time", "stauts", "query"]
sample_ok = 0
"#,
        &format!(
            r#"error: `log.fields` takes {all}
 --> tollgate.toml:2:19
  |
2 | fields = ["time", "stauts", "query"]
  |                   ^^^^^^^^ did you mean "status"?

error: `log.fields` takes {all}
 --> tollgate.toml:2:29
  |
2 | fields = ["time", "stauts", "query"]
  |                             ^^^^^^^ this is none of them

error: `log.sample_ok` takes a number above 0, up to 1
 --> tollgate.toml:3:13
  |
3 | sample_ok = 0
  |             ^ this would leave out all: `0.001` is one in a thousand

3 problems
"#
        ),
    );
}

#[test]
fn slips_of_units_are_told() {
    assert_complaints(
        r#"[server]
drain_delay = "30d"
[log]
sample_ok = 10
"#,
        r#"error: `server.drain_delay` takes a duration such as "10s"
 --> tollgate.toml:2:15
  |
2 | drain_delay = "30d"
  |               ^^^^^ at most `1h`

error: `log.sample_ok` takes a number above 0, up to 1
 --> tollgate.toml:4:13
  |
4 | sample_ok = 10
  |             ^^ this is a share and no percentage: `0.1` is one in ten

2 problems
"#,
    );
    good("[server]\ndrain_delay = \"0s\"");
}

#[test]
fn how_many_connections_are_kept_is_a_number() {
    assert_complaints(
        r#"[upstreams.orders]
endpoints = ["http://orders"]
keep = "all"
[upstreams.stock]
endpoints = ["http://stock"]
keep = 1000001
"#,
        r#"error: `upstreams.orders.keep` takes a number from 0 to 1000000
 --> tollgate.toml:3:8
  |
3 | keep = "all"
  |        ^^^^^ this is a string

error: `upstreams.stock.keep` takes a number from 0 to 1000000
 --> tollgate.toml:6:8
  |
6 | keep = 1000001
  |        ^^^^^^^

2 problems
"#,
    );
}
