//! The store in Redis: one script call decides and counts a request under all its limits, on Redis'
//! own clock, so that any number of gateways share them exactly. Here is only what a call is and
//! where it goes; when one is made is in `redis_limiter`, and what happens without Redis in `outage`.

mod call;
mod cluster;
mod connection;
mod dial;
mod heartbeat;
mod link;
mod seeds;
mod sentinel;
mod split;
mod target;
mod tls;
mod url;

pub(super) use call::{Permits, Reply, Scripts};
pub(super) use connection::Connection;
pub(super) use dial::Driver;
pub(super) use heartbeat::{FleetSize, Heartbeat, heartbeat};
pub(super) use link::Link;

pub use target::{InvalidRedisTarget, RedisTarget, RedisTopology};
pub use tls::{InvalidTls, RedisTls};
pub use url::{InvalidRedisUrl, RedisUrl};

use std::io;
use std::time::Duration;

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

/// The longest that a new connection may take, name look-up and login included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

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
    fn unexpected() -> Self {
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
