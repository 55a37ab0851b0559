//! What is fixed when the program starts; everything else is in the snapshot.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

use crate::limit::RedisSettings;
use crate::server::ListenAddress;
use crate::words::words;

/// The compiled configuration, as far as only a restart can change it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where clients connect; never empty.
    pub listen: Vec<ListenAddress>,
    /// At least one; already resolved from "one per available core".
    pub workers: usize,
    /// Beyond it idle connections give way, and new ones wait in the kernel's backlog.
    pub max_connections: usize,
    /// How long all goes on but readiness once the gateway has been told to stop.
    pub drain_delay: Duration,
    /// How long requests in flight may take once the gateway has been told to stop.
    pub drain_timeout: Duration,
    /// Reload by itself when a file has changed and stayed the same for a second.
    pub watch: bool,
    /// How many counters the in-process store may hold.
    pub max_keys: usize,
    /// Where that store's counters outlive a restart, if they do.
    pub state_file: Option<PathBuf>,
    /// Absent: counters live in this process.
    pub redis: Option<RedisSettings>,
    /// The least severe lines that the operator's log has.
    pub log_level: tracing::Level,
    /// How lines of both logs look.
    pub log_format: LogFormat,
    /// Where access lines go.
    pub access_log: AccessLog,
    /// Where the operator's own port listens.
    pub admin_listen: AdminListen,
    /// Where metrics and health are besides.
    pub metrics_listen: AdminListen,
}

words! {
    /// How log lines look.
    #[derive(Default)]
    pub enum LogFormat {
        /// Pretty on a terminal, JSON elsewhere.
        #[default]
        Auto = "auto",
        /// One object a line.
        Json = "json",
        /// For people.
        Pretty = "pretty",
    }
}

/// Where access lines go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AccessLog {
    /// To standard output.
    #[default]
    Stdout,
    /// Nowhere.
    Off,
    /// To a file, which is opened anew on SIGUSR1.
    File(PathBuf),
}

/// Where the operator's own port listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminListen {
    /// Nowhere.
    Off,
    /// At an address; port 0 is any free one.
    Tcp(SocketAddr),
    /// At a path, which is absolute.
    Unix(PathBuf),
}

impl AdminListen {
    /// Whether other machines can connect.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Tcp(address) if !address.ip().to_canonical().is_loopback())
    }

    /// Reached from this machine alone.
    pub const DEFAULT: Self =
        Self::Tcp(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9000)));
}

/// As the configuration has it.
impl fmt::Display for AdminListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
