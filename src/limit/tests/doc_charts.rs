//! The charts of `docs/limits.md`, drawn anew from the algorithms, so that the page shows what a limit
//! does.

use std::fmt::Write as _;
use std::num::NonZeroU64;
use std::time::Duration;

use crate::limit::algorithm::{Counter, judge};
use crate::limit::{Algorithm, Limit};

/// How many seconds a chart shows.
const SECONDS: u64 = 40;

/// What is offered in one second, as a function of which it is.
type Offer = fn(u64) -> u64;

fn algorithms() -> [(&'static str, Algorithm); 4] {
    let bucket = |burst| Algorithm::TokenBucket {
        burst: NonZeroU64::new(burst).unwrap(),
    };
    [
        ("fixed-window", Algorithm::FixedWindow),
        ("sliding-window", Algorithm::SlidingWindow),
        ("token-bucket, burst 12", bucket(12)),
        ("token-bucket, burst 3", bucket(3)),
    ]
}

/// What is admitted of an offer, a character a second: how much, or a dot where nothing was asked.
fn admitted(algorithm: Algorithm, offer: Offer) -> String {
    let limit = Limit::new(12, Duration::from_secs(12)).unwrap();
    let limit = limit.counted_by(algorithm).unwrap();
    let mut counter: Option<Counter> = None;
    let mut row = String::new();
    for second in 0..SECONDS {
        let offered = offer(second);
        let mut admitted = 0;
        for nth in 0..offered {
            let now_ms = 1_000_000 + second * 1000 + nth * 1000 / offered;
            let judgement = judge(limit, counter, 1, now_ms);
            if judgement.fits {
                counter = Some(judgement.spend(limit, 1).counter);
                admitted += 1;
            }
        }
        put_cell(&mut row, offered, admitted);
    }
    row.trim_end_matches('.').to_owned()
}

fn put_cell(row: &mut String, offered: u64, admitted: u64) {
    if offered == 0 {
        row.push('.');
    } else {
        write!(row, "{admitted}").unwrap();
    }
}

fn chart(offer: Offer) -> String {
    let mut offered = String::new();
    for second in 0..SECONDS {
        put_cell(&mut offered, offer(second), offer(second));
    }
    let mut chart = format!("    {:24}{}\n", "offered", offered.trim_end_matches('.'));
    for (name, algorithm) in algorithms() {
        let row = admitted(algorithm, offer);
        writeln!(chart, "    {name:24}{row}").unwrap();
    }
    chart
}

#[test]
fn the_charts_of_the_page_are_what_the_algorithms_do() {
    let page = include_str!("../../../docs/limits.md");
    let steady: Offer = |_| 3;
    let over_the_edge: Offer = |second| match second {
        0 => 1,
        10..14 => 9,
        _ => 0,
    };
    let then_on: Offer = |second| match second {
        0 => 1,
        10 | 11 => 6,
        12..24 => 3,
        _ => 0,
    };
    for offer in [steady, over_the_edge, then_on] {
        let chart = chart(offer);
        assert!(page.contains(&chart), "not in the page:\n{chart}");
    }
}
