//! One address of an endpoint, as the process knows it: shared by all workers, and kept over
//! lookups and reloads. An address that does not connect is tried after all others for a while;
//! then one connection finds out whether it is back. Nothing here is locked.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::wire::shortage::{in_words, is_shortage};

/// How long an address that did not connect is tried after all others.
const AVOIDED_FOR: Duration = Duration::from_secs(30);

/// An address and a port.
#[derive(Debug)]
pub struct Address {
    /// Where to connect to.
    pub socket: SocketAddr,
    /// When it was first found; atomics count from then.
    found: Instant,
    /// In milliseconds; 0 if it connected when it was last tried.
    avoided_until: AtomicU64,
}

impl Address {
    pub(super) fn new(socket: SocketAddr) -> Self {
        Self {
            socket,
            found: Instant::now(),
            avoided_until: AtomicU64::new(0),
        }
    }

    /// Whether all others should be tried before. Once its time is over, that is denied to one
    /// caller only, which is to try it: if it is still silent, no other connection waits for it.
    pub(super) fn is_avoided(&self, now: Instant) -> bool {
        let until = self.avoided_until.load(Relaxed);
        if until == 0 {
            return false;
        }
        let (now, later) = (self.millis(now), self.millis(now + AVOIDED_FOR));
        let try_now = || {
            self.avoided_until
                .compare_exchange(until, later, Relaxed, Relaxed)
                .is_ok()
        };
        now < until || !try_now()
    }

    /// Notes that a connection has been made.
    pub(super) fn connected(&self) {
        // Most of the time it says so already, and the cache line stays shared.
        if self.avoided_until.load(Relaxed) != 0 {
            self.avoided_until.store(0, Relaxed);
        }
    }

    /// Notes that it was silent for longer than another address should wait for.
    pub(super) fn silent(&self, now: Instant) {
        let until = self.millis(now + AVOIDED_FOR);
        self.avoided_until.store(until, Relaxed);
    }

    /// Notes why there is no connection.
    pub(super) fn failed(&self, error: &io::Error, now: Instant) {
        if is_unreachable(error) {
            self.silent(now);
        }
    }

    fn millis(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.found);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Why an endpoint could not be reached. The text is for the log, not for the client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The resolver has no answer, and had none before.
    #[error("its name cannot be resolved: {0}")]
    Resolve(#[source] Arc<io::Error>),
    /// The last address that was tried does not take connections.
    #[error("cannot connect to {address}: {source}")]
    Refused {
        /// That address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The process or the machine runs short of files, sockets or memory.
    #[error("no connection can be opened: {}", in_words(.0))]
    Shortage(#[source] io::Error),
    /// Nothing answered in the time there was.
    #[error("no connection within {0:?}")]
    TimedOut(Duration),
}

impl ConnectError {
    /// Whether it is this process or machine that fails, and not the service.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Shortage(_) => true,
            Self::Resolve(error) => is_shortage(error),
            Self::Refused { .. } | Self::TimedOut(_) => false,
        }
    }

    /// Whether another address could do better.
    pub(super) fn is_of_address(&self) -> bool {
        matches!(self, Self::Refused { source, .. } if is_unreachable(source))
    }
}

/// Whether an error of connecting is the address's fault, and not what this machine lacks: ports,
/// open files, memory.
fn is_unreachable(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::TimedOut
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_finds_out_whether_an_address_is_back() {
        let address = Address::new(([127, 0, 0, 1], 1).into());
        let now = Instant::now();
        assert!(!address.is_avoided(now));
        address.failed(&io::ErrorKind::ConnectionRefused.into(), now);
        assert!(address.is_avoided(now + AVOIDED_FOR / 2));
        let later = now + AVOIDED_FOR;
        assert!(!address.is_avoided(later), "the first one tries it");
        assert!(address.is_avoided(later), "the others do not wait for it");
        address.connected();
        assert!(!address.is_avoided(later));
    }

    #[test]
    fn what_this_machine_lacks_is_not_held_against_an_address() {
        let address = Address::new(([127, 0, 0, 1], 1).into());
        let now = Instant::now();
        for kind in [io::ErrorKind::AddrNotAvailable, io::ErrorKind::OutOfMemory] {
            address.failed(&kind.into(), now);
        }
        let no_files = io::Error::from_raw_os_error(24);
        address.failed(&no_files, now);
        assert!(!address.is_avoided(now));
    }
}
