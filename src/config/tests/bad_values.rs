//! What is said of values that do not fit.

use crate::logging::Member;
use crate::words::Word;

use super::*;

#[test]
fn endpoints_that_are_none() {
    assert_problems(
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
        r#"
2:8 "https://localhost:0": `routes."/a"` takes a URL or the name of an upstream: the port must be a number from 1 to 65535
3:8 "ftp://localhost": `routes."/b"` takes a URL or the name of an upstream: only `http://` and `https://` endpoints are supported
4:8 "http://localhost:99999": `routes."/c"` takes a URL or the name of an upstream: the port must be a number from 1 to 65535
5:8 "http://user:secret@localhost": `routes."/d"` takes a URL or the name of an upstream: an endpoint's URL must not contain a user name or password
8:13 []: an upstream has at least one endpoint = write its URL
9:1 [upstreams.missing]: `upstreams.missing` has no `endpoints`: add a URL such as "http://10.0.0.1:4002", or a table, or a list of them
"#,
    );
}

#[test]
fn limits_that_are_none() {
    assert_problems(
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
        r#"
2:26 0: `limits.anonymous.requests` takes a number from 1 to 999999999999999
2:35 "1500ms": `limits.anonymous.per` takes a duration such as "1s": a multiple of `1s`
3:14 { requests = 600 }: `limits.identified` has no `per`: add a duration such as "1s"
4:11 "ledacy": `limits.headers` takes "standard", "legacy", "both" or "off": did you mean "legacy"?
5:15 129: `limits.ipv6_prefix` takes a number from 1 to 128
6:15 identified: a tier cannot be called `identified`: a limit of its own has this name
8:7 60: `limits.tiers.identified.per` takes a duration such as "1s": write "60s"
10:7 "redis://user:secret@localhost:port": `limits.redis.url` takes a URL such as "redis://127.0.0.1:6379", or a list of them: the port is a number from 1 to 65535, as in `redis://localhost:6379`
11:12 "1h": `limits.redis.deadline` takes a duration such as "1s": at most `10s`
12:14 "{tollgate}": `limits.redis.key_prefix` takes 1 to 64 characters of A-Z a-z 0-9 . _ - : /: `{` is not one of them
"#,
    );
}

#[test]
fn values_of_the_wrong_kind() {
    assert_problems(
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
        r#"
1:10 3000: `listen` takes an address such as "0.0.0.0:3000", or a table, or a list of them: write "0.0.0.0:3000"
2:10 []: `routes` takes a table: this is a list; routes in a list are `route` in the main file, in TOML `[[route]]`
4:12 65536: `server.max_head` takes a size such as "64KiB": write "65536B"
5:18 10: `server.header_timeout` takes a duration such as "30s": write "10s"
6:16 "10": `server.idle_timeout` takes a duration such as "30s": `10` needs a unit: write `10s`
7:17 "half a minute": `server.drain_timeout` takes a duration such as "30s": write a number and a unit, such as `10s`
8:9 1: `server.watch` takes true or false: this is a whole number
9:11 -1: `server.workers` takes a number from 0 to 1024
10:20 "10.0.0.1/8": `server.trusted_proxies` takes a network or an address such as "10.0.0.0/8": write "10.0.0.0/8"
10:34 "proxy": `server.trusted_proxies` takes a network or an address such as "10.0.0.0/8": this is neither a network nor an address
12:9 "information": `log.level` takes "error", "warn", "info", "debug" or "trace": this is none of them
13:10 "": `log.access` takes "stdout", "off" or a path: this is empty
"#,
    );
}

#[test]
fn members_and_shares_of_access_lines_are_those_that_there_are() {
    let all = Member::ALL.iter().map(|(name, _)| format!("\"{name}\""));
    let all: Vec<_> = all.collect();
    let (last, first) = all.split_last().unwrap();
    let all = format!("{} or {last}", first.join(", "));
    assert_problems(
        "[log]\nfields = ['time', 'stauts', 'query']\nsample_ok = 0\n",
        &format!(
            r#"
2:19 'stauts': `log.fields` takes {all}: did you mean "status"?
2:29 'query': `log.fields` takes {all}: this is none of them
3:13 0: `log.sample_ok` takes a number above 0, up to 1: this would leave out all: `0.001` is one in a thousand
"#
        ),
    );
}

#[test]
fn slips_of_units_are_told() {
    assert_problems(
        "[server]\ndrain_delay = '30d'\n[log]\nsample_ok = 10\n",
        r#"
2:15 '30d': `server.drain_delay` takes a duration such as "10s": at most `1h`
4:13 10: `log.sample_ok` takes a number above 0, up to 1: this is a share and no percentage: `0.1` is one in ten
"#,
    );
    good("[server]\ndrain_delay = \"0s\"");
}
