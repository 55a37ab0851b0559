//! Serving: the threads are started, the signals obeyed, hand-overs begun and taken, and the drain
//! watched to its end. All in one loop, so that a signal means something at any time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use crate::admin::{AdminSocket, Presence};
use crate::server::{Claimed, Listener, Phase};

use super::hand_over::{HandOverError, Heard, Heir, Predecessor, TakeOver, Totals};
use super::notify::{State, notify};
use super::reload::{Reloader, log_changes};
use super::signals::Signals;
use super::succession::{Succession, refuse};
use super::threads::{Ended, Threads, WORKER};
use super::{Gateway, StartError, files, if_any};

/// How often lost log lines are looked for.
const LOST_LINES_INTERVAL: Duration = Duration::from_secs(1);
/// How long workers may take to end after the drain's timeout; they say goodbye to Redis.
const DRAIN_MARGIN: Duration = Duration::from_secs(2);
/// How long they may take to write a line for each request that is cut, once told twice to stop.
const CUT_MARGIN: Duration = Duration::from_secs(1);
/// How long the last answers to operators may take.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// How long a port may wait for the lines of the log that come before it.
const LINES_BEFORE: Duration = Duration::from_millis(200);

/// A gateway whose threads run.
struct Running<'g> {
    gateway: &'g Gateway,
    threads: Threads,
    /// Until it is listened on.
    claimed: Option<Claimed>,
    predecessor: Option<Predecessor>,
    take_over: Option<TakeOver>,
    /// Every listening socket once, while they may be handed over.
    sockets: Vec<Listener>,
    /// The operator's, while this process is the one that answers there.
    admin: Vec<AdminSocket>,
    /// A hand-over that has begun.
    succession: Option<Succession>,
    /// The successor that serves.
    heir: Option<Heir>,
    /// When listeners close, while readiness has gone and all else goes on.
    leaving: Option<Instant>,
    drain: Option<Drain>,
    /// How many workers are not ready yet, and one more until endpoints have been checked.
    starting: usize,
    /// How many workers have not ended yet.
    workers: usize,
}

/// The end, once it has begun.
struct Drain {
    until: Instant,
    /// A successor serves, and nobody has asked this process to stop.
    handed_over: bool,
}

impl Gateway {
    /// Starts the threads, serves until a signal says to stop or a successor serves, and drains. Returns
    /// the successor, if there is one.
    pub(super) async fn serve(
        &self,
        claimed: Claimed,
        admin: Vec<AdminSocket>,
        predecessor: Option<Predecessor>,
        reloader: Reloader,
        signals: &mut Signals,
    ) -> Result<Option<Heir>, StartError> {
        let threads = self.start(reloader, &admin)?;
        let workers = threads.workers.len();
        let mut running = Running {
            gateway: self,
            threads,
            claimed: Some(claimed),
            predecessor,
            take_over: None,
            sockets: Vec::new(),
            admin,
            succession: None,
            heir: None,
            leaving: None,
            drain: None,
            starting: workers + 1,
            workers,
        };
        let done = running.live(signals).await;
        if let Some(heir) = &mut running.heir {
            heir.give_rest(&self.metrics);
        }
        running.leave_operators().await;
        done.map(|()| running.heir)
    }
}

impl Running<'_> {
    async fn live(&mut self, signals: &mut Signals) -> Result<(), StartError> {
        let mut lost_lines = tokio::time::interval(LOST_LINES_INTERVAL);
        while self.workers > 0 || self.is_needed() {
            let until = self.drain.as_ref().map(|drain| drain.until);
            tokio::select! {
                Some(()) = self.threads.ready.recv() => self.one_is_ready().await?,
                heard = if_any(self.take_over.as_mut().map(TakeOver::heard)) => self.hear(heard).await?,
                () = signals.stop.asked() => if self.stop() {
                    return Ok(());
                },
                Some(ended) = self.threads.ended.recv() => self.note_end(ended)?,
                () = if_any(until.map(sleep_until)) => {
                    if self.workers > 0 {
                        let running = self.workers;
                        tracing::warn!(running, "workers do not end; ending without them");
                    }
                    return Ok(());
                }
                () = if_any(self.leaving.map(sleep_until)) => self.begin_drain(false),
                _ = signals.reload.recv() => self.reload(),
                _ = signals.reopen.recv() => self.reopen_access_log(),
                _ = signals.hand_over.recv(), if !self.is_starting() => self.hand_over(),
                done = if_any(self.succession.as_mut().map(Succession::done)) => self.end_succession(done),
                _ = lost_lines.tick() => self.gateway.report_lost_lines(false),
            }
        }
        for worker in self.threads.workers.drain(..) {
            // It has said that it is done.
            let _ = worker.join();
        }
        match self.threads.cut.load(Ordering::Relaxed) {
            0 => tracing::info!("drained"),
            connections => tracing::warn!(connections, "ended; connections with requests were cut"),
        }
        Ok(())
    }

    fn is_starting(&self) -> bool {
        *self.threads.phase.borrow() == Phase::Starting
    }

    /// Whether the gateway before this one still asks, and gets its answers from a successor.
    fn is_needed(&self) -> bool {
        let handed_over = |drain: &Drain| drain.handed_over;
        self.take_over.is_some() && self.drain.as_ref().is_some_and(handed_over)
    }

    async fn one_is_ready(&mut self) -> Result<(), StartError> {
        self.starting -= 1;
        if self.starting > 0 || self.drain.is_some() {
            return Ok(());
        }
        let workers = self.gateway.settings.workers;
        let claimed = self.claimed.as_ref();
        // Before a gateway that serves gives way to this one.
        files::check_room(claimed.map_or(0, |claimed| claimed.files_to_open(workers)))?;
        let Some(predecessor) = self.predecessor.take() else {
            self.open().await?;
            notify(State::Ready);
            return Ok(());
        };
        let claimed = self.claimed.iter();
        let taken: Vec<_> = claimed.flat_map(Claimed::inherited).collect();
        let store = self.gateway.store.clone();
        let totals = Totals {
            metrics: Arc::clone(&self.gateway.metrics),
            drains: self.gateway.drains.clone(),
            circuits: self.gateway.circuits.clone(),
        };
        self.take_over = Some(predecessor.take_over(&taken, store, totals)?);
        Ok(())
    }

    async fn hear(&mut self, heard: Heard) -> Result<(), StartError> {
        match heard {
            Heard::Serve(said) => {
                let counters = said?;
                tracing::info!(counters, "taken over");
                self.say_what_changed();
                if let Some(file) = &self.gateway.state {
                    file.resume();
                }
                if self.drain.is_none() {
                    self.open().await?;
                }
            }
            Heard::Ended => self.take_over = None,
        }
        Ok(())
    }

    /// Says what differs from what the gateway before this one has served.
    fn say_what_changed(&mut self) {
        let Some(taken) = &mut self.take_over else {
            return;
        };
        log_changes(&taken.changes);
        taken.changes.clear();
        for address in taken.closed.drain(..) {
            tracing::warn!(%address, "not listened on any more: `listen` does not have it");
        }
    }

    /// Lets clients connect. What the workers found, Redis above all, is in the log by then: whoever
    /// waits for a port may read it.
    async fn open(&mut self) -> Result<(), StartError> {
        let Some(claimed) = self.claimed.take() else {
            return Ok(());
        };
        self.gateway.operator_log.sink.written(LINES_BEFORE).await;
        let listeners = claimed.listen(self.gateway.settings.workers)?;
        let workers = self.threads.listeners.drain(..);
        for (worker, sockets) in workers.zip(listeners.per_worker) {
            // One that has ended by itself is found out by its thread's end.
            let _ = worker.send(sockets);
        }
        self.threads.phase.send_replace(Phase::Serving);
        self.gateway.acme.set_serves(true);
        let mut addresses: Vec<_> = listeners.all.iter().map(|l| l.on.bound).collect();
        addresses.dedup();
        for (nth, address) in addresses.into_iter().enumerate() {
            let event = (nth == 0).then_some("started");
            let connections = (nth == 0).then_some(self.threads.connections);
            tracing::info!(event, %address, connections, "listening");
        }
        self.sockets = listeners.all;
        Ok(())
    }

    /// Goes one step towards the end; says whether it is reached.
    fn stop(&mut self) -> bool {
        let phase = *self.threads.phase.borrow();
        match (&mut self.drain, &mut self.succession) {
            _ if phase == Phase::Stopping => return true,
            (Some(drain), _) if drain.handed_over => {
                drain.handed_over = false;
                tracing::info!(
                    "draining already, for a successor serves; the next signal cuts what is left"
                );
            }
            (Some(drain), _) => {
                tracing::warn!("told twice to stop; stopping at once");
                drain.until = Instant::now() + CUT_MARGIN;
                self.threads.phase.send_replace(Phase::Stopping);
            }
            (None, Some(succession)) if !succession.stop => {
                succession.give_up();
                tracing::info!("told to stop: nothing is handed over any more");
            }
            (None, _) => {
                notify(State::Stopping);
                self.leave();
            }
        }
        false
    }

    /// Readiness goes first, for `server.drain_delay`. Told again, or before clients could connect, the
    /// drain begins at once.
    fn leave(&mut self) {
        let delay = self.gateway.settings.drain_delay;
        if delay.is_zero() || self.leaving.is_some() || self.is_starting() {
            return self.begin_drain(false);
        }
        self.leaving = Some(Instant::now() + delay);
        self.threads.phase.send_replace(Phase::Leaving);
        tracing::info!(?delay, "not ready any more; draining after that");
    }

    /// Stops to accept. What waits in sockets that a successor has, too, is left to it.
    fn begin_drain(&mut self, handed_over: bool) {
        let timeout = self.gateway.settings.drain_timeout;
        self.leaving = None;
        // Those of the workers are then the last of this process.
        self.sockets.clear();
        if handed_over {
            self.admin.clear();
            self.threads.presence.send_replace(Presence::HandedOver);
        }
        self.drain = Some(Drain {
            until: Instant::now() + timeout + DRAIN_MARGIN,
            handed_over,
        });
        self.threads.phase.send_replace(Phase::Draining);
        // Said once readiness says so, too.
        tracing::info!(event = "draining", ?timeout, "draining");
        self.gateway.acme.set_serves(false);
    }

    fn hand_over(&mut self) {
        if self.drain.is_some() || self.leaving.is_some() {
            refuse("this gateway is draining");
        } else if self.succession.is_some() {
            refuse("a successor is being started already");
        } else {
            let presence = &self.threads.presence;
            self.succession = Succession::begin(self.gateway, &self.sockets, &self.admin, presence);
        }
    }

    /// Drains if a successor serves, else goes on as if nothing had been.
    fn end_succession(&mut self, done: Result<Heir, HandOverError>) {
        let Some(succession) = self.succession.take() else {
            return;
        };
        match done {
            Ok(heir) => {
                tracing::info!(successor = heir.pid, "handed over");
                notify(State::MainProcess(heir.pid));
                if self.drain.is_none() {
                    self.begin_drain(true);
                }
                succession.pass_on(heir.pid);
                self.heir = Some(heir);
            }
            Err(_) if succession.stop => {
                notify(State::Stopping);
                if self.drain.is_none() {
                    self.leave();
                }
            }
            Err(error) => tracing::error!("not handed over: {error}; serving on"),
        }
    }

    /// Answers what operators have asked, and takes away the files of their sockets, unless a predecessor
    /// or a successor answers there.
    async fn leave_operators(&mut self) {
        self.threads.presence.send_if_modified(|presence| {
            let ends = *presence != Presence::HandedOver;
            if ends {
                *presence = Presence::Ended;
            }
            ends
        });
        // Nobody to tell if it takes longer.
        let _ = timeout(LAST_ANSWERS, &mut self.threads.operators).await;
        let has_served = self.claimed.is_none();
        let own = self
            .admin
            .iter()
            .filter(|it| has_served || !it.is_inherited());
        own.for_each(AdminSocket::remove_file);
    }

    fn note_end(&mut self, Ended { name, why }: Ended) -> Result<(), StartError> {
        if self.drain.is_none() || name != WORKER {
            return Err(StartError::Thread { name, why });
        }
        self.workers -= 1;
        Ok(())
    }

    fn reload(&mut self) {
        if self.drain.is_some() {
            tracing::info!("draining: the configuration is not read again");
            return;
        }
        self.gateway.reloads.ask();
    }

    fn reopen_access_log(&mut self) {
        self.gateway.reopen_access_log();
        if let Some(succession) = &mut self.succession {
            succession.reopen = true;
        }
    }
}
