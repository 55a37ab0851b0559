//! Idle connections to one endpoint, for one worker, apart for each of its addresses. The youngest
//! is used first, so that in quiet times the old ones grow old enough to be dropped.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::message::protocol::Version;
use crate::wire::buffers::Buffers;
use crate::wire::end::End;
use crate::wire::http1::Http1;
use crate::wire::stream::Connection;

use super::Upstream;
use super::address::Address;
use super::address::ConnectError;
use super::addresses::Addresses;
use super::connect::connect;
use super::state::EndpointState;

/// How often the log says that an endpoint cannot be reached, at most.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// One worker's connections to one endpoint.
#[derive(Debug)]
pub struct Pool {
    state: Arc<EndpointState>,
    newest: RefCell<watch::Receiver<Addresses>>,
    addresses: RefCell<Vec<AddressPool>>,
    /// Whether any request has used this pool since the last sweep.
    used: Cell<bool>,
    /// When the log last said that the endpoint cannot be reached.
    logged: Cell<Option<Instant>>,
}

/// Idle connections to one address, the oldest first.
#[derive(Debug)]
struct AddressPool {
    address: Arc<Address>,
    idle: Vec<Idle>,
}

#[derive(Debug)]
struct Idle {
    link: Link,
    since: Instant,
}

/// A connection to an endpoint, and what has to be known to keep it.
#[derive(Debug)]
pub struct Link {
    /// The connection itself.
    pub connection: Connection,
    /// Where it leads.
    pub address: Arc<Address>,
    /// The same as text, for the access log.
    pub address_text: Rc<str>,
    /// Whether it has served an exchange before; such a one may have died unnoticed.
    pub reused: bool,
    /// How long it may be idle: the upstream's `idle_timeout`, or less if the service said so.
    pub max_idle_time: Duration,
}

impl Link {
    /// The service's side of an exchange.
    pub fn end<'l>(&'l mut self, buffers: &'l Buffers) -> End<'l> {
        // Services are spoken to in HTTP/1.1, whatever the client speaks.
        End::Http1(Http1::new(&mut self.connection, buffers, Version::Http11))
    }
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(state: Arc<EndpointState>) -> Self {
        let mut newest = state.follow();
        newest.mark_changed();
        let pool = Self {
            newest: RefCell::new(newest),
            state,
            addresses: RefCell::default(),
            used: Cell::new(false),
            logged: Cell::new(None),
        };
        pool.follow_addresses();
        pool
    }

    /// An idle connection that is not known to be dead.
    ///
    /// With `ask_kernel` the kernel is asked as well: worth a system call for a request that could
    /// not be sent a second time.
    pub fn take(&self, ask_kernel: bool, now: Instant) -> Option<Link> {
        self.used.set(true);
        let mut addresses = self.addresses.borrow_mut();
        addresses
            .iter_mut()
            .find_map(|pool| pool.take(ask_kernel, now))
    }

    /// Makes a new connection.
    pub async fn connect(&self, upstream: &Upstream) -> Result<Link, ConnectError> {
        let (socket, address) = connect(&self.state, upstream.rules.connect_timeout).await?;
        self.follow_addresses();
        Ok(Link {
            connection: Connection::new(socket),
            address_text: address.socket.to_string().into(),
            address,
            reused: false,
            max_idle_time: upstream.rules.idle_timeout,
        })
    }

    /// Whether the log should say that the endpoint cannot be reached: once a second is enough,
    /// however many requests that concerns.
    pub fn should_log(&self, now: Instant) -> bool {
        let lately = |logged: Instant| now.saturating_duration_since(logged) < LOG_INTERVAL;
        let should = !self.logged.get().is_some_and(lately);
        if should {
            self.logged.set(Some(now));
        }
        should
    }

    /// Keeps a connection whose exchange has ended in good order, unless `max_idle` are kept to its
    /// address, or the endpoint's name no longer has that.
    pub fn give(&self, link: Link, max_idle: usize, now: Instant) {
        let mut addresses = self.addresses.borrow_mut();
        let pool = addresses
            .iter_mut()
            .find(|pool| Arc::ptr_eq(&pool.address, &link.address));
        if let Some(pool) = pool
            && pool.idle.len() < max_idle
            && !link.max_idle_time.is_zero()
        {
            pool.idle.push(Idle { link, since: now });
        }
    }

    /// Drops what has died or grown old, and connections to addresses that the name no longer has.
    pub(super) fn sweep(&self, now: Instant) {
        self.follow_addresses();
        let mut in_use = self.used.replace(false);
        for pool in self.addresses.borrow_mut().iter_mut() {
            pool.idle
                .retain_mut(|idle| idle.is_young(now) && idle.link.connection.is_clean());
            in_use |= !pool.idle.is_empty();
        }
        if in_use {
            self.state.mark_used();
        }
    }

    fn follow_addresses(&self) {
        let mut newest = self.newest.borrow_mut();
        // An error would say that the state is gone, which this pool holds.
        if !newest.has_changed().unwrap_or(false) {
            return;
        }
        let mut addresses = self.addresses.borrow_mut();
        let mut old = std::mem::take(&mut *addresses);
        for address in newest.borrow_and_update().iter() {
            let same = |pool: &AddressPool| Arc::ptr_eq(&pool.address, address);
            addresses.push(match old.iter().position(same) {
                Some(index) => old.swap_remove(index),
                None => AddressPool {
                    address: Arc::clone(address),
                    idle: Vec::new(),
                },
            });
        }
    }
}

impl AddressPool {
    fn take(&mut self, ask_kernel: bool, now: Instant) -> Option<Link> {
        while let Some(mut idle) = self.idle.pop() {
            let connection = &mut idle.link.connection;
            let clean = if ask_kernel {
                connection.is_surely_clean()
            } else {
                connection.is_clean()
            };
            if clean && idle.is_young(now) {
                idle.link.reused = true;
                return Some(idle.link);
            }
        }
        None
    }
}

impl Idle {
    fn is_young(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < self.link.max_idle_time
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::runtime::{Builder, LocalOptions};

    use super::*;
    use crate::upstream::testing::{ips, upstream};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_connection_used_last_is_used_first() {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let upstream = upstream("up", &url);
            let pool = Pool::new(Arc::clone(&upstream.endpoints[0].state));
            let now = Instant::now();
            for nth in 1..=3 {
                let mut link = pool.connect(&upstream).await.unwrap();
                link.max_idle_time = nth * SECOND;
                pool.give(link, 2, now);
            }
            let taken = [(); 3].map(|()| pool.take(true, now));
            let taken = taken.map(|link| link.map(|link| link.max_idle_time));
            assert_eq!(taken, [Some(2 * SECOND), Some(SECOND), None]);
        });
    }

    #[test]
    fn a_name_that_moves_is_followed_though_its_connection_is_always_busy() {
        run(async {
            let old = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = old.local_addr().unwrap().port();
            let new = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
            let upstream = upstream("up", &format!("http://up.test:{port}"));
            let state = &upstream.endpoints[0].state;
            let pool = Pool::new(Arc::clone(state));
            let begun = Instant::now();
            state.settle(&Ok(ips(&["127.0.0.1"])), begun);
            let mut link = pool.connect(&upstream).await.unwrap();
            for nth in 1..=2 {
                let now = begun + nth * 10 * SECOND;
                pool.give(link, 1, now);
                link = pool.take(true, now).expect("it may only be missing");
                pool.sweep(now);
                assert!(state.needs_lookup(10 * SECOND), "it is in use");
                state.lookup_begins();
                state.settle(&Ok(ips(&["127.0.0.2"])), now);
            }
            let now = begun + 30 * SECOND;
            state.settle(&Ok(ips(&["127.0.0.2"])), now);
            pool.sweep(now);
            pool.give(link, 1, now);
            assert!(pool.take(true, now).is_none(), "the old address has gone");
            let link = pool.connect(&upstream).await.unwrap();
            assert_eq!(link.address.socket, new.local_addr().unwrap());
        });
    }

    #[test]
    fn idle_connections_to_an_address_that_has_gone_are_closed() {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let mut upstream = upstream("up", &format!("http://up.test:{port}"));
            Arc::make_mut(&mut upstream).rules.idle_timeout = 3600 * SECOND;
            let state = &upstream.endpoints[0].state;
            let pool = Pool::new(Arc::clone(state));
            let begun = Instant::now();
            state.settle(&Ok(ips(&["127.0.0.1"])), begun);
            pool.give(pool.connect(&upstream).await.unwrap(), 1, begun);
            let (accepted, _) = listener.accept().await.unwrap();
            for nth in 1..=3 {
                pool.sweep(begun + nth * 10 * SECOND);
                let closed = accepted.try_read(&mut [0]).is_ok();
                assert!(!closed, "after {nth} answers without it");
                state.settle(&Ok(ips(&["127.0.0.2"])), begun + nth * 10 * SECOND);
            }
            pool.sweep(begun + 30 * SECOND);
            accepted.readable().await.unwrap();
            assert_eq!(accepted.try_read(&mut [0]).unwrap(), 0);
        });
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default());
        runtime.unwrap().block_on(test);
    }
}
