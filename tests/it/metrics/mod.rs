//! What is counted: as much as was sent, under few names, and never less than before.

// Counts are whole, however they are written.
#![allow(clippy::float_cmp, clippy::cast_precision_loss)]

mod cardinality;
mod counts;
mod hand_over;
mod reloads;
mod tls;

use crate::support::{Gateway, with_admin};

/// Starts a gateway with an admin port.
fn start(config: &str) -> Gateway {
    Gateway::start(&with_admin(config, ""))
}

/// As many as the variable says, for a run by hand, or `usual`.
fn as_many_as(variable: &str, usual: usize) -> usize {
    let asked = std::env::var(variable).ok();
    asked.map_or(usual, |text| text.parse().expect("a number"))
}
