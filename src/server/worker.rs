//! One worker: a thread with a runtime of its own. A request never leaves it.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinSet, spawn_local};

use crate::limit::LimitStore;
use crate::logging::{AccessLines, Sink, Tap};
use crate::metrics::WorkerMetrics;
use crate::metrics::recent::Recent;
use crate::pipeline::codes::{DRAIN_TIMEOUT, STOPPED};
use crate::pipeline::snapshot::Snapshot;
use crate::pipeline::{Reports, UnlistedProxies, Worker};
use crate::traces::Traces;

use super::accept::Accepting;
use super::address::{ListenAddress, Serves};
use super::connections::Connections;
use super::inherited::Listener;
use super::room::Room;

/// How long a start waits for Redis.
const REDIS_AT_START: Duration = Duration::from_secs(1);
/// How long an end waits for Redis.
const REDIS_AT_END: Duration = Duration::from_millis(500);

/// What the whole gateway is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is accepted yet.
    Starting,
    /// Connections are accepted.
    Serving,
    /// The same, but readiness has gone: load balancers are given time to notice.
    Leaving,
    /// What is in flight is finished, nothing new begins.
    Draining,
    /// What is in flight is cut.
    Stopping,
}

impl Phase {
    /// Whether the gateway is about to end.
    pub fn is_ending(self) -> bool {
        matches!(self, Self::Draining | Self::Stopping)
    }
}

/// What a worker is made of; all of it can be sent to its thread.
#[derive(Debug)]
pub struct WorkerParts {
    /// What listens, at least one an address, once all workers are ready.
    pub listeners: oneshot::Receiver<Vec<Listener>>,
    /// What a reload swaps.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Where requests are counted.
    pub store: Arc<LimitStore>,
    /// Where the worker counts.
    pub metrics: WorkerMetrics,
    /// `None`: no access log.
    pub access_log: Option<Arc<Sink>>,
    /// Access lines are for a person at a terminal.
    pub pretty_access: bool,
    /// Who follows access lines. Shared by all workers.
    pub tap: Arc<Tap>,
    /// Requests of late. Shared by all workers.
    pub recent: Arc<Recent>,
    /// Where spans go.
    pub traces: Arc<Traces>,
    /// Shared by all workers.
    pub room: Arc<Room>,
    /// What is spoken where.
    pub listen: Vec<ListenAddress>,
    /// Shared by all workers.
    pub unlisted_proxies: Arc<UnlistedProxies>,
    /// How long what is in flight may take once the drain has begun.
    pub drain_timeout: Duration,
    /// What the gateway is doing.
    pub phase: watch::Receiver<Phase>,
    /// Told once when the worker is ready to accept.
    pub ready: mpsc::Sender<()>,
    /// Counts the connections that are cut at the end of a drain. Shared by all workers.
    pub cut: Arc<AtomicUsize>,
}

/// Runs a worker on the calling thread, up to the end of its drain.
///
/// # Errors
/// When the system refuses the runtime or a socket.
pub fn run_worker(parts: WorkerParts) -> io::Result<()> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    runtime.block_on(work(parts))
}

async fn work(parts: WorkerParts) -> io::Result<()> {
    let counts = Arc::clone(&parts.metrics.row);
    let limiter = parts.store.counted_in(&counts);
    limiter.wait_ready(REDIS_AT_START).await;
    let reports = Reports {
        metrics: parts.metrics,
        access_lines: AccessLines::new(parts.access_log, parts.tap),
        pretty_access: parts.pretty_access,
        recent: parts.recent.worker(),
        traces: parts.traces,
    };
    let worker = Rc::new(Worker::new(
        parts.snapshots,
        limiter,
        reports,
        parts.unlisted_proxies,
    ));
    let connections = Rc::new(Connections::new(counts));
    let wanted = parts.room.wanted();
    let accepting = Accepting {
        worker: Rc::clone(&worker),
        connections: Rc::clone(&connections),
        room: parts.room,
        under_way: Rc::default(),
        serves: Serves::Plain,
        announced: false,
    };
    let mut phase = parts.phase;
    // Whoever waits for this may have given up already.
    let _ = parts.ready.send(()).await;
    let keeps_house = keep_house(Rc::clone(&worker), Rc::clone(&connections), wanted);
    let housekeeping = spawn_local(keeps_house);
    let watched = Rc::clone(&worker);
    let lag = spawn_local(async move { watched.watch_lag().await });
    // The sender of phases lives as long as the gateway; when it is gone, so is the reason to serve.
    let listeners = tokio::select! {
        listeners = parts.listeners => listeners.unwrap_or_default(),
        _ = phase.wait_for(|phase| phase.is_ending()) => Vec::new(),
    };
    let mut listening = JoinSet::new();
    for Listener { socket, on } in listeners {
        let listener = TcpListener::from_std(socket)?;
        let (accepting, mut phase) = (accepting.at(&on, &parts.listen), phase.clone());
        listening.spawn_local(async move {
            let drain = async { drop(phase.wait_for(|p| p.is_ending()).await) };
            accepting.run(listener, &on, drain).await;
        });
    }
    let _ = phase.wait_for(|phase| phase.is_ending()).await;
    let cut = drain(
        &worker,
        &connections,
        &mut listening,
        phase,
        parts.drain_timeout,
    )
    .await;
    if let Some(code) = cut {
        let connections = connections.live();
        parts.cut.fetch_add(connections, Ordering::Relaxed);
        tracing::warn!(connections, code, "the drain is over; what is left is cut");
    }
    housekeeping.abort();
    lag.abort();
    // Who is in a hurry does not wait for Redis; what is not returned ends with its window.
    if cut != Some(STOPPED) {
        worker.limiter.finish(REDIS_AT_END).await;
    }
    // From here on nothing runs any more: the requests that are left end with the runtime.
    worker.cut.set(cut);
    Ok(())
}

/// Waits for the end of what is in flight, but not too long. The code of what is left to be cut then.
async fn drain(
    worker: &Worker,
    connections: &Connections,
    listening: &mut JoinSet<()>,
    mut phase: watch::Receiver<Phase>,
    longest: Duration,
) -> Option<&'static str> {
    worker.drain();
    connections.drain();
    let all_ended = async {
        while listening.join_next().await.is_some() {}
        connections.all_ended().await;
    };
    let all_ended = async { tokio::join!(all_ended, worker.limiter.leave()) };
    tokio::select! {
        biased;
        _ = all_ended => None,
        _ = phase.wait_for(|phase| *phase == Phase::Stopping) => Some(STOPPED),
        () = tokio::time::sleep(longest) => Some(DRAIN_TIMEOUT),
    }
}

/// What has to be done besides serving, as long as the worker runs. `wanted` asks for room.
async fn keep_house(
    worker: Rc<Worker>,
    connections: Rc<Connections>,
    mut wanted: watch::Receiver<Duration>,
) {
    let make_room = async {
        while wanted.changed().await.is_ok() {
            let age = *wanted.borrow_and_update();
            connections.give_way(age);
        }
    };
    tokio::join!(
        worker.housekeeping(),
        worker.follow_reloads(|| connections.wake_idle()),
        make_room
    );
}
