//! From what the user wrote to what the program runs on. Each module of the gateway makes its own
//! types and says what is wrong with a value; here that is brought to the value's place, and what
//! only shows when values are seen together is checked: names that lead nowhere, keys given twice.

mod access;
mod limits;
mod redis;
mod routes;
mod server;

use std::path::Path;

use crate::message::bytes::is_safe_name;
use crate::pipeline::snapshot::Snapshot;

use super::file::File;
use super::problems::{Problem, Problems};
use super::settings::Settings;
use super::source::At;

/// Compiles a file. `folder` is where its relative paths start. What is wrong goes to `problems`;
/// if anything is, the result is not to be used.
pub(super) fn compile(
    file: &File,
    folder: &Path,
    problems: &mut Problems,
) -> Option<(Settings, Snapshot)> {
    let limits = limits::compile(&file.limits, problems);
    let names = access::names(&file.access, &file.server, problems);
    let protected = access::protected(&file.access, problems);
    let (keys, clients) = access::clients(&file.clients, &limits, problems);
    let (routes, upstreams) = routes::compile(&file.routes, &file.upstreams, &limits, problems);
    let head_limits = server::head_limits(&file.server, problems);
    let settings = server::settings(file, folder, problems);
    let snapshot = Snapshot {
        access: crate::pipeline::snapshot::Access {
            keys,
            clients,
            protected,
            names: names?,
        },
        limits: limits.limits,
        routes,
        upstreams,
        trusted_proxies: server::trusted_proxies(&file.server),
        head_limits,
        header_timeout: server::header_timeout(&file.server),
        idle_timeout: server::idle_timeout(&file.server),
    };
    Some((settings?, snapshot))
}

/// A written value, or what holds without one.
fn or<T: Copy>(written: Option<At<T>>, default: T) -> T {
    written.map_or(default, |at| at.value)
}

/// Checks a name that the user chose: it may come to stand in a header field, a log line and the
/// key of a counter.
fn check_name(what: &str, name: &At<String>, problems: &mut Problems) -> bool {
    let good = is_safe_name(name.value.as_bytes());
    if !good {
        let message = format!("`{}` is no name for {what}", name.value);
        let label = "a name has 1 to 128 characters of A-Z a-z 0-9 . _ -";
        problems.add(Problem::at(name.span, message).label(label));
    }
    good
}
