//! The certificates that have been issued, and the TLS that shows them. A reload brings new TLS, a renewal
//! brings a new certificate, on different threads: both go through here, so that neither is lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::tls::{ServerTls, Source};

use super::issued::Issued;

/// What is shown now.
#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<Content>);

#[derive(Debug, Default)]
struct Content {
    tls: Option<Arc<ServerTls>>,
    issued: BTreeMap<String, Arc<Issued>>,
}

impl Shelf {
    /// Shows what there is for these names by `tls` from now on, and forgets the rest.
    pub(super) fn show_by(&self, tls: Option<Arc<ServerTls>>, names: &[String]) {
        let mut content = self.lock();
        content.issued.retain(|name, _| names.contains(name));
        if let Some(tls) = &tls {
            for (name, issued) in &content.issued {
                tls.install(Source::Acme(name.clone()), issued.certificate.clone());
            }
        }
        content.tls = tls;
    }

    /// Shows a certificate in the place of the one that there was for its name.
    pub(super) fn put(&self, name: &str, issued: Issued) {
        let mut content = self.lock();
        if let Some(tls) = &content.tls {
            tls.install(Source::Acme(name.to_owned()), issued.certificate.clone());
        }
        content.issued.insert(name.to_owned(), Arc::new(issued));
    }

    /// The certificate of a name.
    pub(super) fn of(&self, name: &str) -> Option<Arc<Issued>> {
        self.lock().issued.get(name).cloned()
    }

    /// Forgets all, for another authority is asked from now on.
    pub(super) fn clear(&self) {
        self.lock().issued.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        // After a panic in between, a certificate may not be shown until it is renewed; none is wrong.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
