//! One client's window, request by request: which worker each meets, and whether that worker asks
//! Redis. The same requests are told twice, with leases and without, each with the reject cache and
//! without, so that what differs is the rule alone.

use fastrand::Rng;

use crate::assumptions::Assumptions;

/// One client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    /// Tells it from others.
    pub number: u32,
    /// How many requests it makes a second, on average: a Poisson process.
    pub rate: f64,
    /// What its window admits.
    pub limit: u64,
}

/// How a client's requests come to workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Each to any worker of the fleet: a balancer that places requests. The worst case.
    Requests,
    /// A few connections, each with one worker for the whole window: a balancer that places
    /// connections.
    Connections,
}

/// What a window has seen. All windows of one client are alike, so this divided by how often one
/// begins is what the client asks for a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// Requests offered.
    pub requests: u64,
    /// Admitted without leases: exact.
    pub admitted: u64,
    /// Admitted with leases. What differs has been leased and not used.
    pub admitted_leased: u64,
    /// Workers that were refused by Redis, without leases: all that a reject cache asks again.
    pub refusing: u64,
    /// The same, with leases.
    pub refusing_leased: u64,
    /// Leases taken.
    pub leases: u64,
}

impl Window {
    /// Calls to Redis under each of [`RULES`].
    pub(crate) fn calls(&self) -> [u64; RULES.len()] {
        [
            self.requests,
            self.admitted + self.refusing,
            self.leases + self.requests - self.admitted_leased,
            self.leases + self.refusing_leased,
        ]
    }
}

/// What is on.
pub(crate) const RULES: [&str; 4] = ["neither", "reject cache", "leases", "both"];

/// A worker, as far as one client goes. Kept from client to client: `client` says whose it is.
#[derive(Debug, Clone, Copy, Default)]
struct Worker {
    client: u32,
    /// The stretch of time, as long as a lease looks back, that `used` belongs to.
    stretch: u32,
    used: u32,
    used_before: u32,
    leased: u64,
    refused: bool,
    /// With leases. A refusal is remembered until then.
    asks_again: f64,
}

impl Worker {
    /// Counts a request; returns what has lately been used.
    fn use_one(&mut self, stretch: u32) -> u64 {
        if stretch != self.stretch {
            let adjacent = stretch == self.stretch + 1;
            self.used_before = if adjacent { self.used } else { 0 };
            self.stretch = stretch;
            self.used = 0;
        }
        self.used += 1;
        self.used.max(self.used_before).into()
    }
}

/// Plays windows; keeps its workers between them.
#[derive(Debug)]
pub(crate) struct Player<'a> {
    assumptions: &'a Assumptions,
    spread: Spread,
    workers: Vec<Worker>,
    connections: Vec<usize>,
}

impl<'a> Player<'a> {
    pub(crate) fn new(assumptions: &'a Assumptions, spread: Spread) -> Self {
        Self {
            assumptions,
            spread,
            workers: vec![Worker::default(); assumptions.all_workers()],
            connections: Vec::new(),
        }
    }

    /// Plays one window of `client`, from its first request to its end.
    pub(crate) fn play(&mut self, client: Client, rng: &mut Rng) -> Window {
        self.connect(client, rng);
        let assumptions = self.assumptions;
        let mut window = Window::default();
        let (mut granted, mut now) = (0, 0.0);
        while now < self.assumptions.window {
            let place = match self.spread {
                Spread::Requests => rng.usize(..self.workers.len()),
                Spread::Connections => self.connections[rng.usize(..self.connections.len())],
            };
            let worker = &mut self.workers[place];
            if worker.client != client.number {
                *worker = Worker {
                    client: client.number,
                    ..Worker::default()
                };
            }
            window.requests += 1;
            if window.admitted < client.limit {
                window.admitted += 1;
                // Who is told that nothing is left need not ask again.
                worker.refused = window.admitted == client.limit;
            } else if !worker.refused {
                worker.refused = true;
                window.refusing += 1;
            }
            let lately = worker.use_one((now / self.assumptions.lease_seconds) as u32);
            if worker.leased > 0 {
                worker.leased -= 1;
                window.admitted_leased += 1;
            } else if granted < client.limit {
                let left = client.limit - granted;
                let lease = assumptions.lease(client.limit, lately, left);
                granted += lease;
                worker.leased = lease - 1;
                if granted == client.limit {
                    worker.asks_again = now + assumptions.refused_for(client.limit);
                }
                window.leases += 1;
                window.admitted_leased += 1;
            } else if now >= worker.asks_again {
                worker.asks_again = now + assumptions.refused_for(client.limit);
                window.refusing_leased += 1;
            }
            now += -(1.0 - rng.f64()).ln() / client.rate;
        }
        // What the model must keep, or nothing that it says is worth anything.
        assert!(granted <= client.limit && window.admitted_leased <= granted);
        window
    }

    /// Opens the client's connections.
    fn connect(&mut self, client: Client, rng: &mut Rng) {
        self.connections.clear();
        if self.spread == Spread::Connections {
            let wanted = (client.rate / self.assumptions.per_connection).ceil() as usize;
            let workers = self.workers.len();
            let places = std::iter::repeat_with(|| rng.usize(..workers));
            self.connections.extend(places.take(wanted.max(1)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(instances: u32, spread: Spread, rate: f64, limit: u64) -> Window {
        let assumptions = Assumptions {
            instances,
            ..Assumptions::default()
        };
        let client = Client {
            number: 1,
            rate,
            limit,
        };
        let mut rng = Rng::with_seed(7);
        Player::new(&assumptions, spread).play(client, &mut rng)
    }

    #[test]
    fn no_rule_admits_more_than_the_limit_and_all_admit_what_is_within() {
        for spread in [Spread::Requests, Spread::Connections] {
            for instances in [1, 10, 1000] {
                for limit in [1, 60, 600, 6000, 600_000] {
                    let window = play(instances, spread, 100.0, limit);
                    assert_eq!(window.admitted, limit.min(window.requests));
                    assert!(window.admitted_leased <= window.admitted);
                    let [neither, cache, leases, both] = window.calls();
                    assert!(both <= cache && both <= leases && cache <= neither);
                }
            }
        }
    }

    #[test]
    fn a_slow_client_is_asked_for_each_time_and_a_fast_one_seldom() {
        let slow = play(1, Spread::Requests, 0.5, 600);
        assert_eq!(slow.calls(), [slow.requests; 4]);
        let fast = play(1, Spread::Connections, 10_000.0, 10_000_000);
        let [neither, _, _, both] = fast.calls();
        assert!(both * 50 < neither, "{both} of {neither}");
    }

    #[test]
    fn of_four_workers_one_is_told_and_three_ask_once_more() {
        let window = play(1, Spread::Requests, 1000.0, 600);
        assert_eq!(window.refusing, 3);
        assert_eq!(window.calls()[1], 603);
    }

    #[test]
    fn leases_leave_almost_nothing_unused() {
        let window = play(4, Spread::Requests, 1000.0, 10_000);
        let unused = window.admitted - window.admitted_leased;
        assert!(unused * 50 <= window.admitted, "{unused} unused");
    }
}
