//! Which connections a worker has, and how they are told that it is about to stop. Connections
//! between two requests are woken; those within one are left to finish.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Instant;

use tokio::sync::Notify;

/// One worker's connections.
#[derive(Debug, Default)]
pub struct Connections {
    began: Cell<Option<Instant>>,
    next: Cell<u64>,
    live: Cell<usize>,
    resting: RefCell<HashMap<u64, Waker>>,
    ended: Notify,
}

/// A connection's place among them, up to its end.
#[derive(Debug)]
pub struct Seat {
    connections: Rc<Connections>,
    number: u64,
}

impl Connections {
    /// Takes a place for a connection that has been accepted.
    #[must_use]
    pub fn seat(self: &Rc<Self>) -> Seat {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        self.live.set(self.live.get() + 1);
        Seat {
            connections: Rc::clone(self),
            number,
        }
    }

    /// Begins the drain and wakes whoever rests.
    pub fn drain(&self) {
        self.began.set(Some(Instant::now()));
        for (_, waker) in self.resting.take() {
            waker.wake();
        }
    }

    /// Waits until the last connection has ended.
    pub async fn all_ended(&self) {
        while self.live.get() > 0 {
            self.ended.notified().await;
        }
    }

    /// How many there are.
    #[must_use]
    pub fn live(&self) -> usize {
        self.live.get()
    }
}

impl Seat {
    /// When the drain began, if it has. Otherwise the task is woken when it does.
    pub fn drain_began(&self, cx: &mut Context<'_>) -> Option<Instant> {
        let began = self.connections.began.get();
        if began.is_none() {
            let mut resting = self.connections.resting.borrow_mut();
            match resting.get(&self.number) {
                Some(waker) if waker.will_wake(cx.waker()) => {}
                _ => {
                    resting.insert(self.number, cx.waker().clone());
                }
            }
        }
        began
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let connections = &self.connections;
        connections.resting.borrow_mut().remove(&self.number);
        connections.live.set(connections.live.get() - 1);
        if connections.live.get() == 0 {
            connections.ended.notify_one();
        }
    }
}
