//! What the model says, in Markdown tables.

use fastrand::Rng;

use crate::assumptions::Assumptions;
use crate::shards::Shards;
use crate::totals::{Rule, Totals};
use crate::window::{Client, Player, RULES, Spread};

/// What a balancer places.
fn placed(spread: Spread) -> &'static str {
    match spread {
        Spread::Requests => "requests",
        Spread::Connections => "connections",
    }
}

/// A whole number as people write it: 1,234,567.
fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut written = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            written.push(',');
        }
        written.push(digit);
    }
    written
}

/// What a fleet asks of a cluster, and the shards that take it.
pub(crate) fn print_fleet(assumptions: &Assumptions, fleets: &[(Spread, Totals)]) {
    print!("| balanced by | on | calls/s | hottest client |");
    for calls in &assumptions.shard_calls {
        print!(" shards of {} calls/s |", whole(*calls as f64));
    }
    let columns = "--:|".repeat(2 + assumptions.shard_calls.len());
    println!("\n|---|---|{columns}");
    for (spread, totals) in fleets {
        for (name, rule) in RULES.iter().zip(&totals.rules) {
            print!("| {} | {name} |", placed(*spread));
            print_rule(assumptions, rule);
        }
    }
    println!("\nIn parentheses: the shards it would take if all were asked alike.");
    for (spread, totals) in fleets {
        print_more(assumptions, *spread, totals);
    }
}

fn print_rule(assumptions: &Assumptions, rule: &Rule) {
    print!(" {} | {} |", whole(rule.calls), whole(rule.hottest_client));
    for budget in assumptions.shard_budgets() {
        let even = whole((rule.calls / budget).ceil());
        match Shards::needed(&rule.slots, budget) {
            Some(shards) => print!(" {} ({even}) |", shards.count),
            None => print!(" no number ({even}) |"),
        }
    }
    println!();
}

/// What a table has no room for.
fn print_more(assumptions: &Assumptions, spread: Spread, totals: &Totals) {
    println!(
        "Balanced by {}: {} requests/s admitted, {} refused; {} counters live, {} MB.",
        placed(spread),
        whole(totals.admitted),
        whole(totals.offered - totals.admitted),
        whole(totals.live_keys),
        whole(totals.live_keys * assumptions.key_bytes / 1e6)
    );
    let (with, without) = totals.over;
    if without > 0 {
        println!(
            "With leases, clients over their limit are admitted {:.3} % of it, never more.",
            100.0 * with as f64 / without as f64
        );
    }
}

/// Calls a second of fleets that grow.
pub(crate) fn print_growth(fleets: &[(u32, Spread, Totals)]) {
    println!(
        "| gateways | requests/s | balanced by | {} |",
        RULES.join(" | ")
    );
    println!("|--:|--:|---|{}", "--:|".repeat(RULES.len()));
    for (instances, spread, totals) in fleets {
        let calls: Vec<String> = totals.rules.iter().map(|rule| whole(rule.calls)).collect();
        println!(
            "| {} | {} | {} | {} |",
            whole(f64::from(*instances)),
            whole(totals.offered),
            placed(*spread),
            calls.join(" | ")
        );
    }
}

/// How long the one counter is watched: it is asked for by every request of the fleet.
const ROUTE_SECONDS: f64 = 5.0;

/// One counter for everybody, which a policy `by = "route"` is.
pub(crate) fn print_route(assumptions: &Assumptions) {
    let watched = Assumptions {
        window: ROUTE_SECONDS,
        ..assumptions.clone()
    };
    let client = Client {
        number: 1,
        rate: assumptions.requests,
        limit: (assumptions.requests * ROUTE_SECONDS * assumptions.headroom) as u64,
    };
    let mut player = Player::new(&watched, Spread::Requests);
    let window = player.play(client, &mut Rng::with_seed(assumptions.seed));
    let [without, _, leased, _] = window.calls();
    println!(
        "A limit by route on top is one counter for all requests, on one shard: {} calls/s without \
         leases, {} with.",
        whole(without as f64 / ROUTE_SECONDS),
        whole(leased as f64 / ROUTE_SECONDS)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_grouped_by_thousands() {
        for (number, written) in [
            (0.4, "0"),
            (999.0, "999"),
            (1000.0, "1,000"),
            (1_234_567.0, "1,234,567"),
        ] {
            assert_eq!(whole(number), written);
        }
    }
}
