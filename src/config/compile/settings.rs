//! What is fixed when the program starts.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::thread::available_parallelism;

use crate::config::file::File;
use crate::config::problems::{Problem, Problems};
use crate::config::settings::Settings;

use super::redis;

pub(super) fn compile(file: &File, problems: &mut Problems) -> Option<Settings> {
    let server = &file.server;
    let redis = file.limits.redis.as_ref().filter(|keys| !keys.is_off());
    let redis = redis.map(|keys| redis::compile(keys, problems));
    Some(Settings {
        listen: listen(file, problems),
        workers: match server.workers.size() {
            0 => available_parallelism().map_or(1, usize::from),
            number => number,
        },
        max_connections: server.max_connections.size(),
        drain_timeout: *server.drain_timeout,
        watch: *server.watch,
        max_keys: file.limits.max_keys.size(),
        state_file: file.limits.state_file.as_ref().map(|path| path.0.clone()),
        redis: match redis {
            Some(redis) => Some(redis?),
            None => None,
        },
        log_level: *file.log.level,
        log_format: *file.log.format,
        access_log: file.log.access.value.clone(),
    })
}

fn listen(file: &File, problems: &mut Problems) -> Vec<SocketAddr> {
    let mut seen = HashMap::new();
    if file.listen.is_empty() {
        let message = "`listen` takes one address at least";
        problems.add(Problem::at(file.listen.span, message));
    }
    for address in file.listen.iter() {
        // Port 0 is another free port each time.
        if address.port() == 0 {
            continue;
        }
        if let Some(first) = seen.insert(address.value, address.span) {
            let what = format!("`{}`", address.value);
            problems.add(Problem::given_twice(&what, first, address.span));
        }
    }
    file.listen.iter().map(|address| address.value).collect()
}
