//! Tollgate: an API gateway. It says who is calling, keeps anonymous callers out of protected
//! routes, holds every client to its limit, and forwards the rest without touching payloads.
//!
//! Start reading at [`pipeline`]: one function there is the whole request path. `ARCHITECTURE.md`
//! has the map; modules know only those further down this list.

// They panic when nobody reads them any more.
#![warn(clippy::print_stdout, clippy::print_stderr)]

/// The version, and the commit that it was built from if that is known.
pub const VERSION: &str = env!("TOLLGATE_VERSION");

pub mod app;
pub mod cli;
pub mod import;

pub mod admin;

pub mod config;
pub mod server;

pub mod pipeline;

pub mod acme;
pub mod client;
pub mod route;

pub mod limit;
pub mod upstream;

pub mod breaker;
mod grpc;
mod lock;
pub mod logging;
mod memory;
pub mod message;
pub mod metrics;
mod protobuf;
mod redacted;
pub mod request_id;
mod seldom;
pub mod shortage;
pub mod tls;
pub mod traces;
pub mod wire;
pub mod words;
