//! A connection to Redis, behind a breaker: it is there while Redis answers on it. Calls that fail in
//! a row open the breaker. From then on no call waits, until the link's keeper has a new connection
//! that works. A connection that ends may only have been idle for too long, to Redis or to something
//! on the way: calls wait for the first attempt at another, and nobody is told unless that fails.
//!
//! Where nothing else is asked, the keeper asks: so few connections end for being idle, and a Redis
//! that is frozen is noticed before requests have to wait for it.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep;

use super::CallError;
use super::deadline::in_time;
use super::dial::Driver;
use crate::breaker::{Attempt, Breaker};

/// So many failures in a row open the breaker. A Redis that is frozen opens it after as many deadlines,
/// 125 ms by default; one that is only short of CPU, as it may be beside busy gateways, should not: what
/// is then admitted without it is admitted on top.
const FAILURES_TO_OPEN: u32 = 5;

/// How long the keeper pauses before it connects again: twice as long after each failure.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long nothing is asked before the keeper asks, and the longest that the reply may take: no
/// request waits for it.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// A connection that comes and goes.
#[derive(Debug)]
pub(in crate::limit) struct Link<C> {
    state: RefCell<State<C>>,
    breaker: Breaker,
    /// Why the breaker has opened, for the keeper to read.
    cause: RefCell<Option<CallError>>,
    changed: Notify,
    /// A call has been answered since the keeper last looked.
    is_busy: Cell<bool>,
}

#[derive(Debug)]
enum State<C> {
    /// The first attempt to connect is under way.
    Coming,
    Up(C),
    /// It has ended, and the first attempt to connect again is under way.
    Ended,
    Down,
}

impl<C: Clone> Link<C> {
    /// One that is about to be kept.
    pub(in crate::limit) fn new() -> Self {
        Self {
            state: RefCell::new(State::Coming),
            breaker: Breaker::open(FAILURES_TO_OPEN),
            cause: RefCell::default(),
            changed: Notify::new(),
            is_busy: Cell::new(false),
        }
    }

    /// The connection, if it is there at once. Cloned, because one that is borrowed across a call
    /// could not be taken away meanwhile.
    pub(in crate::limit) fn connection(&self) -> Option<C> {
        match &*self.state.borrow() {
            State::Up(connection) => Some(connection.clone()),
            State::Coming | State::Ended | State::Down => None,
        }
    }

    /// The same, for a call whose result is to be reported. Waits for the connection that is to
    /// replace one that has ended.
    pub(in crate::limit) async fn begin(&self) -> Option<(C, Attempt)> {
        while matches!(*self.state.borrow(), State::Ended) {
            self.changed.notified().await;
        }
        Some((self.connection()?, self.breaker.attempt()?))
    }

    /// A call was answered.
    pub(in crate::limit) fn answered(&self, attempt: Attempt) {
        self.is_busy.set(true);
        self.breaker.succeeded(attempt);
    }

    /// A call has failed.
    pub(in crate::limit) fn failed(&self, attempt: Attempt, cause: CallError) {
        let opened = match cause {
            // A master that has become a replica stays one: who is master now is to be asked at once.
            CallError::Demoted => self.breaker.failed_clearly(attempt),
            _ => self.breaker.failed(attempt),
        };
        if opened {
            self.cause.replace(Some(cause));
            self.set(State::Down);
        }
    }

    /// Whether there is a connection, or may be soon.
    pub(super) fn has_hope(&self) -> bool {
        !matches!(*self.state.borrow(), State::Down)
    }

    /// Waits until the attempt to connect has come to something, if it is the first.
    pub(super) async fn settled(&self) {
        while matches!(*self.state.borrow(), State::Coming) {
            self.changed.notified().await;
        }
    }

    /// Waits until there is a connection.
    pub(in crate::limit) async fn up(&self) -> C {
        loop {
            if let Some(connection) = self.connection() {
                return connection;
            }
            self.changed.notified().await;
        }
    }

    /// Keeps it up, for ever: connects, serves until the connection ends or the breaker opens, pauses,
    /// and again. `probe` asks for nothing. `report` is told of each connection and of each loss, but
    /// for an end that was not noticed.
    pub(in crate::limit) async fn keep(
        &self,
        connect: impl AsyncFn() -> Result<(C, Driver), CallError>,
        probe: impl AsyncFn(C) -> Result<(), CallError>,
        report: impl Fn(Result<(), &CallError>),
    ) {
        let (mut pause, mut ended_young) = (SHORTEST_PAUSE, false);
        loop {
            let begun = Instant::now();
            let (was_up, cause) = match connect().await {
                Ok((connection, driver)) => {
                    self.breaker.close();
                    self.cause.take();
                    self.set(State::Up(connection.clone()));
                    report(Ok(()));
                    (true, self.serve(connection, driver, &probe).await)
                }
                Err(cause) => (false, cause),
            };
            self.breaker.trip();
            // What lasted was no busy loop, whether it served or waited for a connection.
            let is_young = begun.elapsed() < LONGEST_PAUSE;
            if !is_young {
                (pause, ended_young) = (SHORTEST_PAUSE, false);
            }
            let has_ended = was_up && matches!(cause, CallError::Ended);
            // Redis may end any; one that it ends as often as it is made is an outage.
            if has_ended && !(is_young && std::mem::replace(&mut ended_young, true)) {
                self.set(State::Ended);
                continue;
            }
            self.set(State::Down);
            report(Err(&cause));
            // Between half and whole: a fleet that lost Redis together must not come back together.
            sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Drives the connection until it ends, the breaker opens or there is no reply to a probe: a
    /// connection that has gone silent may be dead without knowing.
    async fn serve(
        &self,
        connection: C,
        mut driver: Driver,
        probe: &impl AsyncFn(C) -> Result<(), CallError>,
    ) -> CallError {
        let silent = async {
            loop {
                sleep(PROBE_INTERVAL).await;
                if self.is_busy.replace(false) {
                    continue;
                }
                if let Err(cause) = in_time(PROBE_PATIENCE, probe(connection.clone())).await {
                    return cause;
                }
            }
        };
        let opened = async {
            loop {
                if let Some(cause) = self.cause.take() {
                    return cause;
                }
                self.changed.notified().await;
            }
        };
        tokio::select! {
            // First, for without its last user the driver ends too.
            biased;
            cause = opened => cause,
            () = &mut driver => CallError::Ended,
            cause = silent => cause,
        }
    }

    fn set(&self, state: State<C>) {
        self.state.replace(state);
        self.changed.notify_waiters();
    }
}
