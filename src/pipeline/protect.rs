//! Stage 2: protected prefixes are for identified callers.

use crate::message::path::RequestPath;
use crate::route::ProtectedPrefixes;

use super::identify::Caller;
use super::rejection::Rejection;

/// A caller that may come to this path. Only this stage makes one.
#[derive(Debug)]
pub struct Admitted<'s> {
    caller: Caller<'s>,
}

impl<'s> Admitted<'s> {
    /// Who is calling.
    #[must_use]
    pub fn caller(&self) -> Caller<'s> {
        self.caller
    }
}

/// Lets a caller in, unless it is anonymous and the path protected.
pub fn protect<'s>(
    protected: &ProtectedPrefixes,
    path: &RequestPath<'_>,
    caller: Caller<'s>,
) -> Result<Admitted<'s>, Rejection> {
    match caller {
        Caller::Anonymous(_) if protected.protects(path).is_some() => {
            Err(Rejection::ApiKeyRequired)
        }
        caller => Ok(Admitted { caller }),
    }
}
