//! Asks the authority when it wants to have certificates renewed (ARI, RFC 9773): it knows of days on which
//! everybody renews, and of certificates that it has to revoke.

use std::time::{Duration, SystemTime};

use instant_acme::{Account, CertificateIdentifier, Error};
use tokio::time::timeout;

use crate::acme::issued::{Issued, logged};

use super::Keeper;

/// How long an answer may take: meanwhile this gateway does not follow its fleet.
const PATIENCE: Duration = Duration::from_secs(4);

/// When to ask again if there was no answer, or there are none at all.
const NO_ANSWER: Duration = Duration::from_hours(1);
const NO_ARI: Duration = Duration::from_hours(24);

impl Keeper {
    /// The account for questions. Nothing is stored for them, which only the one who orders may.
    async fn open_to_ask(&mut self) -> Option<Account> {
        let mut stored = self.stored_account().await.ok()??;
        if let Some((text, account)) = &self.account
            && *text == stored.text()
        {
            return Some(account.clone());
        }
        let text = stored.text();
        let (account, _) = stored.open(&self.client, &self.settings).await.ok()?;
        self.account = Some((text, account.clone()));
        Some(account)
    }

    /// Asks for one name for which it is time, if there is one. Others have their turn in the next rounds,
    /// between which this gateway follows its fleet.
    pub(super) async fn ask_for_window(&mut self) {
        let now = SystemTime::now();
        let mut names = self.names.iter();
        let asking = names.find(|(_, state)| state.asks(now));
        let Some(name) = asking.map(|(name, _)| name.clone()) else {
            return;
        };
        let answer = timeout(PATIENCE, async {
            let account = self.open_to_ask().await.ok_or(NO_ANSWER)?;
            let issued = self.shown(&name).ok_or(NO_ANSWER)?;
            ask(&account, &issued).await
        });
        let answer = answer.await.unwrap_or(Err(NO_ANSWER));
        let Some(state) = self.names.get_mut(&name) else {
            return;
        };
        match answer {
            Err(pause) => state.not_suggested(pause, now),
            Ok((window, pause)) => {
                if state.suggested(window, pause, now)
                    && let Some(renewal) = state.renewal()
                {
                    let at = logged(renewal);
                    tracing::info!(name, %at, "renewal as the authority suggests");
                }
            }
        }
    }
}

/// The suggested window and when to ask again; or only the latter.
async fn ask(
    account: &Account,
    issued: &Issued,
) -> Result<((SystemTime, SystemTime), Duration), Duration> {
    let id = CertificateIdentifier::try_from(&issued.leaf).map_err(|_| NO_ARI)?;
    match account.renewal_info(&id).await {
        Ok((renewal, pause)) => {
            let window = renewal.suggested_window;
            Ok(((window.start.into(), window.end.into()), pause))
        }
        Err(Error::Unsupported(_)) => Err(NO_ARI),
        Err(error) => {
            tracing::debug!(%error, "the authority does not say when to renew");
            Err(NO_ANSWER)
        }
    }
}
