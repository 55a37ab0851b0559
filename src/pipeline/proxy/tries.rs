//! The tries of one request: where it is sent first, and where else if that fails. Another try needs
//! that nothing of an answer has gone out, that the request can be sent again (or that nothing of it
//! was sent), time, and a place in the upstream's budget. Where one of these is missing, the client
//! gets what the service has said.

mod connect;
mod spared;

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;
use tokio::time::{sleep, timeout};

use crate::message::head::AnswerHead;
use crate::metrics::{RetryOutcome, TryOutcome};
use crate::upstream::{
    Address, Asked, BoundLinks, ConnectError, Failure, MaxRequests, NoEndpoint, Place, RetryRules,
    Try,
};

use self::spared::asks_to_be_spared;
use super::super::client_side::ClientSide;
use super::super::record::FailedTry;
use super::super::rejection::Rejection;
use super::attempt::Attempt;
use super::error::{AttemptError, Cause, Phase, Sent};
use super::forward::Forward;
use super::kept::Kept;

/// The longest pause before the second try; each further one may be twice as long.
const PAUSE: Duration = Duration::from_millis(25);
/// The longest that an endpoint is spared because it has asked for that.
const LONGEST_SPARED: Duration = Duration::from_secs(10);

/// All tries of a request.
pub(super) struct Tries<'f, 'r> {
    forward: &'f Forward<'f, 'r>,
    kept: &'f Kept<'f>,
    hash: u64,
    tried: SmallVec<[Arc<Address>; 2]>,
    /// Which of these was a kept connection that broke. That is no failure of the endpoint.
    broken: Option<u8>,
    /// How it failed first, where that may be due to the request.
    first_failure: Option<Failure>,
    /// How many of these a connection was looked for in vain while another address of the endpoint had one:
    /// no retry was made for them.
    missed: usize,
    /// The answer that passes to the client is a failure, and listed as one.
    passes_failure: bool,
    /// Its place among the requests in flight, where these are counted.
    place: Option<Place>,
}

impl<'f, 'r> Tries<'f, 'r> {
    pub(super) fn new(
        forward: &'f Forward<'f, 'r>,
        kept: &'f Kept<'f>,
        place: Option<Place>,
    ) -> Self {
        forward.candidates.count(forward.record.now());
        Self {
            forward,
            kept,
            hash: forward.hash(),
            tried: SmallVec::new(),
            broken: None,
            first_failure: None,
            missed: 0,
            passes_failure: false,
            place,
        }
    }

    /// Picks where the request is sent first, with the connections that are the client's own; `None` as
    /// long as no address is known.
    pub(super) fn first(&self, bound: &BoundLinks) -> Option<Result<Try, Rejection>> {
        if !bound.is_empty()
            && let Some(own) = self.forward.candidates.pick_bound(bound)
        {
            return Some(Ok(own));
        }
        match self.pick() {
            Err(NoEndpoint::Unresolved) => None,
            picked => Some(picked.map_err(Into::into)),
        }
    }

    /// Waits for the first address of the upstream, and picks.
    pub(super) async fn first_of_unresolved(&self) -> Result<Try, Rejection> {
        let (forward, record) = (self.forward, self.forward.record);
        let patience = forward.upstream.rules.connect_timeout;
        let patience = patience.min(forward.route.timeout);
        let resolved = timeout(patience, forward.candidates.resolve()).await;
        let error = match resolved.unwrap_or(Err(ConnectError::TimedOut(patience))) {
            Ok(()) => return self.pick().map_err(Into::into),
            Err(error) => forward.unreachable(error),
        };
        record.waits();
        record.detail.replace(error.detail().map(Into::into));
        Err(error
            .into_rejection()
            .unwrap_or(Rejection::UpstreamUnreachable))
    }

    fn pick(&self) -> Result<Try, NoEndpoint> {
        let (forward, rules) = (self.forward, &self.forward.upstream.rules);
        let answer = rules.try_timeout.unwrap_or(forward.route.timeout);
        forward.candidates.pick(&Asked {
            now: forward.record.now(),
            hash: self.hash,
            repeatable: forward.is_repeatable(self.kept),
            whole: self.kept.is_whole(),
            longest: rules.connect_timeout + answer.min(forward.route.timeout),
            tried: &self.tried,
        })
    }

    /// Notes what came of a try that has failed.
    fn note_failure(&mut self, failed: &Try, error: &AttemptError) {
        let (upstream, now) = (self.forward.upstream, self.forward.record.now());
        let has_left = matches!(error.cause, Cause::ClientLeft) && error.phase != Phase::Body;
        let why = match error.failure() {
            None if has_left && failed.tries_patience(error.waited) => Some(Failure::Impatient),
            why => why,
        };
        if let Some(why) = why {
            failed.comes_to(why.counted());
            if error.phase != Phase::Body {
                self.note_retry(RetryOutcome::Failed);
            }
            match error.phase {
                _ if error.client_was_slow || self.is_of_request(failed, why) => {}
                Phase::Body => upstream.broke_off(failed, why, now),
                _ if error.had_its_time() && !self.was_tried(failed) => {
                    upstream.failed(failed, why, now);
                }
                _ => {}
            }
            if self.passes_failure {
                // It is listed for its status: what follows is the same try.
                self.forward.record.tries.borrow_mut().pop();
            }
            self.note(failed, why, error.waited);
        } else if has_left && failed.is_late(error.waited) {
            upstream.was_late(failed, now);
        } else if error.phase != Phase::Body && error.is_of_neither() {
            failed.does_not_count();
        }
    }

    /// Whether it is the request that services fail on, and not the service: it has failed on another
    /// endpoint in the same way, and counts there. Else one that crashes whoever reads it would take
    /// all endpoints from everybody. A probe has a verdict in any case.
    fn is_of_request(&mut self, failed: &Try, why: Failure) -> bool {
        let is_again = self.first_failure == Some(why);
        if matches!(why, Failure::Reset | Failure::Invalid) {
            self.first_failure.get_or_insert(why);
        }
        is_again && !failed.is_probe()
    }

    /// Whether the request has failed there before: however often it is tried, that counts once. Else
    /// the circuit of an only endpoint would open for a single request.
    fn was_tried(&self, current: &Try) -> bool {
        let address = &current.candidate().pool.address;
        let mut tried = self.tried.iter().enumerate();
        tried.any(|(nth, tried)| !self.is_broken(nth) && Arc::ptr_eq(tried, address))
    }

    /// How many tries have been made before.
    fn made(&self) -> usize {
        self.tried.len() - self.missed
    }

    fn is_broken(&self, nth: usize) -> bool {
        self.broken.is_some_and(|broken| usize::from(broken) == nth)
    }

    fn note(&mut self, failed: &Try, why: Failure, waited: Duration) {
        self.tried
            .push(Arc::clone(&failed.candidate().pool.address));
        self.log(failed, why.word(), waited);
    }

    /// Notes that the kept connection of a try had died before anything was sent on it.
    pub(super) fn note_stale(&self, current: &Try, error: &AttemptError) {
        self.log(current, "stale".into(), error.waited);
    }

    /// Whether a try is made on a new connection: kept ones break together, when a service restarts, and
    /// what a probe finds out must not hang on the age of one.
    pub(super) fn needs_new_connection(&self, current: &Try) -> bool {
        self.broken.is_some() || current.is_probe()
    }

    fn log(&self, failed: &Try, reason: Cow<'static, str>, took: Duration) {
        self.forward.record.try_failed(reason.clone());
        self.list(failed, reason, took);
    }

    /// Puts a try among those that have failed. If its answer passes, it goes on.
    fn list(&self, failed: &Try, reason: Cow<'static, str>, took: Duration) {
        self.forward.record.tries.borrow_mut().push(FailedTry {
            endpoint: Rc::clone(&failed.candidate().pool.text),
            reason,
            took,
        });
    }

    /// Notes what came of a try that has failed, and picks where to try next, if anywhere.
    pub(super) fn after(
        &mut self,
        failed: &Try,
        error: &AttemptError,
        client: &ClientSide<'_>,
    ) -> Option<Try> {
        if error.broke_kept() {
            let next = self.after_broken(failed, error, client);
            if next.is_none() {
                self.note_failure(failed, error);
            }
            return next;
        }
        self.note_failure(failed, error);
        self.next(error, client)
    }

    /// Where to try next after a kept connection broke, if anywhere. What was sent on it may have been read:
    /// that is a retry like any other, for a service may break all its connections so.
    fn after_broken(
        &mut self,
        failed: &Try,
        error: &AttemptError,
        client: &ClientSide<'_>,
    ) -> Option<Try> {
        let (nth, is_first) = (self.tried.len(), self.made() == 0);
        let address = &failed.candidate().pool.address;
        self.tried.push(Arc::clone(address));
        let Some(next) = self.next(error, client) else {
            self.tried.pop();
            return None;
        };
        failed.broke(self.forward.record.now());
        if !is_first {
            let retries = &self.forward.candidates.row.retries;
            retries.note(RetryOutcome::Failed);
        }
        self.broken = u8::try_from(nth).ok();
        self.log(failed, Failure::Reset.word(), error.waited);
        Some(next)
    }

    fn next(&self, error: &AttemptError, client: &ClientSide<'_>) -> Option<Try> {
        let rules = self.rules()?;
        let fits = error.sent == Sent::Nothing || self.kept.len() <= rules.body;
        let can = error.leaves_request_whole(self.forward.is_repeatable(self.kept))
            && fits
            && self.kept.has_all()
            && !client.end.is_within_message();
        if can { self.another(rules) } else { None }
    }

    /// Where to try next instead of passing on an answer, if anywhere. Notes what the answer says
    /// about its endpoint.
    pub(super) fn instead_of(
        &mut self,
        head: &AnswerHead,
        answered: &Try,
        attempt: &Attempt<'_, '_>,
    ) -> Option<Try> {
        let forward = self.forward;
        let (upstream, now) = (forward.upstream, forward.record.now());
        let status = head.status;
        let breaker = upstream.rules.breaker.as_ref();
        let is_failure = breaker.is_some_and(|rules| rules.statuses.has(status));
        let is_error = is_failure || status.is_server_error();
        answered.comes_to(if is_error {
            TryOutcome::Error
        } else {
            TryOutcome::Ok
        });
        if let Some(took) = attempt.took() {
            forward.candidates.row.duration.note(took);
        }
        if is_failure {
            if !self.was_tried(answered) {
                upstream.failed(answered, Failure::Status(status), now);
            }
        } else {
            upstream.answered(answered, attempt.took(), status.is_server_error(), now);
        }
        if let Some(time) = asks_to_be_spared(head) {
            upstream.spare(answered, time.min(LONGEST_SPARED), now);
        }
        let outcome = if is_error {
            RetryOutcome::Failed
        } else {
            RetryOutcome::Ok
        };
        self.note_retry(outcome);
        let rules = self.rules();
        let unwelcome = rules.filter(|rules| rules.statuses.has(status));
        let next = unwelcome.and_then(|rules| self.better_than(answered, attempt, rules));
        let why = Failure::Status(status);
        if next.is_some() {
            self.note(answered, why, attempt.waited(now));
        } else if is_error || unwelcome.is_some() {
            self.list(answered, why.word(), attempt.waited(now));
            self.passes_failure = true;
        }
        next
    }

    /// Where to try next instead of passing on this answer, which `rules` has among those to do so for.
    fn better_than(
        &mut self,
        answered: &Try,
        attempt: &Attempt<'_, '_>,
        rules: &RetryRules,
    ) -> Option<Try> {
        let can = self.forward.is_repeatable(self.kept)
            && self.kept.len() <= rules.body
            && !attempt.is_answering();
        if !can {
            return None;
        }
        self.tried
            .push(Arc::clone(&answered.candidate().pool.address));
        let next = self.another(rules);
        self.tried.pop();
        next
    }

    /// Counts what has come of a try, if it was not the first.
    fn note_retry(&self, outcome: RetryOutcome) {
        if self.made() > 0 {
            self.forward.candidates.row.retries.note(outcome);
        }
    }

    /// Notes that the answer, once begun, has no end of its own. Where the number of places follows
    /// from the time that answers take to begin, it needs none any more: streams would otherwise fill
    /// a number that has shrunk, and nothing could be answered that makes it grow again.
    pub(super) fn is_endless(&mut self) {
        let rules = self.forward.upstream.rules.capacity.as_ref();
        if rules.is_some_and(|rules| rules.max_requests == MaxRequests::Adaptive) {
            self.place = None;
        }
    }

    /// Picks another endpoint if there is time and a place in the budget.
    fn another(&self, rules: &RetryRules) -> Option<Try> {
        let (forward, now) = (self.forward, self.forward.record.now());
        let pause = self.longest_pause();
        let is_late = |since: Instant| now + pause >= since + forward.route.timeout;
        if self.made() > rules.attempts as usize || forward.counts_since.get().is_some_and(is_late)
        {
            return None;
        }
        let next = self.pick().ok()?;
        let has_budget = forward.candidates.may_retry(rules, now);
        if !has_budget {
            forward.candidates.row.retries.note(RetryOutcome::NoBudget);
        }
        has_budget.then_some(next)
    }

    fn rules(&self) -> Option<&'f RetryRules> {
        self.forward.upstream.rules.retry.as_ref()
    }

    /// Waits a little, so that what has failed together is not tried again together. Not after a kept
    /// connection broke, which happens to good services as well.
    pub(super) async fn pause(&self) {
        if self.is_broken(self.tried.len() - 1) {
            return;
        }
        sleep(self.longest_pause().mul_f32(fastrand::f32())).await;
        self.forward.record.waits();
    }

    fn longest_pause(&self) -> Duration {
        let doublings = u32::try_from(self.tried.len()).unwrap_or(1).clamp(1, 8) - 1;
        PAUSE * (1 << doublings)
    }
}
