//! What was read from a peer and not yet used. Its buffer is borrowed from the worker while bytes are on
//! their way, and grows while a large body passes.

use super::buffers::{Buffers, LeaveToGrow, SMALL};

/// A buffer grows to this while a large body passes.
const LARGE: usize = 64 * 1024;

/// Bytes that were read but not yet used.
#[derive(Debug, Default)]
pub struct Input {
    bytes: Vec<u8>,
    start: usize,
    /// Once it has grown to read faster.
    leave: Option<LeaveToGrow>,
}

impl Input {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Drops the first `n` bytes; they have been used.
    pub fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.bytes.len());
        if self.is_empty() {
            self.bytes.clear();
            self.start = 0;
        }
    }

    /// Appends bytes.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.compact();
        self.bytes.extend_from_slice(bytes);
    }

    /// Moves the first `n` bytes to the end of `to`. For heads, which are short: what follows, often
    /// longer, stays where it is.
    pub fn move_to(&mut self, to: &mut Vec<u8>, n: usize) {
        let bytes = self.bytes();
        to.extend_from_slice(&bytes[..n.min(bytes.len())]);
        self.consume(n);
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// The same bytes, to be changed where they are.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    /// Where what is read goes, once room for it has been reserved.
    pub(super) fn storage(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Holds a few bytes in no more memory than they need, for a peer that may never send the rest.
    pub fn shrink(&mut self, buffers: &Buffers) {
        let bytes = self.bytes();
        if self.bytes.capacity() >= SMALL && bytes.len() < SMALL / 4 {
            let few = bytes.to_vec();
            buffers.give(std::mem::replace(&mut self.bytes, few));
            (self.start, self.leave) = (0, None);
        }
    }

    fn compact(&mut self) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    pub(super) fn rest(&mut self, buffers: &Buffers) {
        if self.is_empty() && self.bytes.capacity() > 0 {
            buffers.give(std::mem::take(&mut self.bytes));
            (self.start, self.leave) = (0, None);
        }
    }

    /// Makes room for a read: a full buffer doubles, so that a large body is read in large pieces.
    pub(super) fn reserve(&mut self, buffers: &Buffers) {
        if self.bytes.capacity() < SMALL {
            let few = std::mem::replace(&mut self.bytes, buffers.take());
            self.bytes.extend_from_slice(&few[self.start..]);
            self.start = 0;
        }
        self.compact();
        let spare = self.bytes.capacity() - self.bytes.len();
        if spare < SMALL / 4 {
            self.bytes
                .reserve(self.bytes.capacity().clamp(SMALL, LARGE));
        }
    }

    pub(super) fn grow_if_full(&mut self, buffers: &Buffers) {
        if self.bytes.len() < self.bytes.capacity() || self.bytes.capacity() >= LARGE {
            return;
        }
        if self.leave.is_none() {
            self.leave = buffers.grow();
        }
        if self.leave.is_some() {
            self.bytes.reserve(self.bytes.capacity());
        }
    }
}
