//! Kong's plugins: which one holds for a route. Of one name the closest does: the route's own, its
//! service's, the global one.

use serde_json::Value;

use super::{called, entries, flag, refers};

/// Plugins that keep callers out. A route whose one of them cannot be taken over must not open.
pub(super) const ACCESS: [&str; 18] = [
    "acl",
    "basic-auth",
    "bot-detection",
    "hmac-auth",
    "ip-restriction",
    "jwt",
    "jwt-signer",
    "key-auth",
    "key-auth-enc",
    "ldap-auth",
    "ldap-auth-advanced",
    "mtls-auth",
    "oauth2",
    "oauth2-introspection",
    "opa",
    "openid-connect",
    "saml",
    "session",
];

/// A plugin as it stands in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plugin<'k> {
    pub name: &'k str,
    pub config: &'k Value,
    /// Whose it is: the name of a service, route or consumer; empty if it is global.
    pub owner: &'k str,
}

/// All that stand at the top of the file.
#[derive(Debug)]
pub(super) struct Plugins<'k> {
    document: &'k Value,
}

impl<'k> Plugins<'k> {
    pub(super) fn of(document: &'k Value) -> Self {
        Self { document }
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

    /// Those of a consumer alone.
    pub(super) fn for_consumer(&self, consumer: &'k Value) -> Vec<Plugin<'k>> {
        self.of_entity("consumer", consumer)
    }

    /// Everything called so, wherever it stands.
    pub(super) fn called(&self, name: &str) -> Vec<Plugin<'k>> {
        let mut all = self.global();
        for (list, kind) in [("services", "service"), ("routes", "route")] {
            for entity in entries(self.document, list) {
                all.extend(self.of_entity(kind, entity));
                for route in entries(entity, "routes") {
                    all.extend(self.of_entity("route", route));
                }
            }
        }
        all.retain(|plugin| plugin.name == name);
        all
    }

    fn global(&self) -> Vec<Plugin<'k>> {
        let scopes = ["service", "route", "consumer", "consumer_group"];
        let plugins = entries(self.document, "plugins").filter(|plugin| {
            scopes
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

    /// Those at the top that hold for a combination, such as a consumer on a route.
    pub(super) fn combined(&self) -> impl Iterator<Item = &'k str> {
        let scopes = ["service", "route", "consumer", "consumer_group"];
        entries(self.document, "plugins")
            .filter(move |plugin| {
                let set = scopes
                    .iter()
                    .filter(|scope| plugin.get(**scope).is_some_and(|value| !value.is_null()));
                set.count() > 1
                    || plugin
                        .get("consumer_group")
                        .is_some_and(|value| !value.is_null())
            })
            .filter_map(|plugin| plugin.get("name")?.as_str())
    }

    fn plugin(plugin: &'k Value, owner: &'k str) -> Option<Plugin<'k>> {
        if !flag(plugin, "enabled", true) {
            return None;
        }
        Some(Plugin {
            name: plugin.get("name")?.as_str()?,
            config: plugin.get("config").unwrap_or(&Value::Null),
            owner,
        })
    }
}

/// What a plugin is called in notes.
pub(super) fn place(plugin: &Plugin<'_>) -> String {
    if plugin.owner.is_empty() {
        plugin.name.to_owned()
    } else {
        format!("{} of {}", plugin.name, plugin.owner)
    }
}
