//! A worker's free list of buffers. Connections borrow one while bytes are on their way and give
//! it back when they rest, so that an idle connection holds none and a busy one allocates none.

use std::cell::RefCell;

use crate::message::fields::HeadStorage;

/// The size of a fresh buffer: one page more than most heads with their first piece of body need.
pub const SMALL: usize = 8 * 1024;
/// Buffers that have grown beyond this are not kept.
const KEPT: usize = 96 * 1024;
/// How many bytes of buffers, and how many heads of at most [`SMALL`] bytes, the free list keeps.
const KEPT_IN_ALL: usize = 4 * 1024 * 1024;
const KEPT_HEADS: usize = 512;

/// One worker's spare buffers.
#[derive(Debug, Default)]
pub struct Buffers {
    spare: RefCell<Spare>,
}

#[derive(Debug, Default)]
struct Spare {
    small: Vec<Vec<u8>>,
    bytes: usize,
    heads: Vec<HeadStorage>,
}

impl Buffers {
    /// An empty buffer of at least [`SMALL`] bytes.
    #[must_use]
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
    #[must_use]
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
