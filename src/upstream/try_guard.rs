//! One try to have a request answered by an address, from the pick to its end: it counts as in flight,
//! and holds the lease of a probe. What came of it is said once that is known; a try that ends
//! without a verdict, for its client has left, says nothing about the endpoint.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::metrics::TryOutcome;

use super::address::Address;
use super::candidates::Candidate;
use super::circuit::Ticket;
use super::pool::AddressPool;

/// How long a client is expected to wait for an answer, however fast the endpoint is otherwise.
const PATIENCE: Duration = Duration::from_secs(1);
/// However fast an endpoint is otherwise, so long it may take once.
const HURRY: Duration = Duration::from_millis(50);
/// For how long a probe whose client may have left, or is slow, goes on, where nobody knows how long answers take.
const PROBE_PATIENCE: Duration = Duration::from_millis(500);
/// How many times as long as the endpoint takes on average. Long polls are slow without a fault.
const TIMES_AVERAGE: u32 = 10;

/// A try under way.
#[derive(Debug)]
pub struct Try {
    candidate: Rc<Candidate>,
    pub(super) ticket: Ticket,
    /// What it is counted as; nothing as long as it has not begun.
    outcome: Cell<Option<TryOutcome>>,
}

impl Try {
    pub(super) fn new(candidate: &Rc<Candidate>, ticket: Ticket) -> Self {
        candidate.pool.address.load.begin();
        Self {
            candidate: Rc::clone(candidate),
            ticket,
            outcome: Cell::new(None),
        }
    }

    /// Where it goes.
    pub fn candidate(&self) -> &Rc<Candidate> {
        &self.candidate
    }

    /// A try of another address of the same endpoint.
    pub fn at(&self, pool: &Rc<AddressPool>) -> Self {
        let other = Rc::new(self.candidate.at(pool));
        let ticket = other.pool.address.circuit.enter();
        let other = Self::new(&other, ticket.unwrap_or(Ticket::Unguarded));
        other.begins();
        other
    }

    /// Notes that it is made. Until more is known its client may leave.
    pub fn begins(&self) {
        self.comes_to(TryOutcome::ClientLeft);
    }

    /// Notes what it is counted as, once it has ended.
    pub fn comes_to(&self, outcome: TryOutcome) {
        self.outcome.set(Some(outcome));
    }

    /// Notes that what ended it says nothing of the endpoint or the client, and is not counted.
    pub fn does_not_count(&self) {
        self.outcome.set(None);
    }

    /// Notes that its connection, which had been kept, broke when it was sent. The next ones that are kept
    /// are looked at more closely.
    pub fn broke(&self, now: Instant) {
        self.comes_to(TryOutcome::Reset);
        self.candidate.pool.suspect(now);
    }

    pub(super) fn address(&self) -> &Address {
        &self.candidate.pool.address
    }

    /// Notes that its answer has ended whole.
    pub fn ended_whole(&self) {
        self.address().circuit.ended_whole();
    }

    /// Whether it is the probe of an open circuit.
    pub fn is_probe(&self) -> bool {
        match self.ticket {
            Ticket::Probe(lease) => self.address().circuit.is_held_by(lease),
            Ticket::Closed(_) | Ticket::Unguarded => false,
        }
    }

    /// How long its client is waited for, which has ended its half of the connection or has not sent all of the
    /// request: `usual`, or less while a probe keeps all others from the endpoint.
    pub fn patience_with_client(&self, usual: Duration) -> Duration {
        if self.is_probe() {
            self.hurry(usual)
        } else {
            usual
        }
    }

    /// How long it is waited for while it keeps others from the endpoint: twice as long as that takes to
    /// answer on average, and not longer than `usual`.
    pub fn hurry(&self, usual: Duration) -> Duration {
        let average = self.candidate.pool.address.load.average();
        average.map_or(PROBE_PATIENCE, |it| (it * 2).clamp(HURRY, usual))
    }

    /// Lets another request be the probe: this one waits for its client.
    pub fn give_way(&self, now: Instant) {
        if let Ticket::Probe(lease) = self.ticket {
            self.address().circuit.give_way(lease, now);
        }
    }

    /// Whether a client that leaves after this time has waited for longer than it should have to.
    pub fn tries_patience(&self, waited: Duration) -> bool {
        waited >= self.times_average().map_or(PATIENCE, |it| it.max(PATIENCE))
    }

    /// Whether the endpoint takes much longer than usual, which a client may know better than the circuit.
    pub fn is_late(&self, waited: Duration) -> bool {
        waited >= self.times_average().map_or(HURRY, |it| it.max(HURRY))
    }

    fn times_average(&self) -> Option<Duration> {
        let average = self.candidate.pool.address.load.average();
        average.map(|it| it * TIMES_AVERAGE)
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        let pool = &self.candidate.pool;
        if let Some(outcome) = self.outcome.get() {
            pool.row.note(outcome);
        }
        let address = &pool.address;
        address.load.end();
        if let Ticket::Probe(lease) = self.ticket {
            address.circuit.free(lease);
        }
    }
}
