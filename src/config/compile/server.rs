//! Listeners, connections and logs.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use ipnet::IpNet;

use crate::config::file::{File, LimitsTable, LogTable, ServerTable};
use crate::config::kinds::Size;
use crate::config::problems::{Problem, Problems};
use crate::config::settings::{AccessLog, LogFormat, Settings};
use crate::config::source::Span;
use crate::wire::head::HeadLimits;

use super::{or, redis};

const KIB: u64 = 1024;
/// How many bytes a head may be allowed to have.
const HEAD: RangeInclusive<u64> = KIB..=16 * KIB * KIB;

/// Compiles what is fixed when the program starts.
pub(super) fn settings(file: &File, folder: &Path, problems: &mut Problems) -> Option<Settings> {
    let server = &file.server;
    let redis = file
        .limits
        .redis
        .as_ref()
        .map(|table| redis::compile(table, problems));
    let workers = match or(server.workers, 0) {
        0 => available_parallelism().map_or(1, usize::from),
        number => size(number),
    };
    Some(Settings {
        listen: listen(file, problems),
        workers,
        max_connections: size(or(server.max_connections, 10_000)),
        drain_timeout: or(server.drain_timeout, Duration::from_secs(30)),
        watch: or(server.watch, false),
        max_keys: size(or(file.limits.max_keys, 1_000_000)),
        state_file: state_file(&file.limits, folder),
        redis: match redis {
            Some(redis) => Some(redis?),
            None => None,
        },
        log_level: or(file.log.level, tracing::Level::INFO),
        log_format: or(file.log.format, LogFormat::default()),
        access_log: access_log(&file.log, folder),
    })
}

fn listen(file: &File, problems: &mut Problems) -> Vec<SocketAddr> {
    let Some(listen) = &file.listen else {
        return vec![SocketAddr::from(([0, 0, 0, 0], 3000))];
    };
    let mut seen: HashMap<SocketAddr, Span> = HashMap::new();
    for address in &listen.value {
        // Port 0 is another free port each time.
        if address.value.port() == 0 {
            continue;
        }
        if let Some(first) = seen.insert(address.value, address.span) {
            let message = format!("`{}` is given twice", address.value);
            let problem = Problem::at(address.span, message).label("given again here");
            problems.add(problem.also(first, "first given here"));
        }
    }
    if listen.value.is_empty() {
        let problem = Problem::at(listen.span, "`listen` has no address");
        problems.add(problem.label("give it one at least"));
    }
    listen.value.iter().map(|address| address.value).collect()
}

fn state_file(limits: &LimitsTable, folder: &Path) -> Option<PathBuf> {
    let path = limits.state_file.as_ref()?;
    Some(folder.join(&path.value))
}

fn access_log(log: &LogTable, folder: &Path) -> AccessLog {
    match &log.access {
        None => AccessLog::Stdout,
        Some(path) if path.value == Path::new("stdout") => AccessLog::Stdout,
        Some(path) if path.value == Path::new("off") => AccessLog::Off,
        Some(path) => AccessLog::File(folder.join(&path.value)),
    }
}

/// Compiles how large a head may be.
pub(super) fn head_limits(server: &ServerTable, problems: &mut Problems) -> HeadLimits {
    let max_bytes = or(server.max_head, Size(64 * KIB)).0;
    if let Some(max_head) = server.max_head.filter(|_| !HEAD.contains(&max_bytes)) {
        let message = "`server.max_head` takes a size from \"1KiB\" to \"16MiB\"";
        problems.add(Problem::at(max_head.span, message));
    }
    HeadLimits {
        max_bytes: size(max_bytes),
        max_fields: size(or(server.max_headers, 100)),
    }
}

/// Compiles how long a request's head may take.
pub(super) fn header_timeout(server: &ServerTable) -> Duration {
    or(server.header_timeout, Duration::from_secs(10))
}

/// Compiles how long a client's connection may rest.
pub(super) fn idle_timeout(server: &ServerTable) -> Duration {
    or(server.idle_timeout, Duration::from_secs(75))
}

/// Compiles the networks whose `X-Forwarded-For` is believed.
pub(super) fn trusted_proxies(server: &ServerTable) -> Vec<IpNet> {
    server.trusted_proxies.iter().map(|net| net.value).collect()
}

/// Numbers of the configuration have bounds that fit any machine's word.
pub(super) fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
