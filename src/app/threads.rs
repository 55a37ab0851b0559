//! The threads that run as long as the gateway: they are started here, and say when they end.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::{self, JoinHandle};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use crate::admin::{self, AdminSocket, Live, Presence, Scrapes, View};
use crate::config::AdminListen;
use crate::pipeline::UnlistedProxies;
use crate::server::{Listener, Phase, Room, WorkerParts, run_worker};
use crate::shortage::in_words;

use super::reload::Reloader;
use super::{Gateway, files};

/// The name of those that serve.
pub(super) const WORKER: &str = "worker";

/// The threads that run as long as the gateway.
pub(super) struct Threads {
    pub phase: watch::Sender<Phase>,
    pub workers: Vec<JoinHandle<()>>,
    /// Gives each worker what it is to listen with.
    pub listeners: Vec<oneshot::Sender<Vec<Listener>>>,
    /// Hears of each worker that is ready to accept, and of the end of the first checks.
    pub ready: mpsc::Receiver<()>,
    /// Hears of each thread that has ended.
    pub ended: mpsc::Receiver<Ended>,
    /// How many connections of clients fit.
    pub connections: usize,
    /// How many connections the drain has cut.
    pub cut: Arc<AtomicUsize>,
    /// Who answers on the operator's ports.
    pub presence: watch::Sender<Presence>,
    /// Hears that this process does not any more.
    pub operators: oneshot::Receiver<()>,
}

/// A thread that has ended, and with what.
pub(super) struct Ended {
    pub name: &'static str,
    pub why: String,
}

impl Gateway {
    /// Starts the threads; they wait for the phase to change.
    pub(super) fn start(&self, reloader: Reloader, admin: &[AdminSocket]) -> io::Result<Threads> {
        let (phase, _) = watch::channel(Phase::Starting);
        let (is_ready, ready) = mpsc::channel(self.settings.workers + 1);
        // Nobody looks when the gateway ends for another reason; threads must not wait then.
        let (has_ended, ended) = mpsc::channel(self.settings.workers + 4);
        let connections = self.max_connections();
        let room = Arc::new(Room::new(connections));
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
                metrics: self.metrics.worker(),
                access_log: self.access_log.clone(),
                pretty_access: self.pretty_access,
                tap: Arc::clone(&self.tap),
                recent: Arc::clone(&self.recent),
                traces: Arc::clone(&self.traces),
                room: Arc::clone(&room),
                listen: self.settings.listen.clone(),
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
        // There is room for each that may say so once.
        let first_round = move || {
            let _ = is_ready.try_send(());
        };
        let work = move || control.run(first_round);
        start_thread("control", work, has_ended.clone())?;
        let acme = Arc::clone(&self.acme);
        start_thread("acme", move || acme.run(), has_ended.clone())?;
        let exporter = self.traces.exporter();
        start_thread("traces", move || exporter.run(), has_ended.clone())?;
        let of_reload = phase.subscribe();
        let work = move || reloader.run(&of_reload);
        start_thread("reload", work, has_ended.clone())?;
        let (presence, operators) = self.start_admin(admin, &phase, has_ended)?;
        Ok(Threads {
            phase,
            workers,
            listeners: to_listen,
            ready,
            ended,
            connections,
            cut,
            presence,
            operators,
        })
    }

    /// Starts the thread of the operator's ports: who answers there, and what hears that this process does
    /// not any more.
    fn start_admin(
        &self,
        sockets: &[AdminSocket],
        phase: &watch::Sender<Phase>,
        ended: mpsc::Sender<Ended>,
    ) -> io::Result<(watch::Sender<Presence>, oneshot::Receiver<()>)> {
        let (presence, _) = watch::channel(Presence::Here);
        let (answers, operators) = oneshot::channel();
        let sockets = sockets.iter().map(AdminSocket::try_clone);
        let parts = admin::Parts {
            sockets: sockets.collect::<Result<_, _>>()?,
            view: Arc::new(self.view(phase, &presence)),
            answers,
        };
        start_thread("admin", move || admin::run(parts), ended)?;
        Ok((presence, operators))
    }

    /// What the operator's port sees.
    fn view(&self, phase: &watch::Sender<Phase>, presence: &watch::Sender<Presence>) -> View {
        let redis = self.settings.redis.as_ref();
        View {
            snapshots: self.snapshots.subscribe(),
            phase: phase.subscribe(),
            acme: Arc::clone(&self.acme),
            recent: Arc::clone(&self.recent),
            tap: Arc::clone(&self.tap),
            presence: presence.subscribe(),
            metrics: Arc::clone(&self.metrics),
            scrapes: Scrapes::default(),
            traces: Arc::clone(&self.traces),
            redis_certificate: redis.and_then(|it| it.target.certificate().cloned()),
            store: Arc::clone(&self.store),
            access_log: self.access_log.clone(),
            state: self.state.clone(),
            doorkeeper: Arc::clone(&self.doorkeeper),
            events: Arc::clone(&self.operator_log.events),
            file: self.file.clone(),
            started: Timestamp::now(),
            live: Live::default(),
            reloads: Arc::clone(&self.reloads),
            log_level: self.operator_log.level.clone(),
        }
    }
}

impl Gateway {
    /// As many connections as are wanted, or fewer if there are not enough files for them.
    fn max_connections(&self) -> usize {
        let wanted = self.settings.max_connections;
        let ports = [&self.settings.admin_listen, &self.settings.metrics_listen];
        let operators = match ports {
            [AdminListen::Off, AdminListen::Off] => 0,
            _ => admin::MOST_CONNECTIONS,
        };
        let Some((files, fitting)) = files::raise_limit(self.settings.workers, operators) else {
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

/// Starts a thread that is to run as long as the gateway, and says so if it ends.
fn start_thread(
    name: &'static str,
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
    ended: mpsc::Sender<Ended>,
) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(move || {
        let why = match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(())) => "it ended".to_owned(),
            Ok(Err(error)) => in_words(&error),
            Err(_) => "it ran into a bug".to_owned(),
        };
        // Whoever waits for this may have given up already.
        let _ = ended.blocking_send(Ended { name, why });
    })
}
