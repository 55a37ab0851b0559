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

    /// Whether both ask the same, however often.
    pub(super) fn asks_as(&self, other: &Self) -> bool {
        let [header, other_header] =
            [self, other].map(|target| target.upstream.rules.proxy_protocol);
        self.rules.call == other.rules.call
            && self.rules.host == other.rules.host
            && self.endpoint().url == other.endpoint().url
            && header == other_header
    }

    /// Becomes `new`, which has the same address; says whether it is checked in another way then.
    pub(super) fn follow(&mut self, new: Self) -> bool {
        let is_as_before = self.rules == new.rules && self.asks_as(&new);
        *self = new;
        !is_as_before
    }

    /// Puts what a connection to the service begins with, before TLS if that is spoken. A check is made for
    /// no client.
    pub(super) fn put_first(&self, out: &mut Vec<u8>) {
        if let Some(version) = self.upstream.rules.proxy_protocol {
            version.put(None, out);
        }
    }
}
