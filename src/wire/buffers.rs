//! A worker's free list of buffers. Connections borrow one while bytes are on their way and give
//! it back when they rest, so that an idle connection holds none and a busy one allocates none.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::message::fields::HeadStorage;

/// The size of a fresh buffer: one page more than most heads with their first piece of body need.
pub const SMALL: usize = 8 * 1024;
/// Buffers that have grown beyond this are not kept.
const KEPT: usize = 96 * 1024;
/// How many bytes of buffers, and how many heads of at most [`SMALL`] bytes, the free list keeps.
const KEPT_IN_ALL: usize = 4 * 1024 * 1024;
const KEPT_HEADS: usize = 512;

/// How many buffers of a worker may be larger than [`SMALL`] for the sake of speed. Thousands of clients
/// that do not read would otherwise hold a large one each.
const MOST_LARGE: usize = 256;

/// One worker's spare buffers.
#[derive(Debug, Default)]
pub struct Buffers {
    large: Rc<Cell<usize>>,
    spare: RefCell<Spare>,
}

#[derive(Debug, Default)]
struct Spare {
    small: Vec<Vec<u8>>,
    bytes: usize,
    heads: Vec<HeadStorage>,
}

/// Leave for a buffer to grow, as long as it lives.
#[derive(Debug)]
pub struct LeaveToGrow(Rc<Cell<usize>>);

impl Drop for LeaveToGrow {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Buffers {
    /// Lets a buffer grow, unless many have.
    #[must_use]
    pub fn grow(&self) -> Option<LeaveToGrow> {
        let large = self.large.get();
        (large < MOST_LARGE).then(|| {
            self.large.set(large + 1);
            LeaveToGrow(Rc::clone(&self.large))
        })
    }

    /// An empty buffer of at least [`SMALL`] bytes.
    pub fn take(&self) -> Vec<u8> {
        let mut spare = self.spare.borrow_mut();
        match spare.small.pop() {
            Some(buffer) => {
                spare.bytes -= buffer.capacity();
                buffer
            }
            None => Vec::with_capacity(SMALL),
        }
    }

    /// Takes a buffer back.
    pub fn give(&self, mut buffer: Vec<u8>) {
        let mut spare = self.spare.borrow_mut();
        let size = buffer.capacity();
        if (SMALL..=KEPT).contains(&size) && spare.bytes + size <= KEPT_IN_ALL {
            buffer.clear();
            spare.bytes += size;
            spare.small.push(buffer);
        }
    }

    /// Storage for a head, with no bytes in it.
    pub fn take_head(&self) -> HeadStorage {
        self.spare.borrow_mut().heads.pop().unwrap_or_default()
    }

    /// Takes a head's storage back.
    pub fn give_head(&self, storage: HeadStorage) {
        let heads = &mut self.spare.borrow_mut().heads;
        if heads.len() < KEPT_HEADS && storage.bytes.capacity() <= SMALL {
            heads.push(storage);
        }
    }
}
