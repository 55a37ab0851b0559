//! The load that goes on while something breaks: connections that ask without end, and what came of
//! each request.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{DEADLINE, caller};
use crate::support::{Client, Gateway, Request, Upstream, eventually};

/// Connections to each gateway, half of them for either rule.
const CONNECTIONS: usize = 4;

/// Between two requests of a connection: other tests want to run, too.
const PAUSE: Duration = Duration::from_millis(4);

/// What a busy machine may add to a wait, beside what it is seen to add.
const SCHEDULING: Duration = Duration::from_secs(1);

/// So often a gateway that runs late goes on waiting for Redis (`limit/redis/deadline.rs`).
const MOST_LATE: u32 = 20;

/// Who asks the service directly has an answer sooner, unless the machine stands still.
const STALL: Duration = Duration::from_millis(50);

/// So many misses in a row open the breaker of a worker. Those of calls that are under way together are one.
const MISSES_TO_OPEN: usize = 5;

/// A load that is on.
pub(super) struct Load {
    stopped: AtomicBool,
    answers: AtomicUsize,
}

/// One request.
#[derive(Debug, Clone, Copy)]
struct Answer {
    begun: Instant,
    took: Duration,
    status: u16,
    /// Redis counted it.
    counted: bool,
}

/// What came of all requests of a load.
pub(super) struct Verdict {
    answers: Vec<Answer>,
    gateways: usize,
    /// When and how long the service took to answer who asked it directly. That has nothing to do
    /// with gateways: it is what the machine adds when it is busy or stands still.
    control: Vec<(Instant, Duration)>,
}

impl Load {
    /// Loads the gateways, behind which is `service`, until `during` has ended.
    pub(super) fn run(
        gateways: &[Gateway],
        service: &Upstream,
        during: impl FnOnce(&Self),
    ) -> Verdict {
        let load = Self {
            stopped: AtomicBool::new(false),
            answers: AtomicUsize::new(0),
        };
        let (answers, control) = std::thread::scope(|scope| {
            let control = scope.spawn(|| load.ask_directly(service));
            let clients: Vec<_> = (0..gateways.len() * CONNECTIONS)
                .map(|nth| {
                    let (gateway, load) = (&gateways[nth % gateways.len()], &load);
                    let local = (nth / gateways.len()).is_multiple_of(2);
                    scope.spawn(move || load.ask(gateway, local))
                })
                .collect();
            {
                // Also if `during` fails, for the threads are waited for.
                let _stop = Stop(&load);
                load.goes_on();
                during(&load);
                load.goes_on();
            }
            let clients = clients.into_iter();
            let answers = clients.flat_map(|client| client.join().expect("a client"));
            (answers.collect(), control.join().expect("a client"))
        });
        Verdict {
            answers,
            gateways: gateways.len(),
            control,
        }
    }

    /// Waits until every connection has likely been answered several times more.
    pub(super) fn goes_on(&self) {
        let enough = self.answers.load(Ordering::Relaxed) + 100;
        eventually("requests to be answered", || {
            (self.answers.load(Ordering::Relaxed) >= enough).then_some(())
        });
    }

    /// Goes on for that long.
    pub(super) fn lasts(&self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.goes_on();
        }
    }

    fn ask(&self, gateway: &Gateway, local: bool) -> Vec<Answer> {
        let mut client = Client::from(caller(0), gateway.address());
        let request = Request::get(if local { "/local" } else { "/open" });
        let mut answers = Vec::new();
        while !self.stopped.load(Ordering::Relaxed) {
            let begun = Instant::now();
            let response = client.ask(&request);
            let field = response.fields.one("ratelimit");
            answers.push(Answer {
                begun,
                took: begun.elapsed(),
                status: response.status,
                counted: field.is_some_and(|field| field.starts_with("\"many\"")),
            });
            self.answers.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(PAUSE);
        }
        answers
    }

    fn ask_directly(&self, service: &Upstream) -> Vec<(Instant, Duration)> {
        let mut client = Client::to(service.address());
        let mut took = Vec::new();
        while !self.stopped.load(Ordering::Relaxed) {
            let begun = Instant::now();
            client.ask(&Request::get("/control"));
            std::thread::sleep(PAUSE);
            took.push((begun, begun.elapsed()));
        }
        took
    }
}

struct Stop<'l>(&'l Load);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

impl Verdict {
    /// Fails unless all were served, none after much more than the deadline. The limits of the load
    /// are far away.
    pub(super) fn nobody_suffered(&self) -> &Self {
        let failed = self.answers.iter().find(|answer| answer.status != 200);
        assert!(failed.is_none(), "{failed:?}");
        let slowest = self.answers.iter().max_by_key(|answer| answer.took);
        let slowest = slowest.expect("an answer");
        let stall = self.control.iter().map(|(_, took)| *took).max();
        let most = DEADLINE + SCHEDULING + MOST_LATE * stall.unwrap_or_default();
        assert!(slowest.took < most, "{slowest:?}, above {most:?}");
        self
    }

    /// Fails if more requests waited in vain for the deadline than it takes for all breakers to open. Time
    /// in which the machine stood still is none of it, and a busy one makes some wait without a reason:
    /// fewer than each, as it would be without breakers.
    pub(super) fn few_waited(&self, since: Instant) -> &Self {
        let in_flight = CONNECTIONS * self.gateways;
        let to_open = in_flight * (MISSES_TO_OPEN + 1);
        let meanwhile = self.answers.iter().filter(|answer| answer.begun >= since);
        let all: Vec<_> = meanwhile.filter(|answer| !answer.counted).collect();
        let in_vain = |answer: &&&Answer| answer.took >= DEADLINE + 2 * self.stalled(answer);
        let waited = all.iter().filter(in_vain).count();
        let most = to_open + all.len() / 4;
        assert!(waited <= most, "{waited} of {} waited", all.len());
        self
    }

    /// For how long the machine stood still meanwhile.
    fn stalled(&self, answer: &Answer) -> Duration {
        let ended = answer.begun + answer.took;
        let stalls = self.control.iter().filter(|(_, took)| *took > STALL);
        let within = stalls.map(|(begun, took)| {
            let end = ended.min(*begun + *took);
            end.saturating_duration_since(answer.begun.max(*begun))
        });
        within.sum()
    }

    /// Fails unless some requests were not counted in Redis: else the fault was none.
    pub(super) fn some_did_without(&self) -> &Self {
        assert!(self.without() > 0, "Redis was never missed");
        self
    }

    /// Fails unless Redis counted all requests.
    pub(super) fn none_did_without(&self) -> &Self {
        assert_eq!(self.without(), 0, "Redis was missed");
        self
    }

    fn without(&self) -> usize {
        self.answers.iter().filter(|answer| !answer.counted).count()
    }
}
