//! Why a call to Redis brought no decision.

use std::io;

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why a call brought no decision. The text is for the operator and holds no password.
#[derive(Debug, thiserror::Error)]
pub(in crate::limit) enum CallError {
    #[error("it cannot be reached: {0}")]
    Unreachable(io::Error),
    #[error("the connection has ended")]
    Ended,
    #[error("it does not answer in time")]
    Silent,
    #[error("it does not accept the user or the password")]
    Credentials,
    #[error("it is a replica now and takes no writes")]
    Demoted,
    #[error("the Sentinels name no master of this name")]
    NoMaster,
    #[error("no node of the cluster answers for these keys")]
    NoNode,
    #[error("it answers with an error: {0}")]
    Refused(String),
}

impl CallError {
    /// A reply that the call could not have.
    pub(super) fn unexpected() -> Self {
        Self::Refused("unexpected reply".into())
    }
}

impl From<RedisError> for CallError {
    fn from(error: RedisError) -> Self {
        match (error.kind(), error.code()) {
            (ErrorKind::Io, _) => Self::Ended,
            (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => Self::Demoted,
            (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
                Self::Credentials
            }
            (_, Some(code)) => Self::Refused(format!("{code} {}", error.detail().unwrap_or(""))),
            _ => Self::Refused(error.to_string()),
        }
    }
}
