//! A configuration that is being put together, and its text in TOML. It holds hashes of keys, never
//! keys.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::client::ApiKeyHash;

/// A configuration.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub access: Vec<Pair>,
    pub protected: Vec<Protected>,
    /// Prefixes under a protected one that are open to everyone.
    pub public: Vec<String>,
    pub server: Vec<Pair>,
    pub redis: Vec<Pair>,
    pub routes: Vec<Route>,
    pub upstreams: Vec<Upstream>,
    pub tiers: Vec<Limit>,
    pub policies: Vec<Limit>,
    pub clients: Vec<Client>,
}

/// A key with its value in TOML.
pub(super) type Pair = (&'static str, String);

/// A protected prefix, for some methods or all.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Protected {
    pub prefix: String,
    pub methods: Vec<String>,
}

/// A route with what stands under its prefix.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub name: String,
    pub prefix: String,
    pub hosts: Vec<String>,
    pub methods: Vec<String>,
    pub pairs: Vec<Pair>,
    /// The policies that hold for it.
    pub limits: Vec<String>,
}

/// An upstream with keys of its own.
#[derive(Debug)]
pub(super) struct Upstream {
    pub name: String,
    pub pairs: Vec<Pair>,
}

/// A tier or a policy.
#[derive(Debug)]
pub(super) struct Limit {
    pub name: String,
    pub pairs: Vec<Pair>,
    /// The address of what it was made from: what has one address is one counter.
    pub of: usize,
    /// Whether it cannot be said here; see [`Draft::sweep`].
    pub is_dropped: bool,
}

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    pub name: String,
    /// What it was called, where that is no valid name here.
    pub was: Option<String>,
    pub keys: Vec<Key>,
    pub groups: Vec<String>,
    pub tier: Option<String>,
    /// Whether it cannot be said here; see [`Draft::sweep`].
    pub is_dropped: bool,
}

/// A key of a client.
#[derive(Debug)]
pub(super) struct Key {
    pub hash: ApiKeyHash,
    pub lifetime: Lifetime,
}

/// From when, and until when, a key is accepted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lifetime {
    pub not_before: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
}

impl Draft {
    /// What the client was called that has a key.
    pub(super) fn owner(&self, hash: &ApiKeyHash) -> Option<&str> {
        let has = |client: &&Client| client.keys.iter().any(|key| key.hash == *hash);
        let client = self.clients.iter().find(has)?;
        Some(client.was.as_deref().unwrap_or(&client.name))
    }

    /// Removes what is dropped, and what names it.
    pub(super) fn sweep(&mut self) {
        for client in &mut self.clients {
            let gone =
                |limit: &Limit| limit.is_dropped && Some(&limit.name) == client.tier.as_ref();
            if self.tiers.iter().any(gone) {
                client.tier = None;
            }
        }
        for route in &mut self.routes {
            let gone = |name: &String| {
                let mut policies = self.policies.iter();
                policies.any(|limit| limit.is_dropped && limit.name == *name)
            };
            route.limits.retain(|name| !gone(name));
        }
        self.tiers.retain(|limit| !limit.is_dropped);
        self.policies.retain(|limit| !limit.is_dropped);
        self.clients.retain(|client| !client.is_dropped);
        self.drop_unused_upstreams();
    }

    /// Forgets upstreams whose routes answer themselves, or were left out.
    pub(super) fn drop_unused_upstreams(&mut self) {
        let routes = &self.routes;
        self.upstreams.retain(|upstream| {
            let leads_there = ("upstream", quoted(&upstream.name));
            routes
                .iter()
                .any(|route| route.pairs.contains(&leads_there))
        });
    }

    /// Its text, with a comment in front.
    pub(super) fn to_toml(&self, comment: &str) -> String {
        let mut out = String::new();
        for line in comment.lines() {
            let _ = writeln!(out, "# {line}");
        }
        table(&mut out, "server", &self.server);
        let mut access = self.access.clone();
        if !self.protected.is_empty() {
            let entries: Vec<String> = self.protected.iter().map(Protected::to_toml).collect();
            access.push(("protected", lines(&entries)));
        }
        if !self.public.is_empty() {
            access.push(("public", list(&self.public)));
        }
        table(&mut out, "access", &access);
        for route in &self.routes {
            let _ = write!(out, "\n[[route]]\n{}", route.to_toml());
        }
        for upstream in &self.upstreams {
            table(
                &mut out,
                &format!("upstreams.{}", key(&upstream.name)),
                &upstream.pairs,
            );
        }
        table(&mut out, "limits.redis", &self.redis);
        for tier in &self.tiers {
            table(
                &mut out,
                &format!("limits.tiers.{}", key(&tier.name)),
                &tier.pairs,
            );
        }
        for policy in &self.policies {
            table(
                &mut out,
                &format!("limits.policies.{}", key(&policy.name)),
                &policy.pairs,
            );
        }
        for client in &self.clients {
            let name = &client.name;
            let _ = write!(out, "\n[clients.{}]\n{}", key(name), client.to_toml());
        }
        out
    }
}

impl Protected {
    fn to_toml(&self) -> String {
        let prefix = quoted(&self.prefix);
        if self.methods.is_empty() {
            return prefix;
        }
        format!("{{ prefix = {prefix}, methods = {} }}", list(&self.methods))
    }
}

impl Route {
    fn to_toml(&self) -> String {
        let mut out = String::new();
        let mut pair = |key: &str, value: &str| {
            let _ = writeln!(out, "{key} = {value}");
        };
        if !self.name.is_empty() {
            pair("name", &quoted(&self.name));
        }
        pair("prefix", &quoted(&self.prefix));
        for (key, values) in [("hosts", &self.hosts), ("methods", &self.methods)] {
            if !values.is_empty() {
                pair(key, &list(values));
            }
        }
        for (key, value) in &self.pairs {
            pair(key, value);
        }
        if !self.limits.is_empty() {
            pair("limits", &list(&self.limits));
        }
        out
    }
}

impl Client {
    /// Adds a key, once.
    pub(super) fn add(&mut self, key: Key) {
        if self.keys.iter().all(|own| own.hash != key.hash) {
            self.keys.push(key);
        }
    }

    fn to_toml(&self) -> String {
        let mut out = String::new();
        if let Some(was) = &self.was {
            let _ = writeln!(out, "# was {}", quoted(was));
        }
        let keys: Vec<String> = self.keys.iter().map(Key::to_toml).collect();
        let _ = writeln!(out, "keys = [{}]", keys.join(", "));
        if !self.groups.is_empty() {
            let _ = writeln!(out, "groups = {}", list(&self.groups));
        }
        if let Some(tier) = &self.tier {
            let _ = writeln!(out, "tier = {}", quoted(tier));
        }
        out
    }
}

impl Key {
    /// A key that is accepted at any time.
    pub(super) fn of(key: &str) -> Self {
        Self {
            hash: ApiKeyHash::of(key.as_bytes()),
            lifetime: Lifetime::default(),
        }
    }

    fn to_toml(&self) -> String {
        let hash = quoted(&self.hash.to_string());
        let Lifetime {
            not_before,
            expires_at,
        } = self.lifetime;
        if not_before.is_none() && expires_at.is_none() {
            return hash;
        }
        let mut pairs = vec![("hash", hash)];
        for (name, time) in [("not_before", not_before), ("expires_at", expires_at)] {
            pairs.extend(time.map(|time| (name, quoted(&time.to_string()))));
        }
        inline(&pairs)
    }
}

fn table(out: &mut String, name: &str, pairs: &[Pair]) {
    if pairs.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n[{name}]");
    for (key, value) in pairs {
        let _ = writeln!(out, "{key} = {value}");
    }
}

/// A name as a key, bare where it may be.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// A string of TOML. Those of JSON are, but for DEL, which TOML wants escaped; and `${` would be
/// read from the environment.
pub(super) fn quoted(text: &str) -> String {
    let text = text.replace("${", "$${");
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007f")
}

/// A list of strings.
pub(super) fn list<T: AsRef<str>>(values: &[T]) -> String {
    let values: Vec<String> = values.iter().map(|value| quoted(value.as_ref())).collect();
    format!("[{}]", values.join(", "))
}

/// A list of values, one a line.
fn lines(values: &[String]) -> String {
    let mut out = "[\n".to_owned();
    for value in values {
        let _ = writeln!(out, "    {value},");
    }
    out.push(']');
    out
}

/// An inline table of values in TOML.
pub(super) fn inline<K: AsRef<str>>(pairs: &[(K, String)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{} = {value}", key(name.as_ref())))
        .collect();
    if pairs.is_empty() {
        return "{}".to_owned();
    }
    format!("{{ {} }}", pairs.join(", "))
}
