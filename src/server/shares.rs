//! How many connections each client address has open, over all workers, where
//! `server.max_connections_per_ip` bounds that. One beyond the bound is closed as soon as it has been
//! accepted: nothing has been read from it by then, and nothing is answered.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use crate::lock::lock;
use crate::seldom::Seldom;

/// Locks are held for less than a microsecond, but workers should not meet at one all the same.
const SHARDS: usize = 16;

/// The open connections of all addresses.
#[derive(Debug, Default)]
pub(super) struct Shares {
    open: [Mutex<HashMap<IpAddr, u32>>; SHARDS],
    hasher: RandomState,
    crowded: Seldom<10>,
}

/// One connection of an address.
#[derive(Debug)]
pub(super) struct Share {
    shares: Arc<Shares>,
    address: IpAddr,
}

impl Shares {
    /// Counts a connection of this address (or network); `None` if it has `most` already.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr, most: u32) -> Option<Share> {
        let mut open = self.shard(address);
        let count = open.entry(address).or_default();
        if *count >= most {
            drop(open);
            self.log(address, most);
            return None;
        }
        *count += 1;
        drop(open);
        Some(Share {
            shares: Arc::clone(self),
            address,
        })
    }

    fn shard(&self, address: IpAddr) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        let hash = self.hasher.hash_one(address);
        let shard = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        lock(&self.open[shard])
    }

    fn log(&self, address: IpAddr, most: u32) {
        if self.crowded.is_due(Instant::now()) {
            tracing::warn!(
                %address,
                max_connections_per_ip = most,
                "an address has as many connections as one may have: more of them are closed"
            );
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.shares.shard(self.address).entry(self.address) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_and_gives_them_back() {
        let shares = Arc::new(Shares::default());
        let (one, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let kept: Vec<_> = (0..3).map(|_| shares.take(one, 3).unwrap()).collect();
        assert!(shares.take(one, 3).is_none());
        let another = shares.take(other, 3);
        assert!(another.is_some());
        // A reload may lower the bound: nothing is closed, and nothing comes in.
        assert!(shares.take(one, 2).is_none());
        drop(kept);
        assert!(shares.take(one, 1).is_some());
        drop(another);
        assert!(
            shares
                .open
                .iter()
                .all(|open| open.lock().unwrap().is_empty())
        );
    }
}
