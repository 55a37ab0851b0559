//! How endpoints are, as values, for the admin port: which of them take requests, since when, and why not.
//! Takes a lock for each endpoint, and looks at nothing that a request would wait for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::address::{Address, Check};
use super::capacity::Occupancy;
use super::{Endpoint, Upstream};
use crate::words::words;

words! {
    /// Whether an address takes requests.
    pub enum AddressState {
        /// It does.
        Up = "up",
        /// Its checks fail.
        Down = "down",
        /// What was sent there failed; it waits for a probe.
        CircuitOpen = "circuit_open",
        /// A probe is under way.
        HalfOpen = "half_open",
        /// The configuration, or an operator, gives it nothing new.
        Drained = "drained",
    }
}

/// Whether requests fail at an address, whatever else is said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// They do not.
    Closed,
    /// They did; a probe is under way.
    HalfOpen,
    /// They did; it waits for a probe.
    Open,
}

/// How an address is.
#[derive(Debug, Clone, PartialEq)]
pub struct AddressLook {
    /// The address.
    pub socket: SocketAddr,
    /// Whether it takes requests.
    pub state: AddressState,
    /// Whether requests fail there.
    pub circuit: CircuitState,
    /// Since when.
    pub since: Instant,
    /// Why it does not.
    pub why: Option<String>,
    /// Requests in flight there.
    pub in_flight: u32,
    /// How long its answers take to their heads, on average.
    pub latency: Option<Duration>,
}

/// How an endpoint is.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointLook {
    /// Its addresses that requests are spread over; none: the name has not been resolved.
    pub addresses: Vec<AddressLook>,
    /// Why the last lookup of its name had no answer.
    pub unresolved: Option<String>,
}

impl Upstream {
    /// How full it is.
    pub fn occupancy(&self) -> Occupancy {
        self.state.capacity.occupancy()
    }
}

impl Upstream {
    /// Whether a request has anywhere to go. A circuit that has been open for its time may close with the
    /// next request; a name that has not been looked up may have addresses.
    pub fn is_usable(&self, now: Instant) -> bool {
        let takes = self.endpoints.iter().filter(|one| one.takes_requests());
        let mut endpoints = takes.map(|one| (one.state.in_use(), one.state.unresolved()));
        endpoints.any(|(in_use, unresolved)| {
            let mut addresses = in_use.iter();
            (in_use.is_empty() && unresolved.is_none())
                || addresses.any(|(address, _)| self.can_use(address, now))
        })
    }

    /// How its endpoints are, each with the endpoint.
    pub fn looks(&self, now: Instant) -> impl Iterator<Item = (&Endpoint, EndpointLook)> {
        let used_though_down = self.used_though_down(now);
        let endpoints = self.endpoints.iter();
        endpoints.map(move |one| (one, one.look(&used_though_down, now)))
    }
}

impl Endpoint {
    /// Whether it may be given requests: neither the configuration nor an operator is against it.
    pub fn takes_requests(&self) -> bool {
        self.weight > 0 && !self.state.is_drained()
    }

    /// All addresses that it is known to have.
    pub fn sockets(&self) -> Vec<SocketAddr> {
        self.state.sockets()
    }

    /// Drains it, or lets it take requests again; what is in flight goes on. Says whether that is a change.
    pub fn set_drained(&self, drained: bool) -> bool {
        self.state.set_drained(drained.then(Instant::now))
    }

    fn look(&self, used_though_down: &[Arc<Address>], now: Instant) -> EndpointLook {
        let in_use = self.state.in_use();
        let drained = match self.state.drained_since() {
            Some(since) => Some((since, "drained by an operator")),
            None => (self.weight == 0).then_some((now, "weight = 0")),
        };
        EndpointLook {
            addresses: in_use
                .iter()
                .map(|(address, _)| {
                    let mut used = used_though_down.iter();
                    let is_used = used.any(|one| Arc::ptr_eq(one, address));
                    address.look(drained, is_used, now)
                })
                .collect(),
            unresolved: self.state.unresolved(),
        }
    }
}

impl Address {
    fn look(
        &self,
        drained: Option<(Instant, &str)>,
        is_used_though_down: bool,
        now: Instant,
    ) -> AddressLook {
        let opened = self.circuit.opened();
        let circuit = match &opened {
            None => CircuitState::Closed,
            Some(_) if self.circuit.is_probed(now) => CircuitState::HalfOpen,
            Some(_) => CircuitState::Open,
        };
        let up_since = now.checked_sub(self.age(now)).unwrap_or(now);
        let (state, since, why) = if let Some((since, why)) = drained {
            (AddressState::Drained, Some(since), Some(why.to_owned()))
        } else if self.check() == Check::Down {
            let (since, why) = self.went_down().unzip();
            let why = why.map(|why| format!("checks fail: {why}"));
            if is_used_though_down {
                let why = why.map(|why| {
                    format!("{why}; it answers requests, and gets them while no other endpoint can be used")
                });
                (AddressState::Up, None, why)
            } else {
                (AddressState::Down, since, why)
            }
        } else if let Some((since, why)) = opened {
            let state = if circuit == CircuitState::HalfOpen {
                AddressState::HalfOpen
            } else {
                AddressState::CircuitOpen
            };
            (state, Some(since), Some(format!("requests failed: {why}")))
        } else {
            (AddressState::Up, None, None)
        };
        AddressLook {
            socket: self.socket,
            state,
            circuit,
            since: since.unwrap_or(up_since),
            why,
            in_flight: self.load.in_flight(),
            latency: self.load.average(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::failure::Failure;
    use crate::upstream::testing::upstream;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_address_is_up_until_checks_or_requests_fail() {
        let upstream = upstream("up", "http://127.0.0.1:81");
        let address = upstream.addresses().next().unwrap();
        let now = Instant::now();
        let look = || {
            let (_, mut look) = upstream.looks(now + 3 * SECOND).next().unwrap();
            assert_eq!((look.addresses.len(), look.unresolved), (1, None));
            let look = look.addresses.remove(0);
            (look.state, look.since, look.why)
        };
        assert_eq!((look().0, look().2), (AddressState::Up, None));

        let refused = Failure::Refused.into();
        upstream.checked(&address, Check::Down, Some(refused), now + SECOND);
        let why = Some("checks fail: refused".to_owned());
        assert_eq!(look(), (AddressState::Down, now + SECOND, why));
        upstream.checked(&address, Check::Up, None, now + 2 * SECOND);
        let (state, since, why) = look();
        assert_eq!((state, why), (AddressState::Up, None));
        let age = (now + 3 * SECOND).duration_since(since);
        assert!(age.abs_diff(SECOND) <= Duration::from_millis(2), "{age:?}");
    }

    #[test]
    fn a_name_without_an_address_is_said_with_the_reason() {
        let upstream = upstream("up", "http://up.test");
        let endpoint = &upstream.endpoints[0];
        let now = Instant::now();
        let look = || upstream.looks(now).next().unwrap().1;
        let before = look();
        assert_eq!((before.addresses.len(), before.unresolved), (0, None));
        let error = std::io::Error::other("no such name");
        endpoint.state.settle(&Err(std::sync::Arc::new(error)), now);
        let look = look();
        assert_eq!(look.unresolved.as_deref(), Some("no such name"));
    }
}
