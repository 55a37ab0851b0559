//! PROXY protocol towards services: each connection begins with whose it is, and serves nobody else.

use std::net::{IpAddr, Ipv6Addr};

use proxy_header::{ParseConfig, ProxyHeader};

use crate::support::{Client, Gateway, Gone, PATIENCE, Peer, Request, Seen, Upstream, each};

/// What a header says: `192.0.2.1:7 10.0.0.1:80`, or `own`. Any other beginning fails.
fn header(peer: &mut Peer, version: &str) -> Result<String, Gone> {
    let mut bytes = Vec::new();
    if version == "v1" {
        while !bytes.ends_with(b"\n") {
            peer.take(1, &mut bytes)?;
        }
    } else {
        peer.take(16, &mut bytes)?;
        let length = u16::from_be_bytes([bytes[14], bytes[15]]);
        peer.take(length.into(), &mut bytes)?;
    }
    let (header, length) = ProxyHeader::parse(&bytes, ParseConfig::default()).expect("a header");
    assert_eq!(length, bytes.len());
    let ends = header.proxied_address().map(|a| (a.source, a.destination));
    Ok(ends.map_or("own".to_owned(), |(from, to)| format!("{from} {to}")))
}

/// A service that reads a header of this version, and then answers each request with what it says.
fn service(version: &'static str) -> Upstream {
    Upstream::start(move |peer| {
        let said = header(peer, version)?;
        loop {
            let request = peer.request()?;
            peer.reply(&request, said.as_bytes())?;
        }
    })
}

fn route(service: &Upstream, rules: &str) -> String {
    format!(
        "[routes]\n\"/a\" = \"up\"\n[upstreams.up]\nendpoints = \"{}\"\n{rules}\n",
        service.url()
    )
}

fn gateway(service: &Upstream, rules: &str) -> Gateway {
    let route = route(service, rules);
    Gateway::start(&format!("[server]\nworkers = 2\n{route}"))
}

/// The client's connection as the client itself sees it.
fn ends(client: &Client) -> String {
    let socket = client.writer();
    let ends = [socket.local_addr(), socket.peer_addr()].map(|end| end.expect("an address"));
    format!("{} {}", ends[0], ends[1])
}

fn said(client: &mut Client, request: &Request) -> String {
    client.ask(request).is(200).text()
}

#[test]
fn each_client_is_seen_as_itself_and_nobody_else() {
    each(["v1", "v2"], |version| {
        let service = service(version);
        let gateway = gateway(&service, &format!("proxy_protocol = \"{version}\""));
        let mut clients = [gateway.connect(), gateway.connect()];
        for nth in 0..1000 {
            for client in &mut clients {
                let request = match nth % 3 {
                    0 => Request::post("/a", "hello"),
                    _ => Request::get("/a"),
                };
                assert_eq!(said(client, &request), ends(client));
            }
        }
        assert_eq!(service.take().len(), 2000);
        assert_eq!(service.connections(), 2, "each has one, and keeps it");
    });
}

#[test]
fn the_header_says_what_is_known_of_the_client() {
    let rows = [
        // In front, X-Forwarded-For, where the client is said to come from and to have connected to.
        ("TCP4 192.0.2.7 10.0.0.1 5 6", "", "192.0.2.7:5 10.0.0.1:6"),
        ("TCP6 2001:db8::7 ::1 5 6", "", "[2001:db8::7]:5 [::1]:6"),
        ("TCP4 127.0.0.1 10.0.0.1 5 6", "", "127.0.0.1:5 10.0.0.1:6"),
        (
            "TCP4 127.0.0.1 10.0.0.1 5 6",
            "192.0.2.8",
            "192.0.2.8:0 10.0.0.1:6",
        ),
        (
            "TCP4 127.0.0.1 10.0.0.1 5 6",
            "192.0.2.8:81, 127.0.0.1",
            "192.0.2.8:81 10.0.0.1:6",
        ),
        (
            "TCP4 127.0.0.1 10.0.0.1 5 6",
            "2001:db8::8",
            "[2001:db8::8]:0 [::ffff:10.0.0.1]:6",
        ),
        (
            "TCP6 ::1 2001:db8::1 5 6",
            "192.0.2.8",
            "[::ffff:192.0.2.8]:0 [2001:db8::1]:6",
        ),
        // A client of the proxy's is not believed.
        (
            "TCP4 192.0.2.7 10.0.0.1 5 6",
            "192.0.2.8",
            "192.0.2.7:5 10.0.0.1:6",
        ),
    ];
    each(["v1", "v2"], |version| {
        let service = service(version);
        let rules = format!("proxy_protocol = \"{version}\"");
        let gateway = Gateway::start(&format!(
            "listen = {{ address = \"127.0.0.1:0\", proxy_protocol = true }}\n[server]\ntrusted_proxies = [\"127.0.0.1\", \"::1\"]\n{}",
            route(&service, &rules)
        ));
        for (front, forwarded, told) in rows {
            let mut client = gateway.connect();
            client.send(format!("PROXY {front}\r\n"));
            let request = match forwarded {
                "" => Request::get("/a"),
                hops => Request::get("/a").field("X-Forwarded-For", hops),
            };
            assert_eq!(said(&mut client, &request), told, "{front} {forwarded}");
        }
        let mut own = gateway.connect();
        own.send("PROXY UNKNOWN\r\n");
        assert_eq!(said(&mut own, &Request::get("/a")), ends(&own));
    });
}

#[test]
fn clients_of_either_family_are_seen_on_a_socket_for_both() {
    let service = service("v2");
    let config = route(&service, "proxy_protocol = \"v2\"");
    let gateway = Gateway::start(&format!("listen = \"[::]:0\"\n{config}"));
    let port = gateway.address().port();
    let v6 = IpAddr::from(Ipv6Addr::LOCALHOST);
    let v4 = IpAddr::from([127, 0, 0, 1]);
    for address in [v4, v6] {
        let mut client = Client::from(address, (address, port).into());
        assert_eq!(said(&mut client, &Request::get("/a")), ends(&client));
    }
}

#[test]
fn the_header_leaves_with_the_request() {
    let service = Upstream::start(|peer| {
        let first = peer.some()?;
        let text = String::from_utf8_lossy(&first);
        let whole = text.starts_with("PROXY TCP4 127.0.0.1 ") && text.ends_with("\r\n\r\n");
        let status = if whole { 200 } else { 500 };
        peer.send(format!("HTTP/1.1 {status} -\r\nContent-Length: 0\r\n\r\n"))?;
        peer.wait_closed();
        Ok(())
    });
    let gateway = gateway(&service, "proxy_protocol = \"v1\"");
    gateway.ask(&Request::get("/a")).is(200);
}

#[test]
fn a_connection_ends_with_that_of_its_client() {
    let service = service("v1");
    let gateway = gateway(&service, "proxy_protocol = \"v1\"\nidle_timeout = \"1h\"");
    let mut stays = gateway.connect();
    said(&mut stays, &Request::get("/a"));
    for _ in 0..5 {
        let mut leaves = gateway.connect();
        assert_eq!(said(&mut leaves, &Request::get("/a")), ends(&leaves));
    }
    service.wait_for_open(1);
    assert_eq!(said(&mut stays, &Request::get("/a")), ends(&stays));
    assert_eq!(service.connections(), 6);
}

#[test]
fn no_more_than_keep_are_kept_and_the_oldest_go() {
    let service = service("v2");
    let config = route(
        &service,
        "proxy_protocol = \"v2\"\nkeep = 3\nidle_timeout = \"1h\"",
    );
    let gateway = Gateway::start(&format!("[server]\nworkers = 1\n{config}"));
    let mut clients: Vec<_> = (0..10).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        assert_eq!(said(client, &Request::get("/a")), ends(client));
    }
    service.wait_for_open(3);
    // The last three are served on what they have, the first has to be connected anew.
    for client in &mut clients[7..] {
        said(client, &Request::get("/a"));
    }
    assert_eq!(service.connections(), 10);
    assert_eq!(
        said(&mut clients[0], &Request::get("/a")),
        ends(&clients[0])
    );
    assert_eq!(service.connections(), 11);
}

#[test]
fn clients_behind_a_proxy_share_its_connection_and_not_theirs() {
    let service = service("v2");
    let rules = "proxy_protocol = \"v2\"\nidle_timeout = \"3s\"";
    let gateway = Gateway::start(&format!(
        "[server]\nworkers = 1\ntrusted_proxies = [\"127.0.0.1\"]\n{}",
        route(&service, rules)
    ));
    let mut proxy = gateway.connect();
    let to = gateway.address();
    for nth in 0..300 {
        let client = format!("192.0.2.{}", nth % 3);
        let request = Request::get("/a").field("X-Forwarded-For", &client);
        assert_eq!(said(&mut proxy, &request), format!("{client}:0 {to}"));
    }
    assert_eq!(service.connections(), 3, "one for each client");
    // The proxy's connection stays; theirs have been idle for long enough.
    service.wait_for_open(0);
}

#[test]
fn checks_are_of_the_gateways_own() {
    each(["v1", "v2"], |version| {
        let service = service(version);
        let gateway = gateway(
            &service,
            &format!("proxy_protocol = \"{version}\"\nhealth = {{ interval = \"20ms\" }}"),
        );
        let checked = service.wait_for("a check", |seen| seen.target == "/healthz");
        assert!(checked.whole);
        let mut client = gateway.connect();
        assert_eq!(said(&mut client, &Request::get("/a")), ends(&client));
    });
    // What they begin with, to the byte.
    let beginnings = [
        ("v1", "PROXY UNKNOWN\r\nGET /healthz ".as_bytes()),
        ("v2", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0GET /healthz "),
    ];
    each(beginnings, |(version, begins)| {
        let (sent, first) = std::sync::mpsc::channel();
        let service = Upstream::start(move |peer| {
            let _ = sent.send(peer.some()?);
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        });
        let rules = format!("proxy_protocol = \"{version}\"\nhealth = {{}}");
        let _gateway = gateway(&service, &rules);
        let first = first.recv_timeout(PATIENCE).expect("a check");
        assert!(first.starts_with(begins), "{first:?}");
    });
}

#[test]
fn a_new_connection_in_place_of_a_dead_one_says_it_again() {
    // Promises to keep the connection, and resets it when it is used again.
    let service = Upstream::start(|peer| {
        let said = header(peer, "v2")?;
        let request = peer.request()?;
        peer.reply(&request, said.as_bytes())?;
        peer.head()?;
        peer.reset();
        Err(Gone)
    });
    let budget = "retry.budget = { percent = 100, per_second = 100 }";
    let rules = format!("proxy_protocol = \"v2\"\nbreaker = \"off\"\n{budget}");
    let gateway = gateway(&service, &rules);
    let mut client = gateway.connect();
    for _ in 0..20 {
        assert_eq!(said(&mut client, &Request::get("/a")), ends(&client));
    }
    // And another endpoint is told as well.
    let (down, up) = (Upstream::down(|_| Ok(())), self::service("v1"));
    let config = format!(
        "[routes]\n\"/a\" = \"up\"\n[upstreams.up]\nendpoints = [\"{}\", \"{}\"]\nproxy_protocol = \"v1\"",
        down.url(),
        up.url()
    );
    let gateway = Gateway::start(&config);
    let mut client = gateway.connect();
    for _ in 0..20 {
        assert_eq!(said(&mut client, &Request::get("/a")), ends(&client));
    }
}

#[test]
fn a_websocket_begins_with_it_too() {
    let service = Upstream::start(|peer| {
        let said = header(peer, "v2")?;
        let request: Seen = peer.request()?;
        assert_eq!(request.fields.one("upgrade"), Some("websocket"));
        peer.send(format!(
            "HTTP/1.1 101 -\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n{said}"
        ))
    });
    let gateway = gateway(&service, "proxy_protocol = \"v2\"");
    let mut client = gateway.connect();
    client.send(
        "GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    assert_eq!(client.head().status, 101);
    let told = ends(&client);
    assert_eq!(client.take(told.len()), told.as_bytes());
}

/// What is sent without a header never goes out behind one, nor the other way round.
#[test]
fn a_reload_leaves_no_connection_in_use_that_began_otherwise() {
    // Takes both, and says which it was.
    let service = Upstream::start(|peer| {
        let mut begun = Vec::new();
        peer.take(1, &mut begun)?;
        let what = match begun[0] {
            b'P' => "v1",
            b'\r' => "v2",
            _ => "off",
        };
        // Nothing of the rest is read strictly, for the first byte has gone.
        loop {
            let mut bytes = Vec::new();
            while !bytes.ends_with(b"\r\n\r\n") || bytes.len() < 20 {
                bytes.extend(peer.some()?);
            }
            peer.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{what}",
                what.len()
            ))?;
        }
    });
    let config = |word: &str| {
        let route = route(&service, &format!("proxy_protocol = \"{word}\""));
        format!("[server]\nworkers = 1\n{route}")
    };
    let gateway = Gateway::start(&config("off"));
    let mut client = gateway.connect();
    assert_eq!(said(&mut client, &Request::get("/a")), "off");
    for word in ["v2", "off", "v1", "v2"] {
        gateway.reload(&config(word));
        for _ in 0..5 {
            assert_eq!(said(&mut client, &Request::get("/a")), word);
        }
    }
    let reloaded = "`upstreams.up.proxy_protocol`: off -> v2";
    assert!(gateway.log_text().contains(reloaded));
}

#[test]
fn nothing_is_kept_for_longer_than_it_may_be_idle() {
    let service = service("v1");
    let gateway = gateway(
        &service,
        "proxy_protocol = \"v1\"\nidle_timeout = \"300ms\"",
    );
    let mut client = gateway.connect();
    said(&mut client, &Request::get("/a"));
    service.wait_for_open(0);
    assert_eq!(said(&mut client, &Request::get("/a")), ends(&client));
    assert_eq!(service.connections(), 2);
}
