//! Connecting to an address of an endpoint. If that does not connect within 250 ms, or fails, the
//! endpoint's other addresses are tried beside it, each 250 ms behind the one before (RFC 8305). The
//! first that connects is used; one that was overtaken is avoided for a while, so that a silent
//! address costs one connection 250 ms and not each of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::shortage::{is_out_of_ports, is_shortage};

use super::address::{Address, ConnectError};
use super::missed::{Miss, Missed};
use super::state::EndpointState;

/// How long an address is given before the next one is tried beside it (RFC 8305 section 5).
const STAGGER: Duration = Duration::from_millis(250);

type Connected = (TcpStream, Arc<Address>);

/// Connects to `first`, or to the first other address that answers, within `patience` in all. Those that
/// fail meanwhile are `missed`.
pub(super) async fn connect(
    state: &EndpointState,
    first: &Arc<Address>,
    patience: Duration,
    missed: &Missed,
) -> Result<Connected, ConnectError> {
    let mut silence = Silence {
        state,
        begun: Instant::now(),
        longest: STAGGER.min(patience / 2),
    };
    let connected = timeout(patience, within(state, first, patience, missed)).await;
    let was_first = matches!(&connected, Ok(Ok((_, address))) if Arc::ptr_eq(address, first));
    if was_first {
        silence.longest = Duration::MAX;
    }
    connected.unwrap_or(Err(ConnectError::TimedOut(patience)))
}

/// Connects to one address and no other.
pub(super) async fn connect_to(
    address: &Arc<Address>,
    patience: Duration,
) -> Result<TcpStream, ConnectError> {
    // Half of it: whoever gives up, has begun to count a little earlier.
    let connecting = Try::begin(address, patience / 2).connect();
    match timeout(patience, connecting).await {
        Ok(connected) => Ok(connected?.0),
        Err(_) => Err(ConnectError::TimedOut(patience)),
    }
}

/// Whether any of these addresses connects within `patience`. The family of the one that does is the
/// endpoint's from then on.
pub(super) async fn connects(
    addresses: &[Arc<Address>],
    state: &EndpointState,
    patience: Duration,
) -> bool {
    if addresses.is_empty() {
        return false;
    }
    let connected = timeout(
        patience,
        race(addresses, state, patience, &Missed::default()),
    )
    .await;
    matches!(connected, Ok(Ok(_)))
}

async fn within(
    state: &EndpointState,
    first: &Arc<Address>,
    patience: Duration,
    missed: &Missed,
) -> Result<Connected, ConnectError> {
    let mut addresses = state.addresses().await?;
    // A name may have moved since it was picked; and nothing but its probe goes to an address with an
    // open circuit.
    let is_known = addresses.iter().any(|one| Arc::ptr_eq(one, first));
    addresses.retain(|one| !Arc::ptr_eq(one, first) && !one.circuit.is_open());
    if is_known || addresses.is_empty() {
        addresses.insert(0, Arc::clone(first));
    }
    let error = match race(&addresses, state, patience, missed).await {
        Err(error) if error.is_of_address() => error,
        connected => return connected,
    };
    let mut new = state.look_again().await;
    new.retain(|new| addresses.iter().all(|old| !Arc::ptr_eq(old, new)) && !new.circuit.is_open());
    if new.is_empty() {
        return Err(error);
    }
    race(&new, state, patience, missed).await
}

/// Races addresses, of which there is at least one, so that each is tried within `patience`.
async fn race(
    addresses: &[Arc<Address>],
    state: &EndpointState,
    patience: Duration,
    missed: &Missed,
) -> Result<Connected, ConnectError> {
    let begun = Instant::now();
    let share = patience / u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    let stagger = STAGGER.min(share);
    let mut waiting = addresses.iter();
    let mut running = JoinSet::new();
    loop {
        if let Some(address) = waiting.next() {
            running.spawn_local(Try::begin(address, stagger).connect());
        }
        let overtaking = async {
            match waiting.len() {
                0 => std::future::pending().await,
                _ => sleep(stagger).await,
            }
        };
        tokio::select! {
            biased;
            Some(Ok(result)) = running.join_next() => match result {
                Ok((socket, address)) => {
                    state.connected(&address);
                    return Ok((socket, address));
                }
                Err(error) => {
                    if let (Some(address), Some(why)) = (error.address(), error.failure()) {
                        let took = begun.elapsed();
                        missed.borrow_mut().push(Miss { address, why, took });
                    }
                    if running.is_empty() && waiting.len() == 0 {
                        return Err(error);
                    }
                }
            },
            () = overtaking => {}
        }
    }
}

/// That an address does not answer, which may be because the service has moved: its name is looked up again,
/// also if nobody waits for the connection any longer.
struct Silence<'s> {
    state: &'s EndpointState,
    begun: Instant,
    /// How long it may be.
    longest: Duration,
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        if self.begun.elapsed() >= self.longest {
            self.state.want_lookup();
        }
    }
}

/// One address that is being tried. Given up, it says whether it was silent.
struct Try {
    address: Arc<Address>,
    begun: Instant,
    /// How long it may be silent.
    patience: Duration,
    ended: bool,
}

impl Try {
    fn begin(address: &Arc<Address>, patience: Duration) -> Self {
        Self {
            address: Arc::clone(address),
            begun: Instant::now(),
            patience,
            ended: false,
        }
    }

    async fn connect(mut self) -> Result<Connected, ConnectError> {
        let address = self.address.socket;
        let connected = TcpStream::connect(address).await;
        self.ended = true;
        match connected {
            Ok(socket) => {
                // Small messages must not wait for the peer's acknowledgement of earlier ones.
                let _ = socket.set_nodelay(true);
                Ok((socket, Arc::clone(&self.address)))
            }
            Err(source) => {
                self.address.failed(&source, Instant::now());
                Err(
                    if is_shortage(&source) || is_out_of_ports(&source, address) {
                        ConnectError::Shortage(source)
                    } else {
                        ConnectError::Refused { address, source }
                    },
                )
            }
        }
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        let now = Instant::now();
        if !self.ended && now.saturating_duration_since(self.begun) >= self.patience {
            self.address.silent(now);
        }
    }
}
