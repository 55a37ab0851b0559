//! The certificates that have been issued, and the TLS that shows them. A reload brings new TLS, a renewal
//! brings a new certificate, on different threads: both go through here, so that neither is lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use crate::lock::lock;
use crate::tls::{ServerTls, Source};

use super::issued::Issued;
use super::schedule::is_late;

/// What is shown now.
#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<Content>);

#[derive(Debug, Default)]
struct Content {
    tls: Option<Arc<ServerTls>>,
    /// The names of the configuration.
    wanted: Vec<String>,
    /// By their names, which are wanted.
    issued: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    issued: Arc<Issued>,
    /// The directory of the authority. Whoever changes it gets certificates of the new one; those of the old
    /// one are shown until they are there.
    directory: String,
    /// When it is renewed, as far as that is known.
    renewal: Option<SystemTime>,
}

impl Shelf {
    /// Forgets what there is for other names than these, and takes nothing for others from now on.
    pub(super) fn want(&self, names: &[String]) {
        let mut content = lock(&self.0);
        content.issued.retain(|name, _| names.contains(name));
        names.clone_into(&mut content.wanted);
    }

    /// Shows what there is by `tls` from now on.
    pub(super) fn show_by(&self, tls: Option<Arc<ServerTls>>) {
        let mut content = lock(&self.0);
        if let Some(tls) = &tls {
            for (name, Entry { issued, .. }) in &content.issued {
                tls.install(Source::Acme(name.clone()), issued.certificate.clone());
            }
        }
        content.tls = tls;
    }

    /// Shows a certificate that `directory` has issued, in the place of the one that there was for its name.
    /// Its order may have begun when the name was still wanted.
    pub(super) fn put(&self, name: &str, directory: &str, issued: Issued) {
        let mut content = lock(&self.0);
        if !content.wanted.iter().any(|wanted| wanted == name) {
            return;
        }
        if let Some(tls) = &content.tls {
            tls.install(Source::Acme(name.to_owned()), issued.certificate.clone());
        }
        let shown = Entry {
            issued: Arc::new(issued),
            directory: directory.to_owned(),
            renewal: None,
        };
        content.issued.insert(name.to_owned(), shown);
    }

    /// Takes note of when certificates of that directory are renewed.
    pub(super) fn are_renewed<'n>(
        &self,
        directory: &str,
        all: impl Iterator<Item = (&'n String, Option<SystemTime>)>,
    ) {
        let mut content = lock(&self.0);
        for (name, renewal) in all {
            let shown = content.issued.get_mut(name);
            if let Some(shown) = shown.filter(|shown| shown.directory == directory) {
                shown.renewal = renewal;
            }
        }
    }

    /// Whether the certificate of a name ought to have been renewed by now.
    pub(super) fn is_late(&self, name: &str, now: SystemTime) -> bool {
        let content = lock(&self.0);
        let shown = content.issued.get(name);
        shown.is_none_or(|shown| is_late(shown.issued.validity(), shown.renewal, now))
    }

    /// The certificate of a name, if it is of that directory.
    pub(super) fn of(&self, name: &str, directory: &str) -> Option<Arc<Issued>> {
        let content = lock(&self.0);
        let shown = content.issued.get(name);
        let shown = shown.filter(|shown| shown.directory == directory)?;
        Some(Arc::clone(&shown.issued))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::issued::tests::pem;
    use super::*;
    use crate::tls::{Secret, TlsVersion};

    #[test]
    fn neither_a_reload_nor_a_renewal_is_lost() {
        let tls = || {
            let secret = Secret::of_process();
            Arc::new(ServerTls::new(TlsVersion::Tls12, secret, BTreeMap::new()))
        };
        let issued = |name| Issued::parse(pem(name, (-1, 1)), name, SystemTime::now()).unwrap();
        let shown = |tls: &ServerTls| -> Vec<_> { tls.certificates().into_keys().collect() };
        let source = |name: &str| Source::Acme(name.to_owned());
        let (shelf, first, second) = (Shelf::default(), tls(), tls());
        let names = ["a.test".to_owned(), "b.test".to_owned()];
        shelf.want(&names);
        shelf.put("a.test", "https://ca", issued("a.test"));
        shelf.show_by(Some(Arc::clone(&first)));
        assert_eq!(shown(&first), [source("a.test")]);
        shelf.put("b.test", "https://ca", issued("b.test"));
        assert_eq!(shown(&first), [source("a.test"), source("b.test")]);
        shelf.want(&names[1..]);
        shelf.show_by(Some(Arc::clone(&second)));
        assert_eq!(shown(&second), [source("b.test")]);
        // Its order has ended after the reload that removed the name.
        shelf.put("a.test", "https://ca", issued("a.test"));
        assert_eq!(shown(&second), [source("b.test")]);
        assert!(shelf.of("a.test", "https://ca").is_none());
        // Shown, but not what another authority has issued.
        assert!(shelf.of("b.test", "https://other").is_none());
        assert!(shelf.of("b.test", "https://ca").is_some());
    }

    #[test]
    fn a_certificate_is_late_once_its_renewal_is_over() {
        const DAY: Duration = Duration::from_hours(24);
        let now = SystemTime::now();
        let issued = Issued::parse(pem("a.test", (-80, 10)), "a.test", now).unwrap();
        let (shelf, name) = (Shelf::default(), "a.test".to_owned());
        shelf.want(std::slice::from_ref(&name));
        assert!(shelf.is_late(&name, now), "there is none to wait for");
        shelf.put(&name, "https://ca", issued.clone());
        let renewed = |directory, at| shelf.are_renewed(directory, [(&name, Some(at))].into_iter());
        assert!(
            !shelf.is_late(&name, now),
            "nobody knows yet when it is renewed"
        );
        renewed("https://ca", now - DAY);
        assert!(!shelf.is_late(&name, now));
        renewed("https://ca", now - DAY * 3);
        assert!(shelf.is_late(&name, now));
        renewed("https://other", now);
        assert!(shelf.is_late(&name, now));
        // The one in its place has a time of its own.
        shelf.put(&name, "https://ca", issued);
        assert!(!shelf.is_late(&name, now));
    }
}
