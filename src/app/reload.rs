//! Reads the configuration again, when it is told to or when the files have changed. Has a thread of
//! its own: files may stand on storage that hangs, or behind a pipe that nobody writes to.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::acme::Acme;
use crate::admin::{Done, Doorkeeper, Reloads};
use crate::config::{
    self, CertificateFiles, ChangeKind, Finding, Loaded, ReadFiles, Served, Watch, Written, changes,
};
use crate::limit::RedisTarget;
use crate::metrics::{Metrics, ReloadOutcome};
use crate::pipeline::names;
use crate::pipeline::snapshot::Snapshot;
use crate::server::Phase;
use crate::tls::{ServerTls, Source};
use crate::traces::Traces;
use crate::upstream::Registry;

use super::certificates::{Certificates, due, log_authorities, log_taken, lost_names};
use super::notify::{State, notify};

/// What a reload needs.
pub(super) struct Reloader {
    pub file: PathBuf,
    /// The files that were read at the start.
    pub files: ReadFiles,
    /// Those of the certificates that are served.
    pub certificates: CertificateFiles,
    /// Whether to look by itself if they have changed.
    pub watches: bool,
    /// What the gateway was started with.
    pub started: Arc<Written>,
    /// Where limits are counted.
    pub redis: Option<RedisTarget>,
    /// What was read last.
    pub served: Arc<Written>,
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    pub registry: Registry,
    pub acme: Arc<Acme>,
    pub metrics: Arc<Metrics>,
    /// Who asks for reloads, and what came of the last one.
    pub reloads: Arc<Reloads>,
    pub traces: Arc<Traces>,
    /// Who has logged in to the admin port.
    pub doorkeeper: Arc<Doorkeeper>,
}

impl Reloader {
    /// Reloads whenever somebody asks or, with `server.watch`, a file has changed, until the end
    /// begins: what is served from then on is a successor's to say. Never returns.
    pub(super) fn run(mut self, phase: &watch::Receiver<Phase>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let reloads = Arc::clone(&self.reloads);
        runtime.block_on(async {
            let mut watch = self.watches.then(|| Watch::start(self.files.clone()));
            let mut certificates = self.watch_certificates();
            loop {
                let due = tokio::select! {
                    () = reloads.asked() => None,
                    () = changed(&mut watch) => None,
                    due = due(&mut certificates) => Some(due),
                };
                if phase.borrow().is_ending() {
                    return std::future::pending().await;
                }
                if let (Some(due), Some(certificates)) = (due, &mut certificates) {
                    certificates.act(due);
                    continue;
                }
                notify(State::Reloading);
                let files = match self.reload() {
                    Ok(files) => {
                        self.metrics.note_reload(ReloadOutcome::Ok, now_ms());
                        certificates = self.watch_certificates();
                        files
                    }
                    Err(files) => {
                        self.metrics.note_reload(ReloadOutcome::Refused, now_ms());
                        files
                    }
                };
                notify(State::Ready);
                if let Some(watch) = &mut watch {
                    watch.follow(files);
                }
            }
        })
    }

    fn watch_certificates(&self) -> Option<Certificates> {
        let tls = self.snapshots.borrow().tls.clone();
        Certificates::watch(tls, self.certificates.clone())
    }

    /// Swaps in what the file says now, whole, or leaves everything as it is. Returns the files that
    /// were read, in either case.
    fn reload(&mut self) -> Result<ReadFiles, ReadFiles> {
        let done = self.reloads.begin();
        if config::is_stdin(&self.file) {
            let why = "standard input cannot be read again";
            tracing::error!(event = "reload_refused", "not reloaded: {why}");
            self.reloads.refused_with(done, Finding::error(why));
            return Err(self.files.clone());
        }
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let served = Served {
            tls: snapshot.tls.as_deref(),
            upstreams: &snapshot.upstreams,
            redis: self.redis.as_ref(),
        };
        let loaded = config::load_again(&self.file, &config::environment, served);
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(problems) => {
                tracing::error!(
                    event = "reload_refused",
                    problems = problems.to_string(),
                    "not reloaded; what was served is served on"
                );
                self.reloads.refused(done, &problems);
                return Err(problems.files().clone());
            }
        };
        if let Some((what, file)) = loaded.written.emptied(&self.served) {
            // A disk that was full, or a writer that died, leaves an empty file, which has no problem.
            let file = file.unwrap_or(&self.file).display();
            tracing::error!(event = "reload_refused", %file, "not reloaded: there are no {what} in it; what was served is served on");
            let why = Finding::error(format!("there are no {what} in {file}"));
            self.reloads.refused_with(done, why);
            return Err(loaded.files);
        }
        Ok(self.apply(loaded, snapshot.tls.clone(), done))
    }

    fn apply(&mut self, loaded: Loaded, served: Option<Arc<ServerTls>>, done: Done) -> ReadFiles {
        let mut snapshot = loaded.snapshot;
        let before = Arc::clone(&self.snapshots.borrow());
        snapshot.access.keys.keep_uses(&before.access.keys);
        self.registry.join(&mut snapshot.upstreams);
        let tls = snapshot.tls.clone();
        // Where TLS is spoken is changed by a restart: until then there is a certificate to show.
        snapshot.tls = snapshot.tls.or_else(|| served.clone());
        snapshot.join_acme(&self.acme);
        self.metrics.keep(names(&snapshot));
        self.traces.apply(snapshot.traces.as_ref());
        let snapshot = Arc::new(snapshot);
        self.snapshots.send_replace(Arc::clone(&snapshot));
        self.doorkeeper.keep(&snapshot.operators);
        let written = Arc::new(loaded.written);
        let changes = changes(&self.started, &self.served, &written);
        self.served = written;
        self.certificates = loaded.certificates;
        tracing::info!(event = "reloaded", changes = changes.len(), "reloaded");
        for change in &changes {
            match change.kind {
                ChangeKind::Public => tracing::warn!("now public: {change}"),
                ChangeKind::Wider => tracing::warn!("now allowed: {change}"),
                ChangeKind::Applied => tracing::info!("{change}"),
                ChangeKind::NeedsRestart => tracing::warn!("{change}"),
            }
        }
        if let (Some(before), Some(now)) = (served, tls) {
            log_replaced(&before, &now, &self.certificates);
        }
        for lint in &loaded.lints {
            tracing::warn!("{lint}");
        }
        let written = Arc::clone(&self.served);
        self.reloads.reloaded(done, written, changes, &loaded.lints);
        loaded.files
    }
}

/// The time, in milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}

/// Logs which certificates are others than before.
fn log_replaced(before: &ServerTls, now: &ServerTls, files: &CertificateFiles) {
    let was_asked = before.client_auth();
    let before = before.certificates();
    for (source, certificate) in now.certificates() {
        if let (Source::Files(at), Some(old)) = (&source, before.get(&source))
            && !old.is(&certificate)
        {
            log_taken(files, *at, &certificate, &lost_names(old, now));
        }
    }
    if let (Some(old), Some(new)) = (was_asked, now.client_auth()) {
        let new = new.authorities();
        if !old.authorities().are(&new) {
            log_authorities(files, &new);
        }
    }
}

/// Waits until the watched files have changed; for ever if none are watched.
async fn changed(watch: &mut Option<Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}
