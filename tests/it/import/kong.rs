//! What Kong's file becomes is served: requests get what they got from Kong.

use std::collections::HashMap;

use crate::support::{Finished, Gateway, Request, Upstream, each};

const MOBILE: &str = "secret-mobile-key";
const OTHER: &str = "secret-other-key";

/// What a file of Kong's becomes; no key stands in it.
fn imported(kong: &str) -> Finished {
    let done = super::import(&[("kong.yml", kong)], &["kong", "--partial"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    for secret in [MOBILE, OTHER] {
        assert!(!done.stdout.contains(secret) && !done.stderr.contains(secret));
    }
    done
}

/// An open route on one host lies under a closed one on another; one closed by a plugin without a
/// counterpart lies under an open one.
#[test]
fn nothing_opens_by_itself() {
    let (closed, open) = (Upstream::echo(), Upstream::echo());
    let done = imported(&format!(
        r"
services:
- name: closed
  url: {closed}
  routes:
  - name: api
    hosts: [a.test]
    paths: [/api]
    strip_path: false
    plugins: [{{name: key-auth, config: {{key_names: [x-api-key], key_in_query: false}}}}]
- name: open
  url: {open}
  routes:
  - {{name: login, hosts: [b.test], paths: [/api/login], strip_path: false}}
  - {{name: web, hosts: [c.test], paths: [/], strip_path: false}}
  - {{name: admin, hosts: [c.test], paths: ['~/admin/\d+$'], plugins: [{{name: jwt}}]}}
consumers:
- username: app
  keyauth_credentials: [{{key: secret-mobile-key}}]
",
        closed = closed.url(),
        open = open.url(),
    ));
    let gateway = Gateway::start(&done.stdout);
    let key = Some(MOBILE);
    let rows = [
        ("a.test", "/api/x", None, 401),
        ("a.test", "/api/x", key, 200),
        ("a.test", "/api/login", None, 401),
        ("a.test", "/api/login/admin", None, 401),
        ("a.test", "/api/login/admin", key, 200),
        // One exception would hold for both hosts.
        ("b.test", "/api/login", None, 401),
        ("b.test", "/api/login", key, 200),
        ("c.test", "/", None, 200),
        ("c.test", "/admin/7", None, 503),
        ("c.test", "/admin/7", key, 503),
        ("c.test", "/administration", None, 200),
    ];
    each(rows, |(host, path, key, status)| {
        let mut request = Request::get(path).host(host);
        if let Some(key) = key {
            request = request.field("x-api-key", key);
        }
        gateway.ask(&request).is(*status);
        let seen = [closed.take(), open.take()].concat();
        assert_eq!(seen.len(), usize::from(*status == 200), "{seen:?}");
    });
}

/// Kong prefers the closed route for its host, though the open one has the longer path.
#[test]
fn a_closed_route_for_a_host_is_preferred_to_a_longer_path() {
    let (closed, open) = (Upstream::echo(), Upstream::echo());
    let file = |plugin: &str| {
        format!(
            r"
services:
- name: closed
  url: {}
  routes: [{{name: closed, hosts: [a.test], paths: [/api], plugins: [{plugin}]}}]
- name: open
  url: {}
  routes: [{{name: open, paths: [/api/x]}}]
consumers:
- username: app
  keyauth_credentials: [{{key: secret-mobile-key}}]
",
            closed.url(),
            open.url(),
        )
    };
    let key = ("apikey", MOBILE);
    let rows = [
        ("{name: key-auth}", "a.test", None, 401, None),
        ("{name: key-auth}", "a.test", Some(key), 200, None),
        // Protection goes by path, so it holds for all hosts, which is listed.
        ("{name: key-auth}", "b.test", None, 401, None),
        ("{name: key-auth}", "b.test", Some(key), 200, None),
        (
            "{name: ip-restriction, config: {allow: [10.0.0.0/8]}}",
            "a.test",
            None,
            403,
            None,
        ),
        (
            "{name: ip-restriction, config: {allow: [10.0.0.0/8]}}",
            "b.test",
            None,
            200,
            Some("/y"),
        ),
        (
            "{name: ip-restriction, config: {allow: [127.0.0.0/8]}}",
            "a.test",
            None,
            200,
            Some("/x/y"),
        ),
        ("{name: jwt}", "a.test", None, 503, None),
        ("{name: jwt}", "b.test", None, 200, Some("/y")),
    ];
    each(rows, |(plugin, host, key, status, target)| {
        let gateway = Gateway::start(&imported(&file(plugin)).stdout);
        let mut request = Request::get("/api/x/y").host(host);
        if let Some((name, key)) = key {
            request = request.field(name, key);
        }
        gateway.ask(&request).is(*status);
        let seen = [closed.take(), open.take()].concat();
        if let Some(target) = target {
            assert_eq!(seen.first().map(|seen| &*seen.target), Some(*target));
        }
    });
}

/// What Kong makes of a request, as far as this file goes: its status, and the path that the service is
/// asked for.
struct Kong {
    /// How many requests of each caller the limit of the fourth service has let through.
    limited: HashMap<Option<&'static str>, u32>,
}

/// One request: the number of a route, a method, what follows the route's path, a host, a key.
type Ask = (
    usize,
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
);

impl Kong {
    fn answer(&mut self, (n, method, rest, host, key): Ask) -> (u16, Option<String>) {
        let (service, route) = ((n - 1) / 4, (n - 1) % 4);
        let refused = |status| (status, None);
        if n == 3 && host != "api.example.com" || n == 4 && host != "a.example.org" {
            return refused(404);
        }
        // Its plugin may keep callers out, so its routes were left out.
        if service == 8 {
            return refused(404);
        }
        if n == 9 && !matches!(method, "GET" | "POST") {
            return refused(405);
        }
        let (wants_key, wants_partner) = ([2, 4, 5].contains(&service), [2, 5].contains(&service));
        if wants_key && !matches!(key, Some(MOBILE | OTHER)) {
            return refused(401);
        }
        if wants_partner && key != Some(MOBILE) {
            return refused(403);
        }
        if service == 9 {
            return refused(503);
        }
        if service == 3 {
            let count = self.limited.entry(key).or_default();
            *count += 1;
            if *count > 5 {
                return refused(429);
            }
        }
        let base = if service % 2 == 1 {
            format!("/base{service}")
        } else {
            String::new()
        };
        // Every fifth route keeps its prefix.
        let prefix = if n % 5 == 0 {
            format!("/s{service}/r{route}")
        } else {
            String::new()
        };
        match format!("{base}{prefix}{rest}") {
            path if path.starts_with('/') => (200, Some(path)),
            path => (200, Some(format!("/{path}"))),
        }
    }
}

/// Requests for each of the 40 routes but the two regular expressions, with all keys.
fn requests() -> impl Iterator<Item = Ask> {
    let turns = [
        ("GET", "", "api.example.com"),
        ("POST", "/x/y?q=1", "a.example.org"),
        ("DELETE", "/", "other.test"),
    ];
    let keys = [None, Some(MOBILE), Some(OTHER), Some("wrong")];
    let routes = (1..=40).filter(|n| ![7, 23].contains(n));
    // A wrong key is refused everywhere here, as the documentation says.
    let is_same = |(n, method, _, _, key): &Ask| {
        let wants_key = [2, 4, 5].contains(&((n - 1) / 4));
        *key != Some("wrong") || wants_key && (*n != 9 || *method != "DELETE")
    };
    let all = routes.flat_map(move |n| {
        turns.into_iter().flat_map(move |(method, rest, host)| {
            keys.into_iter()
                .map(move |key| (n, method, rest, host, key))
        })
    });
    all.filter(is_same)
}

#[test]
fn requests_get_what_they_got_from_kong() {
    let services: Vec<Upstream> = (0..10).map(|_| Upstream::echo()).collect();
    let mut file = include_str!("kong40.yml").to_owned();
    for (n, service) in services.iter().enumerate() {
        file = file.replace(&format!("http://svc{n}"), &service.url());
    }
    let done = imported(&file);
    let left_out = done
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("left out: "));
    let unknown = |n| {
        format!(
            "route r{n}: the whole route, for it would be open to more callers without `my-unknown-plugin`, which has no counterpart; if it keeps nobody out, take it out of the file"
        )
    };
    assert_eq!(
        left_out.collect::<Vec<_>>(),
        [
            r"route r7: the regular expression `~/s1/r2/\d+$`: paths are prefixes here",
            r"route r23: the regular expression `~/s5/r2/\d+$`: paths are prefixes here",
            &unknown(33),
            &unknown(34),
            &unknown(35),
            &unknown(36),
        ]
    );

    let gateway = Gateway::start(&done.stdout);
    let mut kong = Kong {
        limited: HashMap::new(),
    };
    let mut statuses = Vec::new();
    each(requests(), |ask| {
        let (n, method, rest, host, key) = *ask;
        let (service, route) = ((n - 1) / 4, (n - 1) % 4);
        let target = format!("/s{service}/r{route}{rest}");
        let mut request = Request::new(method, &target)
            .host(host)
            .field("x-debug", "1");
        if let Some(key) = key {
            request = request.field("apikey", key);
        }
        let answer = gateway.ask(&request);
        let mut seen = services[service].take();
        let got = (answer.status, seen.first().map(|seen| seen.target.clone()));
        assert_eq!(got, kong.answer(*ask), "{answer:?}");
        statuses.push(answer.status);
        let Some(seen) = seen.pop() else { return };
        let address = services[service].address().to_string();
        let sent_to = if n == 11 { host } else { &address };
        assert_eq!(seen.fields.one("host"), Some(sent_to));
        // Its transformers are for the eighth service alone.
        let env = (service == 7).then_some("prod");
        assert_eq!(
            (seen.fields.one("x-env"), seen.fields.has("x-debug")),
            (env, service != 7)
        );
    });
    assert!(statuses.len() > 200, "{} requests", statuses.len());
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, [200, 401, 403, 404, 405, 429, 503]);
}
