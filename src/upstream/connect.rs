//! Connecting to an endpoint: its name is resolved, kept for a while and then resolved again, and
//! its addresses are tried in turn.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::Endpoint;

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
    pub(super) fn new(endpoint: &Endpoint) -> Self {
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
        }
    }

    /// Whether `address` is one of them, as far as is known.
    pub(super) fn contain(&self, address: SocketAddr) -> bool {
        self.known.borrow().addresses.contains(&address)
    }

    /// Resolves the name again if what is known of it is old. What was known stays if that fails:
    /// a name server that is down must not take the services behind it down.
    pub(super) async fn refresh(&self) {
        let old = self
            .known
            .borrow()
            .until
            .is_some_and(|until| until <= Instant::now());
        if !old {
            return;
        }
        let resolved = timeout(RESOLVE, self.resolve()).await;
        if let Ok(Err(error)) = resolved {
            tracing::debug!(host = %self.host, %error, "a name cannot be resolved; the known addresses serve on");
        }
    }

    async fn resolve(&self) -> Result<Rc<[SocketAddr]>, ConnectError> {
        let mut addresses: Vec<SocketAddr> = lookup_host((&*self.host, self.port))
            .await
            .map_err(ConnectError::Resolve)?
            .collect();
        if addresses.is_empty() {
            return Err(ConnectError::NoAddress);
        }
        addresses.dedup();
        let addresses: Rc<[SocketAddr]> = addresses.into();
        self.known.replace(Known {
            addresses: Rc::clone(&addresses),
            until: Some(Instant::now() + BELIEVED),
        });
        Ok(addresses)
    }

    async fn current(&self) -> Result<Rc<[SocketAddr]>, ConnectError> {
        let known = self.known.borrow().clone();
        let fresh = known.until.is_none_or(|until| until > Instant::now());
        if fresh && !known.addresses.is_empty() {
            return Ok(known.addresses);
        }
        match self.resolve().await {
            Err(_) if !known.addresses.is_empty() => Ok(known.addresses),
            resolved => resolved,
        }
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
    let candidates = timeout(patience, addresses.current())
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
