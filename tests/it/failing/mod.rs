//! Services that fail: what clients see of it, and what the endpoints get.

mod balance;
mod blame;
mod capacity;
mod checks;
mod circuits;
mod kept;
mod names;
mod patience;
mod retries;
mod timeouts;

use crate::support::{Gateway, Peer, Upstream};

/// A gateway whose one route leads to these services, as one upstream with `rules`.
fn gateway(services: &[&Upstream], rules: &str) -> Gateway {
    let urls: Vec<_> = services
        .iter()
        .map(|one| format!("\"{}\"", one.url()))
        .collect();
    Gateway::start(&format!(
        "[server]\nworkers = 2\n[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = [{}]\n{rules}",
        urls.join(", ")
    ))
}

/// A service that answers each request with these bytes.
fn answering(answer: &'static str) -> Upstream {
    Upstream::answering(answer)
}

/// A service that reads each request and then does something that is no answer.
fn failing(fail: impl Fn(&mut Peer) + Send + Sync + 'static) -> Upstream {
    Upstream::start(move |peer| {
        peer.request()?;
        fail(peer);
        Err(crate::support::Gone)
    })
}
