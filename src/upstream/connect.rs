//! Connecting to an endpoint: its name is resolved, kept for a while and then resolved again, and
//! its addresses are tried in turn.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::EndpointUrl;

/// How long a resolved name is believed. The system's resolver does not tell a record's lifetime.
const BELIEVED: Duration = Duration::from_secs(10);

/// How long a name that is looked up in the background may take.
const RESOLVE: Duration = Duration::from_secs(5);

/// An endpoint's addresses.
#[derive(Debug)]
pub(super) struct Addresses {
    host: Box<str>,
    port: u16,
    known: RefCell<Known>,
    looking_up: Mutex<()>,
}

#[derive(Debug, Clone)]
struct Known {
    addresses: Rc<[SocketAddr]>,
    /// `None` for an address that was written as one and never changes.
    until: Option<Instant>,
}

/// Why an endpoint could not be reached. The text is for the log, not for the client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The resolver has no answer.
    #[error("its name cannot be resolved: {0}")]
    Resolve(#[source] io::Error),
    /// The resolver's answer is empty.
    #[error("its name has no address")]
    NoAddress,
    /// The last address that was tried does not take connections.
    #[error("cannot connect to {address}: {source}")]
    Refused {
        /// That address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Nothing answered in the time there was.
    #[error("no connection within {0:?}")]
    TimedOut(Duration),
}

impl Addresses {
    pub(super) fn new(endpoint: &EndpointUrl) -> Self {
        let known = match endpoint.host.parse::<IpAddr>() {
            Ok(address) => Known {
                addresses: Rc::new([SocketAddr::new(address, endpoint.port)]),
                until: None,
            },
            Err(_) => Known {
                addresses: Rc::new([]),
                until: Some(Instant::now()),
            },
        };
        Self {
            host: endpoint.host.clone(),
            port: endpoint.port,
            known: RefCell::new(known),
            looking_up: Mutex::new(()),
        }
    }

    /// Whether `address` is one of them, as far as is known.
    pub(super) fn contain(&self, address: SocketAddr) -> bool {
        self.known.borrow().addresses.contains(&address)
    }

    /// Resolves the name again if what is known of it is old. To be called now and then, so that
    /// requests find it fresh.
    pub(super) async fn refresh(&self) {
        if !self.is_fresh() {
            let _ = self.resolve(RESOLVE).await;
        }
    }

    /// The addresses to connect to. Only a name of which nothing fresh is known is waited for; what
    /// was known of it serves on if it cannot be resolved: a name server that is down must not take
    /// the services behind it down.
    async fn current(&self, patience: Duration) -> Result<Rc<[SocketAddr]>, ConnectError> {
        let known = Rc::clone(&self.known.borrow().addresses);
        if self.is_fresh() && !known.is_empty() {
            return Ok(known);
        }
        if !known.is_empty() && self.looking_up.try_lock().is_err() {
            return Ok(known);
        }
        match self.resolve(patience / 2).await {
            Err(_) if !known.is_empty() => Ok(known),
            resolved => resolved,
        }
    }

    /// Whether what is known is old, and nobody is asking already.
    pub(super) fn need_a_look(&self) -> bool {
        !self.is_fresh() && self.looking_up.try_lock().is_ok()
    }

    fn is_fresh(&self) -> bool {
        self.known
            .borrow()
            .until
            .is_none_or(|until| until > Instant::now())
    }

    /// Looks the name up, one look-up at a time: the system's resolver holds a thread for each, and
    /// goes on when nobody waits for it any more.
    async fn resolve(&self, patience: Duration) -> Result<Rc<[SocketAddr]>, ConnectError> {
        let looking_up = timeout(patience, self.looking_up.lock()).await;
        let _looking_up = looking_up.map_err(|_| ConnectError::TimedOut(patience))?;
        if self.is_fresh() {
            return Ok(Rc::clone(&self.known.borrow().addresses));
        }
        let found = match timeout(patience, lookup_host((&*self.host, self.port))).await {
            Ok(Ok(found)) => Ok(found.collect::<Vec<_>>()),
            Ok(Err(error)) => Err(ConnectError::Resolve(error)),
            Err(_) => Err(ConnectError::TimedOut(patience)),
        };
        let found = found.and_then(|mut found| {
            found.dedup();
            if found.is_empty() {
                Err(ConnectError::NoAddress)
            } else {
                Ok(found)
            }
        });
        let mut known = self.known.borrow_mut();
        match &found {
            Ok(found) => known.addresses = found.as_slice().into(),
            Err(error) => {
                tracing::debug!(host = %self.host, %error, "a name cannot be resolved");
            }
        }
        // What is known is not asked about again at once, whether that went well or not.
        if !known.addresses.is_empty() {
            known.until = Some(Instant::now() + BELIEVED);
        }
        found.map(|_| Rc::clone(&known.addresses))
    }
}

/// Connects to the first address that answers, within `patience` in all. An address that is silent
/// gets an even share of the time that is left, so that one dead address cannot use it up.
pub(super) async fn connect(
    addresses: &Addresses,
    patience: Duration,
) -> Result<(TcpStream, SocketAddr), ConnectError> {
    let deadline = Instant::now() + patience;
    let timed_out = |_| ConnectError::TimedOut(patience);
    let candidates = timeout(patience, addresses.current(patience))
        .await
        .map_err(timed_out)??;
    let mut failure = ConnectError::NoAddress;
    for (tried, &address) in candidates.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(candidates.len() - tried).unwrap_or(u32::MAX);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => {
                // Small messages must not wait for the peer's acknowledgement of earlier ones.
                let _ = socket.set_nodelay(true);
                return Ok((socket, address));
            }
            Ok(Err(source)) => failure = ConnectError::Refused { address, source },
            Err(_) => failure = ConnectError::TimedOut(patience),
        }
    }
    Err(failure)
}
