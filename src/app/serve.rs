//! Serving: the threads are started, the signals obeyed, and the drain watched to its end. All in
//! one loop, so that a signal means something at any time.

use std::io;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::pipeline::UnlistedProxies;
use crate::server::{Claimed, Phase, Room, WorkerParts, run_worker};

use super::reload::Reloader;
use super::signals::Signals;
use super::{Gateway, StartError, files};

/// How often lost log lines are reported, at most.
const LOST_LINES_INTERVAL: Duration = Duration::from_secs(1);
/// How long workers may take to end after the drain's timeout; they say goodbye to Redis.
const DRAIN_MARGIN: Duration = Duration::from_secs(2);
/// How long they may take to write a line for each request that is cut, once told twice to stop.
const CUT_MARGIN: Duration = Duration::from_secs(1);

/// How long a port may wait for the lines of the log that come before it.
const LINES_BEFORE: Duration = Duration::from_millis(200);

const WORKER: &str = "worker";

/// The threads that run as long as the gateway.
struct Threads {
    phase: watch::Sender<Phase>,
    workers: Vec<JoinHandle<()>>,
    /// Gives each worker what it is to listen with.
    listeners: Vec<oneshot::Sender<Vec<TcpListener>>>,
    /// Hears of each worker that is ready to accept.
    ready: mpsc::Receiver<()>,
    /// Hears of each thread that has ended.
    ended: mpsc::Receiver<Ended>,
    /// Asks for a reload.
    reload: Arc<Notify>,
    /// How many connections the drain has cut.
    cut: Arc<AtomicUsize>,
}

/// A thread that has ended, and with what.
struct Ended {
    name: &'static str,
    why: String,
}

impl Gateway {
    /// Starts the threads, serves until a signal says to stop, and drains.
    pub(super) async fn serve(
        &self,
        claimed: Claimed,
        reloader: Reloader,
        signals: &mut Signals,
    ) -> Result<(), StartError> {
        let mut claimed = Some(claimed);
        let mut threads = self.start(reloader)?;
        let (mut starting, mut running) = (threads.workers.len(), threads.workers.len());
        let mut draining_until = None;
        let mut lost_lines = tokio::time::interval(LOST_LINES_INTERVAL);
        while running > 0 {
            tokio::select! {
                Some(()) = threads.ready.recv() => {
                    starting -= 1;
                    let is_ready = starting == 0 && draining_until.is_none();
                    if let Some(claimed) = claimed.take_if(|_| is_ready) {
                        self.open(claimed, &mut threads).await?;
                    }
                }
                () = signals.stop.asked() => {
                    let (phase, patience) = match *threads.phase.borrow() {
                        Phase::Stopping => return Ok(()),
                        Phase::Draining => {
                            tracing::warn!("told twice to stop; stopping at once");
                            (Phase::Stopping, CUT_MARGIN)
                        }
                        Phase::Starting | Phase::Serving => {
                            tracing::info!(timeout = ?self.settings.drain_timeout, "draining");
                            (Phase::Draining, self.settings.drain_timeout + DRAIN_MARGIN)
                        }
                    };
                    threads.phase.send_replace(phase);
                    draining_until = Some(Instant::now() + patience);
                }
                Some(Ended { name, why }) = threads.ended.recv() => {
                    if draining_until.is_none() || name != WORKER {
                        return Err(StartError::Thread { name, why });
                    }
                    running -= 1;
                }
                () = sleep_until(draining_until) => {
                    tracing::warn!(running, "workers do not end; ending without them");
                    return Ok(());
                }
                _ = signals.reload.recv() => {
                    if draining_until.is_some() {
                        tracing::info!("draining: the configuration is not read again");
                    } else {
                        threads.reload.notify_one();
                    }
                }
                _ = signals.reopen.recv() => self.reopen_access_log(),
                _ = lost_lines.tick() => self.report_lost_lines(),
            }
        }
        for worker in threads.workers {
            // It has said that it is done.
            let _ = worker.join();
        }
        match threads.cut.load(Ordering::Relaxed) {
            0 => tracing::info!("drained"),
            connections => tracing::warn!(connections, "ended; connections with requests were cut"),
        }
        Ok(())
    }

    /// Lets clients connect. What the workers found, Redis above all, is in the log by then: whoever
    /// waits for a port may read it.
    async fn open(&self, claimed: Claimed, threads: &mut Threads) -> Result<(), StartError> {
        self.operator_log.written(LINES_BEFORE).await;
        let listeners = claimed.listen(self.settings.workers)?;
        for (worker, sockets) in threads.listeners.drain(..).zip(listeners.per_worker) {
            // One that has ended by itself is found out by its thread's end.
            let _ = worker.send(sockets);
        }
        threads.phase.send_replace(Phase::Serving);
        for address in listeners.addresses {
            tracing::info!(%address, "listening");
        }
        Ok(())
    }

    fn start(&self, reloader: Reloader) -> io::Result<Threads> {
        let (phase, _) = watch::channel(Phase::Starting);
        let (is_ready, ready) = mpsc::channel(self.settings.workers);
        // Nobody looks when the gateway ends for another reason; threads must not wait then.
        let (has_ended, ended) = mpsc::channel(self.settings.workers + 2);
        let room = Arc::new(Room::new(self.max_connections()));
        let unlisted_proxies = Arc::new(UnlistedProxies::default());
        let cut = Arc::<AtomicUsize>::default();
        let (mut workers, mut to_listen) = (Vec::new(), Vec::new());
        for _ in 0..self.settings.workers {
            let (sockets, listeners) = oneshot::channel();
            to_listen.push(sockets);
            let parts = WorkerParts {
                listeners,
                snapshots: self.snapshots.subscribe(),
                store: Arc::clone(&self.store),
                access_log: self.access_log.clone(),
                pretty_access: self.pretty_access,
                room: Arc::clone(&room),
                unlisted_proxies: Arc::clone(&unlisted_proxies),
                drain_timeout: self.settings.drain_timeout,
                phase: phase.subscribe(),
                ready: is_ready.clone(),
                cut: Arc::clone(&cut),
            };
            let work = move || run_worker(parts);
            workers.push(start_thread(WORKER, work, has_ended.clone())?);
        }
        let control = reloader.registry.control();
        start_thread("control", move || control.run(), has_ended.clone())?;
        let reload = Arc::new(Notify::new());
        let asked = Arc::clone(&reload);
        start_thread("reload", move || reloader.run(&asked), has_ended)?;
        Ok(Threads {
            phase,
            workers,
            listeners: to_listen,
            ready,
            ended,
            reload,
            cut,
        })
    }
}

impl Gateway {
    /// As many connections as are wanted, or fewer if there are not enough files for them.
    fn max_connections(&self) -> usize {
        let wanted = self.settings.max_connections;
        let Some((files, fitting)) = files::raise_limit(self.settings.workers) else {
            return wanted;
        };
        // A few less than were asked for are no reason for a warning at each start.
        if fitting < wanted && files / 2 < wanted as u64 {
            tracing::warn!(
                connections = fitting,
                max_connections = wanted,
                "the limit of open files has no room for `server.max_connections`: raise it (LimitNOFILE of systemd, ulimit -Hn)"
            );
        }
        fitting.min(wanted)
    }
}

/// Waits until then; for ever if there is no such time.
async fn sleep_until(then: Option<Instant>) {
    match then {
        Some(then) => tokio::time::sleep_until(then).await,
        None => std::future::pending().await,
    }
}

/// Starts a thread that is to run as long as the gateway, and says so if it ends.
fn start_thread(
    name: &'static str,
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
    ended: mpsc::Sender<Ended>,
) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(move || {
        let why = match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(())) => "it ended".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it ran into a bug".to_owned(),
        };
        // Whoever waits for this may have given up already.
        let _ = ended.blocking_send(Ended { name, why });
    })
}
