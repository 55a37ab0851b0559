//! What happens without Redis. A call has a deadline, after which the request is answered as the
//! configuration says: counted in this process, admitted, or refused. After a few misses in a row,
//! or when the connection ends, a breaker opens: requests no longer ask Redis at all, until the
//! worker's keeper has a new connection and Redis has answered on it as fast as a request needs.
//!
//! In a cluster the breaker is each node's own (see `redis::cluster`): a miss says nothing of other
//! nodes, and is answered alone as without Redis. Only when no node is left is there no connection.
//!
//! Each worker has its own connection, breaker and keeper, because a cut connection says nothing of
//! the others; the log has one line for all of them when things change, not one a request.

use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};

use super::fleet::Fleet;
use super::health::{Health, WorkerHealth};
use super::leases::{Leases, Permits, Unused, is_leasable};
use super::redis::{CallError, Connection, Pauses, Scripts};
use super::refusals::Refusals;
use super::{
    Check, Decision, Decisions, Lease, MemoryStore, OnFailure, Outcome, RedisSettings, Verdict,
};

/// So many misses in a row open the breaker: one can be a hiccup, and with many requests in flight
/// a few more are soon there.
const MISSES_TO_OPEN: u32 = 5;

/// How often permits of callers that are gone are looked for.
const LOOK_FOR_IDLE: Duration = Duration::from_secs(1);

/// What the Redis limiters of all workers share.
#[derive(Debug)]
pub(super) struct RedisStore {
    settings: RedisSettings,
    memory: Arc<MemoryStore>,
    health: Health,
    fleet: Fleet,
}

impl RedisStore {
    /// Falls back, where the settings say so, to `memory`.
    pub(super) fn new(settings: RedisSettings, memory: Arc<MemoryStore>) -> Self {
        Self {
            fleet: Fleet::new(settings.key_prefix.clone()),
            settings,
            memory,
            health: Health::default(),
        }
    }

    /// Whether every worker counts in Redis.
    pub(super) fn is_up(&self) -> bool {
        self.health.is_up() && self.settings.target.reaches_all_nodes()
    }

    /// How many gateways share the counters, as far as is known.
    pub(super) fn instances(&self) -> NonZeroU32 {
        self.fleet.instances()
    }

    /// Mirrors what Redis has said, where this process is to go on from there without it.
    fn mirror(&self, checks: &[Check<'_>], outcome: &Outcome, sent_ms: u64) {
        for (check, decision) in checks.iter().zip(&outcome.decisions) {
            if let Some(decision) = decision
                && self.on_failure(check) == OnFailure::Local
            {
                self.memory.mirror(check, decision, sent_ms);
            }
        }
    }

    fn on_failure(&self, check: &Check<'_>) -> OnFailure {
        check.policy.on_failure.unwrap_or(self.settings.on_failure)
    }
}

/// A worker's access to Redis, and what it does without.
#[derive(Debug)]
pub(super) struct RedisLimiter {
    store: Arc<RedisStore>,
    line: Rc<Line>,
    refusals: Refusals,
    /// None: each request asks.
    leases: Option<Rc<Leases>>,
    /// Ends with the limiter.
    _keeper: JoinSet<()>,
}

impl RedisLimiter {
    /// Starts connecting; to be called within the worker's runtime.
    pub(super) fn start(store: Arc<RedisStore>) -> Self {
        let line = Rc::new(Line::new(store.settings.key_prefix.clone()));
        let mut keeper = JoinSet::new();
        let leases = (store.settings.lease == Lease::Auto).then(|| {
            let leases = Rc::new(Leases::new(store.settings.deadline));
            let (line, store) = (Rc::clone(&line), Arc::clone(&store));
            keeper.spawn_local(return_idle(Rc::clone(&leases), line, store));
            leases
        });
        keeper.spawn_local(keep(Rc::clone(&line), Arc::clone(&store)));
        Self {
            store,
            line,
            refusals: Refusals::new(),
            leases,
            _keeper: keeper,
        }
    }

    /// Decides one request; waits for Redis no longer than the deadline.
    pub(super) async fn decide(&self, checks: &[Check<'_>], cost: NonZeroU32) -> Outcome {
        let now_ms = self.store.memory.clock().now_ms();
        if let Some(outcome) = self.decide_here(checks, cost, now_ms) {
            return outcome;
        }
        // Cloned, because a connection borrowed across the call could not be taken away meanwhile.
        let connection = self.line.connection.borrow().clone();
        if let Some(connection) = connection {
            let generation = self.line.generation.get();
            let is_split = connection.is_split(checks);
            let leases = self.leases.as_deref();
            let more = leases.map_or_else(Permits::new, |leases| leases.ask(checks, cost, now_ms));
            let call = self.line.scripts.decide(connection, checks, cost, &more);
            match in_time(timeout(self.store.settings.deadline, call).await) {
                Ok(answer) => {
                    self.line.misses.set(0);
                    let brief =
                        |check: &Check<'_>| is_split || leases.is_some() && is_leasable(check);
                    self.refusals
                        .learn(checks, cost, &answer.outcome, now_ms, brief);
                    self.store.mirror(checks, &answer.outcome, now_ms);
                    return match leases {
                        Some(leases) => leases.take(checks, answer, now_ms),
                        None => answer.outcome,
                    };
                }
                Err(cause) => self.line.miss(generation, cause),
            }
        }
        self.without_redis(checks, cost)
    }

    /// Decides what this worker knows without asking: that it has permits for a request, or that a
    /// limit is used up.
    fn decide_here(&self, checks: &[Check<'_>], cost: NonZeroU32, now_ms: u64) -> Option<Outcome> {
        let leases = self.leases.as_deref();
        leases
            .and_then(|leases| leases.spend(checks, cost, now_ms))
            .or_else(|| self.refusals.refuse(checks, cost, now_ms))
    }

    /// Returns the permits that have not been spent, as far as that takes no longer than `longest`.
    pub(super) async fn finish(&self, longest: Duration) {
        let Some(leases) = &self.leases else {
            return;
        };
        let unused = leases.give_up(self.store.memory.clock().now_ms());
        let returned = self.line.give_back(unused);
        let _ = timeout(longest, returned).await;
    }

    /// Waits until there is a connection, but not longer than `longest`; says whether there is.
    pub(super) async fn wait_ready(&self, longest: Duration) -> bool {
        let connected = async {
            while self.line.connection.borrow().is_none() {
                self.line.changed.notified().await;
            }
        };
        timeout(longest, connected).await.is_ok()
    }

    /// Tells Redis, if it is there, that this process ends.
    pub(super) async fn leave(&self) {
        let connection = self.line.connection.borrow().clone();
        if let Some(connection) = connection {
            let longest = self.store.settings.deadline;
            self.store.fleet.leave(connection, longest).await;
        }
    }

    /// Decides as each limit says for this case.
    fn without_redis(&self, checks: &[Check<'_>], cost: NonZeroU32) -> Outcome {
        let on_failure = |check: &Check<'_>| self.store.on_failure(check);
        let closed =
            |check: &Check<'_>| check.policy.enforces() && on_failure(check) == OnFailure::Closed;
        let mut decisions = Decisions::from_elem(None, checks.len());
        if checks.iter().any(closed) {
            return Outcome {
                verdict: Verdict::Unavailable,
                decisions,
            };
        }
        let local = |place: &usize| on_failure(&checks[*place]) == OnFailure::Local;
        let places: SmallVec<[usize; 2]> = (0..checks.len()).filter(local).collect();
        let counted: SmallVec<[Check<'_>; 2]> = places.iter().map(|&place| checks[place]).collect();
        let instances = self.store.instances();
        let outcome = self.store.memory.decide_share(&counted, cost, instances);
        for (place, decision) in places.into_iter().zip(outcome.decisions) {
            decisions[place] = decision.map(|decision| Decision {
                degraded: true,
                ..decision
            });
        }
        Outcome {
            verdict: outcome.verdict,
            decisions,
        }
    }
}

/// What came of a call with a time-out. An answer that has arrived by then counts, even if the
/// worker was held up and has not read it: the runtime looks at sockets first, then at timers.
fn in_time<T>(answer: Result<Result<T, CallError>, Elapsed>) -> Result<T, CallError> {
    answer.unwrap_or(Err(CallError::Silent))
}

/// What a worker's requests and its keeper share: the connection, which is there while the breaker
/// is closed.
#[derive(Debug)]
struct Line {
    scripts: Scripts,
    connection: RefCell<Option<Connection>>,
    /// Counts connections, so that a late failure on an old one is not held against the new one.
    generation: Cell<u64>,
    misses: Cell<u32>,
    /// Why the breaker opened, for the keeper to read.
    given_up: RefCell<Option<CallError>>,
    changed: Notify,
}

impl Line {
    /// Without a connection yet.
    fn new(key_prefix: String) -> Self {
        Self {
            scripts: Scripts::new(key_prefix),
            connection: RefCell::default(),
            generation: Cell::default(),
            misses: Cell::default(),
            given_up: RefCell::default(),
            changed: Notify::new(),
        }
    }

    /// Closes the breaker: requests may use this connection.
    fn take_up(&self, connection: Connection) {
        self.generation.set(self.generation.get().wrapping_add(1));
        self.misses.set(0);
        self.given_up.take();
        self.connection.replace(Some(connection));
        self.changed.notify_waiters();
    }

    /// Returns permits, while there is a connection.
    async fn give_back(&self, unused: Vec<Unused>) {
        for unused in unused {
            let connection = self.connection.borrow().clone();
            let Some(connection) = connection else {
                return;
            };
            // What is not returned ends with its window.
            let _ = self.scripts.return_unused(connection, &unused).await;
        }
    }

    /// Counts a call that brought no decision, and opens the breaker when it is one too many.
    fn miss(&self, generation: u64, cause: CallError) {
        let in_cluster = |connection: &Connection| connection.is_cluster();
        if generation != self.generation.get()
            || self.connection.borrow().as_ref().is_some_and(in_cluster)
        {
            return;
        }
        let misses = self.misses.get().saturating_add(1);
        self.misses.set(misses);
        // A master that has become a replica stays one: who is master now is to be asked at once.
        let demoted = matches!(cause, CallError::Demoted);
        if (demoted || misses >= MISSES_TO_OPEN) && self.connection.take().is_some() {
            self.given_up.replace(Some(cause));
            self.changed.notify_waiters();
        }
    }

    /// Waits until the breaker opens.
    async fn gave_up(&self) -> CallError {
        loop {
            if let Some(cause) = self.given_up.take() {
                return cause;
            }
            self.changed.notified().await;
        }
    }
}

/// Returns the permits of callers that don't come to this worker any more, for as long as it lives.
async fn return_idle(leases: Rc<Leases>, line: Rc<Line>, store: Arc<RedisStore>) {
    loop {
        sleep(LOOK_FOR_IDLE).await;
        // Without a connection they stay, and may yet be spent.
        if line.connection.borrow().is_some() {
            let unused = leases.give_up_idle(store.memory.clock().now_ms());
            line.give_back(unused).await;
        }
    }
}

/// Keeps a worker connected: connects, proves, serves until that ends, pauses, and again.
async fn keep(line: Rc<Line>, store: Arc<RedisStore>) {
    let worker = WorkerHealth::new(&store.health, &store.settings, &store.fleet);
    let mut pauses = Pauses::default();
    loop {
        let begun = Instant::now();
        let cause = serve(&line, &store, &worker).await;
        line.connection.take();
        worker.lost(&cause);
        pauses.wait(begun.elapsed()).await;
    }
}

/// Makes a connection, and drives it for as long as it serves. Says why that ended. A breaker that
/// has opened ends it too: a connection that has gone silent may be dead without knowing.
async fn serve(line: &Line, store: &RedisStore, worker: &WorkerHealth<'_>) -> CallError {
    let RedisSettings {
        target, deadline, ..
    } = &store.settings;
    let connected = timeout(target.patience(), target.connect(*deadline)).await;
    let (connection, mut driver) = match in_time(connected) {
        Ok(connected) => connected,
        Err(cause) => return cause,
    };
    // The nodes of a cluster are tried each by itself.
    if !connection.is_cluster() {
        let proof = timeout(*deadline, line.scripts.prove(connection.clone()));
        tokio::select! {
            biased;
            () = &mut driver => return CallError::Ended,
            proof = proof => if let Err(cause) = in_time(proof) { return cause },
        }
    }
    line.take_up(connection.clone());
    worker.healed();
    let alive = async {
        store.fleet.stay(connection).await;
        std::future::pending().await
    };
    tokio::select! {
        // First, for without its last user the driver ends too.
        biased;
        cause = line.gave_up() => cause,
        () = &mut driver => CallError::Ended,
        cause = alive => cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_failure_is_not_held_against_a_new_connection() {
        let line = Line::new("test".into());
        line.generation.set(7);
        for _ in 0..MISSES_TO_OPEN {
            line.miss(6, CallError::Silent);
        }
        assert_eq!(line.misses.get(), 0);
        line.miss(7, CallError::Silent);
        assert_eq!(line.misses.get(), 1);
    }
}
