//! Who may come in, as far as addresses, protection and lists of clients decide that.

use http::Method;
use serde::Serialize;

use crate::client::Client;
use crate::message::address_rules::AddressRuling;
use crate::pipeline::request::Request;
use crate::pipeline::snapshot::Snapshot;
use crate::route::{Resolved, Route};

use super::Explanation;

/// A list of clients that may come in.
#[derive(Debug, Serialize)]
pub struct AllowLine {
    /// What it stands at: a protected prefix, or `the route /api`.
    pub of: String,
    /// Whom it lets in.
    pub entries: Vec<String>,
    /// The entry that lets this client in, if one does.
    pub by: Option<String>,
}

/// Describes what protects the path, and whom that lets in.
pub(super) fn describe_protection(
    explanation: &mut Explanation,
    snapshot: &Snapshot,
    request: &Request<'_>,
    client: Option<&Client>,
) {
    let (Some(path), protected) = (&request.path, &snapshot.access.protected) else {
        return;
    };
    let method = &request.head.method;
    let route = route(snapshot, request, method);
    let keeps_slashes = route.is_some_and(|route| !route.merge_slashes);
    let found = protected.protects(path, method, keeps_slashes);
    explanation.protected_by = found.map(|entry| entry.prefix.as_str().to_owned());
    if found.is_none() {
        explanation.public_by = protected
            .public(path.as_str())
            .map(|prefix| prefix.as_str().to_owned());
    }
    let mut add = |of: String, list: usize| {
        let line = allow_line(of, snapshot, list, client);
        if explanation.allow.iter().all(|known| known.of != line.of) {
            explanation.allow.push(line);
        }
    };
    protected.find_restricted(path, method, keeps_slashes, |entry, list| {
        add(entry.prefix.as_str().to_owned(), list);
        None::<()>
    });
    if let Some(route) = route
        && let Some(list) = route.allow
    {
        add(format!("the route {}", route.prefix.as_str()), list);
    }
}

fn allow_line(of: String, snapshot: &Snapshot, list: usize, client: Option<&Client>) -> AllowLine {
    let list = snapshot.access.allow.get(list);
    let entries = list.map_or(&[][..], |list| list.entries());
    let by = list
        .zip(client)
        .and_then(|(list, client)| list.entry_of(client));
    AllowLine {
        of,
        entries: entries.iter().map(ToString::to_string).collect(),
        by: by.map(ToString::to_string),
    }
}

/// Says what the rules for addresses say of the request's, if there are any.
pub(super) fn address(snapshot: &Snapshot, request: &Request<'_>) -> Option<String> {
    let here = route(snapshot, request, &request.head.method);
    let here = here.and_then(|route| Some((route.addresses.as_deref()?, "the route's ")));
    let anywhere = snapshot.access.addresses.as_ref();
    let all = anywhere
        .map(|rules| (rules, "access."))
        .into_iter()
        .chain(here);
    let mut said = None;
    for (rules, key) in all {
        let ruling = rules.ruling(request.address);
        if let Some(refusal) = ruling.refusal(key) {
            return Some(format!("may not call: {refusal}"));
        }
        said = Some(match ruling {
            AddressRuling::Allowed(network) => format!("may call: {network} is in {key}ip_allow"),
            _ => format!("may call: it is not in {key}ip_deny"),
        });
    }
    said
}

/// The route that would take the request, also where it does not come so far.
fn route<'s>(snapshot: &'s Snapshot, request: &Request<'_>, method: &Method) -> Option<&'s Route> {
    let path = request.path.as_ref()?;
    match snapshot.routes.find(request.host, method, path.as_str()) {
        Resolved::Route(route) => Some(route),
        Resolved::MethodNotAllowed { .. } | Resolved::NoRoute => None,
    }
}
