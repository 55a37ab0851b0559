//! Clients that speak TLS: what they agree upon, what services and the log are told of it, and what
//! becomes of those that do not go on.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConnection;
use rustls::version::{TLS12, TLS13};
use serde_json::json;

use crate::support::tls::{Authority, client_through, connect};
use crate::support::{Client, Gateway, PATIENCE, Request, Upstream, each, noise};

const SERVER: &str = "[server]\nheader_timeout = \"2s\"\n";

/// A gateway with certificates for `a.test` and `b.test`, of which one path is of a service.
fn gateway(authority: &Authority, upstream: &Upstream, more: &str) -> Gateway {
    authority.issue("a", &["a.test", "www.a.test"]);
    authority.issue("b", &["*.b.test"]);
    Gateway::start(&format!(
        "listen = {{ address = \"127.0.0.1:0\", tls = true }}\n{}{}[routes]\n\"/a\" = \"{}\"\n{more}",
        authority.certificate("a"),
        authority.certificate("b"),
        upstream.url(),
    ))
}

#[test]
fn a_service_and_the_log_are_told_of_tls() {
    let (authority, upstream) = (Authority::new(), Upstream::echo());
    let gateway = gateway(&authority, &upstream, "");
    let rows = [
        ("1.3", authority.client_of(&[&TLS13])),
        ("1.2", authority.client_of(&[&TLS12])),
    ];
    for (version, config) in rows {
        let mut client = client_through(gateway.address(), &Arc::new(config), "A.test");
        let request = Request::get("/a/x")
            .host("a.test")
            .field("x-request-id", version);
        let request = request
            .field("Client-Cert", ":MIIB:")
            .field("client-cert-chain", ":MIIB:");
        for _ in 0..2 {
            client.ask(&request).is(200);
            let seen = upstream.only().fields;
            assert_eq!(seen.one("x-forwarded-proto"), Some("https"));
            let via = seen.one("via").unwrap_or_default();
            assert!(via.starts_with("1.1 tollgate-"), "{via}");
            assert!(!seen.has("client-cert") && !seen.has("client-cert-chain"));
        }
        let line = gateway.line_of(version);
        assert_eq!(line["tls"]["version"], version);
        assert_eq!(line["tls"]["sni"], "a.test");
        let cipher = line["tls"]["cipher"].as_str().expect("a cipher");
        assert!(
            cipher.starts_with("TLS_") && cipher.contains("GCM"),
            "{cipher}"
        );
        assert_eq!(line["protocol"], "HTTP/1.1");
    }
}

#[test]
fn a_name_gets_its_certificate_and_a_host_of_another_one_is_misdirected() {
    let (authority, upstream) = (Authority::new(), Upstream::echo());
    let gateway = gateway(&authority, &upstream, "");
    let config = Arc::new(authority.client());
    let rows = [
        // What the client asks for in the handshake, its Host, and the status.
        ("a.test", "a.test", 200),
        ("a.test", "A.test:8443", 200),
        ("a.test", "www.a.test", 200),
        ("a.test", "x.b.test", 421),
        ("x.b.test", "x.b.test", 200),
        ("x.b.test", "y.b.test", 200),
        ("x.b.test", "a.test", 421),
        ("x.b.test", "www.a.test", 421),
    ];
    each(rows, |(sni, host, status)| {
        let mut client = client_through(gateway.address(), &config, sni);
        let answer = client.ask(&Request::get("/a").host(host));
        if *status == 421 {
            answer.is_refusal(421, "misdirected_request");
        } else {
            answer.is(*status);
        }
        // The connection is as good as before.
        client.ask(&Request::get("/a").host(sni)).is(200);
    });
    let wrong = connect(gateway.address(), &config, "c.test")
        .map(drop)
        .unwrap_err();
    assert!(wrong.to_string().contains("not valid for name"), "{wrong}");
}

#[test]
fn protocols_that_are_not_spoken_end_the_handshake() {
    let (authority, upstream) = (Authority::new(), Upstream::echo());
    let gateway = gateway(&authority, &upstream, "");
    let mut config = authority.client();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let client =
        connect(gateway.address(), &Arc::new(config.clone()), "a.test").expect("a handshake");
    assert_eq!(client.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let failed = connect(gateway.address(), &Arc::new(config), "a.test")
        .map(drop)
        .unwrap_err();
    assert!(
        failed.to_string().contains("NoApplicationProtocol"),
        "{failed}"
    );
    let line = gateway.wait_log("the reason", |line| {
        line["message"] == "TLS handshakes of clients have failed"
    });
    assert_eq!((&line["failed"], &line["not_tls"]), (&json!(1), &json!(0)));
}

#[test]
fn a_client_that_speaks_in_clear_is_told() {
    let (authority, upstream) = (Authority::new(), Upstream::echo());
    let gateway = gateway(&authority, &upstream, "");
    let mut client = gateway.connect();
    client.send("GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let answer = client.answer();
    answer.is_refusal(400, "bad_request");
    let detail = answer.json()["detail"].to_string();
    assert!(detail.contains("https://"), "{detail}");
    assert!(upstream.take().is_empty());
}

#[test]
fn handshakes_that_are_not_finished_end_in_time() {
    let (authority, upstream) = (Authority::new(), Upstream::echo());
    let gateway = gateway(&authority, &upstream, SERVER);
    let hello = {
        let config = Arc::new(authority.client());
        let name = "a.test".try_into().unwrap();
        let mut session = rustls::ClientConnection::new(config, name).unwrap();
        let mut bytes = vec![];
        session.write_tls(&mut bytes).unwrap();
        bytes
    };
    let begun = Instant::now();
    let cuts = [0, 1, 5, 100, hello.len()];
    let clients: Vec<_> = cuts
        .iter()
        .map(|cut| {
            let mut client = TcpStream::connect(gateway.address()).unwrap();
            client.write_all(&hello[..*cut]).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client
        })
        .collect();
    for mut client in clients {
        let mut told = vec![];
        let _ = client.read_to_end(&mut told);
    }
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_millis(1900) && took < PATIENCE,
        "{took:?}"
    );
    let mut client = client_through(gateway.address(), &Arc::new(authority.client()), "a.test");
    client.ask(&Request::get("/a").host("a.test")).is(200);
}

#[test]
fn bodies_pass_both_ways_and_come_out_the_same() {
    let (authority, upstream) = (Authority::new(), Upstream::echo());
    let gateway = gateway(&authority, &upstream, "");
    for version in [&TLS13, &TLS12] {
        let config = Arc::new(authority.client_of(&[version]));
        let mut client = client_through(gateway.address(), &config, "a.test");
        for body in [noise(1), noise(4_096), noise(16_385), noise(3_000_000)] {
            for chunked in [false, true] {
                let mut request = Request::post("/a", body.clone()).host("a.test");
                if chunked {
                    request = request.chunked(10_000);
                }
                let answer = client.ask(&request);
                answer.is(200);
                assert!(upstream.only().body == body, "{} bytes", body.len());
            }
        }
    }
}

#[test]
fn the_end_of_an_answer_is_said() {
    let (authority, endless) = (
        Authority::new(),
        Upstream::answering_once("HTTP/1.1 200 OK\r\n\r\nto the end"),
    );
    let gateway = gateway(&authority, &endless, "");
    let config = Arc::new(authority.client());
    // HTTP/1.0 has no chunks: only the end of the session says that the answer is whole.
    let mut client = connect(gateway.address(), &config, "a.test").unwrap();
    client
        .write_all(b"GET /a HTTP/1.0\r\nHost: a.test\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    client
        .read_to_string(&mut answer)
        .expect("an end that was said");
    assert!(answer.ends_with("to the end"), "{answer}");
    // So is that of a connection that rests and is closed.
    let mut client = connect(gateway.address(), &config, "a.test").unwrap();
    client
        .write_all(b"GET /health HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    client
        .read_to_string(&mut answer)
        .expect("an end that was said");
    assert!(answer.ends_with("{\"status\":\"ok\"}"), "{answer}");
}

#[test]
fn an_answer_that_is_cut_has_no_end() {
    let (authority, cut) = (
        Authority::new(),
        Upstream::answering_once(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        ),
    );
    let gateway = gateway(&authority, &cut, "");
    let config = Arc::new(authority.client());
    let mut client = connect(gateway.address(), &config, "a.test").unwrap();
    client
        .write_all(b"GET /a HTTP/1.0\r\nHost: a.test\r\n\r\n")
        .unwrap();
    let mut answer = vec![];
    let error = client.read_to_end(&mut answer).expect_err("no end");
    assert!(answer.ends_with(b"half"), "{error}");
}

#[test]
fn a_client_that_has_said_all_still_gets_its_answer() {
    let (authority, upstream) = (Authority::new(), Upstream::echo());
    let gateway = gateway(&authority, &upstream, "");
    let mut client = connect(gateway.address(), &Arc::new(authority.client()), "a.test").unwrap();
    client
        .write_all(b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n")
        .unwrap();
    client.conn.send_close_notify();
    client.flush().unwrap();
    client.sock.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client
        .read_to_string(&mut answer)
        .expect("an end that was said");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn other_ways_to_a_service_are_not_passed_on() {
    let (authority, upstream) = (
        Authority::new(),
        Upstream::answering("HTTP/1.1 200 OK\r\nAlt-Svc: h3=\":443\"\r\nContent-Length: 0\r\n\r\n"),
    );
    let gateway = gateway(&authority, &upstream, "");
    let mut client = client_through(gateway.address(), &Arc::new(authority.client()), "a.test");
    let answer = client.ask(&Request::get("/a").host("a.test"));
    answer.is(200);
    assert!(!answer.fields.has("alt-svc"));
}

#[test]
fn trusted_proxies_announce_connections_in_clear_before_tls() {
    let (authority, upstream) = (Authority::new(), Upstream::echo());
    authority.issue("a", &["a.test"]);
    let gateway = Gateway::start(&format!(
        "listen = {{ address = \"127.0.0.1:0\", tls = true, proxy_protocol = true }}\n{}[routes]\n\"/a\" = \"{}\"\n[server]\ntrusted_proxies = [\"127.0.0.1\"]\n",
        authority.certificate("a"),
        upstream.url(),
    ));
    let config = Arc::new(authority.client());
    let mut socket = TcpStream::connect(gateway.address()).unwrap();
    // In one segment with the beginning of the handshake.
    let mut begun = b"PROXY TCP4 192.0.2.7 10.0.0.1 5 6\r\n".to_vec();
    let mut session = rustls::ClientConnection::new(config, "a.test".try_into().unwrap()).unwrap();
    session.write_tls(&mut begun).unwrap();
    socket.write_all(&begun).unwrap();
    let mut client = rustls::StreamOwned::new(session, socket);
    client
        .write_all(b"GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(
        upstream.only().fields.one("x-forwarded-for"),
        Some("192.0.2.7")
    );
}

#[test]
fn a_drain_does_not_wait_for_handshakes() {
    let (authority, upstream) = (Authority::new(), Upstream::echo());
    let mut gateway = gateway(&authority, &upstream, "");
    let mut silent = Client::to(gateway.address());
    silent.send([22, 3, 1]);
    client_through(gateway.address(), &Arc::new(authority.client()), "a.test")
        .ask(&Request::get("/a").host("a.test"))
        .is(200);
    let begun = Instant::now();
    gateway.signal(rustix::process::Signal::TERM);
    assert!(gateway.wait_exit().success());
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_drain_lets_handshakes_that_are_under_way_end() {
    let (authority, upstream) = (Authority::new(), Upstream::echo());
    let mut gateway = gateway(&authority, &upstream, "");
    let config = Arc::new(authority.client());
    let mut session = ClientConnection::new(config, "a.test".try_into().unwrap()).unwrap();
    let mut socket = TcpStream::connect(gateway.address()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    session.write_tls(&mut socket).unwrap();
    session.read_tls(&mut socket).unwrap();
    session.process_new_packets().unwrap();
    gateway.signal(rustix::process::Signal::TERM);
    gateway.wait_log("the drain", |line| {
        line["message"]
            .as_str()
            .is_some_and(|it| it.contains("drain"))
    });
    let mut client = rustls::StreamOwned::new(session, socket);
    client
        .write_all(b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(gateway.wait_exit().success());
}
