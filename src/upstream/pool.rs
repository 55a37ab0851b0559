//! Kept connections to one endpoint, for one worker. The youngest is used first, so that in quiet
//! times the old ones grow old enough to be dropped.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::wire::stream::Connection;

use super::connect::{Addresses, ConnectError, connect};
use super::{EndpointUrl, Upstream};

const TOLD_EVERY: Duration = Duration::from_secs(1);

/// One worker's connections to one endpoint.
#[derive(Debug)]
pub struct Pool {
    addresses: Addresses,
    resting: RefCell<Vec<Resting>>,
    /// Whether any request has used this pool since the last sweep.
    used: Cell<bool>,
    /// When the log was last told that the endpoint cannot be reached.
    told: Cell<Option<Instant>>,
}

#[derive(Debug)]
struct Resting {
    link: Link,
    since: Instant,
}

/// A connection to an endpoint, and what has to be known to keep it.
#[derive(Debug)]
pub struct Link {
    /// The connection itself.
    pub connection: Connection,
    /// The endpoint's address.
    pub peer: SocketAddr,
    /// The same, as the log tells it.
    pub peer_text: Rc<str>,
    /// Whether it has served an exchange before; such a one may have died unnoticed.
    pub reused: bool,
    /// How long it may rest: the upstream's `idle_timeout`, or less if the service said so.
    pub rest: Duration,
}

impl Pool {
    /// An empty pool for `endpoint`.
    #[must_use]
    pub fn new(endpoint: &EndpointUrl) -> Self {
        Self {
            addresses: Addresses::new(endpoint),
            resting: RefCell::default(),
            used: Cell::new(false),
            told: Cell::new(None),
        }
    }

    /// A kept connection that, as far as is known, still lives.
    ///
    /// With `ask_kernel` the kernel is asked as well: worth a system call for a request that could
    /// not be sent a second time.
    pub fn take(&self, ask_kernel: bool, now: Instant) -> Option<Link> {
        let mut resting = self.resting.borrow_mut();
        while let Some(Resting { mut link, since }) = resting.pop() {
            let young = now.saturating_duration_since(since) < link.rest;
            let connection = &link.connection;
            let stale = connection.is_stale() || (ask_kernel && connection.is_surely_stale());
            if young && !stale {
                link.reused = true;
                return Some(link);
            }
        }
        None
    }

    /// Makes a new connection.
    pub async fn connect(&self, upstream: &Upstream) -> Result<Link, ConnectError> {
        self.used.set(true);
        let (socket, peer) = connect(&self.addresses, upstream.connect_timeout).await?;
        Ok(Link {
            connection: Connection::new(socket),
            peer,
            peer_text: peer.to_string().into(),
            reused: false,
            rest: upstream.idle_timeout,
        })
    }

    /// Whether the log should be told that the endpoint cannot be reached: once a second is enough,
    /// however many requests that concerns.
    pub fn should_tell(&self, now: Instant) -> bool {
        let lately = |told: Instant| now.saturating_duration_since(told) < TOLD_EVERY;
        let tell = !self.told.get().is_some_and(lately);
        if tell {
            self.told.set(Some(now));
        }
        tell
    }

    /// Keeps a connection whose exchange has ended in good order, unless `max_idle` are kept.
    pub fn give(&self, link: Link, max_idle: usize, now: Instant) {
        let mut resting = self.resting.borrow_mut();
        if resting.len() < max_idle && !link.rest.is_zero() && self.addresses.contain(link.peer) {
            resting.push(Resting { link, since: now });
        }
    }

    /// Drops what has died or grown old, and connections to addresses that the name no longer has.
    pub fn sweep(&self) {
        let now = Instant::now();
        self.resting.borrow_mut().retain(|resting| {
            now.saturating_duration_since(resting.since) < resting.link.rest
                && !resting.link.connection.is_stale()
                && self.addresses.contain(resting.link.peer)
        });
    }

    /// Whether it is time to resolve the endpoint's name again: it has been used, or may be.
    pub fn needs_addresses(&self) -> bool {
        self.used.replace(!self.resting.borrow().is_empty()) && self.addresses.need_a_look()
    }

    /// Resolves the endpoint's name again.
    pub async fn refresh_addresses(self: Rc<Self>) {
        self.addresses.refresh().await;
    }
}
