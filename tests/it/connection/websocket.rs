//! WebSocket: an upgrade that the upstream accepts becomes a tunnel; one that it refuses leaves
//! an ordinary connection and no tunnel behind.

use crate::support::{Broken, Client, Gone, Peer, Request, Seen, Shop, Upstream, each, noise};

fn handshake(target: &str) -> Request {
    Request::get(target)
        .field("Connection", "Upgrade")
        .field("Upgrade", "websocket")
        .field("Sec-WebSocket-Version", "13")
        .field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Accepts a WebSocket with a greeting in the same segment, and echoes bytes until it reads `BYE`.
fn accepting() -> Upstream {
    Upstream::start(|peer| {
        let head = peer.head()?;
        peer.record(&head);
        if !is_upgrade(&head) {
            return peer.reply(&head, b"no upgrade");
        }
        peer.send(format!("{ACCEPTED}greeting"))?;
        echo_until_bye(peer)
    })
}

fn is_upgrade(head: &Seen) -> bool {
    head.fields.items("upgrade") == ["websocket"]
        && head.fields.items("connection").contains(&"upgrade".into())
}

fn echo_until_bye(peer: &mut Peer) -> Result<(), Gone> {
    loop {
        let bytes = peer.some()?;
        peer.send(&bytes)?;
        if bytes.ends_with(b"BYE") {
            return Ok(());
        }
    }
}

fn tunnel(shop: &Shop) -> Client {
    let mut client = shop.gateway.connect();
    client.send(handshake("/api/inventory/ws").bytes());
    let head = client.head();
    head.is(101);
    assert_eq!(head.fields.items("upgrade"), ["websocket"]);
    assert!(head.fields.items("connection").contains(&"upgrade".into()));
    assert_eq!(
        head.fields.one("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    assert_eq!(client.take(8), b"greeting");
    client
}

#[test]
fn bytes_pass_both_ways_after_the_handshake() {
    let shop = Shop::selling(accepting(), "");
    let mut client = tunnel(&shop);
    let seen = shop.inventory.take().remove(0);
    assert_eq!(
        seen.fields.one("sec-websocket-key"),
        Some("dGhlIHNhbXBsZSBub25jZQ==")
    );
    assert_eq!(seen.fields.one("sec-websocket-version"), Some("13"));
    for size in [1, 125, 70_000, 1_000_000] {
        let bytes = noise(size);
        let mut writer = client.writer();
        let sent = bytes.clone();
        let sending = std::thread::spawn(move || std::io::Write::write_all(&mut writer, &sent));
        assert!(
            client.take(size) == bytes,
            "{size} bytes came back differently"
        );
        sending
            .join()
            .expect("the sender ends")
            .expect("all was sent");
    }
    // Looks like a request, but is a message.
    let request = Request::get("/api/orders/x").bytes();
    client.send(&request);
    assert_eq!(client.take(request.len()), request);
}

#[test]
fn bytes_sent_before_the_handshake_is_answered_arrive_behind_it() {
    let shop = Shop::selling(accepting(), "");
    let mut client = shop.gateway.connect();
    let eager = [&handshake("/api/inventory/ws").bytes()[..], b"eager"].concat();
    client.send(eager);
    client.head().is(101);
    assert_eq!(client.take(8 + 5), b"greetingeager");
    client.send("BYE");
    assert_eq!(client.take(3), b"BYE");
    client.is_closed();
}

#[test]
fn a_tunnel_survives_a_reload() {
    let shop = Shop::selling(accepting(), "");
    let mut client = tunnel(&shop);
    shop.gateway
        .rewrite("[routes]\n\"/else\" = \"http://127.0.0.1:1\"");
    shop.gateway.signal(rustix::process::Signal::HUP);
    crate::support::eventually("the reload", || {
        let response = shop.ask(&Request::get("/api/inventory/x"));
        (response.status == 404).then_some(())
    });
    client.send("still there");
    assert_eq!(client.take(11), b"still there");
}

#[test]
fn the_end_of_either_side_ends_the_tunnel() {
    let shop = Shop::selling(accepting(), "");
    let mut client = tunnel(&shop);
    client.send("BYE");
    assert_eq!(client.take(3), b"BYE");
    client.is_closed();

    let client = tunnel(&shop);
    drop(client);
    shop.inventory.wait_for_open(0);

    let client = tunnel(&shop);
    client.reset();
    shop.inventory.wait_for_open(0);
}

#[test]
fn a_refused_upgrade_is_an_ordinary_answer() {
    for status in ["403 Forbidden", "200 OK", "426 Upgrade Required"] {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno");
        let shop = Shop::selling(Upstream::answering(answer), "");
        let mut client = shop.gateway.connect();
        let response = client.ask(&handshake("/api/inventory/ws"));
        assert_eq!(response.status.to_string(), status[..3]);
        // Whatever follows is a request to the gateway, not bytes for the upstream.
        shop.inventory.only();
        client
            .ask(&Request::get("/api/orders/x"))
            .is_refusal(401, "api_key_required");
        assert!(shop.inventory.take().is_empty());
    }
}

#[test]
fn bytes_sent_before_a_refusal_are_not_tunnelled() {
    let shop = Shop::selling(
        Upstream::answering("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"),
        "",
    );
    let mut client = shop.gateway.connect();
    client.send(
        [
            handshake("/api/inventory/ws").bytes(),
            Request::get("/api/orders/x").bytes(),
        ]
        .concat(),
    );
    client.answer().is(403);
    match client.some() {
        Err(Broken::Closed | Broken::Reset) => {}
        Ok(bytes) => assert!(
            bytes.starts_with(b"HTTP/1.1 401 "),
            "{}",
            bytes.escape_ascii()
        ),
        Err(why) => panic!("{why}"),
    }
    shop.inventory.only();
}

#[test]
fn other_upgrades_are_ignored() {
    let shop = Shop::selling(accepting(), "");
    each(
        ["h2c", "foo", "websocket2", "h2c, foo", "TLS/1.0"],
        |protocol| {
            let request = Request::get("/api/inventory/x")
                .field("Connection", "Upgrade")
                .field("Upgrade", protocol);
            assert_eq!(shop.ask(&request).is(200).text(), "no upgrade");
            assert!(!shop.inventory.take()[0].fields.has("upgrade"));
        },
    );
    // Without `Connection: Upgrade`, or in HTTP/1.0, the field means nothing.
    let request = Request::get("/api/inventory/x").field("Upgrade", "websocket");
    assert_eq!(shop.ask(&request).is(200).text(), "no upgrade");
    assert_eq!(
        shop.ask(&handshake("/api/inventory/x").http10())
            .is(200)
            .text(),
        "no upgrade"
    );
}

#[test]
fn a_101_that_does_not_match_is_invalid() {
    let answers = [
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nbytes",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\nbytes",
    ];
    each(answers, |answer| {
        let shop = Shop::selling(Upstream::answering(*answer), "");
        shop.ask(&handshake("/api/inventory/ws"))
            .is_refusal(502, "upstream_invalid");
    });
}

#[test]
fn an_upgrade_is_judged_like_any_request() {
    let shop = Shop::open();
    shop.ask(&handshake("/api/orders/ws"))
        .is_refusal(401, "api_key_required");
    shop.ask(&handshake("/api/orders/ws").field("x-api-key", "wrong"))
        .is_refusal(401, "invalid_api_key");
    shop.ask(&handshake("/nowhere")).is_refusal(404, "no_route");
    shop.nothing_got_through();
}
