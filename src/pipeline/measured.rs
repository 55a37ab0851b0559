//! What one worker counts by the names of a configuration: its rows, found by the places of routes,
//! clients and limits in the snapshot, and asked for when the first request needs them.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::client::Client;
use crate::limit::{Decision, Policy, Source};
use crate::metrics::{
    ClientOutcome, EndpointName, MOST_CLIENTS, Names, OTHER_CLIENTS, Outcomes, PolicyOutcome,
    RouteRow, WorkerMetrics,
};
use crate::route::Route;
use crate::upstream::{Endpoint, Upstream};

use super::snapshot::Snapshot;

/// The rows of one worker and snapshot.
#[derive(Debug)]
pub(super) struct Measured {
    /// The last is for requests without a route.
    routes: Cells<RouteRow>,
    /// The last is for all clients beyond [`MOST_CLIENTS`].
    clients: Cells<Outcomes<ClientOutcome>>,
    policies: Cells<Outcomes<PolicyOutcome>>,
    no_route: Arc<str>,
}

type Cells<R> = Box<[OnceCell<Arc<R>>]>;

fn cells<R>(count: usize) -> Cells<R> {
    std::iter::repeat_with(OnceCell::new).take(count).collect()
}

impl Measured {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        Self {
            routes: cells(snapshot.routes.routes().len() + 1),
            clients: cells(snapshot.access.clients.len().min(MOST_CLIENTS) + 1),
            policies: cells(snapshot.limits.all.len()),
            no_route: "".into(),
        }
    }

    /// The row of a route, or of requests without one.
    pub(super) fn route(&self, metrics: &WorkerMetrics, route: Option<&Route>) -> &RouteRow {
        let last = self.routes.len() - 1;
        let place = route.map_or(last, |route| route.place.min(last));
        let name = || metrics.route(route.map_or(&self.no_route, |route| &route.name));
        self.routes[place].get_or_init(name)
    }

    /// Counts a request of a client.
    pub(super) fn note_client(
        &self,
        metrics: &WorkerMetrics,
        client: &Client,
        outcome: ClientOutcome,
    ) {
        let last = self.clients.len() - 1;
        let place = client.place().min(last);
        let name = if place < MOST_CLIENTS {
            client.name.as_str()
        } else {
            OTHER_CLIENTS
        };
        let row = self.clients[place].get_or_init(|| metrics.client(name));
        row.note(outcome);
    }

    /// Counts what a limit has said of a request; `None` if nobody could say. `by_redis` says whether
    /// Redis is who should decide.
    pub(super) fn note_decision(
        &self,
        metrics: &WorkerMetrics,
        decided: (&Policy, Option<&Decision>),
        by_redis: bool,
    ) {
        let (limit, decision) = decided;
        let Some(row) = self.policies.get(limit.place) else {
            return;
        };
        let outcome = match decision {
            None => PolicyOutcome::Degraded,
            Some(said) if by_redis && said.source == Source::Memory => PolicyOutcome::Degraded,
            Some(said) if said.admitted => PolicyOutcome::Allowed,
            Some(_) if !limit.enforces() => PolicyOutcome::Shadow,
            Some(said) if said.source == Source::Cache => PolicyOutcome::Cached,
            Some(_) => PolicyOutcome::Limited,
        };
        row.get_or_init(|| metrics.policy(&limit.name))
            .note(outcome);
    }
}

/// The names of what is counted under a configuration.
pub fn names(snapshot: &Snapshot, before: Option<&Snapshot>) -> Names {
    let routes = snapshot.routes.routes().iter();
    let routes = routes.map(|route| Arc::clone(&route.name));
    let clients = snapshot.access.clients.iter().take(MOST_CLIENTS);
    let clients = clients.map(|client| client.name.as_str().into());
    let policies = snapshot.limits.all.iter();
    let upstreams = snapshot.upstreams.iter();
    // Those before first: an address that a name gets meanwhile has not been removed.
    let endpoints_before = before.map(endpoints).unwrap_or_default();
    Names {
        routes: routes.chain(["".into()]).collect(),
        clients: clients
            .chain([OTHER_CLIENTS.into()])
            .collect::<BTreeSet<_>>(),
        policies: policies.map(|policy| Arc::clone(&policy.name)).collect(),
        upstreams: upstreams.map(|one| Arc::clone(&one.name)).collect(),
        endpoints: endpoints(snapshot),
        endpoints_before,
    }
}

fn endpoints(snapshot: &Snapshot) -> BTreeSet<EndpointName> {
    let of_upstream = |upstream: &Arc<Upstream>| {
        let name = Arc::clone(&upstream.name);
        let sockets = upstream.endpoints.iter().flat_map(Endpoint::sockets);
        let sockets: Vec<_> = sockets.collect();
        sockets.into_iter().map(move |socket| EndpointName {
            upstream: Arc::clone(&name),
            address: socket.to_string().into(),
        })
    };
    snapshot.upstreams.iter().flat_map(of_upstream).collect()
}
