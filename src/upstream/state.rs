//! What the process knows of one endpoint: its addresses, and which family of them connects.
//! Written by the control thread, read by workers when they connect; a worker's pool follows by a
//! version number, so that a request on a kept connection reads nothing of this.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::lock::lock;
use crate::seldom::Seldom;

use super::address::{Address, Check, ConnectError};
use super::addresses::{Addresses, Answer, LOOKUP_PAUSE};
use super::upstream_state::UpstreamState;

/// How long an answer is believed; the system's resolver does not report a record's lifetime. Ten
/// seconds, less half a tick of the control thread, which looks once a second.
const DNS_TTL: Duration = Duration::from_millis(9_500);

/// How long a connection waits for a lookup if there are addresses without it.
pub(super) const LOOKUP_PATIENCE: Duration = Duration::from_millis(250);

/// What the process knows of an endpoint.
pub struct EndpointState {
    host: Box<str>,
    port: u16,
    /// Whether the host is a name, and not an address.
    is_name: bool,
    addresses: watch::Sender<Addresses>,
    /// Whether a connection waits for a lookup, or failed and wants one.
    lookup_wanted: AtomicBool,
    /// Whether it was used since the last lookup.
    used: AtomicBool,
    /// The family that connected last: 4, 6, or 0 for none.
    family: AtomicU8,
    /// Since when an operator has drained it, perhaps before this process began.
    drained_since: Mutex<Option<Instant>>,
    /// It has answered what was the body of a request.
    leaves_bodies: AtomicBool,
    /// Of answers that are not as HTTP asks for.
    pub(crate) odd_log: Seldom<60>,
    wake: Arc<Notify>,
    upstream: Arc<UpstreamState>,
}

impl EndpointState {
    /// An endpoint of which nothing is known; `wake` is notified when it needs a lookup.
    pub(super) fn new(
        host: &str,
        port: u16,
        wake: Arc<Notify>,
        upstream: Arc<UpstreamState>,
    ) -> Self {
        let literal = host.parse().map(|ip: IpAddr| SocketAddr::new(ip, port));
        Self {
            host: host.into(),
            port,
            is_name: literal.is_err(),
            addresses: watch::Sender::new(literal.map(Addresses::literal).unwrap_or_default()),
            lookup_wanted: AtomicBool::new(false),
            used: AtomicBool::new(false),
            family: AtomicU8::new(0),
            drained_since: Mutex::default(),
            leaves_bodies: AtomicBool::new(false),
            odd_log: Seldom::default(),
            wake,
            upstream,
        }
    }

    /// The addresses that requests are spread over, and whether each was missing from the last
    /// answer.
    pub(super) fn in_use(&self) -> Vec<(Arc<Address>, bool)> {
        let addresses = self.addresses.borrow();
        let in_use = addresses.in_use(self.ipv6_connects());
        in_use
            .map(|(address, missing)| (Arc::clone(address), missing))
            .collect()
    }

    /// All addresses, also those that no requests are spread over.
    pub(super) fn sockets(&self) -> Vec<SocketAddr> {
        let addresses = self.addresses.borrow();
        addresses.iter().map(|address| address.socket).collect()
    }

    /// Whether requests are spread over an address.
    pub(super) fn uses(&self, address: &Arc<Address>) -> bool {
        let addresses = self.addresses.borrow();
        let mut in_use = addresses.in_use(self.ipv6_connects());
        in_use.any(|(one, _)| Arc::ptr_eq(one, address))
    }

    /// The addresses of the other family, if none of those in use is known to be well.
    pub(super) fn fallbacks(&self, of: &Address) -> Vec<Arc<Address>> {
        let addresses = self.addresses.borrow();
        let mut in_use = addresses.in_use(self.ipv6_connects());
        if in_use.any(|(one, _)| one.socket != of.socket && one.check() == Check::Up) {
            return Vec::new();
        }
        let is_other = |one: &&Arc<Address>| one.socket.is_ipv6() != of.socket.is_ipv6();
        addresses.iter().filter(is_other).map(Arc::clone).collect()
    }

    /// Since when an operator has drained it: it takes no new requests.
    pub(super) fn drained_since(&self) -> Option<Instant> {
        *lock(&self.drained_since)
    }

    /// Whether an operator has drained it.
    pub(super) fn is_drained(&self) -> bool {
        lock(&self.drained_since).is_some()
    }

    /// Drains it from that moment on, or lets it take requests again; says whether that is a change.
    pub(super) fn set_drained(&self, since: Option<Instant>) -> bool {
        let mut drained = lock(&self.drained_since);
        if drained.is_some() == since.is_some() {
            return false;
        }
        *drained = since;
        drop(drained);
        // Workers make their lists anew.
        self.upstream.addresses_changed();
        true
    }

    /// Whether it is known to leave bodies unread, and to take them for the next request.
    pub(super) fn leaves_bodies(&self) -> bool {
        self.leaves_bodies.load(Relaxed)
    }

    /// Notes that it does; says whether that is news.
    pub(super) fn note_left_body(&self) -> bool {
        !self.leaves_bodies.swap(true, Relaxed)
    }

    /// Why the last lookup of its name had no answer, if it had none.
    pub(super) fn unresolved(&self) -> Option<String> {
        self.addresses.borrow().failure().map(ToString::to_string)
    }

    /// Whether its addresses need no lookup, or there has been one.
    pub(super) fn is_settled(&self) -> bool {
        !self.is_name || self.addresses.borrow().is_settled()
    }

    /// The name to look up, if it is one.
    pub(super) fn name(&self) -> Option<&str> {
        self.is_name.then_some(&*self.host)
    }

    /// The addresses, for a worker to follow.
    pub(super) fn follow(&self) -> watch::Receiver<Addresses> {
        self.addresses.subscribe()
    }

    /// Notes that the endpoint is in use, so that its name is looked up again and again.
    pub(super) fn mark_used(&self) {
        self.used.store(true, Relaxed);
    }

    /// Whether a lookup is due, that long after the last one began.
    pub(super) fn needs_lookup(&self, since_last: Duration) -> bool {
        (since_last >= LOOKUP_PAUSE && self.lookup_wanted.load(Relaxed))
            || (since_last >= DNS_TTL && self.used.load(Relaxed))
    }

    /// Notes that a lookup begins.
    pub(super) fn lookup_begins(&self) {
        self.lookup_wanted.store(false, Relaxed);
        self.used.store(false, Relaxed);
    }

    /// Takes what a lookup found.
    pub(super) fn settle(&self, answer: &Answer, now: Instant) {
        self.lookup_wanted.store(false, Relaxed);
        self.addresses
            .send_modify(|addresses| addresses.settle(answer, self.port, now));
        self.upstream.addresses_changed();
    }

    /// Notes that a lookup takes long.
    pub(super) fn note_late_lookup(&self, now: Instant) {
        self.addresses
            .send_modify(|addresses| addresses.note_late_lookup(now));
    }

    /// The addresses in the order in which to try them. Waits for a lookup if the last one was long
    /// ago, but not for long if there are addresses without it.
    pub(super) async fn addresses(&self) -> Result<Vec<Arc<Address>>, ConnectError> {
        self.mark_used();
        let mut addresses = self.follow();
        loop {
            let is_empty = {
                let current = addresses.borrow_and_update();
                if !self.is_name || current.are_fresh(Instant::now()) {
                    break;
                }
                current.is_empty()
            };
            self.want_lookup();
            let patience = if is_empty {
                Duration::MAX
            } else {
                LOOKUP_PATIENCE
            };
            if timeout(patience, addresses.changed()).await.is_err() {
                break;
            }
        }
        self.in_order(&addresses.borrow())
    }

    /// The addresses after a failure to connect: those of a lookup, unless that takes long or there
    /// was one just now. The service may have moved.
    pub(super) async fn look_again(&self) -> Vec<Arc<Address>> {
        let mut addresses = self.follow();
        self.want_lookup();
        let settled =
            |addresses: &Addresses| addresses.settled_within(LOOKUP_PAUSE, Instant::now());
        if self.is_name && !settled(&addresses.borrow()) {
            let _ = timeout(LOOKUP_PATIENCE, addresses.changed()).await;
        }
        self.in_order(&addresses.borrow()).unwrap_or_default()
    }

    /// Notes that an address has connected.
    pub(super) fn connected(&self, address: &Address) {
        address.connected();
        let family = if address.socket.is_ipv6() { 6 } else { 4 };
        if self.family.load(Relaxed) != family {
            self.family.store(family, Relaxed);
            self.upstream.addresses_changed();
            // Others are to be checked.
            self.wake.notify_one();
        }
    }

    /// Notes that a check has connected to an address. Where both families connect, the one that
    /// requests go to is left to them.
    pub(super) fn check_connected(&self, address: &Address) {
        if self.family.load(Relaxed) == 0 {
            self.connected(address);
        } else {
            address.connected();
        }
    }

    /// Asks for a lookup of its name: its addresses may be others by now.
    pub(super) fn want_lookup(&self) {
        if self.is_name && !self.lookup_wanted.swap(true, Relaxed) {
            self.wake.notify_one();
        }
    }

    fn in_order(&self, addresses: &Addresses) -> Result<Vec<Arc<Address>>, ConnectError> {
        addresses.in_order(self.ipv6_connects(), Instant::now())
    }

    /// Whether the family that connects is IPv6, if one has connected.
    fn ipv6_connects(&self) -> Option<bool> {
        let family = self.family.load(Relaxed);
        (family != 0).then_some(family == 6)
    }
}

/// Where it is. What is known of it changes all the time.
impl fmt::Debug for EndpointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointState({}:{})", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::testing::ips;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_name_in_use_is_looked_up_every_ten_seconds() {
        let state = EndpointState::new("up.test", 80, Arc::default(), Arc::default());
        assert!(!state.needs_lookup(Duration::MAX), "nobody uses it");
        state.mark_used();
        assert!(!state.needs_lookup(9 * SECOND));
        assert!(state.needs_lookup(10 * SECOND));
        state.lookup_begins();
        assert!(!state.needs_lookup(60 * SECOND), "nobody has used it since");
        state.want_lookup();
        assert!(!state.needs_lookup(SECOND / 2));
        assert!(state.needs_lookup(SECOND));
        state.settle(&Ok(ips(&["10.0.0.1"])), Instant::now());
        assert!(!state.needs_lookup(SECOND), "it has been answered");
    }

    #[test]
    fn an_address_needs_no_lookup() {
        for (host, socket) in [("10.0.0.1", "10.0.0.1:81"), ("::1", "[::1]:81")] {
            let state = EndpointState::new(host, 81, Arc::default(), Arc::default());
            assert_eq!(state.name(), None);
            let addresses = state.in_order(&state.follow().borrow()).unwrap();
            assert_eq!(addresses[0].socket.to_string(), socket);
        }
    }
}
