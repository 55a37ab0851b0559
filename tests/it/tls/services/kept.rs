//! What is kept: connections that only their session has changed on, sessions for new connections, and
//! neither where a reload has changed what services are believed by.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, ServerConfig, ServerConnection};

use super::authority::Authority;
use super::front::Front;
use super::{Site, config, trusts};
use crate::support::{Gateway, Request, Upstream, eventually};

#[test]
fn a_new_connection_goes_on_with_a_session() {
    for version in [&TLS12, &TLS13] {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let upstream = Upstream::answering_once(answer);
        let site = Site::of(upstream, |signed| {
            let mut config = signed.server_with(&[version], None);
            config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().expect("tickets");
            config
        });
        for _ in 0..4 {
            site.gateway.ask(&Request::get("/a")).is(200);
        }
        let kinds: Vec<_> = site.front.handshakes().iter().map(|it| it.kind).collect();
        let (first, others) = kinds.split_first().expect("a handshake");
        assert_ne!(*first, Some(HandshakeKind::Resumed));
        assert_eq!(others, [Some(HandshakeKind::Resumed); 3], "{version:?}");
        // A reload that changes nothing of it keeps them, too.
        let text = config(&site.front.url(), &trusts(&site.authority));
        site.gateway
            .reload(&format!("{text}\n[log]\nlevel = \"info\"\n"));
        site.gateway.ask(&Request::get("/a")).is(200);
        let last = site.front.handshakes().pop().expect("a handshake");
        assert_eq!(last.kind, Some(HandshakeKind::Resumed));
    }
}

#[test]
fn a_reload_that_changes_tls_uses_no_connection_from_before() {
    let (authority, other) = (Authority::new(), Authority::new());
    let upstream = Upstream::echo();
    let front = Front::of(&upstream, other.signs(&["127.0.0.1"]).server());
    let url = front.url();
    let gateway = Gateway::start(&config(&url, "verify = false"));
    let ask = || gateway.ask(&Request::get("/a"));
    ask().is(200);
    gateway.reload(&format!("{}\n[limits]\n", config(&url, "verify = false")));
    ask().is(200);
    assert_eq!(upstream.connections(), 1, "the same as before");

    gateway.reload(&config(&url, &trusts(&authority)));
    upstream.wait_for_open(0);
    ask().is_refusal(502, "upstream_tls");
    gateway.reload(&config(&url, &trusts(&other)));
    ask().is(200);
    let named = format!("{}server_name = \"b.test\"", trusts(&other));
    gateway.reload(&config(&url, &named));
    ask().is_refusal(502, "upstream_tls");
    // Nor one that was in clear.
    let in_clear = Upstream::start(|peer| {
        // It may be a handshake.
        if peer.some()?.starts_with(b"GET ") {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
            peer.wait_closed();
        }
        Ok(())
    });
    gateway.reload(&config(&in_clear.url(), ""));
    ask().is(200);
    let as_tls = in_clear.url().replace("http:", "https:");
    gateway.reload(&config(&as_tls, &trusts(&other)));
    ask().is_refusal(502, "upstream_tls");
}

#[test]
fn a_changed_file_is_taken_and_a_bad_one_is_not() {
    let (authority, other) = (Authority::new(), Authority::new());
    let upstream = Upstream::echo();
    let front = Front::of(&upstream, other.signs(&["127.0.0.1"]).server());
    let text = config(&front.url(), &trusts(&authority)) + "[server]\nworkers = 1\n";
    let text = text.replacen("[server]\nworkers = 1\n", "", 1);
    let gateway = Gateway::start(&text);
    let ask = || gateway.ask(&Request::get("/a"));
    ask().is_refusal(502, "upstream_tls");
    let good = std::fs::read_to_string(other.path("ca.pem")).expect("a file");
    authority.write("ca.pem", &good);
    gateway.reload(&text);
    ask().is(200);
    authority.write("ca.pem", "-----BEGIN CERTIFICATE-----\n");
    gateway.rewrite(&text);
    gateway.signal(rustix::process::Signal::HUP);
    gateway.wait_log("the refusal", |line| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("not reloaded")
    });
    ask().is(200);
}

/// A server by hand, which does with its session what `serve` says.
fn by_hand(
    config: ServerConfig,
    serve: impl FnOnce(&mut ServerConnection, &mut std::net::TcpStream) + Send + 'static,
) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a connection");
        drop(listener);
        let mut session = ServerConnection::new(Arc::new(config)).expect("a session");
        serve(&mut session, &mut socket);
    });
    url
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Reads a request, which has no body.
fn request(session: &mut ServerConnection, socket: &mut std::net::TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut some = [0; 1024];
        let mut stream = rustls::Stream::new(session, socket);
        match stream.read(&mut some).expect("a request") {
            0 => panic!("the connection has ended"),
            n => head.extend_from_slice(&some[..n]),
        }
    }
}

#[test]
fn new_keys_leave_a_kept_connection_good() {
    let authority = Authority::new();
    let (go, gone): (Sender<()>, Receiver<()>) = channel();
    let (done, changed) = channel();
    let config_of = authority.signs(&["127.0.0.1"]).server_with(&[&TLS13], None);
    let url = by_hand(config_of, move |session, socket| {
        for _ in 0..3 {
            request(session, socket);
            let mut stream = rustls::Stream::new(session, socket);
            stream.write_all(ANSWER).expect("it is sent");
            gone.recv().expect("the word");
            session.refresh_traffic_keys().expect("new keys");
            while session.wants_write() {
                session.write_tls(socket).expect("they are sent");
            }
            done.send(()).expect("somebody waits");
        }
    });
    let gateway = Gateway::start(&config(&url, &trusts(&authority)));
    // POST: what has been sent on a connection that is no good could not be sent again.
    for _ in 0..3 {
        gateway
            .ask(&Request::new("POST", "/a").field("Content-Length", "0"))
            .is(200);
        go.send(()).expect("the server waits");
        changed.recv().expect("new keys");
    }
}

#[test]
fn a_proxy_protocol_header_goes_in_clear_before_the_handshake() {
    let authority = Authority::new();
    let server = authority.signs(&["127.0.0.1"]).server();
    let (say, said) = channel();
    let url = by_hand(server, move |session, socket| {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).expect("a header");
            line.extend(byte);
        }
        say.send(String::from_utf8(line)).expect("somebody waits");
        for _ in 0..2 {
            request(session, socket);
            let mut stream = rustls::Stream::new(session, socket);
            stream.write_all(ANSWER).expect("it is sent");
        }
    });
    let text = config(&url, &trusts(&authority));
    let text = text.replace(
        "retry = \"off\"\n",
        "retry = \"off\"\nproxy_protocol = \"v1\"\n",
    );
    let gateway = Gateway::start(&text);
    let mut client = gateway.connect();
    client.ask(&Request::get("/a")).is(200);
    let line = said.recv().expect("a header").expect("a text");
    assert!(
        line.starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 "),
        "{line}"
    );
    client.ask(&Request::get("/a")).is(200);
}

/// A server may answer before it knows that the client has ended the handshake; its tickets come after.
#[test]
fn late_tickets_leave_a_kept_connection_good() {
    let authority = Authority::new();
    let (go, gone): (Sender<()>, Receiver<()>) = channel();
    let (done, sent) = channel();
    let mut server = authority.signs(&["127.0.0.1"]).server_with(&[&TLS13], None);
    server.send_half_rtt_data = true;
    server.send_tls13_tickets = 2;
    let url = by_hand(server, move |session, socket| {
        while session.wants_read() && !session.wants_write() {
            session.read_tls(socket).expect("a hello");
            session.process_new_packets().expect("a good one");
        }
        session.writer().write_all(ANSWER).expect("room");
        while session.wants_write() {
            session.write_tls(socket).expect("it is sent");
        }
        gone.recv().expect("the word");
        request(session, socket);
        while session.wants_write() {
            session.write_tls(socket).expect("tickets are sent");
        }
        done.send(()).expect("somebody waits");
        request(session, socket);
        let mut stream = rustls::Stream::new(session, socket);
        stream.write_all(ANSWER).expect("it is sent");
    });
    let gateway = Gateway::start(&config(&url, &trusts(&authority)));
    let post = Request::new("POST", "/a").field("Content-Length", "0");
    gateway.ask(&post).is(200);
    go.send(()).expect("the server waits");
    sent.recv().expect("tickets");
    gateway.ask(&post).is(200);
    eventually("both lines", || {
        (gateway.access_log(2).len() == 2).then_some(())
    });
}
