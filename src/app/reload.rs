//! Reads the configuration again, when it is told to or when the files have changed. Has a thread of
//! its own: files may stand on storage that hangs, or behind a pipe that nobody writes to.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::admin::Done;
use crate::config::{
    self, CertificateFiles, Change, ChangeKind, Finding, Loaded, ReadFiles, Served, Watch, Written,
    changes,
};
use crate::memory;
use crate::metrics::ReloadOutcome;
use crate::pipeline::names;
use crate::server::Phase;
use crate::tls::{ServerTls, Source};
use crate::upstream::Registry;

use super::certificates::{Certificates, log_authorities, log_taken, lost_names};
use super::notify::{State, notify};
use super::{Gateway, if_any};

/// What a reload needs.
pub(super) struct Reloader {
    pub gateway: Arc<Gateway>,
    /// The files that were read at the start.
    pub files: ReadFiles,
    /// Those of the certificates that are served.
    pub certificates: CertificateFiles,
    /// What the gateway was started with.
    pub started: Arc<Written>,
    /// What was read last.
    pub served: Arc<Written>,
    pub registry: Registry,
}

impl Reloader {
    /// Reloads whenever somebody asks or, with `server.watch`, a file has changed, until the end
    /// begins: what is served from then on is a successor's to say. Never returns.
    pub(super) fn run(mut self, phase: &watch::Receiver<Phase>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let gateway = Arc::clone(&self.gateway);
        runtime.block_on(async {
            let mut watch = gateway
                .settings
                .watch
                .then(|| Watch::start(self.files.clone()));
            let mut certificates = self.watch_certificates();
            loop {
                let due = tokio::select! {
                    () = gateway.reloads.asked() => None,
                    () = if_any(watch.as_mut().map(Watch::changed)) => None,
                    due = if_any(certificates.as_mut().map(Certificates::due)) => Some(due),
                };
                if phase.borrow().is_ending() {
                    return std::future::pending().await;
                }
                if let (Some(due), Some(certificates)) = (due, &mut certificates) {
                    certificates.act(due);
                    continue;
                }
                notify(State::Reloading);
                let (outcome, files) = match self.reload() {
                    Ok(files) => (ReloadOutcome::Ok, files),
                    Err(files) => (ReloadOutcome::Refused, files),
                };
                gateway.metrics.note_reload(outcome, now_ms());
                if outcome == ReloadOutcome::Ok {
                    certificates = self.watch_certificates();
                }
                notify(State::Ready);
                if let Some(watch) = &mut watch {
                    watch.follow(files);
                }
            }
        })
    }

    fn watch_certificates(&self) -> Option<Certificates> {
        let tls = self.gateway.snapshots.borrow().tls.clone();
        Certificates::watch(tls, self.certificates.clone())
    }

    /// Swaps in what the file says now, whole, or leaves everything as it is. Returns the files that
    /// were read, in either case.
    fn reload(&mut self) -> Result<ReadFiles, ReadFiles> {
        let gateway = &self.gateway;
        let done = gateway.reloads.begin();
        if config::is_stdin(&gateway.file) {
            let why = "standard input cannot be read again";
            tracing::error!(event = "reload_refused", "not reloaded: {why}");
            gateway.reloads.refused_with(done, &Finding::error(why));
            return Err(self.files.clone());
        }
        let snapshot = Arc::clone(&gateway.snapshots.borrow());
        let served = Served {
            tls: snapshot.tls.as_deref(),
            upstreams: &snapshot.upstreams,
            redis: gateway.settings.redis.as_ref().map(|redis| &redis.target),
        };
        let loaded = config::load_again(&gateway.file, &config::environment, served);
        memory::give_back();
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(problems) => {
                let why = problems.in_short();
                tracing::error!(
                    event = "reload_refused",
                    problems = problems.to_string(),
                    "not reloaded: {why}; what was served is served on"
                );
                gateway.reloads.refused(done, &problems, why);
                return Err(problems.files().clone());
            }
        };
        if let Some((what, file)) = loaded.written.emptied(&self.served) {
            // A disk that was full, or a writer that died, leaves an empty file, which has no problem.
            let file = file.unwrap_or(&gateway.file).display();
            tracing::error!(event = "reload_refused", %file, "not reloaded: there are no {what} in it; what was served is served on");
            let why = Finding::error(format!("there are no {what} in {file}"));
            gateway.reloads.refused_with(done, &why);
            return Err(loaded.files);
        }
        Ok(self.apply(loaded, snapshot.tls.clone(), done))
    }

    fn apply(&mut self, loaded: Loaded, served: Option<Arc<ServerTls>>, done: Done) -> ReadFiles {
        let mut snapshot = loaded.snapshot;
        let gateway = &self.gateway;
        let before = Arc::clone(&gateway.snapshots.borrow());
        snapshot.access.keys.keep_uses(&before.access.keys);
        self.registry.join(&mut snapshot.upstreams);
        let tls = snapshot.tls.clone();
        // Where TLS is spoken is changed by a restart: until then there is a certificate to show.
        snapshot.tls = snapshot.tls.or_else(|| served.clone());
        snapshot.join_acme(&gateway.acme);
        gateway.metrics.keep(names(&snapshot, Some(&before)));
        gateway.traces.apply(snapshot.traces.as_ref());
        let snapshot = Arc::new(snapshot);
        gateway.snapshots.send_replace(Arc::clone(&snapshot));
        gateway.doorkeeper.keep(&snapshot.operators);
        let written = Arc::new(loaded.written);
        let changes = changes(&self.started, &self.served, &written);
        self.served = written;
        self.certificates = loaded.certificates;
        memory::give_back();
        tracing::info!(event = "reloaded", changes = changes.len(), "reloaded");
        log_changes(&changes);
        if let (Some(before), Some(now)) = (served, tls) {
            log_replaced(&before, &now, &self.certificates);
        }
        for lint in &loaded.lints {
            tracing::warn!("{lint}");
        }
        let written = Arc::clone(&self.served);
        gateway
            .reloads
            .reloaded(done, written, changes, &loaded.lints);
        loaded.files
    }
}

/// Logs a line for each change.
pub(super) fn log_changes(changes: &[Change]) {
    for change in changes {
        match change.kind {
            ChangeKind::Public => tracing::warn!("now public: {change}"),
            ChangeKind::Wider => tracing::warn!("now allowed: {change}"),
            ChangeKind::Applied => tracing::info!("{change}"),
            ChangeKind::NeedsRestart => tracing::warn!("{change}"),
        }
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
