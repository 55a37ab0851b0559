//! The whole fleet: a window of each client, added up to what all ask for a second. Clients are
//! played in chunks with random numbers of their own, so that the sum is the same however many
//! threads there are.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use fastrand::Rng;

use crate::assumptions::Assumptions;
use crate::shards::{SLOTS, slot_of};
use crate::window::{Client, Player, RULES, Spread, Window};

const CHUNKS: u32 = 64;

/// What all clients ask for a second.
#[derive(Debug, Clone)]
pub(crate) struct Totals {
    pub offered: f64,
    pub admitted: f64,
    /// Counters that live at one moment.
    pub live_keys: f64,
    /// What clients over their limit are admitted with leases, and what they may be.
    pub over: (u64, u64),
    /// Under each of the rules.
    pub rules: [Rule; RULES.len()],
}

/// The calls under one rule.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub calls: f64,
    pub hottest_client: f64,
    pub slots: Vec<f64>,
}

impl Totals {
    fn nothing() -> Self {
        Self {
            offered: 0.0,
            admitted: 0.0,
            live_keys: 0.0,
            over: (0, 0),
            rules: std::array::from_fn(|_| Rule {
                calls: 0.0,
                hottest_client: 0.0,
                slots: vec![0.0; SLOTS],
            }),
        }
    }

    /// Plays all clients.
    pub(crate) fn of(assumptions: &Assumptions, spread: Spread) -> Self {
        let first_rate = first_rate(assumptions);
        let next = AtomicU32::new(0);
        let mut chunks = Mutex::new(Vec::new());
        let threads = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mut player = Player::new(assumptions, spread);
                    loop {
                        let chunk = next.fetch_add(1, Ordering::Relaxed);
                        if chunk >= CHUNKS {
                            break;
                        }
                        let totals = play_chunk(assumptions, &mut player, first_rate, chunk);
                        let mut chunks = chunks.lock().expect("no thread panics with it");
                        chunks.push((chunk, totals));
                    }
                });
            }
        });
        let chunks = chunks.get_mut().expect("no thread panics with it");
        chunks.sort_by_key(|(chunk, _)| *chunk);
        let mut all = Self::nothing();
        for (_, chunk) in chunks {
            all.join(chunk);
        }
        all
    }

    fn add(&mut self, client: Client, window: &Window, assumptions: &Assumptions) {
        // A window begins with its first request, so it takes its length and a wait for that.
        let a_second = 1.0 / (assumptions.window + 1.0 / client.rate);
        self.offered += window.requests as f64 * a_second;
        self.admitted += window.admitted as f64 * a_second;
        self.live_keys += assumptions.window * a_second;
        if window.requests > window.admitted {
            self.over.0 += window.admitted_leased;
            self.over.1 += window.admitted;
        }
        let slot = slot_of(client.number, assumptions.seed);
        for (rule, calls) in self.rules.iter_mut().zip(window.calls()) {
            let calls = calls as f64 * a_second;
            rule.calls += calls;
            rule.hottest_client = rule.hottest_client.max(calls);
            rule.slots[slot] += calls;
        }
    }

    fn join(&mut self, other: &Self) {
        self.offered += other.offered;
        self.admitted += other.admitted;
        self.live_keys += other.live_keys;
        self.over.0 += other.over.0;
        self.over.1 += other.over.1;
        for (rule, other) in self.rules.iter_mut().zip(&other.rules) {
            rule.calls += other.calls;
            rule.hottest_client = rule.hottest_client.max(other.hottest_client);
            for (slot, other) in rule.slots.iter_mut().zip(&other.slots) {
                *slot += other;
            }
        }
    }
}

fn play_chunk(
    assumptions: &Assumptions,
    player: &mut Player<'_>,
    first_rate: f64,
    chunk: u32,
) -> Totals {
    let mut rng = Rng::with_seed(assumptions.seed ^ u64::from(chunk) << 32);
    let mut totals = Totals::nothing();
    // Every so many clients: a chunk has its share of the hot ones.
    for rank in (chunk + 1..=assumptions.clients).step_by(CHUNKS as usize) {
        let rate = first_rate / f64::from(rank).powf(assumptions.zipf);
        let over = rng.f64() < assumptions.over;
        let client = Client {
            number: rank,
            rate,
            limit: limit(assumptions, rate, over),
        };
        let window = player.play(client, &mut rng);
        totals.add(client, &window, assumptions);
    }
    totals
}

/// The rate of the busiest client.
fn first_rate(assumptions: &Assumptions) -> f64 {
    let share = |rank| f64::from(rank).powf(-assumptions.zipf);
    let shares: f64 = (1..=assumptions.clients).map(share).sum();
    assumptions.requests / shares
}

/// What a client's window admits.
fn limit(assumptions: &Assumptions, rate: f64, over: bool) -> u64 {
    let a_window = rate * assumptions.window;
    let tiers = &assumptions.tiers;
    if over {
        let smallest = tiers.first().copied().unwrap_or(1);
        return smallest.max((a_window / 10.0) as u64);
    }
    let wanted = (a_window * assumptions.headroom).ceil() as u64;
    let enough = tiers.iter().copied().find(|tier| *tier >= wanted);
    enough.unwrap_or(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Assumptions {
        Assumptions {
            instances: 4,
            clients: 20_000,
            requests: 4000.0,
            ..Assumptions::default()
        }
    }

    #[test]
    fn the_fleet_is_offered_what_was_assumed_and_the_same_each_time() {
        let totals = Totals::of(&small(), Spread::Requests);
        assert!((totals.offered / 4000.0 - 1.0).abs() < 0.02, "{totals:?}");
        let again = Totals::of(&small(), Spread::Requests);
        assert_eq!(totals.offered.to_bits(), again.offered.to_bits());
        assert_eq!(totals.rules[3].slots, again.rules[3].slots);
    }

    #[test]
    fn each_rule_saves_calls_and_slots_add_up_to_them() {
        let totals = Totals::of(&small(), Spread::Connections);
        let [neither, cache, leases, both] = &totals.rules;
        assert!(neither.calls > cache.calls && neither.calls > leases.calls);
        assert!(both.calls < cache.calls && both.calls < leases.calls);
        for rule in &totals.rules {
            let of_slots: f64 = rule.slots.iter().sum();
            assert!((of_slots / rule.calls - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_limit_holds_what_a_client_needs_unless_it_is_over() {
        let assumptions = Assumptions::default();
        assert_eq!(limit(&assumptions, 0.001, false), 60);
        assert_eq!(limit(&assumptions, 2.0, false), 600);
        assert_eq!(limit(&assumptions, 100_000.0, false), 12_000_000);
        assert_eq!(limit(&assumptions, 100.0, true), 600);
        assert_eq!(limit(&assumptions, 0.001, true), 60);
    }
}
