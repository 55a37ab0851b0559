//! Who may: `key-auth`, `acl`, `ip-restriction`, and Kong's consumers.

use ipnet::IpNet;
use serde_json::Value;

use super::plugins::{Plugin, Plugins, place};
use super::{called, entries, flag, is_placeholder, limits, number, refers, strings, text};
use crate::client::ApiKeyHash;
use crate::import::draft::{Client, Draft, Key, Pair, Route, list, quoted};
use crate::import::{Notes, free_name, valid_name};

/// Says where keys are sent: of all `key-auth` together, for it is one place here.
pub(super) fn key_names(plugins: &Plugins<'_>, draft: &mut Draft, notes: &mut Notes) {
    let mut header: Option<String> = None;
    let mut sources: Vec<String> = Vec::new();
    let mut forwards = false;
    for plugin in plugins.called("key-auth") {
        let place = place(&plugin);
        let mut names = strings(plugin.config, "key_names");
        if names.is_empty() {
            names.push("apikey".to_owned());
        }
        let in_header = flag(plugin.config, "key_in_header", true);
        for name in names {
            let valid = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if in_header
                && valid
                && header
                    .as_ref()
                    .is_none_or(|taken| *taken == name.to_ascii_lowercase())
            {
                header = Some(name.to_ascii_lowercase());
            } else if in_header && valid {
                notes.left_out(&place, format!("keys in the header `{name}`: there is one header for keys, and `{}` is taken", header.as_deref().unwrap_or_default()));
            } else if in_header {
                notes.left_out(&place, format!("keys in the header `{name}`: names of header fields have letters, digits and `-`"));
            }
            let query = format!("query:{name}");
            if flag(plugin.config, "key_in_query", true) && !sources.contains(&query) {
                sources.push(query);
            }
        }
        if flag(plugin.config, "key_in_body", false) {
            notes.left_out(&place, "keys in the body");
        }
        forwards |= !flag(plugin.config, "hide_credentials", false);
        anonymous(plugins, &plugin, notes);
    }
    one_for_all(plugins, notes);
    if let Some(header) = &header {
        sources.insert(0, "header".to_owned());
        draft.access.push(("api_key_header", quoted(header)));
        draft.access.push(("forward_api_key", forwards.to_string()));
        draft
            .access
            .push(("client_header", quoted("x-consumer-username")));
        notes.differs("key-auth", "services get the client's name in `X-Consumer-Username`, and no `X-Consumer-ID`, `X-Consumer-Custom-ID` and `X-Credential-Identifier`");
    }
    if !sources.is_empty() && sources != ["header"] {
        draft.access.push(("key_sources", list(&sources)));
    }
}

/// Says where several `key-auth` say different things, which are one here.
fn one_for_all(plugins: &Plugins<'_>, notes: &mut Notes) {
    for (key, default, what) in [
        ("key_in_query", true, "keys are taken from the query, too"),
        ("hide_credentials", false, "services get the key"),
    ] {
        let all = plugins.called("key-auth");
        let flags = all.iter().map(|plugin| flag(plugin.config, key, default));
        let (on, off): (Vec<bool>, Vec<bool>) = flags.partition(|flag| *flag);
        if !on.is_empty() && !off.is_empty() {
            let places = all
                .iter()
                .filter(|it| flag(it.config, key, default) == (key != "key_in_query"));
            let places: Vec<String> = places.map(place).collect();
            let what = format!(
                "`{key}` is one for all here, so {what}: {}",
                places.join(", ")
            );
            notes.differs("key-auth", what);
        }
    }
}

/// Says what callers without a key lose, who are a consumer in Kong.
fn anonymous(plugins: &Plugins<'_>, plugin: &Plugin<'_>, notes: &mut Notes) {
    let Some((name, Some(consumer))) = plugins.anonymous(plugin) else {
        return;
    };
    let place = place(plugin);
    let what = format!(
        "`anonymous: {name}`: callers without a key have no name here, and services get none"
    );
    notes.differs(&place, what);
    for group in groups(plugins.document(), consumer) {
        let what = format!(
            "`anonymous: {name}`: callers without a key are not in its group `{group}`, and get 401 where `acl` asks for it"
        );
        notes.left_out(&place, what);
    }
    for own in plugins.for_consumer(consumer) {
        let what = format!(
            "`anonymous: {name}`: its plugin `{}` is not for callers without a key",
            own.name
        );
        notes.left_out(&place, what);
    }
}

/// The groups of a consumer, as `acl` names them.
fn groups<'v>(document: &'v Value, consumer: &'v Value) -> impl Iterator<Item = &'v str> {
    let referring = entries(document, "acls").filter(|acl| {
        acl.get("consumer")
            .is_some_and(|reference| refers(reference, consumer))
    });
    let groups = entries(consumer, "acls").chain(referring);
    groups.filter_map(|acl| text(acl, "group"))
}

/// The consumers with their keys and groups.
pub(super) fn consumers(
    document: &Value,
    plugins: &Plugins<'_>,
    draft: &mut Draft,
    notes: &mut Notes,
) {
    for consumer in entries(document, "consumers") {
        let was = called(consumer);
        let place = format!("consumer {was}");
        if plugins.is_malformed(consumer) {
            let what = "the whole consumer, for it has a value of another type than Kong takes";
            notes.left_out(&place, what);
            continue;
        }
        if let Some(plugin) = plugins.closing_consumer(consumer) {
            notes.left_out(
                &place,
                format!("the whole consumer, for more would be open to it without `{plugin}`"),
            );
            continue;
        }
        if text(consumer, "custom_id").is_some_and(|id| id != was) {
            notes.differs(&place, "its `custom_id` stands nowhere here");
        }
        let referring = |list: &'static str| {
            entries(document, list).filter(|entry| {
                entry
                    .get("consumer")
                    .is_some_and(|reference| refers(reference, consumer))
            })
        };
        let mut keys = Vec::new();
        for credential in
            entries(consumer, "keyauth_credentials").chain(referring("keyauth_credentials"))
        {
            if number(credential, "ttl").is_some_and(|ttl| ttl > 0) {
                notes.left_out(
                    &place,
                    "a key with a `ttl`, for it would not expire; add its hash with `expires_at`",
                );
            } else if let Some(key) = text(credential, "key").filter(|key| !is_placeholder(key)) {
                let key = Key::of(key);
                match draft.owner(&key.hash) {
                    Some(other) => {
                        notes.left_out(&place, format!("a key that the consumer {other} has, too"));
                    }
                    None => keys.push(key),
                }
            }
        }
        let groups = groups(document, consumer).map(group_name).collect();
        for group in entries(consumer, "groups") {
            let what = format!("its consumer group `{}`", called(group));
            notes.left_out(&place, what);
        }
        let name = free_name(was, |name| {
            draft.clients.iter().any(|client| client.name == name)
        });
        let tier = limits::tier(&plugins.for_consumer(consumer), &name, &place, draft, notes);
        let mut client = Client {
            was: (name != was).then(|| was.to_owned()),
            name,
            keys: Vec::new(),
            groups,
            tier,
            is_dropped: false,
        };
        for key in keys {
            client.add(key);
        }
        draft.clients.push(client);
    }
}

/// What `acl` asks of a route, or what is to be said behind its name.
pub(super) fn acl(
    plugin: &Plugin<'_>,
    route: &mut Route,
    notes: &mut Notes,
) -> Result<(), &'static str> {
    if !flag(plugin.config, "hide_groups_header", false) {
        notes.differs(&place(plugin), "services get no `X-Consumer-Groups`");
    }
    let mut allow = strings(plugin.config, "allow");
    allow.extend(strings(plugin.config, "whitelist"));
    let denies = ["deny", "blacklist"]
        .iter()
        .any(|key| !strings(plugin.config, key).is_empty());
    if denies {
        return Err(", which denies groups: here those that are allowed are listed");
    }
    if allow.is_empty() {
        return Err(", which lists nobody");
    }
    let groups: Vec<String> = allow
        .iter()
        .map(|group| format!("group:{}", group_name(group)))
        .collect();
    route.pairs.push(("allow", list(&groups)));
    Ok(())
}

/// What `ip-restriction` asks of a route, or what is to be said behind its name.
pub(super) fn ip_restriction(plugin: &Plugin<'_>) -> Result<Vec<Pair>, &'static str> {
    let both = |new, old| {
        let mut networks = strings(plugin.config, new);
        networks.extend(strings(plugin.config, old));
        networks
    };
    let networks = |texts: Vec<String>| {
        let networks = texts.iter().map(|text| network(text));
        networks.collect::<Option<Vec<String>>>()
    };
    let sides = [
        ("ip_allow", both("allow", "whitelist")),
        ("ip_deny", both("deny", "blacklist")),
    ];
    let mut pairs: Vec<Pair> = Vec::new();
    for (key, texts) in sides {
        let networks = networks(texts).ok_or(", which lists what is no address or network")?;
        if !networks.is_empty() {
            pairs.push((key, list(&networks)));
        }
    }
    if pairs.is_empty() {
        return Err(", which lists no address");
    }
    Ok(pairs)
}

/// An address or a network, without the digits that Kong passes over.
fn network(text: &str) -> Option<String> {
    let address = text.parse::<std::net::IpAddr>().ok();
    let network = text.parse::<IpNet>().ok();
    let network = network.map(|network| network.trunc().to_string());
    address.map(|it| it.to_string()).or(network)
}

/// A valid name for a group. Two groups never get the same one.
fn group_name(group: &str) -> String {
    let name = valid_name(group);
    if name == group {
        return name;
    }
    let digest = ApiKeyHash::of(group.as_bytes()).to_string();
    let digits = digest.rsplit(':').next().unwrap_or_default();
    format!("{name:.100}-{digits:.16}")
}
