//! What has been taken of a request's body and is kept, for it may have to be sent more than once:
//! what was at hand when the request began, and of a request that may be tried again what follows
//! it, up to a bound for the request and one for the process. Once it has left it is let go, unless the
//! request may be tried again.

use std::cell::{Cell, OnceCell, RefCell};

use crate::message::fields::Fields;
use crate::wire::body::Piece;
use crate::wire::buffers::{Buffers, SMALL};
use crate::wire::end::End;

use super::super::record::Record;
use super::super::room::Room;
use super::pass_error::{PassError, allow};

/// About this much of a request's body is taken before there is a connection to pass it on.
const AT_HAND: usize = 32 * 1024;
/// The part of a body that is kept.
pub(super) struct Kept<'b> {
    pub(super) bytes: RefCell<Vec<u8>>,
    /// How much is kept at most of what may be tried again; 0 where nothing may be that has been sent.
    most: usize,
    /// This is all of the body.
    whole: Cell<bool>,
    /// In a box, for few bodies have any.
    trailers: OnceCell<Box<Fields>>,
    /// Something has been taken and not kept.
    lost: Cell<bool>,
    /// What counts for the process: as much memory as the bytes may take.
    counted: Cell<usize>,
    buffers: &'b Buffers,
    room: &'b Room,
}

impl<'b> Kept<'b> {
    /// Takes what is at hand, of a body of at most `limit` bytes; later at most `most` are kept.
    pub(super) fn take(
        from: &mut End<'_>,
        record: &Record<'b>,
        limit: Option<u64>,
        most: usize,
    ) -> Result<Self, PassError> {
        let worker = record.worker;
        let kept = Self::new(most, from.is_taken(), &worker.buffers, &worker.room);
        let count = &record.bytes_in;
        while !kept.is_whole() && kept.len() < AT_HAND {
            match from.next_piece().map_err(PassError::Framing)? {
                Piece::Data(bytes) => {
                    allow(count, bytes.len(), limit)?;
                    if !kept.append(bytes) {
                        break;
                    }
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

    fn new(most: usize, whole: bool, buffers: &'b Buffers, room: &'b Room) -> Self {
        Self {
            bytes: RefCell::default(),
            most,
            whole: Cell::new(whole),
            trailers: OnceCell::new(),
            lost: Cell::new(false),
            counted: Cell::new(0),
            buffers,
            room,
        }
    }

    /// Keeps more of the body, unless that is too much.
    pub(super) fn add(&self, more: &[u8]) -> bool {
        self.len() + more.len() <= self.most && self.append(more)
    }

    /// Notes that all of this has been sent: of a request that is not sent twice it is let go.
    pub(super) fn has_left(&self) {
        if self.most == 0 && self.len() > 0 {
            self.let_go();
        }
    }

    /// Keeps nothing any longer: the request will not be sent again.
    pub(super) fn let_go(&self) {
        self.lost.set(true);
        let counted = self.counted.take();
        if counted > 0 {
            self.room.give(counted);
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

    fn append(&self, more: &[u8]) -> bool {
        let mut bytes = self.bytes.borrow_mut();
        let length = bytes.len();
        if !self.takes_room(length + more.len()) {
            return false;
        }
        if bytes.capacity() == 0 {
            *bytes = self.buffers.take();
        }
        bytes.reserve_exact(self.counted.get() - length);
        bytes.extend_from_slice(more);
        true
    }

    /// Takes room for so many bytes in all.
    fn takes_room(&self, needed: usize) -> bool {
        let counted = self.counted.get();
        if needed <= counted {
            return true;
        }
        let least = needed.next_multiple_of(SMALL);
        // A quarter more, if it can be had, so that a large body is not copied with each of its pieces.
        let ample = least.max(counted + counted / 4);
        let taken = [ample, least]
            .into_iter()
            .find(|all| self.room.take(all - counted));
        self.counted.set(taken.unwrap_or(counted));
        taken.is_some()
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.let_go();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_counts_for_the_process_until_it_is_let_go() {
        let (buffers, room) = (Buffers::default(), Room::default());
        let large = vec![b'x'; 60 * 1024 * 1024];
        let one = Kept::new(usize::MAX, false, &buffers, &room);
        assert!(one.append(b"at hand") && one.add(&large));
        let other = Kept::new(usize::MAX, false, &buffers, &room);
        assert!(!other.append(&large), "it counts from the first byte");
        assert!(other.has_all());
        one.let_go();
        assert!(other.append(&large));
        assert_eq!((one.len(), other.len()), (0, large.len()));
        drop(other);
        assert!(one.append(&large));
    }

    #[test]
    fn what_is_not_sent_twice_is_let_go_once_it_has_left() {
        let (buffers, room) = (Buffers::default(), Room::default());
        for (most, left) in [(0, 0), (64 * 1024, 7)] {
            let kept = Kept::new(most, false, &buffers, &room);
            assert!(kept.append(b"at hand"));
            kept.has_left();
            assert_eq!((kept.len(), kept.has_all()), (left, left > 0));
        }
        let without = Kept::new(0, true, &buffers, &room);
        without.has_left();
        assert!(without.has_all(), "there is no body");
    }
}
