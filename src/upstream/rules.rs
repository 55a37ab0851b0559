//! What the configuration says about an upstream: how its endpoints are picked, found out to be
//! broken, and spared. Compiled once; what is learnt of endpoints stands apart and outlives it.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::wire::proxy_protocol::Version;

use super::statuses::Statuses;

/// How one of several endpoints is picked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Balance {
    /// The less loaded of two that are picked by weight.
    #[default]
    LeastRequests,
    /// One after another, by weight.
    RoundRobin,
    /// Always the same for the same text.
    Hash(HashBy),
}

/// What a request is told apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HashBy {
    /// The client's name; for an anonymous caller its address.
    Client,
    /// The caller's address.
    Ip,
    /// The value of a field; where there is none, the caller's address.
    Header(HeaderName),
    /// The value of a cookie; where there is none, the caller's address.
    Cookie(Box<str>),
}

/// When an endpoint's circuit opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerRules {
    /// After so many failures in a row.
    pub failures: u32,
    /// How long it stays open before one request tries again.
    pub cool_down: Duration,
    /// Answers that are failures.
    pub statuses: Statuses,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self {
            failures: 3,
            cool_down: Duration::from_secs(30),
            statuses: Statuses::of(&[502, 503, 504]),
        }
    }
}

/// When a request is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryRules {
    /// How often, beyond the first try.
    pub attempts: u32,
    /// How many retries are allowed for a hundred requests, beside `per_second`.
    pub percent: u32,
    /// How many retries are allowed in a second, however few requests there are.
    pub per_second: u32,
    /// How much of a request's body is kept for another try, in bytes.
    pub body: usize,
    /// Answers that another endpoint may do better than.
    pub statuses: Statuses,
}

impl Default for RetryRules {
    fn default() -> Self {
        Self {
            attempts: 2,
            percent: 20,
            per_second: 10,
            body: 64 * 1024,
            statuses: Statuses::of(&[502, 503, 504]),
        }
    }
}

/// How endpoints are asked whether they are well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthRules {
    /// What they are asked.
    pub call: HealthCall,
    /// The pause between two checks.
    pub interval: Duration,
    /// The longest that a check may take.
    pub timeout: Duration,
    /// Passed checks in a row that bring an endpoint back.
    pub up: u32,
    /// Failed checks in a row that take an endpoint out.
    pub down: u32,
    /// The host that is asked for; `None` is the endpoint's.
    pub host: Option<Box<str>>,
}

/// What a check asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthCall {
    /// A GET of HTTP.
    Http {
        /// What is asked for, behind the endpoint's own base path.
        path: Box<str>,
        /// Answers that pass.
        statuses: Statuses,
    },
    /// The `Check` of gRPC's health protocol.
    Grpc {
        /// The service that is asked about; empty: the server as a whole.
        service: Box<str>,
    },
}

/// How much an upstream may have to do at once, in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapacityRules {
    /// Requests in flight.
    pub max_requests: MaxRequests,
    /// How many more may wait for a place.
    pub max_waiting: usize,
    /// The longest that they wait.
    pub queue_timeout: Duration,
}

/// How many requests may be in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxRequests {
    /// So many.
    Fixed(usize),
    /// As many as do not make answers slower.
    Adaptive,
}

/// All rules of an upstream; `None` is off.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How an endpoint is picked.
    pub balance: Balance,
    /// The longest that connecting may take.
    pub connect_timeout: Duration,
    /// The longest wait for the head of one try's answer.
    pub try_timeout: Option<Duration>,
    /// No byte in either direction; also how long an idle connection is kept.
    pub idle_timeout: Duration,
    /// How many idle connections a worker keeps to each address.
    pub max_idle: usize,
    /// How long a new or recovered endpoint takes to its full share.
    pub slow_start: Option<Duration>,
    /// When a circuit opens.
    pub breaker: Option<BreakerRules>,
    /// When a request is tried again.
    pub retry: Option<RetryRules>,
    /// How endpoints are checked.
    pub health: Option<Arc<HealthRules>>,
    /// How much there may be to do.
    pub capacity: Option<CapacityRules>,
    /// How a connection begins with whose it is.
    pub proxy_protocol: Option<Version>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            balance: Balance::default(),
            connect_timeout: Duration::from_secs(2),
            try_timeout: None,
            idle_timeout: Duration::from_mins(1),
            max_idle: 1024,
            slow_start: None,
            breaker: Some(BreakerRules::default()),
            retry: Some(RetryRules::default()),
            health: None,
            capacity: None,
            proxy_protocol: None,
        }
    }
}
