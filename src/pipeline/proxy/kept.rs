//! What has been taken of a request's body and is kept, for it may have to be sent more than once:
//! what was at hand when the request began, and of a request that may be tried again what follows
//! it, up to a bound for the request and one for the process.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::message::fields::Fields;
use crate::wire::body::Piece;
use crate::wire::buffers::Buffers;
use crate::wire::end::End;

use super::super::record::Record;
use super::pass_error::{PassError, allow};

/// About this much of a request's body is taken before there is a connection to pass it on.
const AT_HAND: usize = 32 * 1024;
/// What all requests of the process may keep beyond that.
const MOST_IN_ALL: usize = 64 * 1024 * 1024;

/// What they keep.
static KEPT_IN_ALL: AtomicUsize = AtomicUsize::new(0);

/// The part of a body that is kept.
pub(super) struct Kept<'b> {
    pub(super) bytes: RefCell<Vec<u8>>,
    /// How much is kept at most.
    most: usize,
    /// This is all of the body.
    whole: Cell<bool>,
    /// In a box, for few bodies have any.
    trailers: OnceCell<Box<Fields>>,
    /// Something has been taken and not kept.
    lost: Cell<bool>,
    /// What counts for the process.
    counted: Cell<usize>,
    buffers: &'b Buffers,
}

impl<'b> Kept<'b> {
    /// Takes what is at hand, of a body of at most `limit` bytes; later at most `most` are kept.
    pub(super) fn take(
        from: &mut End<'_>,
        record: &Record<'_>,
        limit: Option<u64>,
        most: usize,
        buffers: &'b Buffers,
    ) -> Result<Self, PassError> {
        let kept = Self {
            bytes: RefCell::default(),
            most,
            whole: Cell::new(from.is_taken()),
            trailers: OnceCell::new(),
            lost: Cell::new(false),
            counted: Cell::new(0),
            buffers,
        };
        let count = &record.bytes_in;
        while !kept.is_whole() && kept.len() < AT_HAND {
            match from.next_piece().map_err(PassError::Framing)? {
                Piece::Data(bytes) => {
                    allow(count, bytes.len(), limit)?;
                    kept.append(bytes);
                    let n = bytes.len();
                    from.used(n);
                    count.set(count.get() + n as u64);
                }
                Piece::NeedMore => break,
                Piece::End(trailers) => kept.end(trailers),
            }
        }
        Ok(kept)
    }

    /// Keeps more of the body, unless that is too much.
    pub(super) fn add(&self, more: &[u8]) -> bool {
        let n = more.len();
        if self.len() + n > self.most {
            return false;
        }
        if KEPT_IN_ALL.fetch_add(n, Relaxed) + n > MOST_IN_ALL {
            KEPT_IN_ALL.fetch_sub(n, Relaxed);
            return false;
        }
        self.counted.set(self.counted.get() + n);
        self.append(more);
        true
    }

    /// Notes that something was passed on that is not kept.
    pub(super) fn lose(&self) {
        self.lost.set(true);
    }

    /// Keeps nothing any longer: the request will not be sent again.
    pub(super) fn let_go(&self) {
        self.lose();
        let counted = self.counted.take();
        if counted > 0 {
            KEPT_IN_ALL.fetch_sub(counted, Relaxed);
        }
        let bytes = self.bytes.take();
        if bytes.capacity() > 0 {
            self.buffers.give(bytes);
        }
    }

    /// Notes that there is no more.
    pub(super) fn end(&self, trailers: Option<Fields>) {
        if let Some(trailers) = trailers {
            let _ = self.trailers.set(Box::new(trailers));
        }
        self.whole.set(true);
    }

    /// What follows on the whole of the body.
    pub(super) fn trailers(&self) -> Option<&Fields> {
        self.trailers.get().map(|trailers| &**trailers)
    }

    /// Whether this is all of the body.
    pub(super) fn is_whole(&self) -> bool {
        self.whole.get()
    }

    /// Whether all that has been taken is here.
    pub(super) fn has_all(&self) -> bool {
        !self.lost.get()
    }

    /// In bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.borrow().len()
    }

    fn append(&self, more: &[u8]) {
        let mut bytes = self.bytes.borrow_mut();
        if bytes.capacity() == 0 {
            *bytes = self.buffers.take();
        }
        bytes.extend_from_slice(more);
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.let_go();
    }
}
