//! Why a body cannot be passed on whole, and the bound on a request's body.

use std::cell::Cell;

use crate::wire::chunked::ChunkError;

use super::super::rejection::Rejection;

/// Why a body could not be passed on whole.
#[derive(Debug)]
pub(super) enum PassError {
    Framing(ChunkError),
    TooLarge {
        limit: u64,
    },
    /// The sender ended the stream before the body.
    CutOff,
    /// The sender's connection broke.
    Read,
    /// The receiver's connection broke.
    Write,
}

/// Refuses `n` more bytes if that is too many; they are counted then, too.
pub(super) fn allow(count: &Cell<u64>, n: usize, limit: Option<u64>) -> Result<(), PassError> {
    let sum = count.get().saturating_add(n as u64);
    match limit {
        Some(limit) if sum > limit => {
            count.set(sum);
            Err(PassError::TooLarge { limit })
        }
        _ => Ok(()),
    }
}

/// How a request is refused whose body cannot be passed on.
impl From<PassError> for Rejection {
    fn from(why: PassError) -> Self {
        match why {
            PassError::Framing(error) => error.into(),
            PassError::TooLarge { limit } => Self::BodyTooLarge { limit },
            PassError::CutOff | PassError::Read | PassError::Write => {
                Self::BadRequest("the connection ended before the request did".into())
            }
        }
    }
}
