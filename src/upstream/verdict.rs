//! What follows from how tries and checks end: circuits open and close, and the log says so once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Upstream;
use super::address::{Address, Check};
use super::check_failure::CheckFailure;
use super::circuit::{Row, Ticket};
use super::failure::Failure;
use super::rules::MaxRequests;
use super::try_guard::Try;

impl Upstream {
    /// Notes that a try was answered; with `is_error` by an error of the service's, for one that fails
    /// fast must not attract requests. `took`: from the end of the request to the answer's head, unless
    /// the answer came earlier than that end.
    pub fn answered(&self, attempt: &Try, took: Option<Duration>, is_error: bool, now: Instant) {
        let address = attempt.address();
        if is_error {
            address.load.penalise(now);
        } else if let Some(took) = took {
            address.load.note_time(took);
            self.note_time(Some(took), now);
        }
        if let Some((open_for, why)) = address.circuit.succeeded(attempt.ticket, now) {
            self.note_closed(address, open_for, why, now);
        }
    }

    /// Notes that a try has failed.
    pub fn failed(&self, attempt: &Try, why: Failure, now: Instant) {
        self.note_failure(attempt, (why, Row::Tries), now);
    }

    /// Notes that the answer of a try has broken off.
    pub fn broke_off(&self, attempt: &Try, why: Failure, now: Instant) {
        self.note_failure(attempt, (why, Row::Answers), now);
    }

    /// Notes that a client has left for whom a try was late. That is no failure; but an endpoint that swallows
    /// requests must not look idle.
    pub fn was_late(&self, attempt: &Try, now: Instant) {
        attempt.address().load.penalise(now);
    }

    fn note_failure(&self, attempt: &Try, failed: (Failure, Row), now: Instant) {
        let (why, _) = failed;
        let address = attempt.address();
        address.load.penalise(now);
        if matches!(why, Failure::TimedOut | Failure::Impatient) {
            self.note_time(None, now);
        }
        let Some(rules) = &self.rules.breaker else {
            address.circuit.failed_unguarded(why, now);
            return;
        };
        if let Ticket::Probe(lease) = attempt.ticket {
            if why == Failure::Impatient {
                // No verdict: the lease is free once the try is dropped, and the next may begin.
                return;
            }
            let another_serves = self
                .others_than(address)
                .any(|one| self.takes_now(&one, now));
            address.circuit.probe_failed(lease, another_serves, now);
            let (upstream, endpoint) = (&self.name, address.socket);
            tracing::debug!(%upstream, %endpoint, reason = &*why.word(), "a probe of an open circuit has failed");
            return;
        }
        let opening = self.state.opening();
        let may_open = || !why.is_of_load() || self.may_lose(address, why, now);
        let circuit = &address.circuit;
        let opened = circuit.failed(attempt.ticket, failed, rules, now, may_open);
        drop(opening);
        if opened {
            self.state.note_trouble();
            let (upstream, endpoint) = (&self.name, address.socket);
            tracing::warn!(event = "circuit_opened", %upstream, %endpoint, reason = &*why.word(), "a circuit has opened: the endpoint gets no requests but probes");
        }
    }

    /// Notes how long an answer took, or that there was none in time, if the bound to the requests in
    /// flight follows from that.
    fn note_time(&self, took: Option<Duration>, now: Instant) {
        if let Some(rules) = &self.rules.capacity
            && rules.max_requests == MaxRequests::Adaptive
        {
            self.state.capacity.note_time(took, now);
        }
    }

    /// Spares the endpoint of a try for so long, while there are others.
    pub fn spare(&self, attempt: &Try, time: Duration, now: Instant) {
        attempt.address().spare(time, now);
        self.state.note_trouble();
    }

    /// Notes what a check has found, and why it failed if it did; says whether that is news.
    pub(super) fn checked(
        &self,
        address: &Address,
        found: Check,
        why: Option<CheckFailure>,
        now: Instant,
    ) -> bool {
        let before = address.set_check(found, why, now);
        if found == Check::Up
            && let Some((open_for, why)) = address.circuit.close(now)
        {
            self.note_closed(address, open_for, why, now);
        }
        if before != found {
            self.state.note_trouble();
        }
        before != found
    }

    /// Whether this address may be left out, too, for its load: at most half take nothing then. The only one
    /// of an upstream may, for there is no other whose load would grow; but not because clients have left,
    /// who may have had reasons of their own.
    fn may_lose(&self, address: &Address, why: Failure, now: Instant) -> bool {
        let (mut others, mut out) = (0, 0);
        for other in self.others_than(address) {
            others += 1;
            out += usize::from(!self.takes_now(&other, now));
        }
        match others {
            0 => why != Failure::Impatient,
            _ => (out + 1) * 2 <= others + 1,
        }
    }

    /// All others that requests are spread over.
    fn others_than(&self, address: &Address) -> impl Iterator<Item = Arc<Address>> {
        self.addresses()
            .filter(move |one| !std::ptr::eq(&raw const **one, address))
    }

    /// All that requests are spread over. Takes locks for each endpoint: not for each request.
    pub(super) fn addresses(&self) -> impl Iterator<Item = Arc<Address>> {
        let takes_any = self.endpoints.iter().filter(|one| one.takes_requests());
        takes_any.flat_map(|one| one.state.in_use().into_iter().map(|(address, _)| address))
    }

    fn note_closed(&self, address: &Address, open_for: Duration, why: Failure, now: Instant) {
        address.came_back(now);
        let (upstream, endpoint) = (&self.name, address.socket);
        let open_ms = u64::try_from(open_for.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(event = "circuit_closed", %upstream, %endpoint, reason = &*why.word(), open_ms, "a circuit has closed: the endpoint answers again");
    }
}
