//! Rate limits: how much a subject may ask for in a window, and the stores that count it.

mod policy;

pub use policy::{InvalidLimit, Limit, Policy};

use std::net::IpAddr;
use std::time::Duration;

use crate::client::ClientName;

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An identified client, all its keys together.
    Client(ClientName),
    /// An anonymous caller's address, already cut to the prefix that counts as one caller.
    Address(IpAddr),
}

/// What a store says of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub admitted: bool,
    /// What is left in the window after this request.
    pub remaining: u64,
    /// Until the window ends.
    pub reset: Duration,
}

/// What becomes of requests while Redis does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Count in this process.
    #[default]
    Local,
    /// Admit without counting.
    Open,
    /// Refuse with 503.
    Closed,
}

/// Where and how to reach Redis. The URL is a secret: it may hold a password.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    pub url: secrecy::SecretString,
    pub on_failure: OnFailure,
    /// The longest that a request waits for Redis.
    pub deadline: Duration,
    pub key_prefix: String,
}
