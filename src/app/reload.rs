//! Reads the configuration again, when it is told to or when the files have changed. Has a thread of
//! its own: files may stand on storage that hangs, or behind a pipe that nobody writes to.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Notify, watch};

use crate::config::{self, ChangeKind, ReadFiles, Watch, Written, changes};
use crate::pipeline::snapshot::Snapshot;
use crate::server::Phase;
use crate::upstream::Registry;

use super::notify::{State, notify};

/// What a reload needs.
pub(super) struct Reloader {
    pub file: PathBuf,
    /// The files that were read at the start.
    pub files: ReadFiles,
    /// Whether to look by itself if they have changed.
    pub watches: bool,
    /// What the gateway was started with.
    pub started: Arc<Written>,
    /// What was read last.
    pub served: Arc<Written>,
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    pub registry: Registry,
}

impl Reloader {
    /// Reloads whenever `asked` says so or, with `server.watch`, a file has changed, until the end
    /// begins: what is served from then on is a successor's to say. Never returns.
    pub(super) fn run(mut self, asked: &Notify, phase: &watch::Receiver<Phase>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        runtime.block_on(async {
            let mut watch = self.watches.then(|| Watch::start(self.files.clone()));
            loop {
                tokio::select! {
                    () = asked.notified() => {}
                    () = changed(&mut watch) => {}
                }
                if phase.borrow().is_ending() {
                    return std::future::pending().await;
                }
                notify(State::Reloading);
                let files = self.reload();
                notify(State::Ready);
                if let Some(watch) = &mut watch {
                    watch.follow(files);
                }
            }
        })
    }

    /// Swaps in what the file says now, whole, or leaves everything as it is. Returns the files that
    /// were read.
    fn reload(&mut self) -> ReadFiles {
        if config::is_stdin(&self.file) {
            tracing::error!("not reloaded: standard input cannot be read again");
            return self.files.clone();
        }
        let loaded = match config::load(&self.file, &config::environment) {
            Ok(loaded) => loaded,
            Err(problems) => {
                let (files, problems) = (problems.files().clone(), problems.to_string());
                tracing::error!(problems, "not reloaded; what was served is served on");
                return files;
            }
        };
        if self.served.has_routes() && !loaded.written.has_routes() {
            // A disk that was full, or a writer that died, leaves an empty file, which has no problem.
            let file = self.file.display();
            tracing::error!(%file, "not reloaded: there are no routes in it; what was served is served on");
            return loaded.files;
        }
        let mut snapshot = loaded.snapshot;
        self.registry.join(&mut snapshot.upstreams);
        self.snapshots.send_replace(Arc::new(snapshot));
        let written = Arc::new(loaded.written);
        let changes = changes(&self.started, &self.served, &written);
        self.served = written;
        tracing::info!(changes = changes.len(), "reloaded");
        for change in &changes {
            match change.kind {
                ChangeKind::Public => tracing::warn!("now public: {change}"),
                ChangeKind::Wider => tracing::warn!("now allowed: {change}"),
                ChangeKind::Applied => tracing::info!("{change}"),
                ChangeKind::NeedsRestart => tracing::warn!("{change}"),
            }
        }
        for lint in &loaded.lints {
            tracing::warn!("{lint}");
        }
        loaded.files
    }
}

/// Waits until the watched files have changed; for ever if none are watched.
async fn changed(watch: &mut Option<Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}
