//! `[server]`, `[admin]` and `[log]`.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::config::kinds::{Size, word};
use crate::config::problems::Problems;
use crate::config::reader::{Read, Table, Wrong};
use crate::config::settings::LogFormat;
use crate::config::source::At;
use crate::config::tree::Value;
use crate::message::forward::OddFieldNames;
use crate::wire::head::MOST_FIELDS;

/// The most workers; no machine has more cores.
const MOST_WORKERS: u64 = 1024;

/// How connections are served.
#[derive(Default)]
pub(in crate::config) struct ServerTable {
    pub workers: Option<At<u64>>,
    pub trusted_proxies: Vec<At<IpNet>>,
    pub request_id_header: Option<At<String>>,
    pub odd_field_names: Option<At<OddFieldNames>>,
    pub max_connections: Option<At<u64>>,
    pub max_head: Option<At<Size>>,
    pub max_headers: Option<At<u64>>,
    pub header_timeout: Option<At<Duration>>,
    pub idle_timeout: Option<At<Duration>>,
    pub drain_timeout: Option<At<Duration>>,
    pub watch: Option<At<bool>>,
}

/// The operator's own port.
#[derive(Default)]
pub(in crate::config) struct AdminTable {
    pub listen: Option<At<String>>,
}

/// What is logged, and where to.
#[derive(Default)]
pub(in crate::config) struct LogTable {
    pub level: Option<At<tracing::Level>>,
    pub format: Option<At<LogFormat>>,
    /// A path, or one of the words that stand for none.
    pub access: Option<At<PathBuf>>,
}

impl ServerTable {
    pub(super) fn read(table: Option<Table>, problems: &mut Problems) -> Self {
        let Some(mut table) = table else {
            return Self::default();
        };
        let server = Self {
            workers: table.number("workers", 0..=MOST_WORKERS, problems),
            trusted_proxies: table.list("trusted_proxies", problems),
            request_id_header: table.read("request_id_header", problems),
            odd_field_names: table.read("odd_field_names", problems),
            max_connections: table.number("max_connections", 1..=10_000_000, problems),
            max_head: table.read("max_head", problems),
            max_headers: table.number("max_headers", 1..=MOST_FIELDS as u64, problems),
            header_timeout: table.read("header_timeout", problems),
            idle_timeout: table.read("idle_timeout", problems),
            drain_timeout: table.read("drain_timeout", problems),
            watch: table.read("watch", problems),
        };
        table.finish(problems);
        server
    }
}

impl AdminTable {
    pub(super) fn read(table: Option<Table>, problems: &mut Problems) -> Self {
        let Some(mut table) = table else {
            return Self::default();
        };
        let admin = Self {
            listen: table.read("listen", problems),
        };
        table.finish(problems);
        admin
    }
}

impl LogTable {
    pub(super) fn read(table: Option<Table>, problems: &mut Problems) -> Self {
        let Some(mut table) = table else {
            return Self::default();
        };
        let log = Self {
            level: table.read("level", problems),
            format: table.read("format", problems),
            access: table.read("access", problems),
        };
        table.finish(problems);
        log
    }
}

impl Read for OddFieldNames {
    const WHAT: &'static str = "\"drop\" or \"pass\"";

    fn read(value: &Value) -> Result<Self, Wrong> {
        word(value, &[("drop", Self::Drop), ("pass", Self::Pass)])
    }
}

impl Read for LogFormat {
    const WHAT: &'static str = "\"auto\", \"json\" or \"pretty\"";

    fn read(value: &Value) -> Result<Self, Wrong> {
        word(
            value,
            &[
                ("auto", Self::Auto),
                ("json", Self::Json),
                ("pretty", Self::Pretty),
            ],
        )
    }
}
