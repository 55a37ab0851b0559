//! A place among the requests that an upstream has at once. A request that has to wait for one waits
//! for no longer than `queue_timeout`, nor beyond the route's `timeout`, and not when its client has
//! left; without a place it is refused.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use crate::upstream::{CapacityRules, Entry, Place, Turn};
use crate::wire::end::End;
use crate::wire::stream::Ended;

use super::super::boxed_cold;
use super::super::client_side::ClientSide;
use super::attempt::{HALF_CLOSED, LOOK};
use super::error::{AttemptError, Cause};
use super::forward::Forward;

/// Takes a place, or waits for one.
pub(super) async fn take(
    forward: &Forward<'_, '_>,
    rules: &CapacityRules,
    client: &mut ClientSide<'_>,
) -> Result<Place, AttemptError> {
    match forward.upstream.state.capacity.enter(rules.max_waiting) {
        Entry::Place(place) => Ok(place),
        Entry::Turn(turn) => boxed_cold(wait(turn, forward, rules, client)).await,
        Entry::Full if rules.max_waiting == 0 => Err(refused(forward, "")),
        Entry::Full => {
            let waiting = format!(", and max_waiting = {} waiting", rules.max_waiting);
            Err(refused(forward, &waiting))
        }
    }
}

async fn wait(
    mut turn: Turn,
    forward: &Forward<'_, '_>,
    rules: &CapacityRules,
    client: &mut ClientSide<'_>,
) -> Result<Place, AttemptError> {
    let begun = forward.record.now();
    let mut watch = Watch::new(begun);
    let bound = |since: Instant, key, time| (since + time, key, time);
    let in_queue = bound(begun, "queue_timeout", rules.queue_timeout);
    let in_all = forward.counts_since.get();
    let in_all = in_all.map(|since| bound(since, "timeout", forward.route.timeout));
    let (until, key, time) = in_all.map_or(in_queue, |in_all| in_all.min(in_queue));
    let waited = poll_fn(|cx| {
        if let Poll::Ready(place) = turn.poll_place(cx) {
            return Poll::Ready(Ok(place));
        }
        if watch.poll_left(cx, &mut client.end).is_ready() {
            return Poll::Ready(Err(failed(Cause::ClientLeft, forward, begun)));
        }
        loop {
            let look = watch.next(&client.end).filter(|look| *look < until);
            ready!(client.alarm.poll_due(cx, look.unwrap_or(until)));
            if look.is_none() {
                let none = format!(", and none ended within {key} = {time:?}");
                return Poll::Ready(Err(refused(forward, &none)));
            }
            if watch.has_left(&client.end) {
                return Poll::Ready(Err(failed(Cause::ClientLeft, forward, begun)));
            }
        }
    });
    let place = waited.await;
    forward.record.waits();
    place
}

/// A client that waits, and may leave.
struct Watch {
    /// When it has ended its half of the connection.
    half_closed: Option<Instant>,
    /// When the kernel was last asked about it.
    looked: Instant,
}

impl Watch {
    fn new(now: Instant) -> Self {
        Self {
            half_closed: None,
            looked: now,
        }
    }

    /// Waits until it has left. Reads ahead meanwhile, but not without bound.
    fn poll_left(&mut self, cx: &mut Context<'_>, client: &mut End<'_>) -> Poll<()> {
        if self.half_closed.is_some() {
            return Poll::Pending;
        }
        match ready!(client.poll_ended(cx)) {
            Ended::Both => Poll::Ready(()),
            Ended::Sending => {
                self.half_closed = Some(Instant::now());
                Poll::Pending
            }
        }
    }

    /// When to look at it next: at one that nothing is read from.
    fn next(&self, client: &End<'_>) -> Option<Instant> {
        let looks = self.half_closed.is_some() || client.is_full();
        looks.then(|| self.looked + LOOK)
    }

    /// Looks whether it has left.
    fn has_left(&mut self, client: &End<'_>) -> bool {
        self.looked = Instant::now();
        let ended = client.ended();
        if ended.is_some() {
            self.half_closed.get_or_insert(self.looked);
        }
        let since = |closed: Instant| self.looked.saturating_duration_since(closed);
        let long_ago = self.half_closed.is_some_and(|at| since(at) >= HALF_CLOSED);
        ended == Some(Ended::Both) || long_ago
    }
}

/// Refuses a request, and logs once in a while that there are such.
#[cold]
fn refused(forward: &Forward<'_, '_>, then: &str) -> AttemptError {
    let (upstream, capacity) = (&forward.upstream.name, &forward.upstream.state.capacity);
    let (now, max_requests) = (forward.record.now(), capacity.limit());
    if capacity.refusals_log.is_due(now) {
        tracing::warn!(%upstream, max_requests, "an upstream has as many requests in flight as it may have: more get 503 (`overloaded`)");
    }
    let why = format!("`{upstream}` has max_requests = {max_requests} in flight{then}");
    failed(Cause::NoPlace(why), forward, now)
}

fn failed(cause: Cause, forward: &Forward<'_, '_>, begun: Instant) -> AttemptError {
    AttemptError::unconnected(cause, forward.record.now().saturating_duration_since(begun))
}
