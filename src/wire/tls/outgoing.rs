//! Records that have not left yet, in a buffer that is borrowed from the worker.

use std::mem;

use crate::wire::buffers::{Buffers, LeaveToGrow};

/// Records that have not left yet.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) bytes: Vec<u8>,
    pub(super) written: usize,
    /// Once it is large.
    pub(super) leave: Option<LeaveToGrow>,
    /// How many bytes have left since this was last asked.
    pub(super) left: usize,
}

impl Outgoing {
    /// Notes that so many bytes have left.
    pub(super) fn leaves(&mut self, written: usize) {
        self.written += written;
        self.left += written;
    }

    /// Holds no buffer while nothing is on its way.
    pub(super) fn rest(&mut self, buffers: &Buffers) {
        if self.bytes.capacity() > 0 {
            buffers.give(mem::take(&mut self.bytes));
            (self.written, self.leave) = (0, None);
        }
    }
}
