//! How much: `rate-limiting` of routes and services as policies, of consumers as tiers, and the Redis
//! that counts.

use serde_json::Value;

use super::plugins::{Plugin, place};
use super::{number, text};
use crate::import::draft::{Draft, Limit, Pair, quoted};
use crate::import::{Notes, free_name};

const WINDOWS: [(&str, &str); 6] = [
    ("second", "1s"),
    ("minute", "1m"),
    ("hour", "1h"),
    ("day", "1d"),
    ("month", "30d"),
    ("year", "365d"),
];

/// The names of the policies that `rate-limiting` becomes. One plugin of a service or of all is one
/// counter for all of its routes, there as here.
pub(super) fn policies(plugin: &Plugin<'_>, draft: &mut Draft, notes: &mut Notes) -> Vec<String> {
    let place = place(plugin);
    let by = match text(plugin.config, "limit_by").unwrap_or("consumer") {
        "consumer" => "client",
        "credential" => {
            let what = "`limit_by: credential`: a client is counted by all of its keys together";
            notes.differs(&place, what);
            "client"
        }
        "ip" => "ip",
        "service" if !plugin.owner.is_empty() => {
            notes.differs(
                &place,
                "each route counts by itself, not all of a service together",
            );
            "route"
        }
        other => {
            notes.left_out(&place, format!("a limit by `{other}`"));
            return Vec::new();
        }
    };
    redis(plugin.config, &place, draft, notes);
    let owner = if plugin.owner.is_empty() {
        "all"
    } else {
        plugin.owner
    };
    let of = plugin.address();
    let mut names = Vec::new();
    for (window, mut pairs) in windows(plugin.config) {
        pairs.push(("by", quoted(by)));
        let mut own = draft.policies.iter();
        if let Some(policy) = own.find(|policy| policy.of == of && policy.pairs == pairs) {
            names.push(policy.name.clone());
            continue;
        }
        let name = limit_name(owner, window, draft);
        names.push(name.clone());
        draft.policies.push(Limit {
            name,
            pairs,
            of,
            is_dropped: false,
        });
    }
    names
}

/// A name that no other tier or policy has.
fn limit_name(owner: &str, window: &str, draft: &Draft) -> String {
    free_name(&format!("{owner}-{window}"), |name| {
        let mut limits = draft.tiers.iter().chain(&draft.policies);
        limits.any(|limit| limit.name == name)
    })
}

/// The tier that a consumer's own `rate-limiting` becomes.
pub(super) fn tier(
    plugins: &[Plugin<'_>],
    client: &str,
    place: &str,
    draft: &mut Draft,
    notes: &mut Notes,
) -> Option<String> {
    let mut tier = None;
    for plugin in plugins {
        if plugin.name != "rate-limiting" {
            notes.left_out(
                place,
                format!("the plugin `{}` of one consumer", plugin.name),
            );
            continue;
        }
        redis(plugin.config, place, draft, notes);
        for (window, pairs) in windows(plugin.config) {
            if tier.is_some() {
                notes.left_out(
                    place,
                    format!("its limit by the {window}: a tier has one window"),
                );
                continue;
            }
            notes.differs(
                place,
                "its limit holds beside those of routes, not instead of them",
            );
            let name = limit_name(client, window, draft);
            draft.tiers.push(Limit {
                name: name.clone(),
                pairs,
                of: plugin.address(),
                is_dropped: false,
            });
            tier = Some(name);
        }
    }
    tier
}

fn windows(config: &Value) -> Vec<(&'static str, Vec<Pair>)> {
    let written = WINDOWS.iter().filter_map(|(window, per)| {
        let requests = number(config, window).filter(|number| *number > 0)?;
        let pairs = vec![("requests", requests.to_string()), ("per", quoted(per))];
        Some((*window, pairs))
    });
    written.collect()
}

/// Takes over where counters live, from the first plugin that says so.
fn redis(config: &Value, place: &str, draft: &mut Draft, notes: &mut Notes) {
    match text(config, "policy").unwrap_or("local") {
        "redis" => {}
        "local" => return,
        other => {
            notes.left_out(
                place,
                format!("counters by `policy: {other}`; use `[limits.redis]`"),
            );
            return;
        }
    }
    let table = config.get("redis").unwrap_or(&Value::Null);
    let old = |key: &str| format!("redis_{key}");
    let setting = |key: &str| text(table, key).or_else(|| text(config, &old(key)));
    let Some(host) = setting("host") else {
        notes.left_out(place, "`policy: redis` without a host");
        return;
    };
    let count = |key: &str| number(table, key).or_else(|| number(config, &old(key)));
    let port = count("port").unwrap_or(6379);
    let database = count("database").filter(|number| *number > 0);
    let database = database.map_or_else(String::new, |number| format!("/{number}"));
    // Neither is written down: the file is for everybody who may see it.
    let user = match (setting("username"), setting("password")) {
        (_, None) => String::new(),
        (user, Some(_)) => {
            notes.differs(
                "Redis",
                "the password is not written down; set REDIS_PASSWORD in the gateway's environment",
            );
            format!("{}:${{REDIS_PASSWORD:-}}@", user.unwrap_or_default())
        }
    };
    let tls = table
        .get("ssl")
        .or_else(|| config.get("redis_ssl"))
        .and_then(Value::as_bool);
    let scheme = if tls == Some(true) { "rediss" } else { "redis" };
    let verifies = table
        .get("ssl_verify")
        .or_else(|| config.get("redis_ssl_verify"));
    if tls == Some(true) && verifies != Some(&Value::Bool(true)) {
        let what = "its certificate is verified now, which Kong does with `ssl_verify` alone";
        notes.differs("Redis", what);
    }
    let url = format!("\"{scheme}://{user}{host}:{port}{database}\"");
    match draft.redis.first() {
        None => draft.redis.push(("url", url)),
        Some((_, taken)) if *taken == url => {}
        Some(_) => notes.left_out(place, "another Redis: all limits share one"),
    }
}
