//! A model of what a large fleet asks of Redis Cluster: every request of every client in one
//! window, with and without leases and the reject cache, and the shards that follow. No network, no
//! sampling; the same seed gives the same numbers. `make sim` runs it, `docs/limits-in-depth.md` draws on it.
//!
//! What it leaves out: more than one limit on a request, costs, retries of refused clients, and
//! everything about Redis but how many calls a second it does.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a model computes with fractions and tells whole numbers; none is near a limit"
)]

mod assumptions;
mod report;
mod shards;
mod totals;
mod window;

use std::env;
use std::process::ExitCode;

use assumptions::Assumptions;
use totals::Totals;
use window::Spread;

/// Fleets smaller by so many times are shown as well.
const SMALLER: [u32; 4] = [1000, 100, 10, 1];

const FORMULA: &str = "\
calls/s = sum over clients of (calls in a window / (window + 1 / the client's requests a second))
calls in a window, without leases = admitted + workers that were refused (each once, with the reject cache)
calls in a window, with leases    = leases taken + workers that were refused
a lease = what the worker has used for the client in the last or this `lease-seconds`, at most 1/`lease-parts` of what is left, at least 1; 1 for limits below `lease-smallest`
a refusal is remembered to the window's end; with leases, of limits from `lease-smallest` on, for a second
shards  = the fewest of which the hottest is asked at most shard-calls * fill calls/s";

fn main() -> ExitCode {
    match Assumptions::read(env::args().skip(1)) {
        Ok(assumptions) => {
            run(&assumptions);
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            let defaults = Assumptions::default();
            eprintln!("{wrong}\n\nThe parameters and their defaults:\n{defaults}");
            ExitCode::from(2)
        }
    }
}

fn run(assumptions: &Assumptions) {
    println!("Assumed:\n{assumptions}\n\n{FORMULA}\n\nCalls a second:\n");
    let mut growing = Vec::new();
    let sizes = SMALLER.map(|times| assumptions.instances / times);
    for instances in sizes.into_iter().filter(|instances| *instances > 0) {
        let fleet = assumptions.scaled_to(instances);
        for spread in [Spread::Requests, Spread::Connections] {
            growing.push((instances, spread, Totals::of(&fleet, spread)));
        }
    }
    report::print_growth(&growing);
    println!("\nAll {} gateways:\n", assumptions.instances);
    let whole_fleet = growing.split_off(growing.len() - 2);
    let whole_fleet: Vec<_> = whole_fleet
        .into_iter()
        .map(|(_, spread, totals)| (spread, totals))
        .collect();
    report::print_fleet(assumptions, &whole_fleet);
    report::print_route(assumptions);
}
