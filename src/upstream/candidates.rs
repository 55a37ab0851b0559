//! The addresses of an upstream as one worker sees them: what a request may be sent to, in a list that
//! is made anew when the addresses change. A request looks at one number to see that they have not.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::metrics::UpstreamRow;
use crate::seldom::Seldom;

use super::address::ConnectError;
use super::hash::{Table, hash, owner};
use super::moment::millis;
use super::pool::{AddressPool, Pool};
use super::usable::{Standing, share};
use super::{Endpoint, RetryRules, Upstream};

/// One upstream, for one worker.
#[derive(Debug)]
pub struct Candidates {
    pub(super) upstream: Arc<Upstream>,
    /// Where this worker counts what comes of requests.
    pub row: Arc<UpstreamRow>,
    /// By endpoint.
    pools: Vec<Rc<Pool>>,
    /// The version of the addresses that the list was made from.
    seen: Cell<u32>,
    list: RefCell<Rc<List>>,
    counted: Cell<Counted>,
    /// Of connections that could not be made.
    pub(crate) unreachable_log: Seldom<1>,
}

/// The requests of a second that the budget does not know of yet.
#[derive(Debug, Clone, Copy)]
struct Counted {
    second: u32,
    /// When that is over: comparing moments costs less than to reckon their seconds.
    until: Instant,
    requests: u32,
}

/// An address that requests may be sent to.
#[derive(Debug)]
pub struct Candidate {
    /// The endpoint's place in the upstream.
    pub endpoint: usize,
    /// This worker's connections to it.
    pub pool: Rc<AddressPool>,
    /// Its part of the endpoint's weight, never 0.
    pub(super) weight: f32,
    pub(super) is_backup: bool,
    /// The last answer about the endpoint's name was without it.
    pub(super) is_missing: bool,
    /// What it is hashed by.
    pub(super) id: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct List {
    /// Those that take requests while all is well, then the others.
    pub(super) all: Vec<Rc<Candidate>>,
    /// How many take requests while all is well.
    pub(super) regular: usize,
    /// The weight of each with those before it: what a draw by weight looks up.
    sums: Vec<f64>,
    /// All have the same weight.
    pub(super) is_even: bool,
    /// How far each has come to its next turn.
    pub(super) turns: RefCell<Vec<f32>>,
    /// Of those that take requests while all is well.
    table: OnceCell<Table>,
}

impl Candidates {
    pub(super) fn new(
        upstream: &Arc<Upstream>,
        pools: Vec<Rc<Pool>>,
        row: Arc<UpstreamRow>,
    ) -> Self {
        let now = Instant::now();
        let candidates = Self {
            upstream: Arc::clone(upstream),
            row,
            pools,
            seen: Cell::new(0),
            list: RefCell::default(),
            counted: Cell::new(Counted {
                second: second(now),
                until: now,
                requests: 0,
            }),
            unreachable_log: Seldom::default(),
        };
        candidates.make_list();
        candidates
    }

    /// The upstream.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// The endpoint that a candidate is an address of.
    pub fn endpoint(&self, candidate: &Candidate) -> &Endpoint {
        &self.upstream.endpoints[candidate.endpoint]
    }

    /// This worker's connections to that endpoint.
    pub fn pool(&self, candidate: &Candidate) -> &Pool {
        &self.pools[candidate.endpoint]
    }

    /// Waits for the first address of an upstream that has none yet.
    ///
    /// # Errors
    /// When no name of the upstream can be resolved.
    pub async fn resolve(&self) -> Result<(), ConnectError> {
        let mut failed = None;
        for pool in &self.pools {
            match pool.state().addresses().await {
                Ok(_) => {
                    self.make_list();
                    return Ok(());
                }
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Counts a request, for the budget for retries and the names that are in use.
    pub fn count(&self, now: Instant) {
        let mut counted = self.counted.get();
        if now >= counted.until {
            self.hand_in();
            counted = Counted {
                second: second(now),
                until: now + rest_of_second(now),
                requests: 0,
            };
            for pool in &self.pools {
                pool.state().mark_used();
            }
        }
        counted.requests += 1;
        self.counted.set(counted);
    }

    /// Takes one retry from the budget, if there is one.
    pub fn may_retry(&self, rules: &RetryRules, now: Instant) -> bool {
        self.hand_in();
        self.upstream.state.budget.withdraw(rules, second(now))
    }

    fn hand_in(&self) {
        let mut counted = self.counted.get();
        let requests = std::mem::take(&mut counted.requests);
        if requests > 0 {
            let budget = &self.upstream.state.budget;
            budget.deposit(counted.second, requests);
            self.counted.set(counted);
        }
    }

    pub(super) fn list(&self) -> Rc<List> {
        if self.seen.get() != self.upstream.state.version() {
            self.make_list();
        }
        Rc::clone(&self.list.borrow())
    }

    fn make_list(&self) {
        // First: what changes from here on is seen the next time.
        self.seen.set(self.upstream.state.version());
        let mut all = Vec::new();
        for (endpoint, pool) in self.pools.iter().enumerate() {
            pool.follow_addresses();
            let Endpoint { weight, backup, .. } = self.upstream.endpoints[endpoint];
            if pool.state().is_drained() {
                continue;
            }
            let in_use = pool.state().in_use();
            let present = in_use.iter().filter(|(_, missing)| !missing).count();
            for (address, is_missing) in in_use {
                let Some(pool) = pool.of(&address).filter(|_| weight > 0) else {
                    continue;
                };
                all.push(Rc::new(Candidate {
                    endpoint,
                    weight: share(weight, present),
                    is_backup: backup,
                    is_missing,
                    id: hash(pool.text.as_bytes()),
                    pool,
                }));
            }
        }
        all.sort_by_key(|one| !one.is_regular());
        let regular = all.iter().filter(|one| one.is_regular()).count();
        let weights = all.iter().map(|one| one.weight);
        let lightest = weights.clone().fold(f32::INFINITY, f32::min);
        let heaviest = weights.fold(0.0, f32::max);
        let add_weight = |sum: &mut f64, one: &Rc<Candidate>| {
            *sum += f64::from(one.weight);
            Some(*sum)
        };
        let start = |one: &Rc<Candidate>| one.weight * fastrand::f32();
        self.list.replace(Rc::new(List {
            regular,
            sums: all.iter().scan(0.0, add_weight).collect(),
            is_even: lightest >= heaviest,
            turns: RefCell::new(all.iter().map(start).collect()),
            table: OnceCell::new(),
            all,
        }));
    }
}

impl Candidate {
    /// The same endpoint with another of its addresses.
    pub(super) fn at(&self, pool: &Rc<AddressPool>) -> Self {
        Self {
            pool: Rc::clone(pool),
            ..*self
        }
    }

    pub(super) fn standing(&self) -> Standing<'_> {
        Standing {
            address: &self.pool.address,
            is_backup: self.is_backup,
            is_missing: self.is_missing,
        }
    }

    /// What lots are drawn by.
    pub(super) fn drawn(&self) -> (u64, f32) {
        (self.id, self.weight)
    }

    fn is_regular(&self) -> bool {
        !self.is_backup && !self.is_missing
    }
}

impl List {
    /// Draws one of the first `count` by weight, but for one that has been drawn.
    pub(super) fn draw(&self, count: usize, but: Option<usize>) -> usize {
        let weight = but.map_or(0.0, |but| f64::from(self.all[but].weight));
        let mut at = fastrand::f64() * (self.sums[count - 1] - weight);
        if but.is_some_and(|but| but == 0 || at >= self.sums[but - 1]) {
            // Behind it all are as far away as it is heavy.
            at += weight;
        }
        let drawn = self.sums[..count].partition_point(|sum| *sum <= at);
        // Sums are rounded.
        if drawn >= count || Some(drawn) == but {
            but.map_or(count - 1, |but| (but + 1) % count)
        } else {
            drawn
        }
    }

    /// Which of those that take requests while all is well has a text, or the `nth` one after it.
    pub(super) fn owner(&self, text: u64, nth: u64) -> usize {
        let regular = || self.all[..self.regular].iter().map(|one| one.drawn());
        let table = self.table.get_or_init(Table::default);
        table.get(text, nth, |text| {
            owner(text, regular().enumerate()).unwrap_or(0)
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a process does not live that long"
)]
fn second(now: Instant) -> u32 {
    (millis(now) / 1000) as u32
}

fn rest_of_second(now: Instant) -> Duration {
    Duration::from_millis(1000 - millis(now) % 1000)
}
