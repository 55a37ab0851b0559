//! Kong's plugins: which one holds for a route. Of one name the closest does: the route's own, its
//! service's, the global one.

use std::collections::HashSet;

use serde_json::Value;

use super::{address, called, entries, flag, refers};

/// Plugins that let nobody more in when they are missing. Any other one may keep callers out: of Kong's own
/// those that ask who calls, that look into requests, or that answer in the place of a service.
const HARMLESS: [&str; 37] = [
    "acme",
    "ai-rate-limiting-advanced",
    "appdynamics",
    "canary",
    "correlation-id",
    "cors",
    "datadog",
    "exit-transformer",
    "file-log",
    "graphql-proxy-cache-advanced",
    "graphql-rate-limiting-advanced",
    "grpc-gateway",
    "grpc-web",
    "http-log",
    "jq",
    "kafka-log",
    "loggly",
    "opentelemetry",
    "prometheus",
    "proxy-cache",
    "proxy-cache-advanced",
    "rate-limiting",
    "rate-limiting-advanced",
    "request-size-limiting",
    "request-transformer",
    "request-transformer-advanced",
    "response-ratelimiting",
    "response-transformer",
    "response-transformer-advanced",
    "service-protection",
    "statsd",
    "statsd-advanced",
    "syslog",
    "tcp-log",
    "udp-log",
    "upstream-timeout",
    "zipkin",
];

/// What a plugin may be for.
const SCOPES: [&str; 4] = ["service", "route", "consumer", "consumer_group"];

/// Whether a plugin keeps callers out, or may.
pub(super) fn keeps_out(name: &str, config: &Value) -> bool {
    match name {
        "request-termination" => trigger(config).is_none(),
        // Without it, its service would be asked for other paths.
        "request-transformer" | "request-transformer-advanced" => rewrites_path(config),
        _ => !HARMLESS.contains(&name),
    }
}

/// The field or parameter that a request must have for `request-termination` to answer it.
fn trigger(config: &Value) -> Option<&str> {
    config.get("trigger")?.as_str().filter(|it| !it.is_empty())
}

fn rewrites_path(config: &Value) -> bool {
    let uri = config.get("replace").and_then(|it| it.get("uri"));
    uri.is_some_and(|uri| !uri.is_null())
}

/// A plugin as it stands in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plugin<'k> {
    pub name: &'k str,
    /// All of it.
    pub whole: &'k Value,
    pub config: &'k Value,
    /// Whose it is: the name of a service, route or consumer; empty if it is global.
    pub owner: &'k str,
}

impl Plugin<'_> {
    /// Where it stands in memory, which tells it from every other one.
    pub(super) fn address(&self) -> usize {
        address(self.whole)
    }

    /// Whether it keeps callers out, or may.
    pub(super) fn keeps_out(&self) -> bool {
        keeps_out(self.name, self.config)
    }

    /// The field or parameter that a request must have for `request-termination` to answer it.
    pub(super) fn trigger(&self) -> Option<&str> {
        trigger(self.config)
    }
}

/// All that stand at the top of the file.
#[derive(Debug)]
pub(super) struct Plugins<'k> {
    document: &'k Value,
    /// The addresses of what holds a value of another type than Kong takes.
    pub malformed: HashSet<usize>,
}

impl<'k> Plugins<'k> {
    pub(super) fn of(document: &'k Value) -> Self {
        let malformed = HashSet::new();
        Self {
            document,
            malformed,
        }
    }

    /// All of the file.
    pub(super) fn document(&self) -> &'k Value {
        self.document
    }

    /// Whether an entity holds a value of another type than Kong takes.
    pub(super) fn is_malformed(&self, entity: &Value) -> bool {
        self.malformed.contains(&address(entity))
    }

    /// Those that hold for a route, each name once.
    pub(super) fn for_route(
        &self,
        route: &'k Value,
        service: Option<&'k Value>,
    ) -> Vec<Plugin<'k>> {
        let mut found: Vec<Plugin<'k>> = Vec::new();
        let mut add = |plugins: Vec<Plugin<'k>>| {
            for plugin in plugins {
                if !found.iter().any(|other| other.name == plugin.name) {
                    found.push(plugin);
                }
            }
        };
        add(self.of_entity("route", route));
        if let Some(service) = service {
            add(self.of_entity("service", service));
        }
        add(self.global());
        found
    }

    /// The names of those that keep callers from a route.
    pub(super) fn closing(&self, route: &'k Value, service: Option<&'k Value>) -> Vec<&'k str> {
        let plugins = self.for_route(route, service).into_iter();
        let closing = plugins.filter(|plugin| match plugin.name {
            "key-auth" => self.protects(plugin),
            _ => plugin.keeps_out(),
        });
        let mut names: Vec<&str> = closing.map(|plugin| plugin.name).collect();
        names.extend(self.closing_some(route, service));
        names
    }

    /// The name of one that keeps some consumers from a route, or from its service.
    pub(super) fn closing_some(
        &self,
        route: &'k Value,
        service: Option<&'k Value>,
    ) -> Option<&'k str> {
        let is_for = |plugin: &&Value| {
            let refers_to = |kind: &str, entity: Option<&Value>| {
                let reference = plugin.get(kind).filter(|reference| !reference.is_null());
                reference.is_none_or(|it| entity.is_some_and(|entity| refers(it, entity)))
            };
            let is_set = |kind: &str| plugin.get(kind).is_some_and(|it| !it.is_null());
            is_combined(plugin)
                && (is_set("route") || is_set("service"))
                && flag(plugin, "enabled", true)
                && refers_to("route", Some(route))
                && refers_to("service", service)
        };
        entries(self.document, "plugins")
            .filter(is_for)
            .filter_map(|plugin| Self::plugin(plugin, ""))
            .find(Plugin::keeps_out)
            .map(|plugin| plugin.name)
    }

    /// The name of one that keeps a consumer, or consumers of a group, from everything.
    pub(super) fn closing_consumer(&self, consumer: &'k Value) -> Option<&'k str> {
        let groups = entries(consumer, "groups").next().is_some();
        let of_groups = entries(self.document, "plugins").filter(move |plugin| {
            let is_set = |kind: &str| plugin.get(kind).is_some_and(|it| !it.is_null());
            groups && is_set("consumer_group") && !is_set("route") && !is_set("service")
        });
        let all = entries(self.document, "consumer_groups").filter(move |group| {
            groups || entries(group, "consumers").any(|member| refers(member, consumer))
        });
        let of_groups = of_groups.chain(all.flat_map(|group| entries(group, "plugins")));
        let of_groups = of_groups.filter_map(|plugin| Self::plugin(plugin, ""));
        let own = self.for_consumer(consumer).into_iter();
        let found = own.chain(of_groups).find(Plugin::keeps_out);
        found.map(|plugin| plugin.name)
    }

    /// Whether `key-auth` keeps anonymous callers out. With `anonymous` whoever has no key is let in as
    /// that consumer, unless there is a plugin that keeps it out; here as an anonymous caller.
    pub(super) fn protects(&self, plugin: &Plugin<'k>) -> bool {
        let Some(reference) = anonymous(plugin) else {
            return true;
        };
        let mut consumers = entries(self.document, "consumers");
        let consumer = consumers.find(|consumer| refers(reference, consumer));
        // One that is not in the file may be kept out.
        consumer.is_none_or(|consumer| {
            let plugins = self.for_consumer(consumer);
            self.is_malformed(consumer) || plugins.iter().any(Plugin::keeps_out)
        })
    }

    /// The consumer that whoever has no key is let in as: as it is named, and the consumer if it is in
    /// the file.
    pub(super) fn anonymous(&self, plugin: &Plugin<'k>) -> Option<(&'k str, Option<&'k Value>)> {
        let reference = anonymous(plugin)?;
        let mut consumers = entries(self.document, "consumers");
        let consumer = consumers.find(|consumer| refers(reference, consumer));
        Some((reference.as_str()?, consumer))
    }

    /// Those of a consumer alone.
    pub(super) fn for_consumer(&self, consumer: &'k Value) -> Vec<Plugin<'k>> {
        self.of_entity("consumer", consumer)
    }

    /// Everything called so, wherever it stands.
    pub(super) fn called(&self, name: &str) -> Vec<Plugin<'k>> {
        let mut all = self.all();
        all.retain(|plugin| plugin.name == name);
        all
    }

    /// Every plugin that is enabled, wherever it stands, but for those of a combination.
    pub(super) fn all(&self) -> Vec<Plugin<'k>> {
        let mut all = self.global();
        let kinds = [
            ("services", "service"),
            ("routes", "route"),
            ("consumers", "consumer"),
        ];
        for (list, kind) in kinds {
            for entity in entries(self.document, list) {
                all.extend(self.of_entity(kind, entity));
                for route in entries(entity, "routes") {
                    all.extend(self.of_entity("route", route));
                }
            }
        }
        all
    }

    fn global(&self) -> Vec<Plugin<'k>> {
        let plugins = entries(self.document, "plugins").filter(|plugin| {
            SCOPES
                .iter()
                .all(|scope| plugin.get(*scope).is_none_or(Value::is_null))
        });
        plugins
            .filter_map(|plugin| Self::plugin(plugin, ""))
            .collect()
    }

    fn of_entity(&self, kind: &str, entity: &'k Value) -> Vec<Plugin<'k>> {
        let nested = entries(entity, "plugins");
        let referring = entries(self.document, "plugins").filter(|plugin| {
            let reference = plugin.get(kind);
            // One for a consumer on a route is neither the route's nor the consumer's.
            let others = ["service", "route", "consumer"]
                .iter()
                .filter(|other| **other != kind);
            reference.is_some_and(|reference| refers(reference, entity))
                && others
                    .clone()
                    .all(|other| plugin.get(*other).is_none_or(Value::is_null))
        });
        let owner = called(entity);
        nested
            .chain(referring)
            .filter_map(|plugin| Self::plugin(plugin, owner))
            .collect()
    }

    /// Those at the top that hold for a combination, such as a consumer on a route, and for which.
    pub(super) fn combined(&self) -> impl Iterator<Item = (&'k str, String)> {
        let combined = entries(self.document, "plugins").filter(|plugin| is_combined(plugin));
        combined.filter_map(|plugin| {
            let owners = SCOPES.iter().filter_map(|scope| {
                let owner = plugin.get(*scope).filter(|owner| !owner.is_null())?;
                let name = owner.as_str().unwrap_or_else(|| called(owner));
                Some(format!("the {} {name}", scope.replace('_', " ")))
            });
            let owners: Vec<String> = owners.collect();
            Some((Self::plugin(plugin, "")?.name, owners.join(" and ")))
        })
    }

    fn plugin(plugin: &'k Value, owner: &'k str) -> Option<Plugin<'k>> {
        if !flag(plugin, "enabled", true) {
            return None;
        }
        Some(Plugin {
            name: plugin.get("name")?.as_str()?,
            whole: plugin,
            config: plugin.get("config").unwrap_or(&Value::Null),
            owner,
        })
    }
}

/// The consumer that whoever has no key is taken for.
fn anonymous<'k>(plugin: &Plugin<'k>) -> Option<&'k Value> {
    let reference = plugin.config.get("anonymous");
    reference.filter(|it| !it.is_null() && it.as_str() != Some(""))
}

/// Whether a plugin holds for a combination, such as a consumer on a route, or for a group.
fn is_combined(plugin: &Value) -> bool {
    let is_set = |scope: &&str| plugin.get(*scope).is_some_and(|value| !value.is_null());
    SCOPES.iter().filter(|scope| is_set(scope)).count() > 1 || is_set(&"consumer_group")
}

/// What a plugin is called in notes.
pub(super) fn place(plugin: &Plugin<'_>) -> String {
    if plugin.owner.is_empty() {
        plugin.name.to_owned()
    } else {
        format!("{} of {}", plugin.name, plugin.owner)
    }
}
