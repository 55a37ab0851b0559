//! Stopping: what was accepted is served, nothing new is; a deadline ends what does not end by
//! itself, and a second signal ends everything.

use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Broken, Client, Ending, Gateway, Gone, Request, Shop, Upstream, eventually};

#[test]
fn no_accepted_request_fails_under_load() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let shop = Shop::open();
        let address = shop.gateway.address();
        let (served, counts) = channel();
        let clients: Vec<_> = (0..8)
            .map(|nth| {
                let served = served.clone();
                std::thread::spawn(move || ask_until_refused(address, nth, &served))
            })
            .collect();
        drop(served);
        for _ in 0..200 {
            counts.recv().expect("the clients are served");
        }
        shop.gateway.signal(signal);
        let Shop { mut gateway, .. } = shop;
        assert_eq!(gateway.wait_exit().code(), Some(0));
        for client in clients {
            client
                .join()
                .expect("every request that was accepted was served");
        }
        // As many lines as answers: nothing was served unlogged.
        let answers = 200 + counts.iter().count();
        assert_eq!(gateway.access_log(answers).len(), answers);
    }
}

/// Asks over connections that are kept as long as the gateway wishes, half of the clients over a
/// new one each time, until no connection can be made. Anything but an answer is a failure.
fn ask_until_refused(
    address: std::net::SocketAddr,
    nth: usize,
    served: &std::sync::mpsc::Sender<()>,
) {
    loop {
        match TcpStream::connect_timeout(&address, crate::support::PATIENCE) {
            Ok(probe) => drop(probe),
            Err(_) => return,
        }
        let Some(mut client) = Client::try_to(address) else {
            return;
        };
        for asked in 0.. {
            let request = Request::post("/api/inventory/x", "hello");
            let sent = client.try_send(request.bytes());
            match client.ending() {
                Ending::Whole(response) if response.status == 200 => {
                    assert_eq!(response.text(), "hello");
                    let _ = served.send(());
                    if response.announces_close() || nth.is_multiple_of(2) {
                        break;
                    }
                }
                other => panic!("after {asked} requests on the connection: {sent:?} {other:?}"),
            }
        }
    }
}

#[test]
fn a_request_in_flight_is_finished() {
    let (go, wait) = channel::<()>();
    let shop = Shop::selling(answers_when_told(wait), "");
    let mut client = shop.gateway.connect();
    client.send(Request::get("/api/inventory/slow").bytes());
    shop.inventory.wait_for("the request", |_| true);
    shop.gateway.signal(Signal::TERM);
    // Nothing new is accepted meanwhile.
    let address = shop.gateway.address();
    eventually("connections to be refused", || {
        TcpStream::connect(address).is_err().then_some(())
    });
    go.send(()).expect("the upstream waits");
    let response = client.answer();
    assert_eq!(response.is(200).text(), "slow");
    assert!(response.announces_close(), "{:?}", response.fields);
    client.is_closed();
    let Shop { mut gateway, .. } = shop;
    assert_eq!(gateway.wait_exit().code(), Some(0));
}

#[test]
fn a_deadline_ends_what_does_not_end_by_itself() {
    let (_go, wait) = channel::<()>();
    let shop = Shop::selling(
        answers_when_told(wait),
        "[server]\ndrain_timeout = \"700ms\"",
    );
    let mut client = shop.gateway.connect();
    client.send(Request::get("/api/inventory/slow").bytes());
    shop.inventory.wait_for("the request", |_| true);
    let begun = Instant::now();
    shop.gateway.signal(Signal::TERM);
    let Shop { mut gateway, .. } = shop;
    assert_eq!(gateway.wait_exit().code(), Some(0));
    let took = begun.elapsed();
    assert!(
        took > Duration::from_millis(500) && took < Duration::from_secs(6),
        "{took:?}"
    );
    match client.ending() {
        Ending::Nothing(Broken::Closed | Broken::Reset) => {}
        Ending::Whole(response) => assert!(response.status >= 500, "{}", response.status),
        other => panic!("{other:?}"),
    }
    let line = &gateway.access_log(1)[0];
    assert_eq!(
        line["code"], "drain_timeout",
        "it has its line all the same: {line}"
    );
}

#[test]
fn a_second_signal_ends_at_once() {
    let (_go, wait) = channel::<()>();
    let shop = Shop::selling(answers_when_told(wait), "");
    let mut client = shop.gateway.connect();
    client.send(Request::get("/api/inventory/slow").bytes());
    shop.inventory.wait_for("the request", |_| true);
    shop.gateway.signal(Signal::TERM);
    shop.gateway.wait_log("the drain", |line| {
        line["message"]
            .as_str()
            .is_some_and(|m| m.contains("drain"))
    });
    let Shop { mut gateway, .. } = shop;
    assert!(gateway.is_running());
    let begun = Instant::now();
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.wait_exit().code(), Some(0));
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "took {:?}",
        begun.elapsed()
    );
    let line = &gateway.access_log(1)[0];
    assert_eq!(
        (&line["status"], &line["code"]),
        (&json!(499), &json!("stopped")),
        "{line}"
    );
}

#[test]
fn resting_connections_do_not_hold_up_the_end() {
    let shop = Shop::open();
    let mut resting: Vec<_> = (0..20).map(|_| shop.gateway.connect()).collect();
    for client in &mut resting {
        Shop::still_serves(client);
    }
    let silent = shop.gateway.connect();
    let begun = Instant::now();
    shop.gateway.signal(Signal::TERM);
    let Shop { mut gateway, .. } = shop;
    assert_eq!(gateway.wait_exit().code(), Some(0));
    assert!(
        begun.elapsed() < Duration::from_secs(6),
        "took {:?}",
        begun.elapsed()
    );
    for client in &mut resting {
        client.is_closed();
    }
    drop(silent);
}

#[test]
fn connections_that_wait_for_a_file_descriptor_are_served_first() {
    let upstream = Upstream::echo();
    let config = format!("[routes]\n\"/a\" = \"{}\"", upstream.url());
    let mut gateway = Gateway::start(&config);
    gateway.limit_files(60);
    let mut clients: Vec<_> = (0..100).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.send(Request::get("/health").bytes());
    }
    gateway.wait_log("the shortage to be reported", |line| {
        line["level"] == "ERROR"
    });
    gateway.signal(Signal::TERM);
    for mut client in clients {
        // Each leaves with its answer, and makes room for one that waits.
        client.answer().is(200);
    }
    assert_eq!(gateway.wait_exit().code(), Some(0));
}

#[test]
fn streams_without_an_end_do_not_hold_up_the_end() {
    let begun = Instant::now();
    let events = || Request::get("/api/inventory/events");
    for (request, last) in [
        (events(), "0\r\n\r\n"),
        (events().http10(), ""),
        (Request::websocket("/api/inventory/ws"), ""),
    ] {
        let shop = Shop::selling(endless(), "");
        let mut client = shop.gateway.connect();
        client.send(request.bytes());
        let status = client.head().status;
        // The first event is there, and whatever else was sent.
        client.some().expect("an event");
        shop.gateway.signal(Signal::TERM);
        let end = std::thread::spawn(move || {
            let mut rest = Vec::new();
            loop {
                match client.some() {
                    Ok(more) => rest.extend(more),
                    Err(why) => return (rest, why),
                }
            }
        });
        let Shop { mut gateway, .. } = shop;
        assert_eq!(gateway.wait_exit().code(), Some(0));
        let (rest, why) = end.join().expect("the client sees the end");
        assert!(status != 200 || matches!(why, Broken::Closed), "{why}");
        assert_eq!(
            rest.escape_ascii().to_string(),
            last.escape_default().to_string()
        );
        let line = &gateway.access_log(1)[0];
        assert_eq!(line["status"], status, "{line}");
        assert_eq!(line["code"], "drain", "{line}");
    }
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn an_answer_that_the_deadline_cuts_is_no_success() {
    let upstream = Upstream::start(|peer| {
        peer.request()?;
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")?;
        peer.wait_closed();
        Err(Gone)
    });
    let shop = Shop::selling(upstream, "[server]\ndrain_timeout = \"500ms\"");
    let mut client = shop.gateway.connect();
    client.send(Request::get("/api/inventory/x").bytes());
    client.head().is(200);
    shop.gateway.signal(Signal::TERM);
    let Shop { mut gateway, .. } = shop;
    assert_eq!(gateway.wait_exit().code(), Some(0));
    let line = &gateway.access_log(1)[0];
    assert_eq!(
        (&line["status"], &line["code"]),
        (&json!(200), &json!("drain_timeout")),
        "{line}"
    );
    assert_eq!(ending(&gateway), ("WARN".into(), json!(1)));
}

#[test]
fn what_is_cut_at_a_second_signal_is_not_called_drained() {
    let (say, told) = channel();
    let shop = Shop::selling(answers_when_told(told), "");
    let mut client = shop.gateway.connect();
    client.send(Request::get("/api/inventory/x").bytes());
    shop.inventory.wait_for("the request", |_| true);
    shop.gateway.signal(Signal::TERM);
    shop.gateway
        .wait_log("the drain to begin", |line| line["message"] == "draining");
    shop.gateway.signal(Signal::TERM);
    let Shop { mut gateway, .. } = shop;
    assert_eq!(gateway.wait_exit().code(), Some(0));
    assert_eq!(ending(&gateway), ("WARN".into(), json!(1)));
    drop(say);
    // Twice told, with nothing in flight, is a drain like any other.
    let mut gateway = Gateway::start("[routes]");
    gateway.signal(Signal::TERM);
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.wait_exit().code(), Some(0));
    assert_eq!(ending(&gateway), ("INFO".into(), json!(null)));
}

/// The level of the log's last line, and how many connections it says were cut.
fn ending(gateway: &Gateway) -> (Value, Value) {
    let line = gateway.wait_log("the last line", |line| {
        let text = line["message"].as_str().unwrap_or_default();
        text == "drained" || text.starts_with("ended;")
    });
    (line["level"].clone(), line["connections"].clone())
}

/// Sends events, or whatever a WebSocket carries, for as long as anybody reads.
fn endless() -> Upstream {
    Upstream::start(|peer| {
        let request = peer.request()?;
        let head = if request.fields.has("upgrade") {
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
        };
        peer.send(head)?;
        peer.send("9\r\ndata: 1\n\n\r\n")?;
        peer.wait_closed();
        Err(Gone)
    })
}

/// Takes a request and answers it when told to.
pub(crate) fn answers_when_told(told: std::sync::mpsc::Receiver<()>) -> Upstream {
    let told = std::sync::Mutex::new(told);
    Upstream::start(move |peer| {
        let request = peer.request()?;
        let told = told
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        told.recv().map_err(|_| Gone)?;
        peer.reply(&request, b"slow")
    })
}
