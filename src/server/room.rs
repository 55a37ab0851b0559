//! Places for connections, shared by all workers. Where there is none, the connections that have
//! been idle longest give way; while all are busy, new ones wait in the kernel's backlog.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;

use super::handshakes::Handshakes;
use super::shares::Shares;
use crate::seldom::Seldom;

/// For how long a connection has to have been idle to give way: workers do not know of each other's,
/// and one that was accepted just now, whose request is on its way, should not be the first.
const AGES: [Duration; 4] = [
    Duration::from_secs(10),
    Duration::from_secs(1),
    Duration::from_millis(100),
    Duration::ZERO,
];
/// How long to wait for a place before younger ones are asked.
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// All places.
#[derive(Debug)]
pub struct Room {
    size: usize,
    free: Arc<Semaphore>,
    /// Changes whenever somebody wants a place, from connections that are idle for so long.
    wanted: watch::Sender<Duration>,
    crowded: Seldom<10>,
    /// What trusted proxies send in the place of PROXY protocol headers.
    pub(super) malformed_headers: Seldom<10>,
    /// What has become of those of TLS.
    pub(super) handshakes: Handshakes,
    /// What each address has.
    pub(super) shares: Arc<Shares>,
}

impl Room {
    /// Room for so many connections.
    pub fn new(size: usize) -> Self {
        Self {
            size,
            free: Arc::new(Semaphore::new(size)),
            wanted: watch::Sender::new(Duration::MAX),
            crowded: Seldom::default(),
            malformed_headers: Seldom::default(),
            handshakes: Handshakes::default(),
            shares: Arc::default(),
        }
    }

    /// Waits for a place. It is free again when what is returned is dropped.
    pub(super) async fn place(&self) -> OwnedSemaphorePermit {
        let free = Arc::clone(&self.free);
        if let Ok(place) = free.try_acquire_owned() {
            return place;
        }
        self.log();
        let mut place = pin!(Arc::clone(&self.free).acquire_owned());
        let mut ages = AGES.into_iter();
        loop {
            self.wanted.send_replace(ages.next().unwrap_or_default());
            tokio::select! {
                place = &mut place => return place.expect("it is never closed"),
                () = sleep(ASK_AGAIN) => {}
            }
        }
    }

    /// Changes whenever connections that are idle for so long should give way.
    pub(super) fn wanted(&self) -> watch::Receiver<Duration> {
        self.wanted.subscribe()
    }

    fn log(&self) {
        if self.crowded.is_due(Instant::now()) {
            tracing::warn!(
                connections = self.size,
                "there is no room for more connections: the longest idle ones are closed, and new ones wait while none is idle"
            );
        }
    }
}
