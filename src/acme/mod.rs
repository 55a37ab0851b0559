//! Certificates that come by themselves (ACME, RFC 8555): ordered for the names of the configuration, kept in
//! a folder, renewed before they end. All of it happens on a thread of its own. Workers only look at the
//! challenges that are pending and at the certificates that TLS shows.
//!
//! Nothing here keeps the gateway from serving: what fails is logged, and tried again after a pause that
//! grows up to a day.

mod account;
mod client;
mod fleet;
mod issued;
mod keeper;
mod name;
mod order;
mod retry;
mod schedule;
mod settings;
mod shelf;
mod store;

pub use settings::{AcmeSettings, ChallengeKind, FleetKey};

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;

use crate::limit::RedisSettings;
use crate::tls::{Challenges, ServerTls};

use issued::system_time;
use keeper::Keeper;
use shelf::Shelf;

/// All that the process knows of ACME, through all reloads.
#[derive(Debug)]
pub struct Acme {
    /// Shared with other gateways, if there are any.
    redis: Option<RedisSettings>,
    challenges: Arc<Challenges>,
    shelf: Arc<Shelf>,
    wanted: watch::Sender<Wanted>,
}

/// What is to be done.
#[derive(Debug, Clone, Default)]
struct Wanted {
    settings: Option<Arc<AcmeSettings>>,
    /// Challenges can be answered here: the gateway listens, and does not drain.
    serves: bool,
}

impl Acme {
    /// Nothing is wanted yet. Gateways with the same Redis are a fleet.
    pub fn new(redis: Option<RedisSettings>) -> Self {
        Self {
            redis,
            challenges: Arc::default(),
            shelf: Arc::default(),
            wanted: watch::Sender::default(),
        }
    }

    /// What workers look at for challenges.
    pub fn challenges(&self) -> &Arc<Challenges> {
        &self.challenges
    }

    /// Gives TLS the certificates that there are, and asks for those that there are not. Reads files.
    pub fn join(&self, settings: Option<&Arc<AcmeSettings>>, tls: Option<Arc<ServerTls>>) {
        if let Some(tls) = &tls {
            tls.show_challenges(&self.challenges);
        }
        let Some(settings) = settings else {
            self.shelf.want(&[]);
            self.shelf.show_by(tls);
            self.wanted
                .send_if_modified(|wanted| wanted.settings.take().is_some());
            return;
        };
        let state = settings.state();
        for exposed in state.exposed() {
            tracing::warn!("{exposed}");
        }
        self.shelf.want(&settings.domains);
        let now = SystemTime::now();
        for name in &settings.domains {
            if self.shelf.of(name, &settings.directory).is_some() {
                continue;
            }
            match state.certificate(name, now) {
                Ok(Some(issued)) => self.shelf.put(name, &settings.directory, issued),
                Ok(None) => {
                    tracing::warn!(
                        name,
                        "there is no certificate yet for this name; it is ordered"
                    );
                }
                Err(error) => {
                    let error = error.to_string();
                    tracing::error!(
                        name,
                        error,
                        "this certificate cannot be used; another is ordered"
                    );
                }
            }
        }
        self.shelf.show_by(tls);
        self.wanted.send_if_modified(|wanted| {
            let is_new = wanted.settings.as_ref() != Some(settings);
            wanted.settings = Some(Arc::clone(settings));
            is_new
        });
    }

    /// Whether the certificate of a name ought to have been renewed by now: that it ends soon is then worth
    /// a word, and before then as it should be.
    pub fn is_late(&self, name: &str, now: Timestamp) -> bool {
        self.shelf.is_late(name, system_time(now))
    }

    /// Whether challenges can be answered here from now on. Nothing is ordered while they cannot.
    pub fn set_serves(&self, serves: bool) {
        self.wanted.send_modify(|wanted| wanted.serves = serves);
    }

    /// Does what is wanted, on the calling thread, until this is dropped.
    ///
    /// # Errors
    /// When the system refuses the runtime.
    pub fn run(&self) -> io::Result<()> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())?;
        runtime.block_on(self.work());
        Ok(())
    }

    async fn work(&self) {
        let mut changes = self.wanted.subscribe();
        loop {
            let next = changes.borrow_and_update().clone();
            match next.settings.filter(|_| next.serves) {
                Some(settings) => {
                    let redis = self.redis.clone();
                    let keeper = Keeper::new(settings, redis, &self.challenges, &self.shelf);
                    keeper.keep(&mut changes).await;
                }
                None if changes.changed().await.is_err() => return,
                None => {}
            }
        }
    }
}
