//! What other gateways of the fleet have done: their challenges are shown here, too, and their certificates
//! are taken over.

use std::time::SystemTime;

use crate::acme::fleet::{Fleet, FleetError, Look};
use crate::acme::issued::Issued;

use super::Keeper;

impl Keeper {
    /// Looks once, and does what others have done. Says whether there may soon be more.
    pub(super) async fn follow(&mut self, fleet: &Fleet) -> Result<bool, FleetError> {
        let look = fleet.look(&self.settings.domains).await?;
        self.challenges.follow(look.challenges.clone());
        self.take_over(fleet, &look).await?;
        fleet.follow(&look);
        if std::mem::take(&mut self.is_cut_off) {
            tracing::info!("the fleet's certificates can be read again");
        }
        Ok(look.is_busy || look.is_news)
    }

    async fn take_over(&mut self, fleet: &Fleet, look: &Look) -> Result<(), FleetError> {
        let now = SystemTime::now();
        let settings = std::sync::Arc::clone(&self.settings);
        for (name, status) in settings.domains.iter().zip(&look.names) {
            if let Some(state) = self.names.get_mut(name) {
                state.fleet_rests(status.failures, status.rest, now);
            }
            let Some(mark) = &status.mark else {
                self.seen.remove(name);
                continue;
            };
            if self.seen.get(name) == Some(mark) {
                continue;
            }
            if self.shown(name).is_none_or(|ours| ours.mark != *mark) {
                match fleet.certificate(name).await {
                    Ok(Some(text)) => self.take(name, text, now),
                    // It has ended since.
                    Ok(None) => continue,
                    Err(error @ FleetError::Unreadable(_)) => {
                        let error = error.to_string();
                        tracing::error!(name, error, "a certificate of the fleet cannot be used");
                    }
                    Err(error) => return Err(error),
                }
            }
            self.seen.insert(name.clone(), mark.clone());
        }
        Ok(())
    }

    /// Shows a certificate that another gateway has ordered, unless ours is newer.
    fn take(&mut self, name: &str, text: String, now: SystemTime) {
        let issued = match Issued::parse(text, name, now) {
            Ok(issued) => issued,
            Err(error) => {
                let error = error.to_string();
                tracing::error!(name, error, "a certificate of the fleet cannot be used");
                return;
            }
        };
        let begins = |issued: &Issued| issued.validity().0;
        let ours = self.shown(name);
        if ours.is_some_and(|ours| begins(&ours) > begins(&issued)) {
            return;
        }
        self.store(name, &issued);
        let until = issued.certificate.not_after;
        tracing::info!(event = "certificate", name, %until, "certificate taken over from the fleet");
        self.put(name, issued);
    }

    /// Whether the fleet lacks a certificate that is here: Redis has lost what it had, or the names were
    /// this gateway's alone until now.
    pub(super) fn has_unshared(&self) -> bool {
        self.fleet.is_some() && self.unshared().next().is_some()
    }

    /// The names of such certificates.
    pub(super) fn unshared(&self) -> impl Iterator<Item = &String> {
        let names = self.settings.domains.iter();
        names.filter(|name| !self.seen.contains_key(*name) && self.shown(name).is_some())
    }
}
