//! From what the user wrote to what the program runs on. Whether a value is right by itself was
//! decided when it was read; here is checked what only shows when values are seen together: names
//! that lead nowhere, things given twice, what does not fit together.

mod access;
mod acme;
mod action;
mod admin;
mod client_auth;
mod client_tls;
mod cors;
mod endpoints;
mod fields;
mod health;
mod limits;
mod listen;
mod pem;
mod redis;
mod routes;
mod tls;
mod traces;
mod upstream_tls;
mod upstreams;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::thread::available_parallelism;

use jiff::Timestamp;

use crate::config::Served;
use crate::config::file::{File, LogKeys};
use crate::config::keys::Number;
use crate::config::problems::Problems;
use crate::config::settings::Settings;
use crate::limit::RedisTarget;
use crate::logging::{Lines, Members, Sample};
use crate::pipeline::snapshot::{Access, Snapshot};
use crate::wire::head::HeadLimits;

use upstreams::Upstreams;

/// Compiles a file. If anything goes to `problems`, the result is not to be used.
/// `running` is what a reload would replace.
pub(super) fn compile(
    file: &File,
    running: Served<'_>,
    now: Timestamp,
    problems: &mut Problems,
) -> Option<(Settings, Snapshot)> {
    let limits = limits::compile(&file.limits, problems);
    let names = access::names(&file.access, &file.server, problems);
    let clients = access::clients(file, &limits, problems);
    access::check_public(file, problems);
    let cors = cors::Compiler::new(file, problems);
    let mut with = routes::Compiler {
        limits: &limits,
        cors: &cors,
        names: &names,
        allow: access::AllowLists::of(&clients.all),
        upstreams: Upstreams::compile(file, running.upstreams, problems),
    };
    let routes = routes::compile(file, &mut with, problems);
    let (mut allow, upstreams) = (with.allow, with.upstreams.list);
    let settings = settings(file, running, problems);
    let tls = tls::compile(file, running.tls, now, problems);
    let server = &file.server;
    let protected = file.protected(|keys| allow.place(&keys.allow));
    let allow = allow.compiled;
    let snapshot = Snapshot {
        access: Access {
            keys: clients.keys,
            certificates: clients.certificates,
            clients: clients.all,
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
        tls,
        acme: acme::compile(file, problems),
        challenges: Arc::default(),
        traces: traces::compile(file, problems),
        operators: admin::operators(file, problems),
        access_lines: access_lines(&file.log),
    };
    Some((settings?, snapshot))
}

fn access_lines(log: &LogKeys) -> Lines {
    let members = log.fields.values();
    Lines {
        members: if members.is_empty() {
            Members::ALL
        } else {
            members.into_iter().collect()
        },
        sample: Sample::of(log.sample_ok.0),
    }
}

/// Compiles what is fixed when the program starts.
fn settings(file: &File, running: Served<'_>, problems: &mut Problems) -> Option<Settings> {
    let server = &file.server;
    let redis = file.limits.redis.as_ref().filter(|keys| !keys.is_off());
    let shown = running.redis.and_then(RedisTarget::certificate);
    let redis = redis.map(|keys| redis::compile(keys, shown, problems));
    let (admin_listen, metrics_listen) = admin::listen(file, problems);
    Some(Settings {
        listen: listen::compile(file, problems),
        workers: match server.workers.size() {
            0 => available_parallelism().map_or(1, usize::from),
            number => number,
        },
        max_connections: server.max_connections.size(),
        drain_delay: server.drain_delay.0,
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
        admin_listen,
        metrics_listen,
    })
}

fn not_zero<const LEAST: u64, const MOST: u64>(number: Number<LEAST, MOST>) -> Option<NonZeroU32> {
    u32::try_from(number.0).ok().and_then(NonZeroU32::new)
}
