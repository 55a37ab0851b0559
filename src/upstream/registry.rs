//! What the process knows of endpoints, for as long as the configuration has them: a reload that
//! changes anything else of an upstream finds its endpoints as they were.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Notify, watch};

use super::control::{Control, Endpoints};
use super::state::EndpointState;
use super::upstream_state::UpstreamState;
use super::{EndpointUrl, Upstream};

/// What the process knows of all endpoints.
#[derive(Debug, Default)]
pub struct Registry {
    endpoints: watch::Sender<Endpoints>,
    wake: Arc<Notify>,
}

impl Registry {
    /// Gives the endpoints of a new configuration what is known of them, and forgets those that it
    /// does not have.
    pub fn join(&self, upstreams: &mut [Arc<Upstream>]) {
        self.endpoints.send_modify(|endpoints| {
            let mut old = std::mem::take(endpoints);
            let of_upstreams: HashMap<Arc<str>, Arc<UpstreamState>> = old
                .iter()
                .map(|((name, ..), state)| (Arc::clone(name), Arc::clone(state.upstream())))
                .collect();
            for upstream in upstreams {
                let upstream = Arc::make_mut(upstream);
                if let Some(state) = of_upstreams.get(&upstream.name) {
                    upstream.state = Arc::clone(state);
                    // Its endpoints, or what is asked of them, may be others.
                    state.addresses_changed();
                }
                let rules = upstream.rules.capacity.as_ref();
                upstream.state.capacity.follow(rules);
                for endpoint in &mut upstream.endpoints {
                    let EndpointUrl { host, port, .. } = &endpoint.url;
                    let key = (Arc::clone(&upstream.name), host.clone(), *port);
                    let state = old.remove(&key).unwrap_or_else(|| {
                        let (wake, upstream) =
                            (Arc::clone(&self.wake), Arc::clone(&upstream.state));
                        Arc::new(EndpointState::new(host, *port, wake, upstream))
                    });
                    endpoint.state = Arc::clone(endpoints.entry(key).or_insert(state));
                }
            }
        });
    }

    /// What looks names up, for a thread of its own; ends when this registry is dropped.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(self.endpoints.subscribe(), Arc::clone(&self.wake))
    }
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
