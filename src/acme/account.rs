//! The account at the authority. Its key is stored before the authority hears of it, and asking for an
//! account with a key that has one returns that: so there is one account, whatever crashes when.

use instant_acme::{Account, Key};
use rcgen::KeyPair;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::client::Client;
use super::retry::{OrderError, retried};
use super::settings::AcmeSettings;

/// What is stored of an account. Its `Debug` shows no key.
#[derive(Debug, Clone)]
pub(super) struct StoredAccount {
    /// In PEM.
    key: SecretString,
    /// Whom the authority was told to write to.
    pub contact: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    key: String,
    contact: Option<String>,
}

impl StoredAccount {
    /// One with a new key, which the authority has not been told of.
    pub(super) fn new() -> Result<Self, OrderError> {
        Ok(Self {
            key: KeyPair::generate()?.serialize_pem().into(),
            contact: None,
        })
    }

    /// Reads what [`Self::text`] has written. `None`: it is not that.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let Written { key, contact } = serde_json::from_str(text).ok()?;
        let stored = Self {
            key: key.into(),
            contact,
        };
        stored.key().is_some().then_some(stored)
    }

    /// What is to be stored. Holds the key.
    pub(super) fn text(&self) -> String {
        let written = Written {
            key: self.key.expose_secret().to_owned(),
            contact: self.contact.clone(),
        };
        serde_json::to_string(&written).expect("two strings can be written as JSON")
    }

    fn key(&self) -> Option<(Key, PrivateKeyDer<'static>)> {
        let pem = self.key.expose_secret().as_bytes();
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).ok()?;
        let key = Key::from_pkcs8_der(der.clone_key()).ok()?;
        Some((key, PrivateKeyDer::Pkcs8(der)))
    }

    /// Opens the account at the authority, or finds the one that the key has already, and tells it whom
    /// to write to if that has changed. Says whether it has.
    pub(super) async fn open(
        &mut self,
        client: &Client,
        settings: &AcmeSettings,
    ) -> Result<(Account, bool), OrderError> {
        let account = retried(async || {
            let http = Box::new(client.clone());
            let key = self.key().ok_or(OrderError::Key)?;
            let opened =
                Account::builder_with_http(http).create_from_key(key, settings.directory.clone());
            Ok(opened.await?.0)
        });
        let account = account.await?;
        let is_new = self.contact != settings.contact;
        if is_new {
            let contact = settings
                .contact
                .as_ref()
                .map(|mail| format!("mailto:{mail}"));
            let contact: Vec<_> = contact.iter().map(String::as_str).collect();
            retried(async || Ok(account.update_contacts(&contact).await?)).await?;
            self.contact.clone_from(&settings.contact);
        }
        Ok((account, is_new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_back_and_not_shown() {
        let mut stored = StoredAccount::new().unwrap();
        stored.contact = Some("ops@a.test".to_owned());
        let text = stored.text();
        let again = StoredAccount::parse(&text).unwrap();
        assert_eq!(
            (again.text(), &again.contact),
            (text.clone(), &stored.contact)
        );
        assert!(!format!("{stored:?}").contains("PRIVATE"));
        for broken in [
            "",
            "{}",
            "{\"key\":\"\",\"contact\":null}",
            &text[..text.len() / 2],
        ] {
            assert!(StoredAccount::parse(broken).is_none(), "{broken}");
        }
    }
}
