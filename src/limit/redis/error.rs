//! Why a call to Redis brought no decision.

use std::io;

use ::redis::{ErrorKind, RedisError};

/// Why a call brought no decision. The text is for the operator and holds no password.
#[derive(Debug, thiserror::Error)]
pub(in crate::limit) enum CallError {
    #[error("it cannot be reached: {0}")]
    Unreachable(io::Error),
    #[error("it ends connections without a word ({0}): if it speaks TLS, write `rediss://`")]
    Speechless(io::Error),
    #[error("it does not answer to a TLS handshake: if it speaks no TLS, write `redis://`")]
    NoHandshake,
    #[error("the connection has ended")]
    Ended,
    #[error("it does not answer in time")]
    Silent,
    #[error("it does not accept the user or the password: {0}")]
    Credentials(String),
    #[error("it is a replica and takes no writes (READONLY)")]
    Demoted,
    #[error("it is a node of a cluster, write `mode = \"cluster\"`: {0}")]
    NotSingle(String),
    #[error("the Sentinels name no master of this name")]
    NoMaster,
    #[error("no node of the cluster answers for these keys")]
    NoNode,
    #[error("what answers there is not Redis{0}: is the port right?")]
    NotRedis(String),
    #[error("it answers with an error: {0}")]
    Refused(String),
}

impl CallError {
    /// A reply that the call could not have.
    pub(super) fn unexpected() -> Self {
        Self::Refused("unexpected reply".into())
    }

    /// What Redis does not say when a connection begins. Only that of an HTTP server is told, which has
    /// nothing in it that was sent.
    pub(super) fn not_redis(line: &str) -> Self {
        let status = line.get(..12).filter(|line| line.starts_with("HTTP/"));
        let began = status.map(|status| format!(" (it began with `{status}`)"));
        Self::NotRedis(began.unwrap_or_default())
    }

    /// What Redis has said instead of a reply, beginning with its code.
    pub(super) fn said(error: &str) -> Self {
        let said = error.to_owned();
        match error.split(' ').next() {
            Some("READONLY") => Self::Demoted,
            Some("NOAUTH" | "WRONGPASS") => Self::Credentials(said),
            Some("MOVED" | "CROSSSLOT") => Self::NotSingle(said),
            _ => Self::Refused(said),
        }
    }
}

impl From<RedisError> for CallError {
    fn from(error: RedisError) -> Self {
        match (error.kind(), error.code()) {
            (ErrorKind::Io, _) => Self::Ended,
            (_, Some(code)) => Self::said(&format!("{code} {}", error.detail().unwrap_or(""))),
            _ => Self::Refused(error.to_string()),
        }
    }
}
