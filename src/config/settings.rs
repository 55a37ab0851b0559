//! What is fixed when the program starts; everything else is in the snapshot.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::limit::RedisSettings;

/// The compiled configuration, as far as only a restart can change it.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: Vec<SocketAddr>,
    /// At least one; already resolved from "one per available core".
    pub workers: usize,
    pub max_connections: usize,
    pub drain_timeout: Duration,
    /// Reload by itself when a file has changed and stayed the same for a second.
    pub watch: bool,
    /// How many counters the in-process store may hold.
    pub max_keys: usize,
    /// Absent: counters live in this process.
    pub redis: Option<RedisSettings>,
    pub log_level: tracing::Level,
    pub log_format: LogFormat,
    pub access_log: AccessLog,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    #[default]
    Auto,
    Json,
    Pretty,
}

/// Where access lines go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AccessLog {
    #[default]
    Stdout,
    Off,
    File(PathBuf),
}
