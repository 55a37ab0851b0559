//! Proxies that nobody has listed. A peer that sends `X-Forwarded-For` and is not trusted is most often
//! a proxy of one's own: all callers behind it are then counted as one. The log says so once a peer,
//! for so many of them that a stranger who sends the field cannot fill it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use crate::lock::lock;

/// How many peers are remembered, and logged, as long as the process runs.
const MAX_PEERS: usize = 64;

/// The peers that were logged, for all workers.
#[derive(Debug, Default)]
pub struct UnlistedProxies(Mutex<HashSet<IpAddr>>);

/// A worker's access to them: those that it has met need no lock.
#[derive(Debug)]
pub(super) struct Met {
    all: Arc<UnlistedProxies>,
    here: RefCell<HashSet<IpAddr>>,
}

impl Met {
    pub(super) fn new(all: Arc<UnlistedProxies>) -> Self {
        let here = RefCell::default();
        Self { all, here }
    }

    /// Notes a peer that is not trusted and says for whom it asks.
    pub(super) fn note(&self, peer: IpAddr) {
        let mut here = self.here.borrow_mut();
        if here.len() < MAX_PEERS && here.insert(peer) && self.all.add(peer) {
            tracing::warn!(
                %peer,
                "X-Forwarded-For is ignored, for its sender is not trusted: if that is a proxy, everyone behind it shares one limit until `server.trusted_proxies` names it"
            );
        }
    }
}

impl UnlistedProxies {
    /// Whether the peer is new, and there is room for it.
    fn add(&self, peer: IpAddr) -> bool {
        let mut all = lock(&self.0);
        all.len() < MAX_PEERS && all.insert(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_new_once_and_there_are_not_too_many() {
        let all = UnlistedProxies::default();
        let peer = |nth: u32| IpAddr::from(nth.to_be_bytes());
        let new = (0..100).filter(|nth| all.add(peer(*nth)));
        assert_eq!(new.count(), MAX_PEERS);
        assert!((0..200).all(|nth| !all.add(peer(nth))));
    }
}
