//! The gateway's life: built from its configuration, bound, run, drained. The only place that
//! wires things together and starts long-lived threads.
//!
//! The main thread takes the signals, and does nothing else that could block: what reads files or
//! writes them has threads of its own, which the end of the process does not wait for without bound.

mod certificates;
mod files;
mod hand_over;
mod keeper;
mod notify;
mod reload;
mod serve;
mod signals;
mod start;
mod succession;
mod threads;

use std::future::Future;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tracing::Level;

use crate::acme::Acme;
use crate::admin::{self, ClaimError, Doorkeeper, Port, Reloads};
use crate::config::{self, Finding, Loaded, LogFormat, Settings};
use crate::limit::{LimitStore, StateError, StateFile};
use crate::logging::{OperatorLog, Sink, Tap, Target, start_operator_log};
use crate::memory;
use crate::metrics::Metrics;
use crate::metrics::recent::Recent;
use crate::pipeline::snapshot::Snapshot;
use crate::server::{BindError, Inherited};
use crate::shortage::in_words;
use crate::traces::Traces;
use crate::upstream::{Circuits, Drains};

pub use hand_over::TakeOverError;

use hand_over::{Predecessor, Program, sockets_of_systemd};
use signals::Signals;
use start::{Started, access_target};

/// How long the last lines of a log may take to be written.
const LAST_LINES: Duration = Duration::from_secs(2);
/// How long the last spans may take to be sent.
const LAST_SPANS: Duration = Duration::from_secs(2);
/// How long the last lines of the access log and the last copy of the counters may take together.
const LAST_FILES: Duration = Duration::from_secs(10);

/// Why the gateway could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration has problems, rendered for a reader.
    #[error("{0}")]
    Config(config::Problems),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The operator's own port cannot be opened.
    #[error(transparent)]
    Admin(#[from] ClaimError),
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
    /// What was there before this process cannot be gone on with.
    #[error(transparent)]
    TakeOver(#[from] TakeOverError),
    /// No thread, no runtime, no signals.
    #[error("the system refuses what the gateway needs to run: {}", in_words(.0))]
    System(#[from] io::Error),
    /// Not a single client could be served.
    #[error(
        "the limit of open files is {limit}; serving one client takes {needed}, and each connection more takes two: raise it (LimitNOFILE of systemd, ulimit -Hn)"
    )]
    OpenFiles {
        /// How many there may be.
        limit: u64,
        /// How many it takes.
        needed: u64,
    },
    /// It should have run as long as the gateway, or to its end.
    #[error("the thread `{name}` stopped by itself: {why}")]
    Thread {
        /// What it was for.
        name: &'static str,
        /// What it ended with.
        why: String,
    },
}

/// A process that is to serve, and takes the signals already.
pub struct Process {
    runtime: Runtime,
    signals: Signals,
}

impl Process {
    /// Takes the signals. To be called first of all: one that nobody has asked for yet ends the process.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn begin() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let signals = {
            let _within = runtime.enter();
            Signals::take()?
        };
        Ok(Self { runtime, signals })
    }

    /// Runs the gateway that `file` describes, until it is told to stop. What it ends of is logged.
    ///
    /// # Errors
    /// There is not even a log.
    pub fn run(self, file: &Path) -> io::Result<ExitCode> {
        let begun = Begun {
            file: file.to_owned(),
            program: Program::running(),
            sockets: sockets_of_systemd(),
        };
        self.runtime.block_on(live(begun, self.signals))
    }
}

/// What is found out before there is another thread.
struct Begun {
    file: PathBuf,
    program: io::Result<Program>,
    sockets: Result<Vec<Inherited>, TakeOverError>,
}

async fn live(begun: Begun, mut signals: Signals) -> io::Result<ExitCode> {
    let path = begun.file.clone();
    let load = apart("load", move || {
        let met = Predecessor::meet();
        // There is no log yet.
        let loaded = config::load(&path, &config::environment);
        memory::give_back();
        (met, loaded)
    });
    let Some(loaded) = signals.unless_stopped(load).await else {
        return Ok(ExitCode::SUCCESS);
    };
    let (met, loaded) = match loaded {
        Ok((met, loaded)) => (met, Ok(loaded)),
        Err(error) => (Ok(None), Err(error)),
    };
    let (level, format) = match &loaded {
        Ok(Ok(loaded)) => (loaded.settings.log_level, loaded.settings.log_format),
        Ok(Err(problems)) => (Level::INFO, problems.log_format()),
        Err(_) => (Level::INFO, LogFormat::Auto),
    };
    let pretty = is_pretty(format, &io::stderr());
    let colours = pretty && has_colours(&io::stderr());
    let operator_log = Arc::new(start_operator_log(level, pretty, colours)?);
    let done = match loaded {
        Ok(Ok(loaded)) => {
            let log = Arc::clone(&operator_log);
            start_and_serve(begun, met, loaded, log, &mut signals).await
        }
        Ok(Err(problems)) => Err(StartError::Config(problems)),
        Err(error) => Err(error),
    };
    match &done {
        // Of the latter the gateway that hands over says why.
        Ok(()) | Err(StartError::TakeOver(TakeOverError::Refused)) => {}
        // Whole paragraphs, with lines of the file.
        Err(StartError::Config(problems)) if pretty => {
            operator_log
                .sink
                .write(problems.render(colours).into_bytes());
        }
        Err(StartError::Config(problems)) => log_problems(problems),
        Err(error) => tracing::error!("{error}"),
    }
    operator_log.sink.finish(LAST_LINES);
    Ok(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

/// Logs a line for each problem.
fn log_problems(problems: &config::Problems) {
    for problem in problems.findings() {
        tracing::error!(
            file = problem.file.as_deref(),
            line = problem.line,
            column = problem.column,
            help = problem.help.as_deref(),
            "{}",
            problem.message
        );
    }
    tracing::error!(
        problems = problems.len(),
        "not started: the configuration has problems"
    );
}

/// What `check` says of files that the gateway is to write.
pub fn odd_files(settings: &Settings, snapshot: &Snapshot) -> Vec<Finding> {
    let log = access_target(settings).and_then(|target| {
        let error = target.check().err()?;
        Some(StartError::AccessLog { target, error })
    });
    let state = settings.state_file.as_deref().and_then(|file| {
        let error = StateFile::check(file).err()?;
        let file = file.to_owned();
        Some(StartError::State { file, error })
    });
    let all = log.into_iter().chain(state);
    let all = all.map(|error| error.to_string());
    let acme = snapshot.acme.iter().flat_map(|acme| acme.odd_folders());
    let ports = [
        (Port::Admin, &settings.admin_listen),
        (Port::Metrics, &settings.metrics_listen),
    ];
    let ports = ports
        .into_iter()
        .filter_map(|(port, at)| admin::unusable(port, at));
    all.chain(acme)
        .chain(ports)
        .map(|text| Finding::warning(text).passing())
        .collect()
}

async fn start_and_serve(
    begun: Begun,
    met: Result<Option<Predecessor>, TakeOverError>,
    loaded: Loaded,
    operator_log: Arc<OperatorLog>,
    signals: &mut Signals,
) -> Result<(), StartError> {
    let predecessor = met?;
    let start = apart("start", move || {
        Started::new(begun, predecessor, loaded, operator_log)
    });
    let Some(started) = signals.unless_stopped(start).await else {
        tracing::info!("told to stop before the start was done");
        return Ok(());
    };
    let Started {
        gateway,
        claimed,
        admin,
        predecessor,
        reloader,
        keeper,
    } = started??;
    let done = gateway.serve(claimed, admin, predecessor, reloader, signals);
    let (heir, done) = match done.await {
        Ok(heir) => (heir, Ok(())),
        Err(error) => (None, Err(error)),
    };
    let last_files = apart("end", move || {
        if let Some(keeper) = keeper {
            keeper.finish();
        }
        if let Some(log) = &gateway.access_log {
            log.finish(LAST_LINES);
        }
        gateway.traces.finish(LAST_SPANS);
        gateway.report_lost_lines(true);
        // Some lines and spans may have been lost only now.
        if let Some(mut heir) = heir {
            heir.give_rest(&gateway.metrics);
        }
    });
    let last_files = tokio::time::timeout(LAST_FILES, last_files);
    if let Some(Err(_)) = signals.unless_stopped(last_files).await {
        tracing::warn!("a file takes too long to be written; ending without it");
    }
    done
}

/// Runs what may block on a thread of its own. Whoever stops waiting leaves it behind.
async fn apart<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StartError> {
    let (done, result) = oneshot::channel();
    let thread = thread::Builder::new().name(name.into());
    // Nobody may wait any more.
    thread.spawn(move || drop(done.send(work())))?;
    let bug = |_| StartError::Thread {
        name,
        why: "it ran into a bug".into(),
    };
    result.await.map_err(bug)
}

/// What this comes to; without it nothing, ever: for a branch of `select!`.
async fn if_any<F: Future>(future: Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

/// What is served, and what its threads share.
struct Gateway {
    /// The configuration.
    file: PathBuf,
    program: io::Result<Program>,
    settings: Settings,
    snapshots: watch::Sender<Arc<Snapshot>>,
    store: Arc<LimitStore>,
    metrics: Arc<Metrics>,
    state: Option<Arc<StateFile>>,
    acme: Arc<Acme>,
    drains: Drains,
    circuits: Circuits,
    reloads: Arc<Reloads>,
    traces: Arc<Traces>,
    /// Who has logged in to the admin port.
    doorkeeper: Arc<Doorkeeper>,
    access_log: Option<Arc<Sink>>,
    operator_log: Arc<OperatorLog>,
    pretty_access: bool,
    /// Those who follow access lines.
    tap: Arc<Tap>,
    /// Requests of late.
    recent: Arc<Recent>,
}

impl Gateway {
    fn reopen_access_log(&self) {
        if let Some(log) = &self.access_log {
            log.reopen();
        } else {
            tracing::info!("the access log is off: there is no file to be opened anew");
        }
    }

    fn report_lost_lines(&self, end: bool) {
        if let Some(log) = &self.access_log {
            log.report("access lines", end);
        }
        self.operator_log.sink.report("lines of this log", end);
    }
}

/// Whether an output is a terminal that is not told to have no colours.
pub fn has_colours(output: &impl IsTerminal) -> bool {
    output.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
}

fn is_pretty(format: LogFormat, output: &impl IsTerminal) -> bool {
    match format {
        LogFormat::Auto => output.is_terminal(),
        LogFormat::Json => false,
        LogFormat::Pretty => true,
    }
}
