//! What the process knows of one endpoint: the addresses of its name, and how connecting to them
//! went. Written by the control thread, read by workers when they connect; a worker's pool follows
//! by a version number, so that nothing here is asked for a connection that is kept.
//!
//! No answer of a resolver takes good addresses away at once: a failed or empty one changes
//! nothing, and an address that is missing from an answer stays, behind the others, until it has
//! been missing for [`GONE_AFTER`]. Resolvers answer with a subset, or only for one family.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::address::Address;
use super::connect::ConnectError;

/// How long an answer holds. The system's resolver does not tell a record's lifetime. A little less
/// than ten seconds, so that the control thread, which looks once a second, looks up every tenth.
const DNS_TTL: Duration = Duration::from_millis(9_500);

/// The shortest time from one lookup of a name to the next.
const LOOKUP_PAUSE: Duration = Duration::from_secs(1);

/// How long a connection waits for a lookup if there are addresses without it.
pub(super) const LOOKUP_PATIENCE: Duration = Duration::from_millis(250);

/// For how long addresses are used without asking again: a lookup of a name in use begins in time
/// to end before that.
const FRESH: Duration = Duration::from_secs(15);

/// An address that was last in an answer so long ago has gone. While a name is in use that takes
/// three answers without it.
const GONE_AFTER: Duration = Duration::from_secs(25);

/// No address has connected yet.
const NO_FAMILY: u8 = 0;

/// What the process knows of an endpoint.
pub struct EndpointState {
    host: Box<str>,
    port: u16,
    /// An address that was written as one needs no lookup.
    is_name: bool,
    resolved: watch::Sender<Arc<Resolved>>,
    /// Whether a connection waits for a lookup, or failed and wants one.
    wanted: AtomicBool,
    /// Whether it was used since the last lookup.
    used: AtomicBool,
    /// Which family connected last: 4, 6 or none.
    family: AtomicU8,
    wake: Arc<Notify>,
}

/// The addresses of an endpoint.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    /// Those in the last answer first, in its order.
    pub addresses: Vec<Listed>,
    /// Why the last lookup had no answer.
    failure: Option<Arc<io::Error>>,
    /// When the last lookup ended, or was given up waiting for.
    settled: Option<Instant>,
}

/// One of an endpoint's addresses.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub address: Arc<Address>,
    /// When it was last in an answer.
    seen: Instant,
}

/// What a lookup found.
pub(super) type Answer = Result<Vec<SocketAddr>, Arc<io::Error>>;

impl EndpointState {
    pub(super) fn new(host: &str, port: u16, wake: Arc<Notify>) -> Self {
        let literal = host.parse::<IpAddr>().ok();
        let resolved = Resolved {
            addresses: literal
                .map(|ip| Listed {
                    address: Arc::new(Address::new(SocketAddr::new(ip, port))),
                    seen: Instant::now(),
                })
                .into_iter()
                .collect(),
            ..Resolved::default()
        };
        Self {
            host: host.into(),
            port,
            is_name: literal.is_none(),
            resolved: watch::Sender::new(Arc::new(resolved)),
            wanted: AtomicBool::new(false),
            used: AtomicBool::new(false),
            family: AtomicU8::new(NO_FAMILY),
            wake,
        }
    }

    /// The name to look up, if it is one.
    pub(super) fn name(&self) -> Option<&str> {
        self.is_name.then_some(&*self.host)
    }

    /// What tells a worker that the addresses have changed.
    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<Resolved>> {
        let mut resolved = self.resolved.subscribe();
        resolved.mark_changed();
        resolved
    }

    /// Says that the endpoint is in use, so that its name is looked up again and again.
    pub(super) fn mark_used(&self) {
        self.used.store(true, Relaxed);
    }

    /// Whether a lookup is due so long after the last began.
    pub(super) fn needs_lookup(&self, since_last: Duration) -> bool {
        (since_last >= LOOKUP_PAUSE && self.wanted.load(Relaxed))
            || (since_last >= DNS_TTL && self.used.load(Relaxed))
    }

    /// Notes that a lookup begins.
    pub(super) fn lookup_begins(&self) {
        self.wanted.store(false, Relaxed);
        self.used.store(false, Relaxed);
    }

    /// Takes what a lookup found.
    pub(super) fn settle(&self, answer: &Answer, now: Instant) {
        self.wanted.store(false, Relaxed);
        self.resolved.send_modify(|resolved| {
            *resolved = Arc::new(resolved.after(answer, self.port, now));
        });
    }

    /// Says that a lookup takes long: meanwhile what is known is used.
    pub(super) fn lookup_is_late(&self, now: Instant) {
        self.resolved.send_if_modified(|resolved| {
            if !resolved.addresses.is_empty() {
                *resolved = Arc::new(Resolved {
                    addresses: resolved.addresses.clone(),
                    failure: resolved.failure.clone(),
                    settled: Some(now),
                });
            }
            !resolved.addresses.is_empty()
        });
    }

    /// The addresses in the order in which to try them. Waits for a lookup if what is known is old.
    pub(super) async fn addresses(&self) -> Result<Vec<Arc<Address>>, ConnectError> {
        let mut resolved = self.resolved.subscribe();
        self.mark_used();
        loop {
            let none = {
                let (current, now) = (resolved.borrow_and_update(), Instant::now());
                if !self.is_name || current.is_fresh(now) {
                    return self.order(&current, now);
                }
                current.addresses.is_empty()
            };
            self.want_lookup();
            if none {
                // The sender is a part of this state.
                let _ = resolved.changed().await;
            } else if timeout(LOOKUP_PATIENCE, resolved.changed()).await.is_err() {
                return self.order(&resolved.borrow(), Instant::now());
            }
        }
    }

    /// After a failure to connect: the addresses that a lookup finds if there is one soon. The
    /// service may have moved just now.
    pub(super) async fn look_again(&self) -> Vec<Arc<Address>> {
        let mut resolved = self.resolved.subscribe();
        self.want_lookup();
        if !self.is_name
            || resolved
                .borrow()
                .is_settled_within(LOOKUP_PAUSE, Instant::now())
        {
            return Vec::new();
        }
        let _ = timeout(LOOKUP_PATIENCE, resolved.changed()).await;
        let current = resolved.borrow();
        self.order(&current, Instant::now()).unwrap_or_default()
    }

    /// Notes that an address has connected.
    pub(super) fn connected(&self, address: &Address) {
        address.connected();
        let family = family(address);
        if self.family.load(Relaxed) != family {
            self.family.store(family, Relaxed);
        }
    }

    #[cfg(test)]
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        self.resolved.borrow().is_fresh(now)
    }

    fn want_lookup(&self) {
        if self.is_name && !self.wanted.swap(true, Relaxed) {
            self.wake.notify_one();
        }
    }

    /// Which addresses to try first: those that did not fail lately, of those the ones in the last
    /// answer, of those the family that connects. As long as none has connected, the families take
    /// turns (RFC 8305 section 4).
    fn order(&self, resolved: &Resolved, now: Instant) -> Result<Vec<Arc<Address>>, ConnectError> {
        let listed = &resolved.addresses;
        if let [only] = &listed[..] {
            return Ok(vec![Arc::clone(&only.address)]);
        }
        let good = self.family.load(Relaxed);
        let newest = listed.iter().map(|one| one.seen).max();
        let mut nth = [0; 2];
        let mut addresses: Vec<_> = listed
            .iter()
            .map(|Listed { address, seen }| {
                let family = family(address);
                let nth = &mut nth[usize::from(address.socket.is_ipv6())];
                *nth += 1;
                let missing = Some(*seen) < newest;
                let other = good != NO_FAMILY && family != good;
                let rank = (address.is_avoided(now), missing, other, *nth);
                (rank, Arc::clone(address))
            })
            .collect();
        addresses.sort_by_key(|(rank, _)| *rank);
        match &resolved.failure {
            Some(error) if addresses.is_empty() => Err(ConnectError::Resolve(Arc::clone(error))),
            _ => Ok(addresses.into_iter().map(|(_, address)| address).collect()),
        }
    }
}

/// Where it is; what is known of it is another thing each moment.
impl fmt::Debug for EndpointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointState({}:{})", self.host, self.port)
    }
}

impl Resolved {
    fn is_fresh(&self, now: Instant) -> bool {
        let holds = if self.addresses.is_empty() {
            LOOKUP_PAUSE
        } else {
            FRESH
        };
        self.is_settled_within(holds, now)
    }

    fn is_settled_within(&self, time: Duration, now: Instant) -> bool {
        let settled = self.settled;
        settled.is_some_and(|at| now.saturating_duration_since(at) < time)
    }

    /// The addresses after one more lookup.
    fn after(&self, answer: &Answer, port: u16, now: Instant) -> Self {
        let found = match answer {
            Ok(found) => found,
            Err(error) => {
                return Self {
                    addresses: self.addresses.clone(),
                    failure: Some(Arc::clone(error)),
                    settled: Some(now),
                };
            }
        };
        let old = |socket| {
            self.addresses
                .iter()
                .find(|one| one.address.socket == socket)
        };
        let mut addresses: Vec<Listed> = Vec::with_capacity(found.len());
        for mut socket in found.iter().copied() {
            socket.set_port(port);
            if addresses.iter().all(|one| one.address.socket != socket) {
                let address = old(socket).map_or_else(
                    || Arc::new(Address::new(socket)),
                    |old| Arc::clone(&old.address),
                );
                addresses.push(Listed { address, seen: now });
            }
        }
        for old in &self.addresses {
            let listed = addresses
                .iter()
                .any(|one| Arc::ptr_eq(&one.address, &old.address));
            if !listed && now.saturating_duration_since(old.seen) < GONE_AFTER {
                addresses.push(old.clone());
            }
        }
        Self {
            addresses,
            failure: None,
            settled: Some(now),
        }
    }
}

fn family(address: &Address) -> u8 {
    if address.socket.is_ipv6() { 6 } else { 4 }
}

#[cfg(test)]
mod tests;
