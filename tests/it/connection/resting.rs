//! What rests holds little: an idle connection none of the configurations that have been, and a tunnel
//! through which nothing passes no buffers.

use crate::support::{Client, Gateway, Gone, Request, Upstream, eventually, noise};

const KIB: usize = 1024;
/// What a configuration of these tests takes, at least.
const ANSWER: usize = 512 * KIB;
const RELOADS: usize = 10;

/// How much a gateway grows by reloads, each after a connection has begun that goes on.
fn grown_by_reloads(begin: impl Fn(&Gateway) -> Client) -> usize {
    let silent = Upstream::start(|peer| {
        peer.request()?;
        peer.wait_closed();
        Err(Gone)
    });
    let config = format!(
        "[routes]\n\"/silent\" = {{ upstream = \"{}\", timeout = \"1h\" }}\n\"/large\" = {{ respond = {{ body = \"{}\" }} }}\n\
         \"/small\" = {{ respond = {{ body = \"here\" }} }}\n[server]\nworkers = 1\n",
        silent.url(),
        "x".repeat(ANSWER)
    );
    let gateway = Gateway::start(&config);
    let reload = || {
        gateway.reload(&config);
        // The worker takes the new one.
        gateway.ask(&Request::get("/small")).is(200);
    };
    for _ in 0..3 {
        reload();
    }
    let before = gateway.memory();
    let open: Vec<_> = (0..RELOADS)
        .map(|_| {
            let client = begin(&gateway);
            reload();
            client
        })
        .collect();
    let grown = gateway.memory().saturating_sub(before);
    drop(open);
    grown
}

#[test]
fn idle_connections_hold_no_configuration_that_has_been() {
    let all = RELOADS * ANSWER;
    let grown = grown_by_reloads(|gateway| {
        let mut client = gateway.connect();
        client.ask(&Request::get("/small")).is(200);
        client
    });
    assert!(grown < all / 2, "{} KiB more are held", grown / KIB);
    // A request does hold the one that it is judged by; so this would show.
    let grown = grown_by_reloads(|gateway| {
        let mut client = gateway.connect();
        client.send(Request::get("/silent").bytes());
        gateway.ask(&Request::get("/small")).is(200);
        client
    });
    assert!(grown > all / 2, "only {} KiB more are held", grown / KIB);
}

#[test]
fn a_tunnel_that_rests_holds_no_buffers() {
    const TUNNELS: usize = 150;
    let upstream = Upstream::start(|peer| {
        peer.head()?;
        peer.send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        )?;
        loop {
            let bytes = peer.some()?;
            peer.send(&bytes)?;
        }
    });
    let gateway = Gateway::start(&format!(
        "[routes]\n\"/a\" = \"{}\"\n[server]\nworkers = 1\n",
        upstream.url()
    ));
    let open = |_| {
        let mut client = gateway.connect();
        client.send(Request::websocket("/a").bytes()).head().is(101);
        client
    };
    let mut tunnels: Vec<_> = (0..TUNNELS).map(open).collect();
    let before = gateway.memory();
    let bytes = noise(60 * KIB);
    for tunnel in &mut tunnels {
        assert!(tunnel.send(&bytes).take(bytes.len()) == bytes);
    }
    // What is freed goes back to the system only as other memory is asked for.
    eventually("memory to be given back", || {
        for _ in 0..100 {
            tunnels[0].send("x").take(1);
        }
        let each = gateway.memory().saturating_sub(before) / TUNNELS;
        (each < 48 * KIB).then_some(())
    });
}
