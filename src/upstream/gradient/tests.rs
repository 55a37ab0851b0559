//! The limit finds out what simulated services bear, and leaves those alone that bear more.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;

/// A service whose answers take `base` seconds, and longer when it has more than `places` to do.
struct Service {
    base: f64,
    places: f64,
    /// Times vary as they do where some requests are much more work than others.
    varies: bool,
}

/// Requests that come at random, the limit, and the service behind it.
struct Simulation {
    gradient: Gradient,
    start: Instant,
    /// In nanoseconds, so that times can be compared.
    now: u64,
    /// When each request in flight ends, and how long it will have taken.
    ends: BinaryHeap<Reverse<(u64, u64)>>,
    random: fastrand::Rng,
    lowest: usize,
}

/// What became of the requests of a while.
#[derive(Debug, Default)]
struct Outcome {
    refused: u32,
    answered: u32,
    /// Of the answers' times.
    seconds: f64,
}

impl Outcome {
    fn average(&self) -> f64 {
        self.seconds / f64::from(self.answered)
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times of a simulation"
)]
impl Simulation {
    fn new(seed: u64) -> Self {
        let start = Instant::now();
        Self {
            gradient: Gradient::new(start),
            start,
            now: 0,
            ends: BinaryHeap::new(),
            random: fastrand::Rng::with_seed(seed),
            lowest: usize::MAX,
        }
    }

    /// For so many seconds, with as many requests a second as `rate` says for each moment.
    fn run(&mut self, seconds: f64, rate: impl Fn(f64) -> f64, service: &Service) -> Outcome {
        let (begun, mut outcome) = (self.now, Outcome::default());
        let until = begun + (seconds * 1e9) as u64;
        loop {
            let since = (self.now - begun) as f64 / 1e9;
            let pause = -self.random.f64().max(1e-12).ln() / rate(since);
            let next = self.now + (pause * 1e9) as u64;
            while let Some(Reverse((end, took))) = self.ends.peek().copied()
                && end <= next
            {
                let took = Duration::from_nanos(took);
                let at = self.start + Duration::from_nanos(end);
                self.gradient.note(Some(took), self.ends.len(), at);
                self.lowest = self.lowest.min(self.gradient.limit());
                self.ends.pop();
                outcome.answered += 1;
                outcome.seconds += took.as_secs_f64();
            }
            self.now = next;
            if next >= until {
                return outcome;
            }
            if self.ends.len() >= self.gradient.limit() {
                outcome.refused += 1;
                continue;
            }
            let crowd = ((self.ends.len() + 1) as f64 / service.places).max(1.0);
            let vary = if service.varies {
                -self.random.f64().max(1e-12).ln()
            } else {
                0.9 + 0.2 * self.random.f64()
            };
            let took = (service.base * crowd * vary * 1e9) as u64;
            self.ends.push(Reverse((next + took, took)));
        }
    }
}

const FIFTY: Service = Service {
    base: 0.05,
    places: 50.0,
    varies: false,
};

#[test]
fn a_service_with_fifty_places_gets_about_as_many() {
    let mut simulation = Simulation::new(1);
    let calm = simulation.run(20.0, |_| 400.0, &FIFTY);
    assert_eq!(calm.refused, 0);
    // Six times as many as it can answer, for minutes.
    simulation.run(10.0, |_| 6000.0, &FIFTY);
    for _ in 0..6 {
        let flooded = simulation.run(20.0, |_| 6000.0, &FIFTY);
        let limit = simulation.gradient.limit();
        assert!((50..=120).contains(&limit), "{limit}");
        assert!(flooded.average() < 0.12, "{}", flooded.average());
        let answered = f64::from(flooded.answered) / 20.0;
        assert!(answered > 900.0, "all that it can: {answered}");
    }
    simulation.run(2.0, |_| 400.0, &FIFTY);
    assert_eq!(simulation.run(20.0, |_| 400.0, &FIFTY).refused, 0);
}

#[test]
fn a_flood_from_the_start_is_found_out_as_well() {
    let mut simulation = Simulation::new(2);
    simulation.run(120.0, |_| 6000.0, &FIFTY);
    let limit = simulation.gradient.limit();
    assert!((50..=150).contains(&limit), "{limit}");
}

#[test]
fn a_service_that_gets_slower_for_everybody_is_not_given_up() {
    let service = |base| Service {
        base,
        places: f64::INFINITY,
        varies: false,
    };
    let mut simulation = Simulation::new(3);
    simulation.run(20.0, |_| 200.0, &service(0.05));
    simulation.run(15.0, |_| 200.0, &service(0.5));
    assert!(simulation.lowest >= 20, "{}", simulation.lowest);
    let slow = simulation.run(20.0, |_| 200.0, &service(0.5));
    assert_eq!(slow.refused, 0, "that is what it takes now");
}

#[test]
fn a_healthy_service_under_rising_load_is_left_alone() {
    for (seed, varies) in [(4, false), (5, true)] {
        for seconds in [2.0, 20.0] {
            let mut simulation = Simulation::new(seed);
            let service = Service {
                base: 0.05,
                places: f64::INFINITY,
                varies,
            };
            simulation.run(5.0, |_| 100.0, &service);
            let rising = |at: f64| 100.0 + 8000.0 * at / seconds;
            let outcome = simulation.run(seconds, rising, &service);
            assert_eq!(outcome.refused, 0, "{varies}, {seconds}: {outcome:?}");
        }
    }
}

#[test]
fn a_few_slow_requests_are_no_overload() {
    let mut simulation = Simulation::new(6);
    let services = [0.01, 1.0].map(|base| Service {
        base,
        places: f64::INFINITY,
        varies: true,
    });
    let mut refused = 0;
    for _ in 0..300 {
        refused += simulation.run(0.1, |_| 2000.0, &services[0]).refused;
        refused += simulation.run(0.001, |_| 2000.0, &services[1]).refused;
    }
    assert_eq!(refused, 0, "{:?}", simulation.gradient);
}

#[test]
fn a_fast_service_is_not_blamed_for_the_scheduler() {
    let mut simulation = Simulation::new(7);
    let service = |base| Service {
        base,
        places: f64::INFINITY,
        varies: true,
    };
    simulation.run(5.0, |_| 2000.0, &service(0.0002));
    let outcome = simulation.run(5.0, |_| 20_000.0, &service(0.004));
    assert_eq!(outcome.refused, 0);
}

#[test]
fn without_answers_it_shrinks_to_the_floor() {
    let (mut gradient, now) = (Gradient::new(Instant::now()), Instant::now());
    for _ in 0..1000 {
        gradient.note(None, gradient.limit(), now);
    }
    assert_eq!(gradient.limit(), 20);
    for _ in 0..10_000 {
        gradient.note(Some(Duration::from_millis(20)), gradient.limit(), now);
    }
    assert!(gradient.limit() > 100, "it recovers");
}

#[test]
fn one_in_a_hundred_without_an_answer_is_no_overload() {
    let (mut gradient, now) = (Gradient::new(Instant::now()), Instant::now());
    for nth in 0..100_000 {
        let took = (nth % 100 > 0).then_some(Duration::from_millis(20));
        gradient.note(took, 200.min(gradient.limit()), now);
    }
    assert!(gradient.limit() > 250, "{}", gradient.limit());
}

#[test]
fn it_grows_only_while_it_is_used() {
    let (mut gradient, now) = (Gradient::new(Instant::now()), Instant::now());
    for _ in 0..10_000 {
        gradient.note(Some(Duration::from_millis(20)), 49, now);
    }
    assert_eq!(gradient.limit(), 100);
    for _ in 0..100_000 {
        gradient.note(Some(Duration::from_millis(20)), 90, now);
    }
    assert!((101..=185).contains(&gradient.limit()));
}
