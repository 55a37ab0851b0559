//! Upstreams, limits, and all single values.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use crate::config::settings::Settings;
use crate::limit::Policy;
use crate::pipeline::snapshot::Snapshot;
use crate::upstream::Upstream;

use super::Changes;
use super::routes;

/// Notes what holds from now on.
pub(super) fn snapshots(old: &Snapshot, new: &Snapshot, changes: &mut Changes) {
    routes::compare(old, new, changes);
    upstreams(&old.upstreams, &new.upstreams, changes);
    limits(old, new, changes);

    let (then, now) = (&old.access.names, &new.access.names);
    value(
        "access.api_key_header",
        &then.api_key,
        &now.api_key,
        changes,
    );
    value("access.client_header", &then.client, &now.client, changes);
    let forwarded = (then.forward_api_key, now.forward_api_key);
    value(
        "access.forward_api_key",
        &forwarded.0,
        &forwarded.1,
        changes,
    );
    value(
        "server.request_id_header",
        &then.request_id,
        &now.request_id,
        changes,
    );
    value("server.odd_field_names", &then.odd, &now.odd, changes);
    let (then, now) = (&old.limits, &new.limits);
    value("limits.headers", &then.headers, &now.headers, changes);
    value(
        "limits.ipv6_prefix",
        &then.ipv6_prefix,
        &now.ipv6_prefix,
        changes,
    );
    let (then, now) = (&old.trusted_proxies, &new.trusted_proxies);
    value("server.trusted_proxies", then, now, changes);
    let (then, now) = (&old.head_limits, &new.head_limits);
    value("server.max_head", &then.max_bytes, &now.max_bytes, changes);
    value(
        "server.max_headers",
        &then.max_fields,
        &now.max_fields,
        changes,
    );
    value(
        "server.header_timeout",
        &old.header_timeout,
        &new.header_timeout,
        changes,
    );
    value(
        "server.idle_timeout",
        &old.idle_timeout,
        &new.idle_timeout,
        changes,
    );
}

fn value<T: PartialEq + Debug>(key: &str, then: &T, now: &T, changes: &mut Changes) {
    if then != now {
        changes.add(format!("`{key}` is {now:?} instead of {then:?}"));
    }
}

fn upstreams(old: &[Arc<Upstream>], new: &[Arc<Upstream>], changes: &mut Changes) {
    for now in new {
        let Some(then) = old.iter().find(|then| then.name == now.name) else {
            continue;
        };
        let (before, after) = (then.to_string(), now.to_string());
        if before != after {
            let name = &now.name;
            changes.add(format!(
                "the upstream `{name}` is {after} instead of {before}"
            ));
        }
        let key = |key| format!("upstreams.{}.{key}", now.name);
        let (before, after) = (&then.connect_timeout, &now.connect_timeout);
        value(&key("connect_timeout"), before, after, changes);
        let (before, after) = (&then.idle_timeout, &now.idle_timeout);
        value(&key("idle_timeout"), before, after, changes);
        value(&key("keep"), &then.max_idle, &now.max_idle, changes);
    }
}

fn limits(old: &Snapshot, new: &Snapshot, changes: &mut Changes) {
    let (then, now) = (policies(old), policies(new));
    let mut names: Vec<&str> = then.keys().chain(now.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let (then, now) = (then.get(name), now.get(name));
        if then != now {
            changes.add(format!(
                "the limit `{name}` is {} instead of {}",
                shown(now),
                shown(then)
            ));
        }
    }
    let policy = |policy: Option<&Arc<Policy>>| {
        policy.map_or("no limit".to_owned(), |policy| {
            format!("the limit `{}`", policy.name)
        })
    };
    for client in &new.access.clients {
        let before = &old.access.clients;
        let found =
            before.binary_search_by(|before| before.name.as_str().cmp(client.name.as_str()));
        if let Some(before) = found.ok().and_then(|index| before.get(index)) {
            let (then, now) = (
                policy(before.policy.as_ref()),
                policy(client.policy.as_ref()),
            );
            if then != now {
                let name = client.name.as_str();
                changes.add(format!("the client `{name}` has {now} instead of {then}"));
            }
        }
    }
}

/// All limits by name.
fn policies(snapshot: &Snapshot) -> BTreeMap<&str, &Policy> {
    let limits = &snapshot.limits;
    let of_clients = snapshot.access.clients.iter().map(|client| &client.policy);
    let routes = snapshot.routes.routes().iter();
    let of_routes = routes.flat_map(|route| &route.limits);
    [&limits.anonymous, &limits.identified]
        .into_iter()
        .chain(of_clients)
        .flatten()
        .chain(of_routes)
        .map(|policy| (&*policy.name, &**policy))
        .collect()
}

fn shown(policy: Option<&&Policy>) -> String {
    policy.map_or("none".to_owned(), ToString::to_string)
}

/// Notes what does not hold before the next start.
pub(super) fn settings(old: &Settings, new: &Settings, changes: &mut Changes) {
    let differing = [
        ("listen", old.listen != new.listen),
        ("server.workers", old.workers != new.workers),
        (
            "server.max_connections",
            old.max_connections != new.max_connections,
        ),
        (
            "server.drain_timeout",
            old.drain_timeout != new.drain_timeout,
        ),
        ("server.watch", old.watch != new.watch),
        ("limits.max_keys", old.max_keys != new.max_keys),
        ("limits.state_file", old.state_file != new.state_file),
        ("limits.redis", old.redis != new.redis),
        ("log.level", old.log_level != new.log_level),
        ("log.format", old.log_format != new.log_format),
        ("log.access", old.access_log != new.access_log),
    ];
    for (key, _) in differing.iter().filter(|(_, differs)| *differs) {
        changes.add(format!("`{key}` has changed, which takes a restart"));
    }
}
