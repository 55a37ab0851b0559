//! Endpoints that an operator has drained, by names under which another process knows them: a successor goes
//! on with them as they are.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Endpoint, Upstream};

/// What parts an endpoint's name. It stands in no name of the configuration.
const PARTED_BY: char = '\n';

/// The endpoints of the configuration in force, of which some may be drained.
#[derive(Debug, Clone)]
pub struct Drains(watch::Receiver<Vec<Arc<Upstream>>>);

impl Drains {
    pub(super) fn new(upstreams: watch::Receiver<Vec<Arc<Upstream>>>) -> Self {
        Self(upstreams)
    }

    /// The names of those that are drained now.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let upstreams = self.0.borrow();
        let endpoints = upstreams
            .iter()
            .flat_map(|one| one.endpoints.iter().map(move |endpoint| (one, endpoint)));
        let drained = endpoints.filter(|(_, endpoint)| endpoint.state.is_drained());
        drained
            .map(|(upstream, endpoint)| name(upstream, endpoint))
            .collect()
    }

    /// Drains what has this name, if there is anything.
    pub fn drain(&self, wanted: &str) {
        for upstream in &*self.0.borrow() {
            let endpoints = upstream.endpoints.iter();
            for endpoint in endpoints.filter(|it| name(upstream, it) == wanted) {
                if endpoint.set_drained(true) {
                    let (upstream, endpoint) = (&upstream.name, &endpoint.url);
                    tracing::info!(%upstream, %endpoint, "endpoint drained, as it was before");
                }
            }
        }
    }
}

/// What is known of an endpoint is by its upstream, host and port.
fn name(upstream: &Upstream, endpoint: &Endpoint) -> String {
    let (name, url) = (&upstream.name, &endpoint.url);
    format!("{name}{PARTED_BY}{}{PARTED_BY}{}", url.host, url.port)
}

#[cfg(test)]
mod tests {
    use crate::upstream::Registry;
    use crate::upstream::testing::upstream;

    #[test]
    fn what_is_drained_here_is_drained_there_and_nothing_else() {
        let all = || {
            [
                upstream("a", "http://up.test"),
                upstream("a2", "http://up.test"),
                upstream("b", "http://up.test:81"),
                upstream("c", "http://[::1]:82"),
            ]
        };
        let (old, new) = (Registry::default(), Registry::default());
        let (mut there, mut here) = (all(), all());
        old.join(&mut there);
        new.join(&mut here);
        assert_eq!(old.drains().names(), [""; 0]);
        for nth in [0, 3] {
            assert!(there[nth].endpoints[0].set_drained(true));
        }
        let names = old.drains().names();
        assert_eq!(names.len(), 2);
        for name in &names {
            new.drains().drain(name);
        }
        assert_eq!(new.drains().names(), names);
        for unknown in ["", "a", "a\nup.test\n81", "d\nup.test\n80"] {
            new.drains().drain(unknown);
        }
        assert_eq!(new.drains().names(), names);
    }
}
