//! Beside systemd: sockets that it has opened, and what it is told.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;

use super::anonymous;
use crate::support::{
    Client, Gateway, PATIENCE, Request, Shop, Upstream, ask_at, folder_with, wait_gone,
};

fn socket() -> (TcpListener, String) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("an address");
    (socket, address.to_string())
}

fn config(address: &str, upstream: &Upstream) -> String {
    let url = upstream.url();
    format!("listen = \"{address}\"\n[server]\nworkers = 3\n[routes]\n\"/\" = \"{url}\"")
}

#[test]
fn a_socket_of_systemd_is_served_by_all_workers_and_outlives_every_gateway() {
    let upstream = Upstream::echo();
    let (socket, address) = socket();
    let config = config(&address, &upstream);
    let mut gateway = Gateway::start_with_socket(&socket, &config);
    for _ in 0..20 {
        gateway.ask(&Request::get("/")).is(200);
    }
    let old = gateway.hand_over();
    wait_gone(old);
    for _ in 0..20 {
        gateway.ask(&Request::get("/")).is(200);
    }
    gateway.stop();
    // Nobody is refused while there is no gateway; systemd would start one now.
    let mut waits = Client::to(socket.local_addr().expect("an address"));
    waits.send(Request::get("/waited").bytes());
    let gateway = Gateway::start_with_socket(&socket, &config);
    waits.answer().is(200);
    gateway.ask(&Request::get("/")).is(200);
}

#[test]
fn addresses_that_systemd_does_not_have_are_opened_as_ever() {
    let upstream = Upstream::echo();
    let (socket, address) = socket();
    let other = "127.0.0.1:0";
    // What is configured besides is opened as ever.
    let config = config(&format!("{address}\", \"{other}"), &upstream);
    let config = config
        .replace("listen = ", "listen = [")
        .replacen("\"\n", "\"]\n", 1);
    let gateway = Gateway::start_with_socket(&socket, &config);
    let line = gateway.wait_log("the other address", |line| {
        line["message"] == "listening" && line["address"] != address.as_str()
    });
    let other = line["address"]
        .as_str()
        .and_then(|a| a.parse().ok())
        .expect("an address");
    Client::to(other).ask(&Request::get("/")).is(200);
    Client::to(address.parse().expect("an address"))
        .ask(&Request::get("/"))
        .is(200);
}

#[test]
fn a_socket_for_operators_is_theirs_and_answers_from_the_first_moment() {
    let upstream = Upstream::echo();
    let (socket, address) = socket();
    let at = socket.local_addr().expect("an address");
    for key in ["listen", "metrics_listen"] {
        let config = format!(
            "{}\n[admin]\nlisten = \"off\"\n{key} = \"{address}\"",
            config("127.0.0.1:0", &upstream)
        );
        let config = if key == "listen" {
            config.replace("listen = \"off\"\n", "")
        } else {
            config
        };
        // It waits for Redis now, which is silent.
        let (redis, silent) = super::silent_redis();
        let gateway =
            Gateway::begin_with_socket(&socket, folder_with(&format!("{config}\n{silent}")));
        let asked = redis.accept().expect("a connection");
        let readiness = ask_at(at, Request::get("/readyz")).is(503).json();
        assert_eq!(readiness["reasons"][0]["code"], "starting", "{key}");
        drop((asked, gateway));

        let mut gateway = Gateway::start_with_socket(&socket, &config);
        // Clients have another.
        gateway.ask(&Request::get("/")).is(200);
        ask_at(at, Request::get("/x")).is_refusal(404, "not_found");
        ask_at(at, Request::get("/readyz")).is(200);
        let old = gateway.hand_over();
        wait_gone(old);
        ask_at(at, Request::get("/readyz")).is(200);
        gateway.stop();
        // Whoever asks between two gateways waits.
        let mut waits = Client::to(at);
        waits.send(Request::get("/livez").host(&address).bytes());
        let _gateway = Gateway::start_with_socket(&socket, &config);
        waits.answer().is(200);
    }
}

#[test]
fn a_socket_that_the_configuration_does_not_have_is_an_error() {
    let upstream = Upstream::echo();
    let (socket, address) = socket();
    let dir = folder_with(&config("127.0.0.1:0", &upstream));
    let mut gateway = Gateway::begin_with_socket(&socket, dir);
    assert_eq!(gateway.wait_exit().code(), Some(1));
    gateway.wait_log_end();
    let log = gateway.log_text();
    assert!(
        log.contains(&format!("systemd passes a socket for {address}")),
        "{log}"
    );

    let client = TcpStream::connect(&address).expect("connect");
    let dir = folder_with(&config(&address, &upstream));
    let mut gateway = Gateway::begin_with_socket(&OwnedFd::from(client).into(), dir);
    assert_eq!(gateway.wait_exit().code(), Some(1));
    gateway.wait_log_end();
    let log = gateway.log_text();
    assert!(
        log.contains("not for TCP connections (number 1 of"),
        "{log}"
    );
}

#[test]
fn systemd_is_told_what_it_has_to_know() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("notify");
    let heard = UnixDatagram::bind(&path).expect("a socket");
    heard.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let next = || {
        let mut text = [0; 200];
        let length = heard.recv(&mut text).expect("a message");
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let words = format!("export NOTIFY_SOCKET={}", path.display());
    let (inventory, orders) = (Upstream::echo(), Upstream::echo());
    let mut gateway = Gateway::start_under(&words, &Shop::config(&inventory, &orders, ""));
    assert_eq!(next(), "READY=1");
    gateway.signal(Signal::HUP);
    let reloading = next();
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    assert_eq!(next(), "READY=1");
    // A reload that is refused is over as well.
    gateway.rewrite_raw("listen = 7");
    gateway.signal(Signal::HUP);
    assert!(next().starts_with("RELOADING=1"));
    assert_eq!(next(), "READY=1");
    gateway.rewrite(&Shop::config(&inventory, &orders, ""));
    let old = gateway.hand_over();
    assert_eq!(
        next(),
        format!("MAINPID={}", gateway.pid().as_raw_nonzero())
    );
    wait_gone(old);
    gateway.ask(&anonymous()).is(200);
    // Neither the old one's end nor the new one's start was told.
    heard.set_nonblocking(true).expect("not to block");
    assert!(heard.recv(&mut [0; 200]).is_err());
    heard.set_nonblocking(false).expect("to block");
    gateway.stop();
    assert_eq!(next(), "STOPPING=1");
}
