//! The store in Redis: one script call decides and counts a request under all its limits, on Redis'
//! own clock, so that any number of gateways share them exactly. Here is only what a call is; when
//! it may be made, how long it may take and what happens when it fails is in `failure`.

mod call;
mod connection;
mod target;

pub(super) use call::Scripts;
pub(super) use connection::Connection;
pub(super) use target::RedisTarget;

pub use target::{InvalidRedisUrl, check_redis_url};

use std::io;

use ::redis::{ErrorKind, RedisError};

/// Why a call brought no decision. The text is for the operator and holds no password.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("it cannot be reached: {0}")]
    Unreachable(io::Error),
    #[error("the connection has ended")]
    Ended,
    #[error("it does not answer in time")]
    Silent,
    #[error("it does not accept the user or the password")]
    Credentials,
    #[error("it answers with an error: {0}")]
    Refused(String),
}

impl From<RedisError> for CallError {
    fn from(error: RedisError) -> Self {
        match (error.kind(), error.code()) {
            (ErrorKind::Io, _) => Self::Ended,
            (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
                Self::Credentials
            }
            (_, Some(code)) => Self::Refused(format!("{code} {}", error.detail().unwrap_or(""))),
            _ => Self::Refused(error.to_string()),
        }
    }
}
