//! A collector that is away for a while: what finds no room meanwhile is dropped, all else arrives, and nothing
//! is counted as both or as neither.

use std::time::{Duration, Instant};

use super::export::end;
use super::traced;
use crate::support::collector::Collector;
use crate::support::{Request, Shop, as_many_as};

/// How many spans wait for a collector.
const QUEUE: usize = 8192;
/// Each request has one of its own and one for its try.
const SPANS: usize = 2;
/// More than find room.
const REQUESTS: usize = 5000;
const CONNECTIONS: usize = 5;

/// Asks for so long at least, and so often at least; says how often that was.
fn ask(shop: &Shop, least: usize, time: Duration) -> usize {
    let begun = Instant::now();
    let connection = || {
        let mut client = shop.gateway.connect();
        let mut asked = 0;
        while asked < least / CONNECTIONS || begun.elapsed() < time {
            client.ask(&Request::get("/api/inventory/x")).is(200);
            asked += 1;
        }
        asked
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(connection)).collect();
        let asked = threads.into_iter().map(|it| it.join().expect("a client"));
        asked.sum()
    })
}

#[test]
fn what_a_collector_misses_and_what_it_gets_is_all_there_was() {
    let away = as_many_as("TOLLGATE_AWAY_SECONDS", 0);
    let collector = Collector::http();
    let shop = traced(&collector, "");
    let mut asked = ask(&shop, CONNECTIONS, Duration::ZERO);
    collector.wait_for(SPANS * asked);
    collector.go_down();
    asked += ask(&shop, REQUESTS, Duration::from_secs(away as u64));
    collector.come_up();
    collector.wait_for(QUEUE);
    asked += ask(&shop, CONNECTIONS, Duration::ZERO);
    let begun = Instant::now();
    let (exported, dropped) = end(shop);
    // Two seconds for the last spans, and what the rest of an end takes on a busy machine.
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert!(dropped > 0, "there was no room for all");
    assert_eq!(exported + dropped, (SPANS * asked) as u64);
    assert_eq!(collector.spans().len() as u64, exported);
}
