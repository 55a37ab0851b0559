//! The queue between the workers and the thread that exports. Bounded, in spans and in bytes: what finds no
//! room is dropped and counted. Spans gather in batches as they come, so that taking one costs a look.
//!
//! All workers come here with each request that is recorded. The lock is held for a copy of some hundred bytes,
//! or for a look once the queue is full; batches of each worker's own would take it less often, and would keep
//! spans where neither the bounds nor the end of the process see them.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::lock::lock;

/// So many spans make a batch (the default of OpenTelemetry's batch processor).
pub(super) const BATCH: usize = 512;
/// How long a span may wait for others. OpenTelemetry's default is 5 s; who looks for a request that was
/// just made should find it, for one message a second.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// The most spans that wait: two seconds of 2,000 requests a second that are all recorded.
const MAX_SPANS: usize = 8192;
/// And the most bytes of them.
const MAX_BYTES: usize = 8 << 20;

/// Spans, encoded, in their order.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub bytes: Vec<u8>,
    pub spans: usize,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Told when the first span has come, and when a batch is full.
    pub changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<Batch>,
    spans: usize,
    bytes: usize,
    /// When the first span of the last batch came.
    since: Option<Instant>,
    closed: bool,
}

impl Queue {
    /// Takes encoded spans if there is room for them.
    pub(super) fn offer(&self, spans: usize, bytes: &[u8]) -> bool {
        let mut state = lock(&self.state);
        let has_room = state.spans + spans <= MAX_SPANS && state.bytes + bytes.len() <= MAX_BYTES;
        if state.closed || !has_room {
            return false;
        }
        state.spans += spans;
        state.bytes += bytes.len();
        let last = state.batches.back_mut();
        let is_full = if let Some(batch) = last.filter(|batch| batch.spans < BATCH) {
            batch.spans += spans;
            batch.bytes.extend_from_slice(bytes);
            batch.spans >= BATCH
        } else {
            let bytes = bytes.to_vec();
            state.batches.push_back(Batch { bytes, spans });
            state.since = Some(Instant::now());
            spans >= BATCH
        };
        let is_first = state.batches.len() == 1 && state.spans == spans;
        drop(state);
        if is_full || is_first {
            self.changed.notify_one();
        }
        true
    }

    /// When the next batch is due; `None` if there is none.
    pub(super) fn due(&self) -> Option<Instant> {
        let state = lock(&self.state);
        let first = state.batches.front()?;
        let since = state.since.unwrap_or_else(Instant::now);
        Some(match first.spans {
            BATCH.. => since,
            _ => since + PATIENCE,
        })
    }

    /// The oldest batch, full or not.
    pub(super) fn take(&self) -> Option<Batch> {
        let mut state = lock(&self.state);
        let batch = state.batches.pop_front()?;
        state.spans -= batch.spans;
        state.bytes -= batch.bytes.len();
        Some(batch)
    }

    /// Takes nothing more.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_gather_in_batches_up_to_a_bound() {
        let queue = Queue::default();
        let taken = (0..10_000).filter(|_| queue.offer(2, b"ab")).count();
        assert_eq!(taken * 2, MAX_SPANS);
        let mut spans = 0;
        while let Some(batch) = queue.take() {
            assert_eq!((batch.spans, batch.bytes.len()), (BATCH, BATCH));
            spans += batch.spans;
        }
        assert_eq!(spans, MAX_SPANS);
        assert!(queue.offer(1, b"a"), "there is room again");
        let large = vec![0; MAX_BYTES];
        assert!(!queue.offer(1, &large), "for as many bytes");
        queue.close();
        assert!(!queue.offer(1, b"a"));
    }

    #[test]
    fn a_batch_is_due_when_it_is_full_or_old() {
        let queue = Queue::default();
        assert_eq!(queue.due(), None);
        let now = Instant::now();
        queue.offer(1, b"a");
        assert!(queue.due().unwrap() >= now + PATIENCE);
        queue.offer(BATCH, b"b");
        assert!(queue.due().unwrap() <= Instant::now());
    }
}
