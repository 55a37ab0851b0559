//! The gateway's life: built from its configuration, bound, run, drained. The only place that
//! wires things together and starts long-lived threads.

mod keeper;

use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::config::{
    self, AccessLog, ChangeKind, Loaded, LogFormat, ReadFiles, Settings, Watch, Written, changes,
};
use crate::limit::{Clock, LimitStore, StateError, StateFile};
use crate::logging::{Sink, Target, start_operator_log};
use crate::pipeline::snapshot::Snapshot;
use crate::server::{BindError, Listeners, Phase, WorkerParts, bind, run_worker};
use crate::upstream::Registry;

use keeper::{Keeper, restore};

/// How long the last log lines may take to be written.
const LAST_LINES: Duration = Duration::from_secs(2);
/// How often lost log lines are reported, at most.
const LOST_LINES: Duration = Duration::from_secs(1);

/// Why the gateway could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration has problems, rendered for a reader.
    #[error("{0}")]
    Config(config::Problems),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The access log's file cannot be opened.
    #[error("cannot open the access log {target}: {error}")]
    AccessLog {
        /// Where it is, or should be.
        target: Target,
        /// Why not.
        error: io::Error,
    },
    /// The file for counters cannot be used.
    #[error("cannot use `limits.state_file` {}: {error}", .file.display())]
    State {
        /// Where it is, or should be.
        file: PathBuf,
        /// Why not.
        error: StateError,
    },
    /// No thread, no runtime, no signals.
    #[error("the system refuses what the gateway needs to run: {0}")]
    System(#[from] io::Error),
    /// It should have run as long as the gateway.
    #[error("a thread stopped by itself: {0}")]
    Worker(String),
}

/// Runs the gateway that `file` describes, until it is told to stop.
pub fn run(file: &Path) -> Result<(), StartError> {
    let loaded = config::load(file, &config::environment).map_err(StartError::Config)?;
    let pretty = is_pretty(loaded.settings.log_format, &io::stderr());
    let operator_log = start_operator_log(loaded.settings.log_level, pretty, pretty)?;
    let done =
        Gateway::build(file, loaded, Arc::clone(&operator_log)).and_then(Gateway::bind_and_run);
    operator_log.finish(LAST_LINES);
    done
}

/// A gateway that is ready to be bound.
struct Gateway {
    file: PathBuf,
    settings: Settings,
    files: config::ReadFiles,
    /// What it was started with.
    started: Arc<Written>,
    /// What was read last.
    served: RefCell<Arc<Written>>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    registry: Registry,
    store: Arc<LimitStore>,
    state: Option<StateFile>,
    access_log: Option<Arc<Sink>>,
    operator_log: Arc<Sink>,
    pretty_access: bool,
}

impl Gateway {
    fn build(file: &Path, loaded: Loaded, operator_log: Arc<Sink>) -> Result<Self, StartError> {
        let Loaded {
            settings,
            mut snapshot,
            written,
            lints,
            files,
        } = loaded;
        let written = Arc::new(written);
        let registry = Registry::default();
        registry.join(&mut snapshot.upstreams);
        for lint in &lints {
            tracing::warn!("{lint}");
        }
        let target = match &settings.access_log {
            AccessLog::Off => None,
            AccessLog::Stdout => Some(Target::Stdout),
            AccessLog::File(path) => Some(Target::File(path.clone())),
        };
        let pretty_access =
            target == Some(Target::Stdout) && is_pretty(settings.log_format, &io::stdout());
        let access_log = target.map(|target| {
            Sink::start(target.clone()).map_err(|error| StartError::AccessLog { target, error })
        });
        let store = LimitStore::new(settings.max_keys, settings.redis.as_ref(), Clock::system());
        let state = settings.state_file.as_deref().map(|path| {
            restore(path, &store).map_err(|error| StartError::State {
                file: path.to_owned(),
                error,
            })
        });
        Ok(Self {
            file: file.to_owned(),
            settings,
            files,
            started: Arc::clone(&written),
            served: RefCell::new(written),
            snapshots: watch::Sender::new(Arc::new(snapshot)),
            registry,
            store: Arc::new(store),
            state: state.transpose()?,
            access_log: access_log.transpose()?,
            operator_log,
            pretty_access,
        })
    }

    fn bind_and_run(mut self) -> Result<(), StartError> {
        let listeners = bind(&self.settings.listen, self.settings.workers)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let keep = |file| Keeper::start(file, Arc::clone(&self.store));
        let keeper = self.state.take().map(keep).transpose()?;
        let done = runtime.block_on(self.serve(listeners));
        if let Some(keeper) = keeper {
            keeper.finish();
        }
        if let Some(log) = &self.access_log {
            log.finish(LAST_LINES);
        }
        self.report_lost_lines();
        done
    }

    /// Starts the workers, serves until a signal says to stop, and drains.
    async fn serve(&self, listeners: Listeners) -> Result<(), StartError> {
        let mut signals = Signals::new()?;
        let (phase, _) = watch::channel(Phase::Starting);
        let (ready, mut is_ready) = mpsc::channel(self.settings.workers);
        let (stopped, mut has_stopped) = mpsc::channel(self.settings.workers);
        let room = Arc::new(Semaphore::new(self.settings.max_connections));
        let mut threads = Vec::new();
        for sockets in listeners.per_worker {
            let parts = WorkerParts {
                listeners: sockets,
                snapshots: self.snapshots.subscribe(),
                store: Arc::clone(&self.store),
                access_log: self.access_log.clone(),
                pretty_access: self.pretty_access,
                room: Arc::clone(&room),
                drain_timeout: self.settings.drain_timeout,
                phase: phase.subscribe(),
                ready: ready.clone(),
            };
            let work = move || run_worker(parts);
            threads.push(start_thread("worker", work, stopped.clone())?);
        }
        let control = self.registry.control();
        // It ends with the registry, and nobody has to wait for that.
        start_thread("control", move || control.run(), stopped)?;
        for _ in &threads {
            tokio::select! {
                _ = is_ready.recv() => {}
                why = has_stopped.recv() => return Err(StartError::Worker(why.unwrap_or_default())),
            }
        }
        let _ = phase.send(Phase::Serving);
        for address in &listeners.addresses {
            tracing::info!(%address, "listening");
        }
        self.until_told_to_stop(&mut signals, &mut has_stopped)
            .await?;

        tracing::info!(timeout = ?self.settings.drain_timeout, "draining");
        let _ = phase.send(Phase::Draining);
        for _ in &threads {
            tokio::select! {
                _ = has_stopped.recv() => {}
                () = signals.stop.asked() => {
                    tracing::warn!("told twice to stop; stopping at once");
                    return Ok(());
                }
            }
        }
        for thread in threads {
            // It has said that it is done.
            let _ = thread.join();
        }
        tracing::info!("drained");
        Ok(())
    }

    async fn until_told_to_stop(
        &self,
        signals: &mut Signals,
        has_stopped: &mut mpsc::Receiver<String>,
    ) -> Result<(), StartError> {
        let mut lost_lines = tokio::time::interval(LOST_LINES);
        let mut watch = self
            .settings
            .watch
            .then(|| Watch::start(self.files.clone()));
        loop {
            tokio::select! {
                () = signals.stop.asked() => return Ok(()),
                why = has_stopped.recv() => return Err(StartError::Worker(why.unwrap_or_default())),
                _ = signals.reload.recv() => {
                    let files = self.reload();
                    follow(&mut watch, files);
                }
                () = changed(&mut watch) => {
                    let files = self.reload();
                    follow(&mut watch, files);
                }
                _ = signals.reopen.recv() => self.access_log.iter().for_each(|log| log.reopen()),
                _ = lost_lines.tick() => self.report_lost_lines(),
            }
        }
    }

    /// Swaps in what the file says now, whole, or leaves everything as it is. Returns the files that
    /// were read.
    fn reload(&self) -> ReadFiles {
        let loaded = match config::load(&self.file, &config::environment) {
            Ok(loaded) => loaded,
            Err(problems) => {
                let (files, problems) = (problems.files().clone(), problems.to_string());
                tracing::error!(problems, "not reloaded; what was served is served on");
                return files;
            }
        };
        let mut snapshot = loaded.snapshot;
        self.registry.join(&mut snapshot.upstreams);
        self.snapshots.send_replace(Arc::new(snapshot));
        let written = Arc::new(loaded.written);
        let served = self.served.replace(Arc::clone(&written));
        let changes = changes(&self.started, &served, &written);
        tracing::info!(changes = changes.len(), "reloaded");
        for change in &changes {
            match change.kind {
                ChangeKind::Public => tracing::warn!("now public: {change}"),
                ChangeKind::Applied => tracing::info!("{change}"),
                ChangeKind::NeedsRestart => tracing::warn!("{change}"),
            }
        }
        for lint in &loaded.lints {
            tracing::warn!("{lint}");
        }
        loaded.files
    }

    fn report_lost_lines(&self) {
        let lost = self.access_log.as_ref().map_or(0, |log| log.take_lost());
        if lost > 0 {
            tracing::warn!(lost, "access lines could not be written");
        }
        let lost = self.operator_log.take_lost();
        if lost > 0 {
            tracing::warn!(lost, "lines of this log could not be written");
        }
    }
}

/// Goes on watching what was read last, if anything is watched.
fn follow(watch: &mut Option<Watch>, files: ReadFiles) {
    if let Some(watch) = watch {
        watch.follow(files);
    }
}

/// Waits until the watched files have changed; for ever if none are watched.
async fn changed(watch: &mut Option<Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

/// Starts a thread that is to run as long as the gateway, and says so if it ends.
fn start_thread(
    name: &str,
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
    stopped: mpsc::Sender<String>,
) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(move || {
        let why = match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(())) => "it ended".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it ran into a bug".to_owned(),
        };
        // Whoever waits for this may have given up already.
        let _ = stopped.blocking_send(why);
    })
}

/// The signals that the gateway obeys.
struct Signals {
    stop: Stop,
    reload: Signal,
    reopen: Signal,
}

/// The signals that ask it to stop.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            stop: Stop {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
            },
            reload: signal(SignalKind::hangup())?,
            reopen: signal(SignalKind::user_defined1())?,
        })
    }
}

impl Stop {
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn is_pretty(format: LogFormat, output: &impl IsTerminal) -> bool {
    match format {
        LogFormat::Auto => output.is_terminal(),
        LogFormat::Json => false,
        LogFormat::Pretty => true,
    }
}
