//! Why the fleet could not be asked or told.

use crate::limit::SharedRedisError;

/// Why the fleet could not be asked or told.
#[derive(Debug, thiserror::Error)]
pub(in crate::acme) enum FleetError {
    #[error(transparent)]
    Redis(#[from] SharedRedisError),
    #[error("another gateway has begun to order, because this one was not heard of in time")]
    Lost,
    #[error("{0} in Redis was stored under another `tls.secret`, or is damaged")]
    Unreadable(String),
}
