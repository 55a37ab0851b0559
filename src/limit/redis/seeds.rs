//! Servers that know where to go: Sentinels, or nodes of a cluster. They are asked in turn, beginning
//! with the one that could help last.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::CallError;
use super::deadline::in_time;
use super::url::HostPort;

/// The longest that one of them may take.
pub(super) const STEP: Duration = Duration::from_millis(300);

/// Their addresses, and which could help last. Clones share that.
#[derive(Debug, Clone)]
pub(super) struct Seeds {
    pub addresses: Vec<HostPort>,
    first: Arc<AtomicUsize>,
}

impl Seeds {
    /// None of these has been asked yet.
    pub(super) fn new(addresses: Vec<HostPort>) -> Self {
        Self {
            addresses,
            first: Arc::default(),
        }
    }

    /// The reply of the first of them that can help, or else why the last cannot.
    pub(super) async fn ask<T>(
        &self,
        ask: impl AsyncFn(&HostPort) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let (first, all) = (self.first.load(Ordering::Relaxed), self.addresses.len());
        let mut failure = CallError::Silent;
        for nth in (first..first + all).map(|nth| nth % all) {
            match in_time(STEP, ask(&self.addresses[nth])).await {
                Ok(answer) => {
                    self.first.store(nth, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(cause) => failure = cause,
            }
        }
        Err(failure)
    }
}
