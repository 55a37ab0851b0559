//! One address of an endpoint, as the process knows it: shared by all workers, and kept over
//! lookups and reloads. An address that does not connect is tried after all others for a while;
//! then one connection finds out whether it is back. Nothing here is locked
//! but the words for who looks.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::lock::lock;
use crate::shortage::{in_words, is_shortage};

use super::check_failure::CheckFailure;
use super::circuit::Circuit;
use super::failure::Failure;
use super::load::Load;
use super::moment::millis;
use super::tls::TlsError;

/// How long an address that did not connect is tried after all others.
const AVOIDED_FOR: Duration = Duration::from_secs(30);

/// An address and a port.
#[derive(Debug)]
pub struct Address {
    /// Where to connect to.
    pub socket: SocketAddr,
    /// What requests are let through.
    pub(super) circuit: Circuit,
    /// How much it has to do.
    pub(super) load: Load,
    /// What the last checks say of it.
    check: AtomicU8,
    /// When and why checks have taken it out.
    down: Mutex<Option<(Instant, CheckFailure)>>,
    /// Since when it takes requests: it was found, or came back.
    since: AtomicU64,
    /// Until when it has asked to be spared.
    spared_until: AtomicU64,
    /// In milliseconds; 0 if it connected when it was last tried.
    avoided_until: AtomicU64,
}

/// What active checks say of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Nothing yet.
    Unknown,
    /// It is well.
    Up,
    /// It is not.
    Down,
}

impl Address {
    pub(super) fn new(socket: SocketAddr) -> Self {
        Self {
            socket,
            circuit: Circuit::default(),
            load: Load::default(),
            check: AtomicU8::new(Check::Unknown as u8),
            down: Mutex::default(),
            since: AtomicU64::new(millis(Instant::now())),
            spared_until: AtomicU64::new(0),
            avoided_until: AtomicU64::new(0),
        }
    }

    /// What the last checks say of it.
    pub fn check(&self) -> Check {
        match self.check.load(Relaxed) {
            up if up == Check::Up as u8 => Check::Up,
            down if down == Check::Down as u8 => Check::Down,
            _ => Check::Unknown,
        }
    }

    /// Notes what checks say of it; returns what they said before.
    pub(super) fn set_check(&self, check: Check, why: Option<CheckFailure>, now: Instant) -> Check {
        let before = self.check();
        if check == Check::Up && before == Check::Down {
            self.came_back(now);
        }
        if check != before {
            *lock(&self.down) = why.map(|why| (now, why));
        }
        self.check.store(check as u8, Relaxed);
        before
    }

    /// When and why checks have taken it out, if they have.
    pub(super) fn went_down(&self) -> Option<(Instant, CheckFailure)> {
        *lock(&self.down)
    }

    /// Notes that it takes requests again.
    pub(super) fn came_back(&self, now: Instant) {
        self.since.store(millis(now), Relaxed);
    }

    /// How long it has taken requests.
    pub(super) fn age(&self, now: Instant) -> Duration {
        let since = self.since.load(Relaxed);
        Duration::from_millis(millis(now).saturating_sub(since))
    }

    /// Spares it for so long, while there are others.
    pub(super) fn spare(&self, time: Duration, now: Instant) {
        self.spared_until.store(millis(now + time), Relaxed);
    }

    /// Whether it is spared.
    pub(super) fn is_spared(&self, now: Instant) -> bool {
        let until = self.spared_until.load(Relaxed);
        until != 0 && millis(now) < until
    }

    /// Whether all others should be tried before. Once its time is over, that is denied to one
    /// caller only, which is to try it: if it is still silent, no other connection waits for it.
    pub(super) fn is_avoided(&self, now: Instant) -> bool {
        let until = self.avoided_until.load(Relaxed);
        if until == 0 {
            return false;
        }
        let (now, later) = (millis(now), millis(now + AVOIDED_FOR));
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
        let until = millis(now + AVOIDED_FOR);
        self.avoided_until.store(until, Relaxed);
    }

    /// Notes why there is no connection.
    pub(super) fn failed(&self, error: &io::Error, now: Instant) {
        if is_unreachable(error) {
            self.silent(now);
        }
    }
}

/// Why an endpoint could not be reached. The text is for the log, not for the client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The resolver has no answer, and had none before.
    #[error("its name cannot be resolved: {}", in_words(.0))]
    Resolve(#[source] Arc<io::Error>),
    /// The last address that was tried does not take connections.
    #[error("cannot connect to {address}: {source}")]
    Refused {
        /// That address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// It does, but TLS could not be begun.
    #[error("no TLS with {address}: {source}")]
    Tls {
        /// That address.
        address: SocketAddr,
        /// Why not.
        source: TlsError,
    },
    /// The process or the machine runs short of files, sockets, local ports or memory.
    #[error("no connection can be opened: {}", in_words(.0))]
    Shortage(#[source] io::Error),
    /// Nothing answered in the time there was.
    #[error("no connection within connect_timeout = {0:?}")]
    TimedOut(Duration),
}

impl ConnectError {
    /// Whether it is this process or machine that fails, and not the service.
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Shortage(_) => true,
            Self::Resolve(error) => is_shortage(error),
            Self::Refused { .. } | Self::Tls { .. } | Self::TimedOut(_) => false,
        }
    }

    /// Whose fault it is, if it is that of one address.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Refused { address, .. } | Self::Tls { address, .. } => Some(*address),
            Self::Resolve(_) | Self::Shortage(_) | Self::TimedOut(_) => None,
        }
    }

    /// What it says about the endpoint; nothing, if it is this process or machine that fails.
    pub fn failure(&self) -> Option<Failure> {
        match self {
            _ if self.is_ours() => None,
            Self::Refused { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused => {
                Some(Failure::Refused)
            }
            Self::Refused { .. } | Self::TimedOut(_) => Some(Failure::NoConnection),
            Self::Tls { source, .. } => Some(Failure::Tls(source.fault())),
            Self::Resolve(_) | Self::Shortage(_) => None,
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
