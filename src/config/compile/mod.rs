//! From what the user wrote to what the program runs on. Whether a value is right by itself was
//! decided when it was read; here is checked what only shows when values are seen together: names
//! that lead nowhere, things given twice, what does not fit together.

mod access;
mod action;
mod cors;
mod endpoints;
mod fields;
mod limits;
mod redis;
mod routes;
mod upstreams;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::thread::available_parallelism;

use crate::config::file::File;
use crate::config::keys::Number;
use crate::config::problems::{Problem, Problems};
use crate::config::settings::Settings;
use crate::pipeline::snapshot::{Access, Snapshot};
use crate::wire::head::HeadLimits;

use upstreams::Upstreams;

/// Compiles a file. If anything goes to `problems`, the result is not to be used.
pub(super) fn compile(file: &File, problems: &mut Problems) -> Option<(Settings, Snapshot)> {
    let limits = limits::compile(&file.limits, problems);
    let names = access::names(&file.access, &file.server, problems);
    let (keys, clients) = access::clients(file, &limits, problems);
    access::check_public(file, problems);
    let cors = cors::Compiler::new(file, problems);
    let mut with = routes::Compiler {
        limits: &limits,
        cors: &cors,
        names: &names,
        allow: access::AllowLists::of(&clients),
        upstreams: Upstreams::compile(file, problems),
    };
    let routes = routes::compile(file, &mut with, problems);
    let (mut allow, upstreams) = (with.allow, with.upstreams.list);
    let settings = settings(file, problems);
    let server = &file.server;
    let protected = file.protected(|keys| allow.place(&keys.allow));
    let allow = allow.into_lists();
    let snapshot = Snapshot {
        access: Access {
            keys,
            clients,
            addresses: access::addresses(&file.access.ip_allow, &file.access.ip_deny),
            protected,
            allow,
            names,
            cors: cors.of_all(),
        },
        limits: limits.limits,
        routes,
        upstreams,
        trusted_proxies: server.trusted_proxies.values(),
        head_limits: HeadLimits {
            max_bytes: usize::try_from(server.max_head.0).unwrap_or(usize::MAX),
            max_fields: server.max_headers.size(),
        },
        header_timeout: *server.header_timeout,
        idle_timeout: *server.idle_timeout,
        max_connections_per_ip: server.max_connections_per_ip.0.and_then(not_zero),
        min_body_rate: not_zero(*server.min_body_rate),
    };
    Some((settings?, snapshot))
}

/// Compiles what is fixed when the program starts.
fn settings(file: &File, problems: &mut Problems) -> Option<Settings> {
    let server = &file.server;
    let redis = file.limits.redis.as_ref().filter(|keys| !keys.is_off());
    let redis = redis.map(|keys| redis::compile(keys, problems));
    Some(Settings {
        listen: listen(file, problems),
        announced: announced(file, problems),
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
    for address in file.listen.iter().map(|keys| &keys.address) {
        // Port 0 is another free port each time.
        if address.port() == 0 {
            continue;
        }
        if let Some(first) = seen.insert(address.value, address.span) {
            let what = format!("`{}`", address.value);
            problems.add(Problem::given_twice(&what, first, address.span));
        }
    }
    file.listen.iter().map(|keys| *keys.address).collect()
}

/// Where connections begin with who makes them.
fn announced(file: &File, problems: &mut Problems) -> Vec<SocketAddr> {
    let announced = file.listen.iter().filter(|keys| *keys.proxy_protocol);
    if let Some(keys) = announced.clone().next()
        && file.server.trusted_proxies.is_empty()
    {
        let message = "`proxy_protocol` is for trusted proxies, and there are none";
        let help = "name those that connect here in `server.trusted_proxies`";
        problems.add(Problem::at(keys.proxy_protocol.span, message).help(help));
    }
    announced.map(|keys| *keys.address).collect()
}

fn not_zero<const LEAST: u64, const MOST: u64>(number: Number<LEAST, MOST>) -> Option<NonZeroU32> {
    u32::try_from(number.0).ok().and_then(NonZeroU32::new)
}
