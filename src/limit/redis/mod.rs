//! The store in Redis: one script call decides and counts a request under all its limits, on Redis'
//! own clock, so that any number of gateways share them exactly. Here is only what a call is and
//! where it goes; when one is made is in `redis_limiter`, and what happens without Redis in `outage`.

mod call;
mod cluster;
mod connection;
mod deadline;
mod dial;
mod error;
mod heartbeat;
mod link;
mod names;
mod seeds;
mod sentinel;
mod settings;
mod shared;
mod split;
mod target;
mod url;

pub(super) use call::{Permits, Reply, Scripts};
pub(super) use connection::Connection;
pub(super) use deadline::in_time;
pub(super) use dial::Driver;
pub(super) use error::CallError;
pub(super) use heartbeat::{FleetSize, Heartbeat, heartbeat};
pub(super) use link::Link;

pub use settings::{Lease, RedisSettings};
pub use shared::{SharedRedis, SharedRedisError};
pub use target::{InvalidRedisTarget, RedisTarget, RedisTopology};
pub use url::{InvalidRedisUrl, RedisUrl};
