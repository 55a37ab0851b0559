//! A side that stops reading stops the other side; the gateway does not hold what lies between.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Gateway, Request, Shop, Upstream, settled};

const MIB: usize = 1 << 20;
/// More than the kernel's buffers of four sockets ever hold.
const LARGE: usize = 128 * MIB;

#[test]
fn a_client_that_stops_reading_stops_the_upstream() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let upstream = Upstream::start(move |peer| {
        let request = peer.request()?;
        if request.target != "/large" {
            return peer.reply(&request, b"");
        }
        peer.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n"
        ))?;
        let piece = vec![b'x'; 64 * 1024];
        for _ in 0..LARGE / piece.len() {
            peer.send(&piece)?;
            counter.fetch_add(piece.len(), Ordering::Relaxed);
        }
        Ok(())
    });
    let shop = Shop::selling(upstream, "");
    Shop::still_serves(&mut shop.gateway.connect());
    let before = shop.gateway.memory();

    let mut client = shop.gateway.connect();
    client
        .small_window()
        .send(Request::get("/api/inventory/large").bytes());
    client.head().is(200);
    let stalled = settled(&sent);
    assert!(
        stalled < LARGE / 2,
        "the upstream has sent {} MiB to nobody",
        stalled / MIB
    );
    grew_little(&shop.gateway, before);
    // Others are served meanwhile, and the stalled one goes on when its client does.
    Shop::still_serves(&mut shop.gateway.connect());
    for _ in 0..32 {
        client.take(MIB);
    }
    assert!(settled(&sent) > stalled, "the upstream does not go on");
    grew_little(&shop.gateway, before);
}

#[test]
fn an_upstream_that_stops_reading_stops_the_client() {
    let go_on = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&go_on);
    let upstream = Upstream::start(move |peer| {
        loop {
            let head = peer.head()?;
            while head.target == "/large" && !told.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(10));
            }
            let request = peer.rest_of(head)?;
            peer.reply(&request, request.body.len().to_string().as_bytes())?;
        }
    });
    let shop = Shop::selling(upstream, "");
    Shop::still_serves(&mut shop.gateway.connect());
    let before = shop.gateway.memory();

    let mut client = shop.gateway.connect();
    let request = Request::post("/api/inventory/large", "").field("X", "y");
    let head = String::from_utf8(request.head_bytes()).expect("ASCII");
    client.send(head.replace("Content-Length: 0", &format!("Content-Length: {LARGE}")));
    let sent = Arc::new(AtomicUsize::new(0));
    let (counter, mut writer) = (Arc::clone(&sent), client.writer());
    let sending = std::thread::spawn(move || {
        let piece = vec![b'x'; 64 * 1024];
        for _ in 0..LARGE / piece.len() {
            writer.write_all(&piece)?;
            counter.fetch_add(piece.len(), Ordering::Relaxed);
        }
        std::io::Result::Ok(())
    });
    let stalled = settled(&sent);
    assert!(
        stalled < LARGE / 2,
        "the client could send {} MiB to nobody",
        stalled / MIB
    );
    grew_little(&shop.gateway, before);
    go_on.store(true, Ordering::Relaxed);
    assert_eq!(client.answer().is(200).text(), LARGE.to_string());
    sending
        .join()
        .expect("the sender ends")
        .expect("all was sent");
    grew_little(&shop.gateway, before);
}

#[test]
fn a_client_that_never_reads_its_answers_is_not_served_for_ever() {
    let shop = Shop::open();
    let before = shop.gateway.memory();
    let mut client = shop.gateway.connect();
    client.small_window();
    // Pipelines requests and reads nothing. At some point the gateway has to stop reading.
    let request = Request::post("/api/inventory/x", vec![b'x'; 64 * 1024]).bytes();
    let mut writer = client.writer();
    writer
        .set_write_timeout(Some(Duration::from_millis(500)))
        .expect("a time-out above zero");
    let blocked = (0..2000).any(|_| writer.write_all(&request).is_err());
    assert!(
        blocked,
        "the gateway read {} MiB for nobody",
        2000 * request.len() / MIB
    );
    grew_little(&shop.gateway, before);
    Shop::still_serves(&mut shop.gateway.connect());
}

fn grew_little(gateway: &Gateway, before: usize) {
    let grown = gateway.memory().saturating_sub(before);
    assert!(grown < 16 * MIB, "the gateway grew by {} MiB", grown / MIB);
}
