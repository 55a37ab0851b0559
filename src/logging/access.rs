//! A worker's end of the access log: lines gather in a buffer and are handed to the sink when the
//! buffer is large, or a moment after its first line. Handing over lines one by one would cost a
//! wake-up of the writing thread per request.

use std::cell::RefCell;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::metrics::filter::Facts;

use super::{Sink, Tap};

/// A buffer of this size is handed over at once.
const BATCH: usize = 64 * 1024;
/// How long a line may wait in the buffer.
const PATIENCE: Duration = Duration::from_millis(100);

/// Gathers one worker's access lines.
#[derive(Debug)]
pub struct AccessLines {
    /// `None`: the access log is off.
    sink: Option<Arc<Sink>>,
    tap: Arc<Tap>,
    buffer: RefCell<Vec<u8>>,
    first_line: Notify,
}

impl AccessLines {
    /// Lines for `sink`, of which `None` switches the access log off, and for those who follow.
    pub fn new(sink: Option<Arc<Sink>>, tap: Arc<Tap>) -> Self {
        Self {
            sink,
            tap,
            buffer: RefCell::default(),
            first_line: Notify::new(),
        }
    }

    /// Adds the line that `put` appends, its newline included.
    pub fn add(&self, put: impl FnOnce(&mut Vec<u8>)) {
        if self.sink.is_none() {
            return;
        }
        let mut buffer = self.buffer.borrow_mut();
        let first = buffer.is_empty();
        put(&mut buffer);
        if buffer.len() >= BATCH {
            drop(buffer);
            self.hand_over();
        } else if first {
            self.first_line.notify_one();
        }
    }

    /// Whether anybody follows the lines.
    #[inline]
    pub fn are_followed(&self) -> bool {
        self.tap.is_followed()
    }

    /// Hands a line to those who follow and want it; `put` makes it.
    #[cold]
    pub fn show(&self, facts: &Facts<'_>, put: impl FnOnce(&mut Vec<u8>)) {
        self.tap.offer(facts, put);
    }

    /// Hands over what has gathered.
    pub fn hand_over(&self) {
        let mut buffer = self.buffer.borrow_mut();
        if let (Some(sink), false) = (&self.sink, buffer.is_empty()) {
            let next = Vec::with_capacity(BATCH + 1024);
            sink.write(mem::replace(&mut *buffer, next));
        }
    }

    /// Hands over small buffers a moment after their first line; runs as long as the worker does.
    pub async fn hand_over_in_time(&self) {
        loop {
            self.first_line.notified().await;
            tokio::time::sleep(PATIENCE).await;
            self.hand_over();
        }
    }
}

impl Drop for AccessLines {
    /// Requests that are cut when the worker ends still leave their lines.
    fn drop(&mut self) {
        self.hand_over();
    }
}
