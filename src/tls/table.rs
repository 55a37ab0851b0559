//! Which certificate is for which name: the exact name first, then the wildcard one label up, then the
//! first certificate that there is. Certificates with keys of different kinds may have the same names.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rustls::{SignatureAlgorithm, SignatureScheme};

use super::certificate::Certificate;

/// Where a certificate comes from. In the order of these the first one is for clients that ask for no
/// name, or for one that has no certificate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The files at this place of `tls.certificates`.
    Files(usize),
    /// An authority that was asked for this name.
    Acme(String),
}

/// All certificates by what is asked for.
#[derive(Debug, Default)]
pub(super) struct Table {
    all: BTreeMap<Source, Arc<Certificate>>,
    exact: HashMap<String, Group>,
    /// `*.example.com` by `example.com`.
    wildcard: HashMap<String, Group>,
    /// For those who ask for no name, or for one that is not here.
    default: Group,
}

/// Certificates for the same name, that with the key which costs least first.
type Group = Vec<Arc<Certificate>>;

impl Table {
    /// A table of these.
    pub(super) fn new(all: BTreeMap<Source, Arc<Certificate>>) -> Self {
        let mut table = Self::default();
        for certificate in all.values() {
            for name in &certificate.names {
                let group = match name.strip_prefix("*.") {
                    Some(parent) => table.wildcard.entry(parent.to_owned()),
                    None => table.exact.entry(name.clone()),
                };
                group.or_default().push(Arc::clone(certificate));
            }
        }
        let groups = table.exact.values_mut().chain(table.wildcard.values_mut());
        // Stable: of two of a kind the first one is shown.
        groups.for_each(|group| group.sort_by_key(|it| cost(it.algorithm())));
        if let Some(first) = all.values().next().and_then(|first| first.names.first()) {
            let name = first.strip_prefix("*.");
            let default = match name {
                Some(parent) => table.wildcard.get(parent),
                None => table.exact.get(first),
            };
            table.default = default.cloned().unwrap_or_default();
        }
        table.all = all;
        table
    }

    /// The same with another one in the place of that from the same source.
    pub(super) fn with(&self, source: Source, certificate: Certificate) -> Self {
        let mut all = self.all.clone();
        all.insert(source, Arc::new(certificate));
        Self::new(all)
    }

    /// All certificates and where they come from.
    pub(super) fn all(&self) -> &BTreeMap<Source, Arc<Certificate>> {
        &self.all
    }

    /// The certificates for a name in lower case.
    pub(super) fn group(&self, name: Option<&str>) -> &[Arc<Certificate>] {
        let group = name.and_then(|name| self.named(name));
        group.unwrap_or(&self.default)
    }

    /// The certificates that are for a name in lower case, if any are.
    pub(super) fn named(&self, name: &str) -> Option<&Group> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let wildcard = || self.wildcard.get(name.split_once('.')?.1);
        self.exact.get(name).or_else(wildcard)
    }

    /// The certificate for a client that asks for this name and can check signatures of these kinds. If
    /// it can check none of ours, the handshake fails for that reason. `None`: there are none at all.
    pub(super) fn choose(
        &self,
        name: Option<&str>,
        schemes: &[SignatureScheme],
    ) -> Option<&Arc<Certificate>> {
        let group = self.group(name);
        let usable = |it: &&Arc<Certificate>| it.certified().key.choose_scheme(schemes).is_some();
        group.iter().find(usable).or(group.first())
    }
}

/// Signing with ECDSA costs a tenth of what RSA costs.
fn cost(algorithm: SignatureAlgorithm) -> u8 {
    match algorithm {
        SignatureAlgorithm::ECDSA | SignatureAlgorithm::ED25519 => 0,
        _ => 1,
    }
}
