//! What is checked, and how: one address of an upstream.

use std::sync::Arc;

use crate::upstream::address::Address;
use crate::upstream::rules::HealthRules;
use crate::upstream::{Endpoint, Upstream};

pub(super) const USER_AGENT: &str = concat!("tollgate-health/", env!("TOLLGATE_VERSION"));

/// What is checked, and how.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub upstream: Arc<Upstream>,
    /// The endpoint's place in it.
    pub endpoint: usize,
    pub address: Arc<Address>,
    pub rules: Arc<HealthRules>,
}

impl Target {
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.upstream.endpoints[self.endpoint]
    }

    /// The host that is asked for.
    pub(super) fn host(&self) -> &str {
        let host = self.rules.host.as_deref();
        host.unwrap_or_else(|| self.endpoint().url.authority())
    }

    /// Becomes `new`, which has the same address; says whether something else is asked then.
    pub(super) fn follow(&mut self, new: Self) -> bool {
        let [old_header, new_header] =
            [&*self, &new].map(|target| target.upstream.rules.proxy_protocol);
        let asks_the_same = self.rules == new.rules
            && self.endpoint().url == new.endpoint().url
            && old_header == new_header;
        *self = new;
        !asks_the_same
    }

    /// Puts what a connection to the service begins with, before TLS if that is spoken. A check is made for
    /// no client.
    pub(super) fn put_first(&self, out: &mut Vec<u8>) {
        if let Some(version) = self.upstream.rules.proxy_protocol {
            version.put(None, out);
        }
    }
}
