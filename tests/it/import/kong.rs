//! What Kong's file becomes is served: requests get what they got from Kong.

use crate::support::{Gateway, Request, Upstream, each};

/// A gateway on what a file of Kong's becomes.
fn serve(kong: &str) -> Gateway {
    let done = super::import(&[("kong.yml", kong)], &["kong", "--partial"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    for secret in ["secret-mobile-key", "secret-other-key"] {
        assert!(!done.stdout.contains(secret) && !done.stderr.contains(secret));
    }
    Gateway::start(&done.stdout)
}

/// An open route on one host lies under a closed one on another; one closed by a plugin without a
/// counterpart lies under an open one.
#[test]
fn nothing_opens_by_itself() {
    let (closed, open) = (Upstream::echo(), Upstream::echo());
    let gateway = serve(&format!(
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
    let key = Some("secret-mobile-key");
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
