//! Limits as a client meets them: exact counts over all workers and instances, who shares a
//! bucket with whom, what the fields say, and what happens without Redis.

mod fields;
mod fleet;
mod memory;
mod on_failure;
mod outage;
mod routes;
mod shared;
mod shares;
mod site;
mod state;
mod subjects;
mod topologies;

use crate::support::{Gateway, Request, Response};

/// Sends `each` requests over each of `connections` connections at once, and returns how many
/// answers had which status.
fn storm(
    gateways: &[&Gateway],
    connections: usize,
    each: usize,
    request: &Request,
) -> (usize, usize) {
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..connections)
            .map(|nth| {
                let gateway = gateways[nth % gateways.len()];
                scope.spawn(move || {
                    let mut client = gateway.connect();
                    (0..each)
                        .map(|_| client.ask_among_many(request).status)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().expect("a client"))
            .collect()
    });
    let other: Vec<_> = statuses
        .iter()
        .filter(|status| !matches!(status, 200 | 429))
        .collect();
    assert!(other.is_empty(), "neither served nor limited: {other:?}");
    let served = statuses.iter().filter(|status| **status == 200).count();
    (served, statuses.len() - served)
}

/// What is left in the window, by the answer's `RateLimit` field.
fn remaining(response: &Response) -> u64 {
    let field = response
        .fields
        .one("ratelimit")
        .unwrap_or_else(|| panic!("{:?}", response.fields));
    let r = field.split(';').find_map(|part| part.strip_prefix("r="));
    r.and_then(|r| r.parse().ok())
        .unwrap_or_else(|| panic!("{field}"))
}
