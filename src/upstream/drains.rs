//! Endpoints that an operator has drained, by names under which another process knows them: a successor goes
//! on with them as they are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Endpoint, Upstream};

/// What parts an endpoint's name. It stands in no name of the configuration.
pub(super) const PARTED_BY: char = '\n';

/// The endpoints of the configuration in force, of which some may be drained.
#[derive(Debug, Clone)]
pub struct Drains(watch::Receiver<Vec<Arc<Upstream>>>);

impl Drains {
    pub(super) fn new(upstreams: watch::Receiver<Vec<Arc<Upstream>>>) -> Self {
        Self(upstreams)
    }

    /// The names of those that are drained now, and for how long they have been.
    pub fn drained(&self) -> Vec<(String, Duration)> {
        let now = Instant::now();
        let upstreams = self.0.borrow();
        let endpoints = upstreams
            .iter()
            .flat_map(|one| one.endpoints.iter().map(move |endpoint| (one, endpoint)));
        let drained = endpoints.filter_map(|(upstream, endpoint)| {
            let since = endpoint.state.drained_since()?;
            Some((
                name(upstream, endpoint),
                now.saturating_duration_since(since),
            ))
        });
        drained.collect()
    }

    /// Drains what has this name, if there is anything, as it has been for so long.
    pub fn drain(&self, wanted: &str, for_time: Duration) {
        let now = Instant::now();
        let since = now.checked_sub(for_time).unwrap_or(now);
        for upstream in &*self.0.borrow() {
            let endpoints = upstream.endpoints.iter();
            for endpoint in endpoints.filter(|it| name(upstream, it) == wanted) {
                if endpoint.state.set_drained(Some(since)) {
                    tracing::info!(
                        event = "endpoint_drained",
                        upstream = %upstream.name,
                        endpoint = %endpoint.url,
                        ?for_time,
                        "endpoint drained, as it was before"
                    );
                }
            }
        }
    }
}

/// What is known of an endpoint is by its upstream, host and port.
pub(super) fn name(upstream: &Upstream, endpoint: &Endpoint) -> String {
    let (name, url) = (&upstream.name, &endpoint.url);
    format!("{name}{PARTED_BY}{}{PARTED_BY}{}", url.host, url.port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::ClientTls;
    use crate::upstream::testing::upstream;
    use crate::upstream::{EndpointTls, Registry};

    const LONG: Duration = Duration::from_hours(2);

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
        let names = |of: &Registry| {
            let drained = of.drains().drained().into_iter();
            drained.map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names(&old), [""; 0]);
        for nth in [0, 3] {
            assert!(there[nth].endpoints[0].set_drained(true));
        }
        let drained = names(&old);
        assert_eq!(drained.len(), 2);
        for name in &drained {
            new.drains().drain(name, LONG);
        }
        assert_eq!(names(&new), drained);
        for unknown in ["", "a", "a\nup.test\n81", "d\nup.test\n80"] {
            new.drains().drain(unknown, LONG);
        }
        assert_eq!(names(&new), drained);
    }

    #[test]
    fn an_endpoint_is_drained_since_it_first_was() {
        let registry = Registry::default();
        registry.join(&mut [upstream("a", "http://up.test")]);
        registry.drains().drain("a\nup.test\n80", LONG);
        let for_time = || registry.drains().drained()[0].1;
        assert!(for_time() >= LONG);
        // With other rules of TLS it is a new one to all else.
        let mut other = upstream("a", "http://up.test");
        Arc::make_mut(&mut other).endpoints[0].tls = Some(EndpointTls {
            tls: Arc::new(ClientTls::new(None, None)),
            name: "up.test".try_into().unwrap(),
        });
        registry.join(&mut [other]);
        assert!(for_time() >= LONG);
    }
}
