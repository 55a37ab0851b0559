//! Counting in Redis, as one worker does it. A request is decided here if the worker knows enough
//! (`cache`), else by one call to Redis, which has a deadline, and without Redis (`outage`) if that
//! fails or there is no connection.
//!
//! Each worker has its own connection, breaker and keeper, because a connection that ends says nothing
//! of the others. The log has one line for all of them when things change, not one a request.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::metrics::{StoreOutcome, WorkerRow};

use super::cache::{Leases, Refusals, Unused};
use super::outage::{Fallback, OutageLog, Uncounted, WorkerLog};
use super::redis::{CallError, Connection, Driver, Link, Scripts, in_time};
use super::{Check, MemoryStore, Outcome, RedisLook, RedisSettings};

/// How often permits of callers that are gone are looked for, and what is not counted in Redis.
const SETTLE_INTERVAL: Duration = Duration::from_secs(1);

/// How long a new connection is used for nothing but to count what was admitted without one. What is left
/// then is counted beside requests.
const CATCH_UP: Duration = Duration::from_millis(500);

/// What the Redis limiters of all workers share.
#[derive(Debug)]
pub(super) struct RedisStore {
    settings: RedisSettings,
    fallback: Fallback,
    log: OutageLog,
    /// Of how many callers the workers hold permits.
    leases: AtomicU64,
}

impl RedisStore {
    /// Counts in `memory` while there is no Redis, where the settings say so.
    pub(super) fn new(settings: RedisSettings, memory: Arc<MemoryStore>) -> Self {
        Self {
            fallback: Fallback::new(&settings, memory),
            settings,
            log: OutageLog::default(),
            leases: AtomicU64::new(0),
        }
    }

    /// How Redis is.
    pub(super) fn look(&self) -> RedisLook {
        let (workers_without, away_since, why) = self.log.outage();
        RedisLook {
            away_since,
            why,
            workers_without,
            on_failure: self.settings.on_failure,
            instances: self.fallback.fleet.instances().get(),
            leases: self.leases.load(Ordering::Relaxed),
        }
    }
}

/// A worker's access to Redis, which its requests and its tasks share.
#[derive(Debug)]
pub(super) struct RedisLimiter {
    store: Arc<RedisStore>,
    link: Link<Connection>,
    scripts: Scripts,
    leases: Leases,
    refusals: Refusals,
    uncounted: Uncounted,
    /// Where calls are counted.
    row: Arc<WorkerRow>,
}

impl RedisLimiter {
    /// Starts connecting; to be called within the worker's runtime. The tasks end with what is
    /// returned beside it.
    pub(super) fn start(store: Arc<RedisStore>, row: Arc<WorkerRow>) -> (Rc<Self>, JoinSet<()>) {
        let settings = &store.settings;
        let worker = Rc::new(Self {
            link: Link::new(),
            scripts: Scripts::new(settings.key_prefix.clone()),
            leases: Leases::new(settings.deadline, settings.lease),
            refusals: Refusals::new(),
            uncounted: Uncounted::new(),
            store,
            row,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn_local(Rc::clone(&worker).stay_connected());
        tasks.spawn_local(Rc::clone(&worker).stay_in_fleet());
        tasks.spawn_local(Rc::clone(&worker).settle());
        (worker, tasks)
    }

    /// Decides one request; waits for Redis no longer than the deadline.
    pub(super) async fn decide(&self, checks: &[Check<'_>], cost: NonZeroU32) -> Outcome {
        let now_ms = self.now_ms();
        let leased = self.leases.spend(checks, cost, now_ms);
        match leased.or_else(|| self.refusals.refuse(checks, cost, now_ms)) {
            Some(outcome) => outcome,
            None => self.ask(checks, cost, now_ms).await,
        }
    }

    /// Waits until there is a connection, but not longer than `longest`; says whether there is.
    pub(super) async fn wait_ready(&self, longest: Duration) -> bool {
        timeout(longest, self.link.up()).await.is_ok()
    }

    /// Returns the permits that have not been spent, and counts what is not counted yet, as far as that
    /// takes no longer than `longest`.
    pub(super) async fn finish(&self, longest: Duration) {
        let unused = self.leases.give_up_all(self.now_ms());
        let settled = async {
            self.give_back(unused).await;
            if let Some(connection) = self.link.connection() {
                self.catch_up(connection).await;
            }
        };
        let _ = timeout(longest, settled).await;
    }

    /// Tells Redis, if it is there, that this process ends.
    pub(super) async fn leave(&self) {
        if let Some(connection) = self.link.connection() {
            let RedisStore {
                fallback, settings, ..
            } = &*self.store;
            fallback.fleet.leave(connection, settings.deadline).await;
        }
    }

    fn now_ms(&self) -> u64 {
        self.store.fallback.memory.clock().now_ms()
    }

    /// Asks Redis, and decides without it if there is no decision from there in time.
    async fn ask(&self, checks: &[Check<'_>], cost: NonZeroU32, now_ms: u64) -> Outcome {
        let Self {
            store,
            link,
            leases,
            ..
        } = self;
        let begun = Cell::new(None);
        let once = async || {
            let (connection, attempt) = link.begin().await.ok_or(CallError::Ended)?;
            let (is_cluster, is_split) = (connection.is_cluster(), connection.is_split(checks));
            begun.set(Some((attempt, is_cluster)));
            let wanted = leases.wanted(checks, cost, now_ms);
            let reply = self.scripts.decide(connection, checks, cost, &wanted);
            let reply = reply.await?;
            link.answered(attempt);
            Ok((reply, is_split))
        };
        let call = async {
            match once().await {
                // With its connection, which may have been idle for too long. If it was counted after
                // all, that is one too many.
                Err(CallError::Ended) => once().await,
                reply => reply,
            }
        };
        let asked = Instant::now();
        let answered = in_time(store.settings.deadline, call).await;
        self.count(asked, begun.get().is_some(), answered.as_ref().err());
        match answered {
            Ok((reply, is_split)) => {
                store.fallback.mirror(checks, &reply.outcome, now_ms);
                // Of several calls one may give back what another has counted.
                let is_brief = |check: &Check<'_>| is_split || leases.may_lease(check);
                self.refusals
                    .learn(checks, cost, &reply.outcome, now_ms, is_brief);
                leases.take(checks, reply, now_ms)
            }
            Err(cause) => {
                let outcome = store.fallback.decide(checks, cost);
                let begun = begun.take();
                let is_late = begun.is_some() && matches!(cause, CallError::Silent);
                if !is_late {
                    self.uncounted.note(checks, cost, &outcome, now_ms);
                }
                // The nodes of a cluster have breakers of their own: a failure says nothing of others.
                if let Some((attempt, false)) = begun {
                    link.failed(attempt, cause);
                }
                outcome
            }
        }
    }

    /// Counts a call that was to be made at `asked`, and whether it was.
    fn count(&self, asked: Instant, made: bool, error: Option<&CallError>) {
        self.row.store_calls.note(match error {
            None => {
                self.row.store_duration.note(asked.elapsed());
                StoreOutcome::Ok
            }
            Some(_) if !made => StoreOutcome::Unavailable,
            Some(CallError::Silent) => StoreOutcome::Timeout,
            Some(_) => StoreOutcome::Error,
        });
    }

    /// Returns permits, while there is a connection.
    async fn give_back(&self, unused: Vec<Unused>) {
        for Unused {
            policy,
            subject,
            permits,
            to_go_ms,
        } in &unused
        {
            let Some(connection) = self.link.connection() else {
                return;
            };
            let check = Check { policy, subject };
            let scripts = &self.scripts;
            let returned = scripts.return_unused(connection, check, *permits, *to_go_ms);
            // What is not returned ends with its window.
            let _ = returned.await;
        }
    }

    /// Counts what was admitted without Redis, for a while.
    async fn catch_up(&self, mut connection: Connection) {
        let begun = Instant::now();
        for (policy, subject, spent) in &self.uncounted.list(self.now_ms()) {
            let check = Check { policy, subject };
            let call = self.scripts.count(&mut connection, check, *spent);
            let counted = in_time(self.store.settings.deadline, call).await;
            // What is only late is not counted twice.
            if matches!(counted, Ok(()) | Err(CallError::Silent)) {
                self.uncounted.counted(&check, *spent);
            }
            if begun.elapsed() >= CATCH_UP {
                return;
            }
        }
    }

    /// Returns the permits of callers that don't come to this worker any more, and counts what is not
    /// counted yet, for as long as it lives.
    async fn settle(self: Rc<Self>) {
        let mut noted = 0;
        loop {
            sleep(SETTLE_INTERVAL).await;
            let held = self.leases.held(self.now_ms());
            // Wraps where it shrinks, as their sum does.
            let more = held.wrapping_sub(std::mem::replace(&mut noted, held));
            self.store.leases.fetch_add(more, Ordering::Relaxed);
            // Without a connection permits stay, and may yet be spent.
            if let Some(connection) = self.link.connection() {
                let unused = self.leases.give_up_idle(self.now_ms());
                self.give_back(unused).await;
                self.catch_up(connection).await;
            }
        }
    }

    /// Tells Redis of this process, for as long as the worker lives.
    async fn stay_in_fleet(self: Rc<Self>) {
        self.store.fallback.fleet.stay(&self.link).await;
    }

    /// Keeps the worker connected, for as long as it lives.
    async fn stay_connected(self: Rc<Self>) {
        let Self { store, link, .. } = &*self;
        let log = WorkerLog::new(&store.log, &store.settings, &store.fallback.fleet);
        let report = |is_up: Result<(), &CallError>| match is_up {
            Ok(()) => log.healed(),
            Err(cause) => log.lost(cause),
        };
        link.keep(
            async || self.connect().await,
            async |connection: Connection| connection.probe().await,
            report,
        )
        .await;
    }

    /// Connects, and proves that Redis answers as fast as a request needs.
    async fn connect(&self) -> Result<(Connection, Driver), CallError> {
        let RedisSettings {
            target, deadline, ..
        } = &self.store.settings;
        let connected = in_time(target.patience(), target.connect(*deadline)).await;
        let (connection, mut driver) = connected?;
        // The nodes of a cluster are tried each by itself.
        if !connection.is_cluster() {
            let proof = async {
                in_time(*deadline, self.scripts.prove(connection.clone())).await?;
                self.catch_up(connection.clone()).await;
                Ok::<_, CallError>(())
            };
            tokio::select! {
                biased;
                () = &mut driver => return Err(CallError::Ended),
                proof = proof => proof?,
            }
        }
        Ok((connection, driver))
    }
}
