//! Who may come in: the names of header fields, the protected prefixes, clients and their keys.

use std::collections::HashMap;

use http::{HeaderName, header};
use ipnet::IpNet;

use crate::client::{
    AllowEntry, AllowList, ApiKeyHash, CertificateTable, Client, KeyTable, KeyTableBuilder,
};
use crate::config::file::{AccessKeys, File, KeyKeys, ServerKeys};
use crate::config::keys::List;
use crate::config::problems::{Problem, Problems};
use crate::config::source::{At, Span};
use crate::message::address_rules::AddressRules;
use crate::message::forward::Names;
use crate::message::key_sources::{KeySource, KeySources};
use crate::message::via::own_name;

use super::client_auth::Identities;
use super::limits::Compiled;

/// Compiles the names of the header fields that the user may choose, which have to differ.
pub(super) fn names(access: &AccessKeys, server: &ServerKeys, problems: &mut Problems) -> Names {
    let (api_key, client) = (&access.api_key_header, &access.client_header);
    let request_id = &server.request_id_header;
    let chosen: [(&str, &HeaderName, Span); 3] = [
        ("access.api_key_header", &api_key.0, api_key.span),
        ("access.client_header", &client.0, client.span),
        ("server.request_id_header", &request_id.0, request_id.span),
    ];
    for (index, (key, name, span)) in chosen.iter().enumerate() {
        if index > 0 && **name == header::AUTHORIZATION {
            let message = format!("`{key}` cannot be `authorization`");
            let label = "this field has a meaning of its own";
            problems.add(Problem::at(*span, message).label(label));
        }
        for (earlier, _, before) in chosen[..index].iter().filter(|earlier| earlier.1 == *name) {
            let message = format!("`{earlier}` and `{key}` are the same");
            // One of the two is written, for the defaults differ; it stands further down than the
            // table of the other.
            let problem = Problem::at(*before.max(span), message);
            problems.add(problem.label(format!("both are `{name}`")));
        }
    }
    check_sources(access, problems);
    Names {
        key_sources: KeySources::new(&api_key.0, access.key_sources.values()),
        api_key: api_key.0.clone(),
        forward_api_key: *access.forward_api_key,
        client: client.0.clone(),
        request_id: request_id.0.clone(),
        odd: *server.odd_field_names,
        via: server.via.then(own_name),
    }
}

/// Refuses places for keys that are none, or two in one.
fn check_sources(access: &AccessKeys, problems: &mut Problems) {
    let sources = &access.key_sources;
    if sources.is_empty() {
        let problem = Problem::at(
            sources.span,
            "`access.key_sources` names no place for a key",
        );
        problems.add(problem.label("nobody could send one"));
    }
    let bearer = sources.iter().find(|it| it.value == KeySource::Bearer);
    if let Some(bearer) = bearer.filter(|_| access.api_key_header.0 == header::AUTHORIZATION) {
        let message = "a key in `authorization` cannot be read in two ways";
        let problem = Problem::at(bearer.span, message).label("`Bearer KEY` is taken for a key");
        problems.add(problem.also(
            access.api_key_header.span,
            "all of the field is taken for a key",
        ));
    }
}

/// The clients, sorted by name, and what they prove themselves with.
pub(super) struct Clients {
    pub keys: KeyTable,
    pub certificates: CertificateTable,
    pub all: Vec<Client>,
}

/// Compiles the clients, all their keys, and what their certificates are known by.
pub(super) fn clients(file: &File, limits: &Compiled, problems: &mut Problems) -> Clients {
    let mut keys = KeyTableBuilder::default();
    let mut identities = Identities::default();
    let mut clients = Vec::new();
    let (mut seen, mut names) = (HashMap::new(), HashMap::new());
    let mut sorted: Vec<_> = file.clients.good().collect();
    sorted.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
    for (place, (name, written)) in sorted.into_iter().enumerate() {
        if let Some(first) = names.insert(name.as_str(), name.span) {
            let what = format!("the client `{}`", name.as_str());
            problems.add(Problem::given_twice(&what, first, name.span));
        }
        let policy = limits.of_client(written.tier.written(), problems);
        let groups = written.groups.iter().map(|group| group.0.clone()).collect();
        let client = Client::new(name.value.clone(), policy).in_groups(groups, place);
        for key in written.keys.iter() {
            check_key(key, &mut seen, problems);
            // A key that is given twice has been reported with both places.
            let _ = keys.add(*key.hash, client.clone(), *key.not_before, *key.expires_at);
        }
        identities.add(written, &client, file, problems);
        clients.push(client);
    }
    Clients {
        keys: keys.build(),
        certificates: identities.table,
        all: clients,
    }
}

/// From which addresses requests may come.
pub(super) fn addresses(allow: &List<IpNet>, deny: &List<IpNet>) -> Option<AddressRules> {
    AddressRules::new(allow.values(), deny.values())
}

/// Refuses prefixes that are protected and public at once.
pub(super) fn check_public(file: &File, problems: &mut Problems) {
    for public in file.access.public.iter() {
        let mut protected = file.access.protected.iter();
        let same = protected.find(|keys| keys.prefix.is_read_as(&public.value));
        if let Some(keys) = same {
            let message = format!("`{}` is protected and public", public.as_str());
            let problem = Problem::at(public.span, message).label("public here");
            let help = "`public` is for paths below a protected one";
            problems.add(problem.also(keys.prefix.span, "protected here").help(help));
        }
    }
}

fn check_key(key: &KeyKeys, seen: &mut HashMap<ApiKeyHash, Span>, problems: &mut Problems) {
    if let (Some(from), Some(until)) = (key.not_before.written(), key.expires_at.written())
        && from.value >= until.value
    {
        let problem = Problem::at(until.span, "this key expires before it begins to hold");
        problems.add(problem.also(from.span, "it begins to hold here"));
    }
    if let Some(first) = seen.insert(*key.hash, key.hash.span) {
        let help = "a key says who is calling, so it belongs to one client, once";
        problems.add(Problem::given_twice("this key", first, key.hash.span).help(help));
    }
}

/// Lists of clients that may come in: one for each different list that is written.
pub(super) struct AllowLists<'c> {
    clients: &'c [Client],
    pub compiled: Vec<AllowList>,
    places: HashMap<Vec<AllowEntry>, usize>,
}

impl<'c> AllowLists<'c> {
    /// No lists, for these clients.
    pub(super) fn of(clients: &'c [Client]) -> Self {
        Self {
            clients,
            compiled: Vec::new(),
            places: HashMap::new(),
        }
    }

    /// The place of a list; an empty one lets everybody in, and has none.
    pub(super) fn place(&mut self, written: &[At<AllowEntry>]) -> Option<usize> {
        let entries: Vec<AllowEntry> = written.iter().map(|entry| entry.value.clone()).collect();
        if entries.is_empty() {
            return None;
        }
        let (clients, lists) = (self.clients, &mut self.compiled);
        let place = self.places.entry(entries).or_insert_with_key(|entries| {
            lists.push(AllowList::new(entries.clone(), clients));
            lists.len() - 1
        });
        Some(*place)
    }
}
