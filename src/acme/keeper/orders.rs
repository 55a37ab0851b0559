//! Orders all that is due: by one process of this machine at a time, and one gateway of the fleet.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use instant_acme::Account;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::acme::Wanted;
use crate::acme::fleet::{Fleet, FleetError};
use crate::acme::issued::{Issued, logged};
use crate::acme::name::Name;
use crate::acme::order::{Show, order};
use crate::acme::retry::OrderError;
use crate::tls::{Challenge, Challenges};

use super::Keeper;

/// How many orders are under way at once. In a fleet one: what a gateway has begun when it is killed
/// another one orders anew, and authorities count orders.
const AT_ONCE: usize = 4;
const AT_ONCE_IN_FLEET: usize = 1;

/// The longest that one may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// An order that has ended.
type Done = (String, Result<Issued, OrderError>);

impl Keeper {
    /// Orders what is due, unless another process does. An error means that no order could be begun.
    pub(super) async fn order_all(
        &mut self,
        wanted: &watch::Receiver<Wanted>,
    ) -> Result<(), OrderError> {
        // Before the authority is asked for anything, there has to be a place for it.
        let Some(_lock) = self.state.lock()? else {
            return Ok(());
        };
        let Some(fleet) = self.fleet.clone() else {
            self.read_again();
            return self.order_due(wanted).await;
        };
        if !fleet.take_lease().await? {
            return Ok(());
        }
        // What another has done until now.
        self.follow(&fleet).await?;
        self.note_shown();
        let names = self.settings.domains.clone();
        let lost = tokio::select! {
            ordered = self.order_due(wanted) => ordered,
            () = fleet.keep_lease(&names) => Err(FleetError::Lost.into()),
        };
        self.challenges.hide_ours();
        fleet.release_lease().await;
        lost
    }

    /// Takes over what another process has stored since.
    fn read_again(&mut self) {
        let now = SystemTime::now();
        let due = self.names.iter().filter(|(_, state)| state.is_due(now));
        let due: Vec<_> = due.map(|(name, _)| name.clone()).collect();
        for name in due {
            let Ok(Some(issued)) = self.state.certificate(&name, now) else {
                continue;
            };
            let ours = self.shown(&name);
            if ours.is_none_or(|ours| ours.mark != issued.mark) {
                self.put(&name, issued);
            }
        }
        self.note_shown();
    }

    /// Begins no further order once something else is wanted.
    async fn order_due(&mut self, wanted: &watch::Receiver<Wanted>) -> Result<(), OrderError> {
        self.share().await?;
        let now = SystemTime::now();
        let due = self.names.iter().filter(|(_, state)| state.is_due(now));
        let mut due: Vec<_> = due.map(|(name, _)| name.clone()).rev().collect();
        if due.is_empty() {
            return Ok(());
        }
        let account = self.account().await?;
        let at_once = match self.fleet {
            Some(_) => AT_ONCE_IN_FLEET,
            None => AT_ONCE,
        };
        let mut orders = JoinSet::new();
        // An error: nothing is wanted any more.
        let is_wanted = || wanted.has_changed().is_ok_and(|has_changed| !has_changed);
        loop {
            while orders.len() < at_once
                && is_wanted()
                && let Some(name) = due.pop()
            {
                orders.spawn_local(self.begin(account.clone(), name));
            }
            match orders.join_next().await {
                None => return Ok(()),
                Some(Ok((name, done))) => self.settle(&name, done).await,
                Some(Err(error)) => tracing::error!(%error, "an order ran into a bug"),
            }
        }
    }

    /// Gives the fleet the certificates that it lacks.
    async fn share(&mut self) -> Result<(), OrderError> {
        let Some(fleet) = self.fleet.clone() else {
            return Ok(());
        };
        let names: Vec<_> = self.unshared().cloned().collect();
        for name in names {
            if let Some(issued) = self.shown(&name) {
                fleet.put_certificate(&name, &issued).await?;
                self.seen.insert(name, issued.mark.clone());
            }
        }
        Ok(())
    }

    fn begin(&self, account: Account, name: String) -> impl Future<Output = Done> + use<> {
        let old = self.shown(&name);
        let kind = self.settings.challenge;
        let everywhere = Everywhere {
            challenges: Arc::clone(&self.challenges),
            fleet: self.fleet.clone(),
        };
        tracing::info!(name, "ordering a certificate");
        async move {
            let ordered = order(&account, &name, kind, old.as_deref(), &everywhere);
            let ordered = timeout(PATIENCE, ordered).await;
            everywhere.challenges.hide(&name);
            (name, ordered.unwrap_or(Err(OrderError::Late)))
        }
    }

    async fn settle(&mut self, name: &str, done: Result<Issued, OrderError>) {
        let Some(state) = self.names.get_mut(name) else {
            return;
        };
        let issued = match done {
            Ok(issued) => issued,
            Err(error) => return self.note_failure(name, &error).await,
        };
        state.succeeded();
        state.shows(Some(&issued));
        // First of all it is used: whatever fails then, it need not be ordered again by this process.
        self.put(name, issued.clone());
        self.store(name, &issued);
        let until = issued.certificate.not_after;
        let renewal = self.names.get(name).and_then(Name::renewal);
        let renewal = renewal.map(|at| tracing::field::display(logged(at)));
        tracing::info!(event = "certificate", name, %until, renewal, "certificate issued");
        if let Some(fleet) = &self.fleet {
            match fleet.put_certificate(name, &issued).await {
                Ok(()) => drop(self.seen.insert(name.to_owned(), issued.mark)),
                // Tried again in the next round.
                Err(error) => {
                    self.seen.remove(name);
                    let error = error.to_string();
                    tracing::error!(name, error, "a certificate cannot be shared with the fleet");
                }
            }
        }
    }

    async fn note_failure(&mut self, name: &str, error: &OrderError) {
        // Perhaps it is the account that the authority does not know any more.
        self.account = None;
        let Some(state) = self.names.get_mut(name) else {
            return;
        };
        let (failures, rest) = state.failed(SystemTime::now(), self.client.come_again());
        let again_in = format!("{} s", rest.as_secs());
        let error = error.to_string();
        if let Some(issued) = self.shown(name) {
            let until = issued.certificate.not_after;
            tracing::warn!(name, error, failures, again_in, %until, "certificate not renewed");
        } else {
            tracing::error!(name, error, failures, again_in, "no certificate issued");
        }
        if let Some(fleet) = &self.fleet {
            // Without it another gateway may try a little too early.
            let _ = fleet.put_failure(name, failures, rest).await;
        }
    }
}

/// Shows challenges here, and on all gateways of the fleet.
struct Everywhere {
    challenges: Arc<Challenges>,
    fleet: Option<Rc<Fleet>>,
}

impl Show for Everywhere {
    async fn show(&self, name: &str, challenge: Challenge) -> Result<(), OrderError> {
        self.challenges.show(name, challenge.clone())?;
        if let Some(fleet) = &self.fleet {
            fleet.show(name, &challenge).await?;
        }
        Ok(())
    }

    async fn hide(&self, name: &str) {
        self.challenges.hide(name);
        if let Some(fleet) = &self.fleet {
            // It ends by itself.
            let _ = fleet.hide(name).await;
        }
    }
}
