//! One worker's idle connections, by endpoint and address. The youngest is used first, so that in
//! quiet times the old ones grow old enough to be dropped.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::sync::watch;
use tokio::time::Instant as TimerInstant;

use crate::message::protocol::Version;
use crate::metrics::{Outcomes, TryOutcome, WorkerMetrics};
use crate::wire::buffers::Buffers;
use crate::wire::end::End;
use crate::wire::http1::Http1;
use crate::wire::stream::Connection;

use super::address::Address;
use super::address::ConnectError;
use super::addresses::Addresses;
use super::by_client::{Announcement, ByClient};
use super::connect::connect;
use super::counted::Counted;
use super::missed::Missed;
use super::state::EndpointState;
use super::tls::EndpointTls;
use super::{Endpoint, Upstream};

/// How long the kernel is asked about each connection after one had died unnoticed.
const SUSPECTED_FOR: Duration = Duration::from_secs(10);

/// One worker's connections to one endpoint.
#[derive(Debug)]
pub struct Pool {
    state: Arc<EndpointState>,
    upstream: Arc<str>,
    metrics: Rc<WorkerMetrics>,
    tls: Option<EndpointTls>,
    newest: RefCell<watch::Receiver<Addresses>>,
    addresses: RefCell<Vec<Rc<AddressPool>>>,
}

/// One worker's idle connections to one address, the oldest first.
#[derive(Debug)]
pub struct AddressPool {
    /// Where they lead.
    pub address: Arc<Address>,
    /// The same as text, for the access log.
    pub text: Rc<str>,
    upstream: Arc<str>,
    /// The endpoint that this is an address of.
    state: Arc<EndpointState>,
    /// Where this worker counts what comes of tries.
    pub(super) row: Arc<Outcomes<TryOutcome>>,
    idle: RefCell<Vec<Idle>>,
    /// Those that serve one client each.
    by_client: RefCell<ByClient<Idle>>,
    /// What handshakes go by, with the sessions of this worker with this address alone: their memory has a
    /// lock, for which nobody ever waits so, and no other server is shown a ticket that it cannot read.
    tls: Option<Arc<ClientConfig>>,
    /// Until when the kernel is always asked, for a connection has died unnoticed.
    suspected_until: Cell<Option<Instant>>,
    /// The endpoint's name no longer has this address.
    gone: Cell<bool>,
    /// Whether any request has asked for a connection since the last sweep.
    used: Cell<bool>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    counted: Counted,
    carried_body: bool,
    /// Until when it may be used.
    until: Instant,
}

/// A connection to an endpoint, and what has to be known to keep it.
#[derive(Debug)]
pub struct Link {
    /// The connection itself.
    pub connection: Connection,
    /// Where it leads, and where it is kept.
    pub pool: Rc<AddressPool>,
    /// Whether it has served an exchange before; such a one may have died unnoticed.
    pub reused: bool,
    /// What it begins with: the one client that it serves. `None`: it serves all.
    announced: Option<Rc<Announcement>>,
    counted: Counted,
    /// A request with a body has been sent on it, which the service may not have read to its end.
    pub carried_body: bool,
    /// It has been authenticated, or may be: it belongs to one connection of a client.
    pub bound: bool,
}

impl Link {
    /// Whether it begins with this, or with nothing.
    pub(super) fn begins_with(&self, announced: Option<&Rc<Announcement>>) -> bool {
        self.announced.as_ref() == announced
    }

    /// Whether it is not known to be dead; with `ask_kernel` the kernel is asked as well.
    pub(super) fn is_clean(&mut self, ask_kernel: bool) -> bool {
        let clean = self.connection.is_clean_if(ask_kernel);
        if !clean && self.carried_body {
            self.pool.note_unclean(&mut self.connection);
        }
        clean
    }

    /// The service's side of an exchange.
    pub fn end<'l>(&'l mut self, buffers: &'l Buffers) -> End<'l> {
        // Services are spoken to in HTTP/1.1, whatever the client speaks.
        let mut end = Http1::new(&mut self.connection, buffers, Version::Http11);
        // On a new connection nothing has been sent, and one attempt is all that it is used for. Through
        // TLS it has left before the handshake, in clear.
        if let Some(announced) = &self.announced
            && !self.reused
            && self.pool.tls.is_none()
        {
            end.send_first(|out| announced.put(out));
        }
        End::Http1(end)
    }

    /// Keeps a connection whose exchange has ended in good order for `rest`, unless `max_idle` are kept
    /// to its address, or the endpoint's name no longer has that. One that serves a single client is kept
    /// in the place of the oldest, whose client may not come back.
    pub fn keep(self, max_idle: usize, rest: Duration, now: Instant) {
        if self.pool.gone.get() || rest.is_zero() {
            return;
        }
        let one = Idle {
            connection: self.connection,
            counted: self.counted,
            carried_body: self.carried_body,
            until: now + rest,
        };
        if let Some(announced) = self.announced {
            let mut idle = self.pool.by_client.borrow_mut();
            return idle.push(*announced, one, max_idle);
        }
        let mut idle = self.pool.idle.borrow_mut();
        if idle.len() < max_idle {
            idle.push(one);
        }
    }
}

impl Pool {
    /// An empty pool.
    pub fn new(endpoint: &Endpoint, upstream: &Arc<str>, metrics: &Rc<WorkerMetrics>) -> Self {
        let mut newest = endpoint.state.follow();
        newest.mark_changed();
        let pool = Self {
            newest: RefCell::new(newest),
            state: Arc::clone(&endpoint.state),
            upstream: Arc::clone(upstream),
            metrics: Rc::clone(metrics),
            tls: endpoint.tls.clone(),
            addresses: RefCell::default(),
        };
        pool.follow_addresses();
        pool
    }

    /// What the process knows of the endpoint.
    pub(super) fn state(&self) -> &EndpointState {
        &self.state
    }

    /// The connections to an address of the endpoint, if that is still one.
    pub(super) fn of(&self, address: &Arc<Address>) -> Option<Rc<AddressPool>> {
        let addresses = self.addresses.borrow();
        let mut addresses = addresses.iter();
        let found = addresses.find(|pool| Arc::ptr_eq(&pool.address, address));
        found.map(Rc::clone)
    }

    /// The connections to this address of the endpoint, if that is still one.
    pub fn at(&self, socket: SocketAddr) -> Option<Rc<AddressPool>> {
        let addresses = self.addresses.borrow();
        let found = addresses.iter().find(|pool| pool.address.socket == socket);
        found.map(Rc::clone)
    }

    /// Makes a new connection, to `first` if that can be had, for one client or for all.
    pub async fn connect(
        &self,
        first: &AddressPool,
        upstream: &Upstream,
        announced: Option<Rc<Announcement>>,
        buffers: &Buffers,
        missed: &Missed,
    ) -> Result<Link, ConnectError> {
        let (begun, patience) = (TimerInstant::now(), upstream.rules.connect_timeout);
        let (socket, address) = connect(&self.state, &first.address, patience, missed).await?;
        self.follow_addresses();
        // One that has gone meanwhile still serves this exchange.
        let pool = self
            .of(&address)
            .unwrap_or_else(|| self.address_pool(address));
        let mut connection = Connection::new(socket);
        if let (Some(tls), Some(config)) = (&self.tls, &pool.tls) {
            let before = |out: &mut Vec<u8>| {
                if let Some(announced) = &announced {
                    announced.put(out);
                }
            };
            let time = (begun, patience);
            let handshake = tls.begin(connection, config, time, before, buffers);
            connection = handshake.await.map_err(|source| ConnectError::Tls {
                address: pool.address.socket,
                source,
            })?;
        }
        Ok(Link {
            connection,
            pool,
            reused: false,
            announced,
            counted: Counted::new(&self.metrics, self.tls.is_some()),
            carried_body: false,
            bound: false,
        })
    }

    /// Closes the idle connections that serve the client at this address alone.
    pub(super) fn client_left(&self, from: SocketAddr) {
        for pool in self.addresses.borrow().iter() {
            pool.by_client.borrow_mut().client_left(from);
        }
    }

    /// Closes all idle connections, and keeps none any more: the endpoint is not in the configuration.
    pub(super) fn close(&self) {
        for pool in self.addresses.borrow().iter() {
            pool.close();
        }
    }

    /// Drops what has died or grown old, and connections to addresses that the name no longer has.
    pub(super) fn sweep(&self, now: Instant) {
        self.follow_addresses();
        let mut in_use = false;
        for pool in self.addresses.borrow().iter() {
            in_use |= pool.sweep(now);
        }
        if in_use {
            self.state.mark_used();
        }
    }

    fn address_pool(&self, address: Arc<Address>) -> Rc<AddressPool> {
        let text: Rc<str> = address.socket.to_string().into();
        let row = self.metrics.endpoint(&self.upstream, &text);
        Rc::new(AddressPool {
            tls: self.tls.as_ref().map(|tls| tls.tls.with_own_sessions()),
            upstream: Arc::clone(&self.upstream),
            state: Arc::clone(&self.state),
            text,
            row,
            address,
            idle: RefCell::default(),
            by_client: RefCell::default(),
            suspected_until: Cell::new(None),
            gone: Cell::new(false),
            used: Cell::new(false),
        })
    }

    pub(super) fn follow_addresses(&self) {
        let mut newest = self.newest.borrow_mut();
        // An error would say that the state is gone, which this pool holds.
        if !newest.has_changed().unwrap_or(false) {
            return;
        }
        let mut addresses = self.addresses.borrow_mut();
        let mut old = std::mem::take(&mut *addresses);
        for address in newest.borrow_and_update().iter() {
            let same = |pool: &Rc<AddressPool>| Arc::ptr_eq(&pool.address, address);
            addresses.push(match old.iter().position(same) {
                Some(index) => old.swap_remove(index),
                None => self.address_pool(Arc::clone(address)),
            });
        }
        for pool in old {
            pool.close();
        }
    }
}

impl AddressPool {
    /// Notes that a connection had died unnoticed, or broke as soon as it was used.
    pub(super) fn suspect(&self, now: Instant) {
        self.suspected_until.set(Some(now + SUSPECTED_FOR));
    }

    fn close(&self) {
        self.gone.set(true);
        self.idle.borrow_mut().clear();
        self.by_client.borrow_mut().clear();
    }

    /// An idle connection that is not known to be dead, and begins with this, or with nothing.
    ///
    /// With `ask_kernel` the kernel is asked as well: worth a system call for a request that could
    /// not be sent a second time, or where another has lately met one that was dead.
    pub fn take(
        self: &Rc<Self>,
        announced: Option<&Rc<Announcement>>,
        ask_kernel: bool,
        now: Instant,
    ) -> Option<Link> {
        self.used.set(true);
        let suspected = self.suspected_until.get();
        let ask_kernel = ask_kernel || suspected.is_some_and(|until| now < until);
        loop {
            let mut one = match announced {
                None => self.idle.borrow_mut().pop()?,
                Some(announced) => self.by_client.borrow_mut().pop(announced)?,
            };
            let clean = one.connection.is_clean_if(ask_kernel);
            if clean && now < one.until {
                return Some(Link {
                    connection: one.connection,
                    pool: Rc::clone(self),
                    reused: true,
                    announced: announced.cloned(),
                    counted: one.counted,
                    carried_body: one.carried_body,
                    bound: false,
                });
            }
            if !clean && one.carried_body {
                self.note_unclean(&mut one.connection);
            }
        }
    }

    /// Notes that an idle connection that has carried a body is of no use. If an answer has come unasked
    /// on it, the service may have taken the body for a request.
    fn note_unclean(&self, connection: &mut Connection) {
        if connection.has_unasked_answer() {
            self.note_left_body();
        }
    }

    /// Whether the endpoint's name no longer has it.
    pub(super) fn has_gone(&self) -> bool {
        self.gone.get()
    }

    /// Notes that the service has answered what was the body of a request: from now on it is told with
    /// each body that the connection ends.
    pub fn note_left_body(&self) {
        if self.state.note_left_body() {
            let (upstream, endpoint) = (&self.upstream, &self.text);
            tracing::warn!(
                %upstream,
                %endpoint,
                "a service has answered what nobody asked it, on a connection that has carried the body of a \
                 request: it leaves bodies unread and runs them as requests, past every check. From now on it \
                 gets `Connection: close` with each body. Mend the service; `keep = 0` says so with each request, from the start"
            );
        }
    }

    fn sweep(&self, now: Instant) -> bool {
        let mut idle = self.idle.borrow_mut();
        let mut by_client = self.by_client.borrow_mut();
        let is_good = |one: &mut Idle| {
            let clean = one.connection.is_clean();
            if !clean && one.carried_body {
                self.note_unclean(&mut one.connection);
            }
            clean && now < one.until
        };
        idle.retain_mut(is_good);
        by_client.retain(is_good);
        self.used.replace(false) || !idle.is_empty() || !by_client.is_empty()
    }
}

#[cfg(test)]
mod tests;
