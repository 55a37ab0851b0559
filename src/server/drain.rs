//! Which connections a worker has, and how those between two requests are woken: to stop, once the
//! drain has begun, or to look at the timeouts of a new configuration. Those within a request are
//! left to finish it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Instant;

use tokio::sync::Notify;

/// One worker's connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    began: Cell<Option<Instant>>,
    live: Cell<usize>,
    /// Whom to wake, by the number of the seat.
    idle: RefCell<Vec<Option<Waker>>>,
    free: RefCell<Vec<usize>>,
    ended: Notify,
}

/// A connection's place among them, up to its end.
#[derive(Debug)]
pub(super) struct Seat {
    connections: Rc<Connections>,
    number: usize,
}

impl Connections {
    /// Takes a place for a connection that has been accepted.
    #[must_use]
    pub(super) fn seat(self: &Rc<Self>) -> Seat {
        let number = self.free.borrow_mut().pop().unwrap_or_else(|| {
            let mut idle = self.idle.borrow_mut();
            idle.push(None);
            idle.len() - 1
        });
        self.live.set(self.live.get() + 1);
        Seat {
            connections: Rc::clone(self),
            number,
        }
    }

    /// Begins the drain and wakes the idle connections.
    pub(super) fn drain(&self) {
        self.began.set(Some(Instant::now()));
        self.wake_idle();
    }

    /// Wakes the connections that wait for their next request.
    pub(super) fn wake_idle(&self) {
        for waker in self.idle.borrow_mut().iter_mut().filter_map(Option::take) {
            waker.wake();
        }
    }

    /// Waits until the last connection has ended.
    pub(super) async fn all_ended(&self) {
        while self.live.get() > 0 {
            self.ended.notified().await;
        }
    }

    /// How many there are.
    #[must_use]
    pub(super) fn live(&self) -> usize {
        self.live.get()
    }
}

impl Seat {
    /// When the drain began, if it has. Otherwise the task is woken when it does, or when the
    /// configuration has changed.
    pub(super) fn drain_began(&self, cx: &mut Context<'_>) -> Option<Instant> {
        let began = self.connections.began.get();
        if began.is_none() {
            let mut idle = self.connections.idle.borrow_mut();
            if let Some(waker) = idle.get_mut(self.number)
                && !waker
                    .as_ref()
                    .is_some_and(|waker| waker.will_wake(cx.waker()))
            {
                *waker = Some(cx.waker().clone());
            }
        }
        began
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let connections = &self.connections;
        if let Some(waker) = connections.idle.borrow_mut().get_mut(self.number) {
            *waker = None;
        }
        connections.free.borrow_mut().push(self.number);
        connections.live.set(connections.live.get() - 1);
        if connections.live.get() == 0 {
            connections.ended.notify_one();
        }
    }
}
