//! What is counted: as much as was sent, under few names, and never less than before.

// Counts are whole, however they are written.
#![allow(clippy::float_cmp, clippy::cast_precision_loss)]

mod cardinality;
mod counts;
mod hand_over;
mod reloads;
mod tls;
mod tries;

use crate::support::{Gateway, Scrape, eventually, with_admin};

/// Starts a gateway with an admin port.
fn start(config: &str) -> Gateway {
    Gateway::start(&with_admin(config, ""))
}

/// A scrape in which that many requests are counted: one is when it has ended, a moment after its client
/// has the answer.
fn counted(gateway: &Gateway, requests: f64) -> Scrape {
    eventually("the requests to be counted", || {
        let counted = gateway.scrape().sum("tollgate_requests_total", &[]);
        (counted >= requests).then_some(())
    });
    // One more: rows are read one after another, and the route's is written last.
    gateway.scrape()
}
