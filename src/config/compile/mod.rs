//! From what the user wrote to what the program runs on. Whether a value is right by itself was
//! decided when it was read; here is checked what only shows when values are seen together: names
//! that lead nowhere, things given twice, what does not fit together.

mod access;
mod action;
mod allow;
mod cors;
mod fields;
mod limits;
mod redis;
mod routes;
mod settings;
mod upstreams;

use std::num::NonZeroU32;

use crate::config::file::File;
use crate::config::problems::Problems;
use crate::config::settings::Settings;
use crate::pipeline::snapshot::{Access, Snapshot};
use crate::wire::head::HeadLimits;

/// Compiles a file. If anything goes to `problems`, the result is not to be used.
pub(super) fn compile(file: &File, problems: &mut Problems) -> Option<(Settings, Snapshot)> {
    let limits = limits::compile(&file.limits, problems);
    let names = access::names(&file.access, &file.server, problems);
    let (keys, clients) = access::clients(file, &limits, problems);
    let mut allow = allow::Lists::of(&clients);
    access::check_public(file, problems);
    let cors = cors::Compiler::new(file, problems);
    let fields = fields::Compiler { names: &names };
    let (routes, upstreams) = routes::compile(file, &limits, &cors, &fields, &mut allow, problems);
    let settings = settings::compile(file, problems);
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
        trusted_proxies: server.trusted_proxies.iter().map(|net| **net).collect(),
        head_limits: HeadLimits {
            max_bytes: usize::try_from(server.max_head.0).unwrap_or(usize::MAX),
            max_fields: server.max_headers.size(),
        },
        header_timeout: *server.header_timeout,
        idle_timeout: *server.idle_timeout,
        min_body_rate: u32::try_from(server.min_body_rate.0)
            .ok()
            .and_then(NonZeroU32::new),
    };
    Some((settings?, snapshot))
}
