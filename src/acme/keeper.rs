//! Keeps the certificates of all names: orders what is missing or due, one gateway of a fleet for all, and
//! takes over what others have ordered.

mod ask;
mod follow;
mod orders;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use instant_acme::Account;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::limit::RedisSettings;
use crate::tls::Challenges;

use super::Wanted;
use super::account::StoredAccount;
use super::client::Client;
use super::fleet::{BUSY, Fleet, FleetError, QUIET};
use super::issued::Issued;
use super::name::Name;
use super::retry::OrderError;
use super::schedule::{AFTER_TROUBLE, pause_after};
use super::settings::AcmeSettings;
use super::shelf::Shelf;
use super::store::StateDir;

/// The longest pause: the clock may be set meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// How long the end of the gateway may wait for the fleet to hear that it orders no more.
const GOODBYE: Duration = Duration::from_millis(500);

/// The work for one configuration.
pub(super) struct Keeper {
    settings: Arc<AcmeSettings>,
    fleet: Option<Rc<Fleet>>,
    challenges: Arc<Challenges>,
    shelf: Arc<Shelf>,
    state: StateDir,
    client: Client,
    /// As it was stored, and opened.
    account: Option<(String, Account)>,
    names: BTreeMap<String, Name>,
    /// What of the fleet's certificates has been looked at, by their marks.
    seen: BTreeMap<String, String>,
    /// The fleet cannot be asked, which has been logged.
    is_cut_off: bool,
    /// How often in a row this gateway could not begin to order, and until when it does not try.
    troubles: u32,
    rests_until: SystemTime,
}

impl Keeper {
    /// Begins with what is on the shelf. To be called within a `LocalRuntime`.
    pub(super) fn new(
        settings: Arc<AcmeSettings>,
        redis: Option<RedisSettings>,
        challenges: &Arc<Challenges>,
        shelf: &Arc<Shelf>,
    ) -> Self {
        let key = settings.fleet_key.as_ref();
        let join = |(redis, key)| Rc::new(Fleet::join(redis, key, &settings.directory));
        let fleet = redis.zip(key).map(join);
        let names = settings.domains.iter();
        Self {
            state: settings.state(),
            client: Client::new(settings.trust.speaking(&[])),
            names: names.map(|name| (name.clone(), Name::new())).collect(),
            settings,
            fleet,
            challenges: Arc::clone(challenges),
            shelf: Arc::clone(shelf),
            account: None,
            seen: BTreeMap::new(),
            is_cut_off: false,
            troubles: 0,
            rests_until: SystemTime::UNIX_EPOCH,
        }
    }

    /// Works until something else is wanted. Orders that are under way are then brought to their end, unless
    /// challenges cannot be answered any more; no further one begins.
    pub(super) async fn keep(mut self, wanted: &mut watch::Receiver<Wanted>) {
        let mut stop = wanted.clone();
        let is_stopped = stop.wait_for(|wanted| !wanted.serves);
        tokio::select! {
            () = self.rounds(wanted) => {}
            _ = is_stopped => {}
        }
        self.challenges.hide_ours();
        if let Some(fleet) = &self.fleet {
            let _ = timeout(GOODBYE, fleet.release_lease()).await;
        }
    }

    async fn rounds(&mut self, wanted: &mut watch::Receiver<Wanted>) {
        loop {
            let pause = self.round(wanted).await;
            tokio::select! {
                () = sleep(pause) => {}
                _ = wanted.changed() => return,
            }
        }
    }

    /// Does all that is to be done now; says how long there is nothing to do.
    async fn round(&mut self, wanted: &watch::Receiver<Wanted>) -> Duration {
        let mut fleet_pause = None;
        if let Some(fleet) = self.fleet.clone() {
            fleet_pause = match self.follow(&fleet).await {
                Ok(true) => Some(BUSY),
                Ok(false) => Some(QUIET),
                Err(error) => {
                    self.note_cut_off(&error);
                    return QUIET;
                }
            };
        }
        self.note_shown();
        let now = SystemTime::now();
        let has_due = self.names.values().any(|name| name.is_due(now));
        if now >= self.rests_until && (has_due || self.has_unshared()) {
            match self.order_all(wanted).await {
                Ok(()) => self.troubles = 0,
                Err(error) => self.note_trouble(&error),
            }
        }
        self.ask_for_window().await;
        let names = self.names.iter();
        let renewals = names.map(|(name, state)| (name, state.renewal()));
        self.shelf.are_renewed(&self.settings.directory, renewals);
        fleet_pause.unwrap_or_else(|| self.pause(SystemTime::now()))
    }

    /// How long it is until something is due.
    fn pause(&self, now: SystemTime) -> Duration {
        if self.names.values().any(|name| name.asks(now)) {
            return SHORTEST_PAUSE;
        }
        let names = self.names.values().map(Name::next);
        let next = names.map(|next| next.max(self.rests_until)).min();
        let pause = next.and_then(|next| next.duration_since(now).ok());
        pause
            .unwrap_or_default()
            .clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    }

    fn note_shown(&mut self) {
        let directory = &self.settings.directory;
        for (name, state) in &mut self.names {
            state.shows(self.shelf.of(name, directory).as_deref());
        }
    }

    /// What this authority has issued for a name.
    fn shown(&self, name: &str) -> Option<Arc<Issued>> {
        self.shelf.of(name, &self.settings.directory)
    }

    fn put(&self, name: &str, issued: Issued) {
        self.shelf.put(name, &self.settings.directory, issued);
    }

    /// Stores a certificate that is used already.
    fn store(&self, name: &str, issued: &Issued) {
        if let Err(error) = self.state.put_certificate(name, issued) {
            let error = error.to_string();
            tracing::error!(name, error, "a certificate is used, but cannot be stored");
        }
    }

    /// This gateway cannot order: its disk, its way to the authority, the account.
    fn note_trouble(&mut self, error: &OrderError) {
        self.troubles = self.troubles.saturating_add(1);
        let pause = pause_after(self.troubles, AFTER_TROUBLE, fastrand::f64());
        self.rests_until = SystemTime::now() + pause;
        let (error, again_in) = (error.to_string(), format!("{} s", pause.as_secs()));
        tracing::error!(error, again_in, "no certificates can be ordered");
    }

    fn note_cut_off(&mut self, error: &FleetError) {
        if !self.is_cut_off {
            let error = error.to_string();
            tracing::error!(
                error,
                "the fleet's certificates cannot be read; none is ordered meanwhile"
            );
            self.is_cut_off = true;
        }
    }

    /// The account that is stored, if there is one. One that cannot be read is told of, and is none.
    async fn stored_account(&self) -> Result<Option<StoredAccount>, OrderError> {
        if let Some(fleet) = &self.fleet {
            match fleet.account().await {
                Ok(Some(account)) => return Ok(Some(account)),
                Ok(None) => {}
                Err(error @ FleetError::Unreadable(_)) => {
                    let error = error.to_string();
                    tracing::error!(error, "the fleet's account cannot be used");
                }
                Err(error) => return Err(error.into()),
            }
        }
        let Some(text) = self.state.account()? else {
            return Ok(None);
        };
        let account = StoredAccount::parse(&text);
        if account.is_none() {
            tracing::error!("the account in `state_dir` is damaged; another is made");
        }
        Ok(account)
    }

    /// The account, which is made if there is none. It is stored before the authority hears of it.
    async fn account(&mut self) -> Result<Account, OrderError> {
        let stored = self.stored_account().await?;
        let stored = stored.map_or_else(StoredAccount::new, Ok)?;
        self.open(stored).await
    }

    async fn open(&mut self, mut stored: StoredAccount) -> Result<Account, OrderError> {
        if let Some((text, account)) = &self.account
            && *text == stored.text()
        {
            return Ok(account.clone());
        }
        self.put_account(&stored).await?;
        let (account, has_changed) = stored.open(&self.client, &self.settings).await?;
        if has_changed {
            self.put_account(&stored).await?;
        }
        self.account = Some((stored.text(), account.clone()));
        Ok(account)
    }

    async fn put_account(&self, account: &StoredAccount) -> Result<(), OrderError> {
        self.state.put_account(&account.text())?;
        if let Some(fleet) = &self.fleet {
            fleet.put_account(account).await?;
        }
        Ok(())
    }
}
