//! How addresses have served, by names under which another process knows them. A successor goes on from that:
//! it would send requests to what is known not to answer, and none to what serves though its checks fail.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::circuit::Standing;
use super::drains::{self, PARTED_BY};
use super::{Address, Upstream};

/// The circuits of the configuration in force.
#[derive(Debug, Clone)]
pub struct Circuits(watch::Receiver<Vec<Arc<Upstream>>>);

impl Circuits {
    pub(super) fn new(upstreams: watch::Receiver<Vec<Arc<Upstream>>>) -> Self {
        Self(upstreams)
    }

    /// How those stand that were tried, each with its name, as numbers.
    pub fn standings(&self) -> Vec<(String, Standing)> {
        let now = Instant::now();
        let mut all = Vec::new();
        self.visit(|_, name, address| {
            let standing = address.circuit.standing(now);
            all.extend(standing.map(|standing| (name(address.socket), standing)));
        });
        all
    }

    /// Goes on from how one stood in another process, if there is any of this name.
    pub fn resume(&self, wanted: &str, standing: &Standing) {
        let now = Instant::now();
        self.visit(|upstream, name, address| {
            if name(address.socket) != wanted {
                return;
            }
            let Some(reason) = address.circuit.resume(standing, now) else {
                return;
            };
            upstream.state.note_trouble();
            let (upstream, endpoint) = (&upstream.name, address.socket);
            tracing::warn!(event = "circuit_opened", %upstream, %endpoint, %reason, "a circuit is open, as it was before");
        });
    }

    fn visit(&self, mut each: impl FnMut(&Upstream, &dyn Fn(SocketAddr) -> String, &Address)) {
        for upstream in &*self.0.borrow() {
            for endpoint in &upstream.endpoints {
                let of_endpoint = drains::name(upstream, endpoint);
                let name = |socket| format!("{of_endpoint}{PARTED_BY}{socket}");
                for (address, _) in endpoint.state.in_use() {
                    each(upstream, &name, &address);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::upstream::Registry;
    use crate::upstream::testing::upstream;

    #[test]
    fn a_circuit_stands_there_as_it_stood_here() {
        let all = || {
            [
                upstream("a", "http://127.0.0.1:81"),
                upstream("b", "http://127.0.0.1:82"),
            ]
        };
        let (old, new) = (Registry::default(), Registry::default());
        let (mut there, mut here) = (all(), all());
        old.join(&mut there);
        new.join(&mut here);
        assert!(old.circuits().standings().is_empty(), "none was tried");
        let circuit = |of: &[Arc<Upstream>], nth: usize| {
            let (address, _) = of[nth].endpoints[0].state.in_use().remove(0);
            address
        };
        let now = Instant::now();
        let served = circuit(&there, 1);
        let ticket = served.circuit.enter().expect("it is closed");
        served.circuit.succeeded(ticket, now);
        let standings = old.circuits().standings();
        assert_eq!(standings.len(), 1);
        for (name, standing) in &standings {
            new.circuits().resume(name, standing);
            new.circuits()
                .resume("a\n127.0.0.1\n83\n127.0.0.1:83", standing);
        }
        for later in [0, 3600] {
            assert!(
                circuit(&here, 1)
                    .circuit
                    .serves(now + Duration::from_secs(later))
            );
        }
        assert!(!circuit(&here, 0).circuit.serves(now));
    }
}
