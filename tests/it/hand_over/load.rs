//! Hand-overs under load, with more and with fewer workers than sockets, while files go up and events come
//! down: no request fails, and no more are admitted than the limit says.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Client, Ending, Gone, Request, Shop, Upstream, eventually};

/// How many hand-overs; `HAND_OVERS` says otherwise, for a longer look.
const HAND_OVERS: usize = 6;
/// How many clients ask at once, and how often each of them.
const CLIENTS: usize = 20;
const EVERY: Duration = Duration::from_millis(20);
/// Fewer than the clients of one address ask, more than the one of the other does.
const LIMIT: usize = 500;
/// How many are answered at least from one hand-over to the next.
const BETWEEN: usize = 120;
const MOMENT: Duration = Duration::from_millis(250);
/// Whence the few ask.
const FEW: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));

/// What has come of all requests.
#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    admitted: AtomicUsize,
    of_few: AtomicUsize,
    refused: AtomicUsize,
    uploads: AtomicUsize,
    events: AtomicUsize,
    streams: AtomicUsize,
}

impl Seen {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn answered(&self) -> usize {
        self.admitted.load(Ordering::Relaxed) + self.refused.load(Ordering::Relaxed)
    }

    /// Asks again and again, over a connection for as long as the gateway wishes or over a new one
    /// each time. Anything but an answer fails.
    fn ask(&self, address: SocketAddr, nth: usize) {
        let request = Request::get("/api/inventory/x");
        let is_few = nth == 0;
        let source = if is_few {
            FEW
        } else {
            Ipv4Addr::LOCALHOST.into()
        };
        let mut client = Client::from(source, address);
        let mut due = Instant::now();
        for asked in 0.. {
            if !self.goes_on() {
                return;
            }
            let response = client.ask_among_many(&request);
            let keeps = if is_few {
                asked % 2 == 0
            } else {
                nth.is_multiple_of(2)
            };
            match response.status {
                200 if is_few => self.of_few.fetch_add(1, Ordering::Relaxed),
                200 => self.admitted.fetch_add(1, Ordering::Relaxed),
                429 => self.refused.fetch_add(1, Ordering::Relaxed),
                other => panic!("status {other}"),
            };
            if !keeps || response.announces_close() {
                client = Client::from(source, address);
            }
            due += EVERY;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    /// Uploads a file over and over, each for longer than a hand-over takes.
    fn upload(&self, address: SocketAddr) {
        while self.goes_on() {
            let request = Request::post("/api/orders/x", vec![b'x'; 40_000]).with_key();
            let mut client = Client::to(address);
            client.send(request.head_bytes());
            for piece in request.body_bytes().chunks(2000) {
                // Who is refused has an answer before it has sent all.
                let _ = client.try_send(piece);
                std::thread::sleep(Duration::from_millis(40));
            }
            let response = client.answer();
            if response.is_of_lag() {
                continue;
            }
            assert_eq!(response.is(200).body.len(), 40_000);
            self.uploads.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Listens to events, and comes back when a drain has ended the stream.
    fn listen(&self, address: SocketAddr) {
        let request = Request::get("/api/orders/events").with_key();
        while self.goes_on() {
            let mut client = Client::to(address);
            client.send(request.bytes());
            let mut head = client.head();
            if head.status == 503 {
                let length = head.fields.one("content-length").expect("a text");
                head.body = client.take(length.parse().expect("a number"));
            }
            if head.is_of_lag() {
                continue;
            }
            head.is(200);
            self.streams.fetch_add(1, Ordering::Relaxed);
            let mut last = Vec::new();
            while self.goes_on() {
                let Ok(more) = client.some() else {
                    let end = last.escape_ascii();
                    assert!(last.ends_with(b"0\r\n\r\n"), "no last chunk: {end}");
                    break;
                };
                self.events.fetch_add(1, Ordering::Relaxed);
                last.extend(more);
                last.drain(..last.len().saturating_sub(64));
            }
        }
    }
}

/// Echoes what it is sent, and sends events to whoever asks for them.
fn echo_and_events() -> Upstream {
    Upstream::start(|peer| {
        loop {
            let request = peer.request()?;
            if !request.target.contains("events") {
                let body = request.body.clone();
                peer.reply(&request, &body)?;
                continue;
            }
            peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            while peer.send("9\r\ndata: 1\n\n\r\n").is_ok() {
                std::thread::sleep(Duration::from_millis(10));
            }
            return Err(Gone);
        }
    })
}

#[test]
fn no_request_fails_and_no_more_are_admitted_than_the_limit() {
    let rounds = std::env::var("HAND_OVERS").map_or(HAND_OVERS, |n| n.parse().expect("a number"));
    let (inventory, orders) = (Upstream::echo(), echo_and_events());
    let limit = LIMIT * rounds / HAND_OVERS;
    let config = |workers: usize| {
        let more = format!(
            "[limits]\nanonymous = {{ requests = {limit}, per = \"1h\" }}\nstate_file = \"limits\"\n\
             [server]\nworkers = {workers}\n"
        );
        Shop::config(&inventory, &orders, &more)
    };
    let mut gateway = crate::support::Gateway::start(&config(2));
    let (address, seen) = (gateway.address(), Seen::default());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let mut clients = Vec::new();
        for nth in 0..CLIENTS {
            let seen = &seen;
            clients.push(scope.spawn(move || seen.ask(address, nth)));
        }
        clients.push(scope.spawn(|| seen.upload(address)));
        clients.push(scope.spawn(|| seen.listen(address)));
        let ends = StopAtEnd(&seen);
        for workers in [4, 1, 2].into_iter().cycle().take(rounds) {
            std::thread::sleep(MOMENT);
            let wanted = seen.answered() + BETWEEN;
            eventually("enough answers", || {
                (seen.answered() >= wanted).then_some(())
            });
            gateway.rewrite(&config(workers));
            gateway.hand_over();
        }
        std::thread::sleep(MOMENT);
        drop(ends);
        for client in clients {
            client.join().expect("no request fails");
        }
    });
    let took = begun.elapsed();
    let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    let [admitted, refused, of_few] = [&seen.admitted, &seen.refused, &seen.of_few].map(count);
    let few = Client::from(FEW, address).ask(&Request::get("/api/inventory/x"));
    let left = few.is(200).fields.one("ratelimit").expect("RateLimit");
    println!(
        "{rounds} hand-overs in {took:.1?}: {admitted} requests admitted of at most {limit}, {of_few} of others, {refused} refused, \
         {} uploads, {} events in {} streams",
        count(&seen.uploads),
        count(&seen.events),
        count(&seen.streams),
    );
    assert!(refused > 0, "the limit was never reached");
    assert_eq!(admitted, limit, "every counter has one home");
    let expected = format!("r={};", limit - of_few - 1);
    assert!(left.contains(&expected), "{left}, not {expected}");
    assert!(count(&seen.uploads) > 1 && count(&seen.streams) > 1);
}

/// Lets the clients end, also when the test fails.
struct StopAtEnd<'s>(&'s Seen);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

#[test]
fn connections_that_nobody_has_accepted_yet_are_served_by_the_successor() {
    let mut shop = Shop::open();
    let address = shop.gateway.address();
    let enough = AtomicBool::new(false);
    let asked = std::thread::scope(|scope| {
        // As many at once as wait in the sockets at some moments.
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut asked = 0;
                    while !enough.load(Ordering::Relaxed) {
                        let mut all: Vec<_> = (0..20).map(|_| Client::to(address)).collect();
                        for client in &mut all {
                            client.send(Request::get("/health").bytes());
                        }
                        for client in &mut all {
                            match client.ending() {
                                Ending::Whole(response) => response.is(200),
                                other => panic!("{other:?}"),
                            };
                            asked += 1;
                        }
                    }
                    asked
                })
            })
            .collect();
        for _ in 0..3 {
            shop.gateway.hand_over();
        }
        enough.store(true, Ordering::Relaxed);
        let asked = clients
            .into_iter()
            .map(|client| client.join().expect("nobody is reset"));
        asked.sum::<usize>()
    });
    assert!(asked > 100, "{asked}");
}
