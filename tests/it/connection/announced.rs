//! PROXY protocol in front of clients: trusted proxies say whose connection it is, nobody else may,
//! and what is malformed or late is closed.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use crate::support::{Client, Gateway, Request, Upstream, each, folder_with, tollgate};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const SERVER: &str = "[server]\ntrusted_proxies = [\"127.0.0.1\"]\nheader_timeout = \"4s\"\n";

fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let length = u16::try_from(addresses.len()).expect("it fits");
    [
        SIGNATURE,
        &[command, family],
        &length.to_be_bytes(),
        addresses,
    ]
    .concat()
}

fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::start(&format!(
        "listen = {{ address = \"127.0.0.1:0\", proxy_protocol = true }}\n[routes]\n\"/a\" = \"{}\"\n{SERVER}",
        upstream.url()
    ))
}

/// Who a service is told has called, on a connection that began with this header.
fn told(gateway: &Gateway, upstream: &Upstream, header: &[u8]) -> String {
    let mut client = gateway.connect();
    client.send([header, &Request::get("/a").bytes()].concat());
    client.answer().is(200);
    client.ask(&Request::get("/a")).is(200);
    let seen = upstream.take();
    let told: Vec<_> = seen
        .iter()
        .map(|s| s.fields.one("x-forwarded-for"))
        .collect();
    assert_eq!(told[0], told[1]);
    told[0].expect("a service is told").to_owned()
}

#[test]
fn a_trusted_proxy_says_who_calls() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 1, 1, 1, 1];
    let mut v6 = [0; 36];
    v6[..2].copy_from_slice(&[0x20, 1]);
    v6[15] = 9;
    let rows: [(Vec<u8>, &str); 8] = [
        ("PROXY TCP4 192.0.2.7 10.0.0.1 5 6\r\n".into(), "192.0.2.7"),
        ("PROXY TCP6 2001:db8::7 ::1 5 6\r\n".into(), "2001:db8::7"),
        ("PROXY UNKNOWN\r\n".into(), "127.0.0.1"),
        (v2(0x21, 0x11, &v4), "192.0.2.7"),
        (v2(0x21, 0x21, &v6), "2001::9"),
        (v2(0x20, 0x11, &v4), "127.0.0.1"),
        (v2(0x21, 0x31, &[b'x'; 216]), "127.0.0.1"),
        (v2(0x21, 0, &[]), "127.0.0.1"),
    ];
    each(rows, |(header, client)| {
        assert_eq!(told(&gateway, &upstream, header), *client);
    });
    // Byte by byte, and the request in the same segment as the last of it.
    let header = b"PROXY TCP4 192.0.2.8 10.0.0.1 5 6\r\n";
    let mut client = gateway.connect();
    for byte in &header[..header.len() - 1] {
        client.send([*byte]);
    }
    client.send([b"\n", &Request::get("/a").bytes()[..]].concat());
    client.answer().is(200);
    assert_eq!(
        upstream.only().fields.one("x-forwarded-for"),
        Some("192.0.2.8")
    );
    // The client that is announced is not believed what it says itself.
    let mut client = gateway.connect();
    client.send("PROXY TCP4 192.0.2.9 10.0.0.1 5 6\r\n");
    client
        .ask(&Request::get("/a").field("X-Forwarded-For", "1.1.1.1"))
        .is(200);
    assert_eq!(
        upstream.only().fields.one("x-forwarded-for"),
        Some("192.0.2.9")
    );
    let lines = gateway.finish();
    // Those of different workers come in any order.
    assert!(lines.iter().any(|line| line["ip"] == "192.0.2.9"));
}

#[test]
fn what_is_no_header_is_closed_in_time() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    let at_once: [Vec<u8>; 7] = [
        Request::get("/a").bytes(),
        [b"PROXY TCP4 192.0.2.7 10.0.0.1 5 6 ", &vec![b'x'; 200][..]].concat(),
        "PROXY TCP4 192.0.2.300 10.0.0.1 5 6\r\n".into(),
        [&v2(0x21, 0x11, &vec![0; 65535])[..16], &[0; 3000]].concat(),
        v2(0x21, 0x11, &[1; 11]),
        v2(0x2f, 0x11, &[1; 12]),
        b"\r\n\r\n\0\r\nQUITx".to_vec(),
    ];
    each(at_once, |bytes| {
        let begun = Instant::now();
        gateway.connect().send(bytes).is_closed();
        assert!(begun.elapsed() < Duration::from_millis(3500));
    });
    let late: [&[u8]; 4] = [b"", b"PROXY ", SIGNATURE, &v2(0x21, 0x11, &[1; 12])[..20]];
    each(late, |bytes| {
        let begun = Instant::now();
        gateway.connect().send(bytes).is_closed();
        let took = begun.elapsed();
        assert!(
            took > Duration::from_millis(3500) && took < Duration::from_secs(12),
            "{took:?}"
        );
    });
    assert!(upstream.take().is_empty());
    let warned = |line: &serde_json::Value| line["proxy"] == "127.0.0.1";
    gateway.wait_log("a warning", warned);
    assert_eq!(gateway.log().iter().filter(|line| warned(line)).count(), 1);
}

#[test]
fn nobody_else_may_announce() {
    let upstream = Upstream::echo();
    let (gateway, announced) = (gateway(&upstream), Client::from);
    let stranger = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 5));
    announced(stranger, gateway.address())
        .ask(&Request::get("/a"))
        .is(200);
    assert_eq!(
        upstream.only().fields.one("x-forwarded-for"),
        Some("127.0.0.5")
    );
    let headers = [
        b"PROXY TCP4 192.0.2.7 10.0.0.1 5 6\r\n".to_vec(),
        v2(0x21, 0x11, &[1; 12]),
        v2(0x20, 0, &[]),
    ];
    each(headers, |header| {
        let mut client = announced(stranger, gateway.address());
        client.send([&header[..], &Request::get("/a").bytes()].concat());
        let answer = client.answer();
        answer.is_refusal(400, "bad_request");
        assert!(
            answer.text().contains("PROXY protocol"),
            "{}",
            answer.text()
        );
    });
    assert!(upstream.take().is_empty());
    // Nor a trusted proxy where it is not asked to.
    let plain = Gateway::start(&format!(
        "[routes]\n\"/a\" = \"{}\"\n{SERVER}",
        upstream.url()
    ));
    let mut client = plain.connect();
    client.send("PROXY TCP4 192.0.2.7 10.0.0.1 5 6\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    client.answer().is_refusal(400, "bad_request");
    assert!(upstream.take().is_empty());
}

#[test]
fn an_address_that_is_announced_has_its_share_of_connections() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "listen = {{ address = \"127.0.0.1:0\", proxy_protocol = true }}\n[routes]\n\"/a\" = \"{}\"\n{SERVER}max_connections_per_ip = 2",
        upstream.url()
    ));
    let open = |client: u8| {
        let mut connection = gateway.connect();
        connection.send(format!("PROXY TCP4 192.0.2.{client} 10.0.0.1 5 6\r\n"));
        connection
    };
    let mut kept = [open(1), open(1), open(2), open(2)];
    for one in &mut kept {
        one.ask(&Request::get("/a")).is(200);
    }
    open(1).is_closed();
    open(2).is_closed();
    open(3).ask(&Request::get("/a")).is(200);
}

#[test]
fn without_trusted_proxies_nobody_could_announce() {
    let dir = folder_with(
        "listen = [\"127.0.0.1:0\", { address = \"127.0.0.1:0\", proxy_protocol = true }]\n",
    );
    let file = dir.path().join("tollgate.toml");
    let checked = tollgate(&["check", "-c", file.to_str().expect("a path")]);
    let said = format!("{}{}", checked.stdout, checked.stderr);
    assert_eq!(checked.code, Some(1), "{said}");
    assert!(said.contains("is for trusted proxies"), "{said}");
}
