//! What the process knows of endpoints, for as long as the configuration has them: a reload that
//! changes anything else of an upstream finds its endpoints as they were.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Notify, watch};

use super::circuits::Circuits;
use super::control::Control;
use super::drains::Drains;
use super::state::EndpointState;
use super::{Endpoint, EndpointUrl, Upstream};

/// What the process knows of all endpoints.
#[derive(Debug, Default)]
pub struct Registry {
    /// Those of the configuration in force.
    upstreams: watch::Sender<Vec<Arc<Upstream>>>,
    wake: Arc<Notify>,
}

impl Registry {
    /// Gives the endpoints of a new configuration what is known of them, and forgets those that it
    /// does not have.
    pub fn join(&self, upstreams: &mut [Arc<Upstream>]) {
        self.upstreams.send_modify(|known| {
            let of_upstreams: HashMap<_, _> =
                known.iter().map(|one| (&one.name, &one.state)).collect();
            let endpoints = known
                .iter()
                .flat_map(|one| one.endpoints.iter().map(move |endpoint| (one, endpoint)));
            let of_endpoints: HashMap<_, _> = endpoints
                .map(|(one, endpoint)| (key(&one.name, endpoint), endpoint))
                .collect();
            for upstream in &mut *upstreams {
                let upstream = Arc::make_mut(upstream);
                if let Some(state) = of_upstreams.get(&upstream.name) {
                    upstream.state = Arc::clone(state);
                    // Its endpoints, or what is asked of them, may be others.
                    state.addresses_changed();
                }
                let rules = upstream.rules.capacity.as_ref();
                upstream.state.capacity.follow(rules);
                for endpoint in &mut upstream.endpoints {
                    let known = of_endpoints.get(&key(&upstream.name, endpoint));
                    let drained = known.and_then(|known| known.state.drained_since());
                    // With other rules of TLS it is another: no connection that was made by the old
                    // ones may be used, and what has failed by them may be well.
                    let known = known.filter(|known| known.tls == endpoint.tls);
                    endpoint.state = known.map_or_else(
                        || {
                            let EndpointUrl { host, port, .. } = &endpoint.url;
                            let (wake, upstream) =
                                (Arc::clone(&self.wake), Arc::clone(&upstream.state));
                            Arc::new(EndpointState::new(host, *port, wake, upstream))
                        },
                        |known| Arc::clone(&known.state),
                    );
                    if drained.is_some() {
                        endpoint.state.set_drained(drained);
                    }
                }
            }
            *known = upstreams.to_vec();
        });
    }

    /// How addresses have served.
    pub fn circuits(&self) -> Circuits {
        Circuits::new(self.upstreams.subscribe())
    }

    /// Which endpoints operators have drained.
    pub fn drains(&self) -> Drains {
        Drains::new(self.upstreams.subscribe())
    }

    /// What looks names up and checks endpoints, for a thread of its own; ends when this registry is
    /// dropped.
    pub fn control(&self) -> Control {
        Control::new(self.upstreams.subscribe(), Arc::clone(&self.wake))
    }
}

/// What is learnt of an endpoint is by its upstream, host and port, and how TLS is spoken there.
fn key<'k>(upstream: &'k str, endpoint: &'k Endpoint) -> (&'k str, &'k str, u16) {
    (upstream, &endpoint.url.host, endpoint.url.port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::testing::upstream;

    #[test]
    fn a_reload_finds_endpoints_as_they_were() {
        let registry = Registry::default();
        let mut old = [
            upstream("a", "http://up.test"),
            upstream("b", "http://up.test"),
        ];
        registry.join(&mut old);
        let state = |upstream: &Upstream| Arc::clone(&upstream.endpoints[0].state);
        assert!(!Arc::ptr_eq(&state(&old[0]), &state(&old[1])));

        let mut new = [
            upstream("b", "http://up.test/v2"),
            upstream("a", "http://up.test:81"),
        ];
        registry.join(&mut new);
        assert!(Arc::ptr_eq(&state(&new[0]), &state(&old[1])));
        assert!(!Arc::ptr_eq(&state(&new[1]), &state(&old[0])));

        let mut again = [upstream("a", "http://up.test")];
        registry.join(&mut again);
        let forgotten = !Arc::ptr_eq(&state(&again[0]), &state(&old[0]));
        assert!(forgotten, "what a configuration did not have is not kept");
    }
}
