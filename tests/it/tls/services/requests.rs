//! Requests and answers through TLS, and what both sides show each other.

use rustls::version::{TLS12, TLS13};
use serde_json::json;

use super::authority::{Authority, Signed, VERSIONS};
use super::front::Front;
use super::{Site, config, trusts};
use crate::support::{
    Gateway, Request, Upstream, eventually, folder_with, noise, tollgate, with_admin,
};

#[test]
fn both_versions_are_spoken_on_kept_connections() {
    for version in [&TLS12, &TLS13] {
        let site = Site::of(Upstream::echo(), |signed| {
            signed.server_with(&[version], None)
        });
        let body = noise(100_000);
        let mut client = site.gateway.connect();
        client.ask(&Request::get("/a/x?y")).is(200);
        let back = client.ask(&Request::post("/a/z", body.clone()).chunked(1000));
        assert!(back.body == body, "{version:?}");

        let seen = site.upstream.take();
        assert_eq!((&*seen[0].target, &*seen[1].target), ("/x?y", "/z"));
        // What the client has used.
        assert_eq!(seen[0].fields.one("x-forwarded-proto"), Some("http"));
        let handshakes = site.front.handshakes();
        assert_eq!(handshakes.len(), 1, "{handshakes:?}");
        assert_eq!(handshakes[0].protocol, Some(b"http/1.1".to_vec()));
        assert_eq!(handshakes[0].name, None, "an address is no name");
    }
}

#[test]
fn names_and_addresses_are_verified_and_asked_for() {
    let authority = Authority::new();
    let upstream = Upstream::echo();
    let by_address = Front::of(&upstream, authority.signs(&["127.0.0.1"]).server());
    let by_name = Front::of(&upstream, authority.signs(&["localhost"]).server());
    let wildcard = Front::of(&upstream, authority.signs(&["*.shop.test"]).server());
    let (address, name) = (by_address.url(), by_name.url_by_name());
    let other = format!("{}server_name = \"orders.shop.test\"\n", trusts(&authority));
    for (front, url, tls, asked) in [
        (&by_address, address, trusts(&authority), None),
        (&by_name, name, trusts(&authority), Some("localhost")),
        (&wildcard, wildcard.url(), other, Some("orders.shop.test")),
    ] {
        let gateway = Gateway::start(&config(&url, &tls));
        gateway.ask(&Request::get("/a")).is(200);
        let names: Vec<_> = front.handshakes().into_iter().map(|it| it.name).collect();
        assert_eq!(names, [asked.map(str::to_owned)], "{url}");
    }
}

#[test]
fn a_services_own_certificate_is_trusted_where_it_is_listed() {
    let (upstream, authority) = (Upstream::echo(), Authority::new());
    let listed = |url: &str, own: &Signed| {
        authority.write("own.pem", &own.pem);
        let ca = format!("ca = \"{}\"\n", authority.path("own.pem").display());
        Gateway::start(&config(url, &ca))
    };
    let own = Signed::by_itself(&["127.0.0.1"]);
    let front = Front::of(&upstream, own.server());
    listed(&front.url(), &own).ask(&Request::get("/a")).is(200);
    let signed = authority.signs(&["127.0.0.1"]);
    let signed_front = Front::of(&upstream, signed.server());
    let gateway = listed(&signed_front.url(), &signed);
    gateway.ask(&Request::get("/a")).is(200);

    // No other one, not when its time is over, and only for the names in it.
    let refused = |gateway: Gateway, reason: &str| {
        let refused = gateway.ask(&Request::get("/a"));
        refused.is_refusal(502, "upstream_tls");
        let line = gateway.access_log(1).remove(0);
        assert_eq!(line["tries"][0]["reason"], reason, "{line:#}");
    };
    refused(listed(&front.url(), &signed), "tls_bad_certificate");
    refused(listed(&signed_front.url(), &own), "tls_unknown_issuer");
    let expired = authority.signs_with(&["127.0.0.1"], |it| {
        it.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let old_front = Front::of(&upstream, expired.server());
    refused(
        listed(&old_front.url(), &expired),
        "tls_certificate_expired",
    );
    refused(listed(&front.url_by_name(), &own), "tls_wrong_name");
}

#[test]
fn the_platforms_authorities_are_trusted_without_any_key() {
    let authority = Authority::new();
    let upstream = Upstream::echo();
    let front = Front::of(&upstream, authority.signs(&["localhost"]).server());
    let roots = format!("export SSL_CERT_FILE='{}'", authority.ca());
    let route = format!("[routes]\n\"/a\" = \"{}\"\n", front.url_by_name());
    let gateway = Gateway::start_under(&roots, &route);
    gateway.ask(&Request::get("/a")).is(200);

    let none = format!(
        "export SSL_CERT_FILE='{}' SSL_CERT_DIR=/nowhere",
        authority.path("none.pem").display()
    );
    authority.write("none.pem", "");
    let folder = folder_with(&route);
    let file = folder.path().join("tollgate.toml");
    let mut shell = std::process::Command::new("sh");
    let command = format!("{none} && exec \"$0\" check -c \"$1\"");
    let said = shell
        .args(["-c", &command, env!("CARGO_BIN_EXE_tollgate")])
        .arg(file)
        .output()
        .expect("run check");
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(1), "{text}");
    assert!(text.contains("this machine trusts no authority"), "{text}");
}

#[test]
fn a_service_that_asks_for_a_certificate_gets_it() {
    let authority = Authority::new();
    let clients = Authority::new();
    let upstream = Upstream::echo();
    for version in [&TLS12, &TLS13] {
        let server = authority.signs(&["127.0.0.1"]);
        let server = server.server_with(&[version], Some(&clients));
        let front = Front::of(&upstream, server);
        // Services know it by whatever stands in it: it needs no names.
        let own = clients.keep("gateway", &clients.signs(&[]));
        let tls = trusts(&authority) + &own;
        let gateway = Gateway::start(&config(&front.url(), &tls));
        gateway.ask(&Request::get("/a")).is(200);
        assert!(front.handshakes()[0].certificate, "{version:?}");
    }
}

#[test]
fn checks_go_through_tls() {
    let authority = Authority::new();
    let [good, bad] = ["127.0.0.1", "other.test"].map(|name| {
        let upstream = Upstream::echo();
        let front = Front::of(&upstream, authority.signs(&[name]).server());
        (front, upstream)
    });
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/a\" = \"up\"\n[upstreams.up]\nendpoints = [\"{}\", \"{}\"]\nretry = \"off\"\n\
         health = {{ interval = \"20ms\" }}\n[upstreams.up.tls]\n{}",
        good.0.url(),
        bad.0.url(),
        trusts(&authority)
    ));
    let down = gateway.wait_log("the one endpoint to be down", |line| {
        line["message"] == "an endpoint is down: its checks fail"
    });
    assert_eq!(
        (&down["endpoint"], &down["reason"]),
        (
            &json!(bad.0.address().to_string()),
            &json!("tls_wrong_name")
        )
    );
    for _ in 0..20 {
        gateway.ask(&Request::get("/a")).is(200);
    }
    let checks = || {
        let seen = good.1.take();
        let checks = seen.iter().filter(|it| it.target == "/healthz").count();
        (checks >= 1).then_some(())
    };
    eventually("a check of the other", checks);
    assert!(bad.1.take().is_empty());
    // They go on with their own sessions.
    eventually("a session to be gone on with", || {
        let handshakes = good.0.handshakes();
        let resumed =
            |it: &super::front::Handshake| it.kind == Some(rustls::HandshakeKind::Resumed);
        handshakes.iter().any(resumed).then_some(())
    });
}

#[test]
fn a_host_of_the_endpoint_has_no_port_where_it_is_that_of_https() {
    let folder = folder_with(
        "[routes]\n\"/a\" = { upstream = \"https://orders.test\", host = \"endpoint\" }\n\
         \"/b\" = \"b\"\n[upstreams.b]\nendpoints = [\"https://orders.test:444/v1\"]\ntls.verify = false\n",
    );
    let file = folder.path().join("tollgate.toml");
    let explain =
        |url: &str| tollgate(&["explain", "GET", url, "-c", file.to_str().expect("a path")]);
    let told = explain("/a/x").stdout;
    assert!(told.contains("GET https://orders.test/x"), "{told}");
    let told = explain("/b/x").stdout;
    assert!(told.contains("GET https://orders.test:444/v1/x"), "{told}");
    let unverified = "https://orders.test:444/v1: weight 1, its certificate not verified";
    assert!(told.contains(unverified), "{told}");
}

#[test]
fn that_nothing_is_verified_is_said_at_each_start_and_reload() {
    let authority = Authority::new();
    let upstream = Upstream::echo();
    let front = Front::of(&upstream, authority.signs(&["other.test"]).server());
    let text = with_admin(&config(&front.url(), "verify = false"), "");
    let gateway = Gateway::start(&text);
    gateway.ask(&Request::get("/a")).is(200);
    let warnings = || {
        let log = gateway.log();
        let is_it = |line: &&serde_json::Value| {
            let message = line["message"].as_str().unwrap_or_default();
            message.contains("`tls.verify = false`") && line["level"] == "WARN"
        };
        log.iter().filter(is_it).count()
    };
    assert_eq!(warnings(), 1);
    let verified = gateway.scrape().sum("tollgate_upstream_tls_verified", &[]);
    let series = gateway.scrape().0.into_keys();
    let series = series.filter(|it| it.starts_with("tollgate_upstream_tls_verified{"));
    assert_eq!((series.count(), verified.to_bits()), (1, 0.0_f64.to_bits()));
    gateway.reload(&text);
    eventually("the warning", || (warnings() == 2).then_some(()));
    let file = gateway.dir().join("tollgate.toml");
    let checked = tollgate(&["check", "--strict", "-c", file.to_str().expect("a path")]);
    assert_ne!(checked.code, Some(0));
    assert!(
        checked.stderr.contains("`tls.verify = false`"),
        "{}",
        checked.stderr
    );
}

#[test]
fn large_bodies_pass_in_bounded_memory() {
    const SIZE: usize = 32 * 1024 * 1024;
    let upstream = Upstream::start(|peer| {
        loop {
            let request = peer.request()?;
            peer.reply(&request, &request.body)?;
        }
    });
    let site = Site::of(upstream, |signed| signed.server_with(VERSIONS, None));
    site.gateway
        .ask(&Request::post("/a", noise(100_000)))
        .is(200);
    let before = site.gateway.memory();
    let body = noise(SIZE);
    let back = site.gateway.ask(&Request::post("/a", body.clone()));
    assert!(back.body == body, "what came back is not what was sent");
    let grown = site.gateway.memory().saturating_sub(before);
    assert!(grown < 16 * 1024 * 1024, "{grown} bytes more are held");
    drop(site.authority);
}
