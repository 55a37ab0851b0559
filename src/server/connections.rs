//! Which connections a worker has, and how those that wait for a request are woken: to look at the
//! timeouts of a new configuration, to give way where there is no room for more, or to end, once the
//! drain has begun. Those within a request are left to finish it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::metrics::{HandshakeOutcome, WorkerRow};

/// How many give way at once, at most: as many as an eighth, so that those who come next find room.
const MAX_GIVING_WAY: usize = 32;

/// How long a client may still send a request, or take for its handshake, after the drain has begun. One
/// that is about to send a request when the connection is closed could not know whether it was read.
const LAST_CALL: Duration = Duration::from_secs(1);

/// One worker's connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    counts: Arc<WorkerRow>,
    drain_began: Cell<Option<Instant>>,
    live: Cell<usize>,
    /// By the number of their guards.
    idle: RefCell<Vec<Idle>>,
    free: RefCell<Vec<usize>>,
    all_ended: Notify,
}

/// A connection's wait for its next request.
#[derive(Debug, Default)]
struct Idle {
    /// Absent within a request, and once it gives way.
    since: Option<Instant>,
    waker: Option<Waker>,
    gives_way: bool,
}

/// A connection as long as it lives.
#[derive(Debug)]
pub(super) struct ConnectionGuard {
    connections: Rc<Connections>,
    number: usize,
    /// Whether it speaks TLS.
    is_tls: Cell<bool>,
}

impl Connections {
    /// None yet; they are counted in `counts`.
    pub(super) fn new(counts: Arc<WorkerRow>) -> Self {
        Self {
            counts,
            ..Self::default()
        }
    }

    /// Counts a connection that has been accepted.
    #[must_use]
    pub(super) fn begin(self: &Rc<Self>) -> ConnectionGuard {
        let number = self.free.borrow_mut().pop().unwrap_or_else(|| {
            let mut idle = self.idle.borrow_mut();
            idle.push(Idle::default());
            idle.len() - 1
        });
        self.live.set(self.live.get() + 1);
        self.counts.clients.up();
        ConnectionGuard {
            connections: Rc::clone(self),
            number,
            is_tls: Cell::new(false),
        }
    }

    /// Begins the drain and wakes the idle connections.
    pub(super) fn drain(&self) {
        self.drain_began.set(Some(Instant::now()));
        self.wake_idle();
    }

    /// Wakes the connections that wait for a request.
    pub(super) fn wake_idle(&self) {
        for idle in self.idle.borrow_mut().iter_mut() {
            idle.wake();
        }
    }

    /// Ends those that have been idle longest, if any are for at least that long.
    pub(super) fn give_way(&self, age: Duration) {
        let mut all = self.idle.borrow_mut();
        let now = Instant::now();
        let idle = all.iter().enumerate().filter_map(|(number, idle)| {
            let since = idle.since?;
            (now.saturating_duration_since(since) >= age).then_some((since, number))
        });
        let mut idle: Vec<_> = idle.collect();
        let count = (idle.len() / 8).clamp(1, MAX_GIVING_WAY);
        if count < idle.len() {
            idle.select_nth_unstable(count);
            idle.truncate(count);
        }
        for (_, number) in idle {
            all[number].since = None;
            all[number].gives_way = true;
            all[number].wake();
        }
    }

    /// Waits until the last connection has ended.
    pub(super) async fn all_ended(&self) {
        while self.live.get() > 0 {
            self.all_ended.notified().await;
        }
    }

    /// How many there are.
    pub(super) fn live(&self) -> usize {
        self.live.get()
    }
}

impl Idle {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl ConnectionGuard {
    /// The connection waits for a request since then; `None` when it has one.
    pub(super) fn set_idle(&self, since: Option<Instant>) {
        self.with(|idle| {
            idle.since = since;
            idle.gives_way = false;
        });
    }

    /// Notes how the handshake of TLS has ended.
    pub(super) fn note_handshake(&self, outcome: HandshakeOutcome) {
        let counts = &self.connections.counts;
        counts.handshakes.note(outcome);
        if outcome == HandshakeOutcome::Done && !self.is_tls.replace(true) {
            counts.tls_clients.up();
        }
    }

    /// Whether the connection is to end, for others to have its place. Otherwise the task is woken
    /// when that changes, when the drain begins, or when the configuration has changed.
    pub(super) fn gives_way(&self, cx: &mut Context<'_>) -> bool {
        self.with(|idle| {
            let waker = idle.waker.as_ref();
            if !waker.is_some_and(|waker| waker.will_wake(cx.waker())) {
                idle.waker = Some(cx.waker().clone());
            }
            idle.gives_way
        })
    }

    /// When the drain began, if it has.
    pub(super) fn drain_began(&self) -> Option<Instant> {
        self.connections.drain_began.get()
    }

    /// The end of a wait since then that is due at `due`: sooner, once the drain has begun.
    pub(super) fn due(&self, due: Instant, since: Instant) -> Instant {
        let began = self.drain_began();
        began.map_or(due, |began| due.min(began.max(since) + LAST_CALL))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Idle) -> T) -> T {
        work(&mut self.connections.idle.borrow_mut()[self.number])
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        let connections = &self.connections;
        self.with(|idle| *idle = Idle::default());
        connections.free.borrow_mut().push(self.number);
        connections.live.set(connections.live.get() - 1);
        connections.counts.clients.down();
        if self.is_tls.get() {
            connections.counts.tls_clients.down();
        }
        if connections.live.get() == 0 {
            connections.all_ended.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_give_way_that_have_been_idle_longest() {
        let connections = Rc::new(Connections::default());
        let start = Instant::now();
        let (second, all) = (Duration::from_secs(1), Duration::ZERO);
        let guards: Vec<_> = (0..40).map(|_| connections.begin()).collect();
        let giving_way = || {
            let mut cx = Context::from_waker(Waker::noop());
            let gives_way = |n: &usize| guards[*n].gives_way(&mut cx);
            (0..guards.len()).filter(gives_way).collect::<Vec<_>>()
        };
        connections.give_way(all);
        assert!(giving_way().is_empty(), "none is idle");
        for (n, guard) in guards.iter().enumerate().filter(|(n, _)| n % 2 == 1) {
            guard.set_idle(Some(start + Duration::from_nanos(40 - n as u64)));
        }
        connections.give_way(1000 * second);
        assert!(giving_way().is_empty(), "none is idle for so long");
        connections.give_way(all);
        assert_eq!(giving_way(), [37, 39]);
        connections.give_way(all);
        assert_eq!(giving_way(), [33, 35, 37, 39]);
        // A request that arrived just then is served; what comes after it is another wait.
        guards[39].set_idle(None);
        assert_eq!(giving_way(), [33, 35, 37]);
    }
}
