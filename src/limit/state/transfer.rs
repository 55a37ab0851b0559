//! All counters in one go, in the bytes of the state file without its checksum: to a file, or to a
//! process that takes over.

use std::io::{self, Read};
use std::time::SystemTime;

use super::{AT_ONCE, LimitStore, StateError, format, unreadable, wall_ms};
use crate::limit::MemoryStore;
use crate::limit::memory::Copied;

impl LimitStore {
    /// Gives away a copy of all counters of windows that run, piece by piece; returns how many.
    ///
    /// # Errors
    /// Those of `put`.
    pub fn give(&self, put: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<usize> {
        put_all(self.memory(), SystemTime::now(), put)
    }

    /// Takes in what another process gives; returns how many counters there are then.
    ///
    /// # Errors
    /// When it breaks off, or makes no sense.
    pub fn take(&self, given: &mut impl Read) -> Result<usize, StateError> {
        if !format::is_this_version(given).map_err(unreadable)? {
            return Err(StateError::Version);
        }
        let now = wall_ms(SystemTime::now());
        format::read_rest(given, now, self.memory()).map_err(unreadable)?;
        Ok(self.memory().counters())
    }
}

pub(super) fn put_all(
    store: &MemoryStore,
    now: SystemTime,
    mut put: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<usize> {
    let (mut some, mut count) = (Vec::new(), 0);
    let now_ms = store.clock().now_ms();
    let mut copied = Copied::default();
    format::put_head(&mut some, wall_ms(now));
    loop {
        let more = store.show_some(&mut copied, |entry| {
            count += usize::from(format::put(&mut some, entry, now_ms));
        });
        if !more {
            format::put_end(&mut some);
        }
        if !more || some.len() >= AT_ONCE {
            put(&some)?;
            some.clear();
        }
        if !more {
            return Ok(count);
        }
    }
}
