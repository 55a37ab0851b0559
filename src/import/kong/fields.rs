//! Lists what is set in the file and lost: keys that are not known, and values that are not of the type
//! that Kong takes. What decides who may come in is then left out as a whole: read as absent, such a value
//! would open something.

use std::collections::HashSet;

use serde_json::Value;

use super::known::{
    ACTIVE, CHANGES, CONSUMER, COUNTS, DESCRIBING, GROUP, HEALTHCHECKS, KEY, Known, PASSIVE,
    PLUGIN, PLUGINS, REDIS, ROUTE, SERVICE, TARGET, UPSTREAM,
};
use super::plugins::{Plugin, place};
use super::{address, called, entries, is_placeholder, strings};
use crate::import::{ImportError, Notes};

/// Looks whether the lists at the top of the file are lists of tables.
///
/// # Errors
/// The first that is not: Kong would not read such a file either.
pub(super) fn structure(document: &Value, lists: &[&str], file: &str) -> Result<(), ImportError> {
    for name in lists {
        let Some(value) = document.get(name).filter(|value| !value.is_null()) else {
            continue;
        };
        if !is_list_of_tables(value) {
            let what = format!("`{name}` is {}, not a list of tables", type_of(value));
            return Err(ImportError::unexpected(file, what));
        }
    }
    if entries(document, "plugins").any(is_nameless) {
        let what = "one of `plugins` has no `name`: what it keeps closed would open";
        return Err(ImportError::unexpected(file, what));
    }
    Ok(())
}

/// Notes all that is lost, and returns the addresses of entities that hold a value of another type.
pub(super) fn unknown(
    document: &Value,
    plugins: &[Plugin<'_>],
    notes: &mut Notes,
) -> HashSet<usize> {
    let mut check = Check {
        notes,
        malformed: HashSet::new(),
    };
    let of = |kind: &str, entity: &Value| format!("{kind} {}", called(entity));
    let nested = |list: &'static str, inner: &'static str| {
        entries(document, list).flat_map(move |entity| entries(entity, inner))
    };
    for service in entries(document, "services") {
        check.entity(&SERVICE, service, &of("service", service));
    }
    for route in nested("services", "routes").chain(entries(document, "routes")) {
        check.entity(&ROUTE, route, &of("route", route));
    }
    for upstream in entries(document, "upstreams") {
        check.upstream(upstream, &of("upstream", upstream));
    }
    for target in nested("upstreams", "targets").chain(entries(document, "targets")) {
        check.entity(&TARGET, target, "targets");
    }
    for consumer in entries(document, "consumers") {
        check.entity(&CONSUMER, consumer, &of("consumer", consumer));
    }
    for (list, known) in [("keyauth_credentials", KEY), ("acls", GROUP)] {
        for entry in nested("consumers", list).chain(entries(document, list)) {
            check.entity(&known, entry, list);
        }
    }
    for plugin in plugins {
        check.plugin(plugin);
    }
    check.malformed
}

struct Check<'n> {
    notes: &'n mut Notes,
    malformed: HashSet<usize>,
}

impl Check<'_> {
    fn entity(&mut self, known: &Known, entity: &Value, place: &str) {
        let mut is_good = known.check(entity, place, self.notes);
        if entries(entity, "plugins").any(is_nameless) {
            is_good = false;
            self.notes.left_out(place, "one of `plugins` has no `name`");
        }
        if !is_good {
            self.malformed.insert(address(entity));
        }
    }

    fn upstream(&mut self, upstream: &Value, place: &str) {
        self.entity(&UPSTREAM, upstream, place);
        let part = |value: &'_ Value, key: &str| value.get(key).cloned().unwrap_or_default();
        let checks = part(upstream, "healthchecks");
        HEALTHCHECKS.check(&checks, &format!("{place}: healthchecks"), self.notes);
        for (key, known) in [("active", ACTIVE), ("passive", PASSIVE)] {
            let place = format!("{place}: healthchecks.{key}");
            let checks = part(&checks, key);
            known.check(&checks, &place, self.notes);
            for key in ["healthy", "unhealthy"] {
                let place = format!("{place}.{key}");
                COUNTS.check(&part(&checks, key), &place, self.notes);
            }
        }
    }

    /// A plugin that is taken over; of another one all is lost, which is said by its route.
    fn plugin(&mut self, plugin: &Plugin<'_>) {
        let place = place(plugin);
        let Some((_, known)) = PLUGINS.iter().find(|(name, _)| *name == plugin.name) else {
            return;
        };
        let protocols = strings(plugin.whole, "protocols");
        let has = |protocol: &str| protocols.iter().any(|own| own == protocol);
        let has_both = has("http") && has("https");
        if !protocols.is_empty() && !has_both {
            let what = format!(
                "`protocols: [{}]`: it holds for all requests",
                protocols.join(", ")
            );
            self.notes.differs(&place, what);
        }
        let mut good = PLUGIN.check(plugin.whole, &place, self.notes);
        good &= known.check(plugin.config, &place, self.notes);
        for key in known.tables.split(' ') {
            let known = if key == "redis" { REDIS } else { CHANGES };
            if let Some(table) = plugin.config.get(key) {
                good &= known.check(table, &format!("{place}: {key}"), self.notes);
            }
        }
        if !good {
            self.malformed.insert(plugin.address());
        }
    }
}

impl Known {
    /// Lists the keys of an entity that say something and are not known, and those that hold something of
    /// another type, of which there have to be none. Their values may be secrets.
    fn check(&self, entity: &Value, place: &str, notes: &mut Notes) -> bool {
        let mut is_good = true;
        for (key, value) in entity.as_object().into_iter().flatten() {
            let written = value.to_string();
            let is_default = |(name, default): &(&str, &str)| key == name && written == *default;
            if says_nothing(value)
                || DESCRIBING.contains(&&**key)
                || self.defaults.iter().any(is_default)
            {
                continue;
            }
            if self.takes(key).is_some() && has_placeholder(value) && !key.ends_with("password") {
                is_good = false;
                notes.left_out(place, format!("`{key}` stands for another value (`{{vault://...}}`, `${{{{ ... }}}}`): write that one"));
                continue;
            }
            match self.takes(key) {
                None => notes.left_out(place, format!("`{key}` has no counterpart")),
                Some((_, is_one)) if is_one(value) => {}
                Some((takes, _)) => {
                    is_good = false;
                    let is = type_of(value);
                    notes.left_out(place, format!("`{key}` is {is}, and Kong takes {takes}"));
                }
            }
        }
        is_good
    }

    /// What a key takes, and whether a value is that.
    fn takes(&self, key: &str) -> Option<(&'static str, IsOne)> {
        let all: [(&str, &str, IsOne); 7] = [
            (self.text, "a string", Value::is_string),
            (self.texts, "a list of strings", is_list_of_strings),
            (self.numbers, "a whole number", Value::is_u64),
            (self.flags, "true or false", Value::is_boolean),
            (self.lists, "a list of tables", is_list_of_tables),
            (self.tables, "a table", Value::is_object),
            (self.any, "anything", |_| true),
        ];
        let found = all
            .into_iter()
            .find(|(keys, ..)| keys.split(' ').any(|own| own == key));
        found.map(|(_, takes, is_one)| (takes, is_one))
    }
}

/// Whether a text, or one of a list, stands for another one.
fn has_placeholder(value: &Value) -> bool {
    let texts = value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice);
    texts.iter().filter_map(Value::as_str).any(is_placeholder)
}

/// Whether a value is of a type.
type IsOne = fn(&Value) -> bool;

fn is_nameless(plugin: &Value) -> bool {
    plugin.get("name").and_then(Value::as_str).is_none()
}

fn is_list_of_strings(value: &Value) -> bool {
    let list = value.as_array();
    list.is_some_and(|list| list.iter().all(Value::is_string))
}

fn is_list_of_tables(value: &Value) -> bool {
    let list = value.as_array();
    list.is_some_and(|list| list.iter().all(Value::is_object))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_u64() => "a number",
        Value::Number(_) => "a number that is not whole or negative",
        Value::String(_) => "a string",
        Value::Array(list) if list.iter().all(Value::is_string) => "a list of strings",
        Value::Array(_) => "a list of other values",
        Value::Object(_) => "a table",
    }
}

/// Whether a value is there and empty, as exports write what is not set.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(says_nothing),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::import;

    #[test]
    fn what_is_set_and_lost_is_listed_one_by_one() {
        let imported = import(
            "services:\n- name: s\n  url: http://s.test\n  write_timeout: 1234\n  plugins: [{name: rate-limiting, ordering: {before: {access: [a]}}, config: {minute: 5, error_code: 503, redis: {ssl: false, sentinel_password: hunter2}}}]\n  routes:\n\
             \x20 - {name: r, paths: [/r], path_handling: v1, https_redirect_status_code: 301, plugins: [{name: request-transformer, config: {http_method: POST, add: {headers: ['x-a:1']}}}, {name: ip-restriction, config: {allow: [10.0.0.0/8], status: 404, message: no}}]}\n\
             \x20 - {name: q, paths: [/q], plugins: [{name: key-auth, config: {run_on_preflight: false}}, {name: cors, config: {origins: ['https://a.test'], private_network: true}}]}\n\
             upstreams: [{name: u, use_srv_name: true, healthchecks: {threshold: 50, active: {headers: {x: [y]}}}, targets: [{target: a, cache: 1}]}]\n\
             consumers: [{username: c, jwt_secrets: [{key: k}], keyauth_credentials: [{key: k, scope: x}]}]\n",
        );
        let mut left_out = imported.left_out;
        left_out.sort();
        assert_eq!(
            left_out,
            [
                "consumer c: `jwt_secrets` has no counterpart",
                "cors of q: `private_network` has no counterpart",
                "ip-restriction of r: `message` has no counterpart",
                "ip-restriction of r: `status` has no counterpart",
                "key-auth of q: `run_on_preflight` has no counterpart",
                "keyauth_credentials: `scope` has no counterpart",
                "rate-limiting of s: `error_code` has no counterpart",
                "rate-limiting of s: `ordering` has no counterpart",
                "rate-limiting of s: redis: `sentinel_password` has no counterpart",
                "request-transformer of r: `http_method` has no counterpart",
                "route r: `https_redirect_status_code` has no counterpart",
                "route r: `path_handling` has no counterpart",
                "service s: `write_timeout` has no counterpart",
                "targets: `cache` has no counterpart",
                "upstream u: `use_srv_name` has no counterpart",
                "upstream u: healthchecks.active: `headers` has no counterpart",
                "upstream u: healthchecks: `threshold` has no counterpart",
            ]
        );
    }

    /// What `deck gateway dump` writes of an entity that says nothing but its name.
    #[test]
    fn what_is_as_by_default_is_not_listed() {
        let imported = import(
            "services:\n- {name: s, host: s.test, port: 80, protocol: http, path: null, connect_timeout: 60000, read_timeout: 60000, write_timeout: 60000, retries: 5, enabled: true, tags: [], tls_verify: null, routes: [{name: r, paths: [/r], protocols: [http, https], path_handling: v0, https_redirect_status_code: 426, regex_priority: 0, request_buffering: true, response_buffering: true, strip_path: true, preserve_host: false, headers: {}, snis: null}]}\n\
             plugins:\n- {name: rate-limiting, enabled: true, protocols: [grpc, grpcs, http, https], config: {minute: 5, hour: null, policy: local, limit_by: consumer, error_code: 429, error_message: API rate limit exceeded, fault_tolerant: true, hide_client_headers: false, header_name: null, path: null, sync_rate: -1, redis: {host: null, port: 6379, password: null, ssl: false, ssl_verify: false, timeout: 2000, database: 0}}}\n",
        );
        assert_eq!(imported.left_out, [""; 0]);
    }
}
