//! The addresses of an endpoint: what becomes of them when a lookup ends, and in which order they
//! are tried. No answer of a resolver takes good addresses away at once, for resolvers fail, answer
//! with a subset, or for one family only: an address that is missing from an answer stays, behind
//! the others, until it has been missing for [`GONE_AFTER`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::address::{Address, ConnectError};

/// How long an address is used on after the first answer without it. While a name is in use, the
/// third such answer ends that.
const GONE_AFTER: Duration = Duration::from_secs(15);

/// How long addresses are used without waiting for a lookup. A name in use is looked up before.
const FRESH_FOR: Duration = Duration::from_secs(15);

/// How long a name that cannot be resolved is not asked for again.
pub(super) const LOOKUP_PAUSE: Duration = Duration::from_secs(1);

/// What a lookup found: at least one address, with no port.
pub(super) type Answer = Result<Vec<SocketAddr>, Arc<io::Error>>;

/// The addresses of an endpoint.
#[derive(Debug, Clone, Default)]
pub(super) struct Addresses {
    /// Those in the last answer first, in its order.
    listed: Vec<Listed>,
    /// Why the last lookup had no answer.
    failure: Option<Arc<io::Error>>,
    /// When the last lookup ended, or was late.
    settled: Option<Instant>,
}

#[derive(Debug, Clone)]
struct Listed {
    address: Arc<Address>,
    /// Since when no answer has had it.
    missing: Option<Instant>,
}

impl Addresses {
    /// An address that needs no lookup.
    pub(super) fn literal(socket: SocketAddr) -> Self {
        Self {
            listed: vec![Listed {
                address: Arc::new(Address::new(socket)),
                missing: None,
            }],
            ..Self::default()
        }
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Address>> {
        self.listed.iter().map(|one| &one.address)
    }

    /// Those that requests are spread over, and whether each was missing from the last answer: of
    /// the family that connects, or all as long as none has.
    pub(super) fn in_use(
        &self,
        ipv6_connects: Option<bool>,
    ) -> impl Iterator<Item = (&Arc<Address>, bool)> {
        let of_family = move |one: &Listed| {
            ipv6_connects.is_none_or(|ipv6| one.address.socket.is_ipv6() == ipv6)
        };
        let none = !self.listed.iter().any(of_family);
        let used = self.listed.iter().filter(move |one| none || of_family(one));
        used.map(|one| (&one.address, one.missing.is_some()))
    }

    /// Why the last lookup had no answer, if it had none.
    pub(super) fn failure(&self) -> Option<&io::Error> {
        self.failure.as_deref()
    }

    /// Whether there has been a lookup.
    pub(super) fn is_settled(&self) -> bool {
        self.settled.is_some()
    }

    /// Whether none is known.
    pub(super) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Whether they can be used without asking again, or are known not to be found.
    pub(super) fn are_fresh(&self, now: Instant) -> bool {
        let holds = if self.is_empty() {
            LOOKUP_PAUSE
        } else {
            FRESH_FOR
        };
        self.settled_within(holds, now)
    }

    /// Whether a lookup ended so short a time ago.
    pub(super) fn settled_within(&self, time: Duration, now: Instant) -> bool {
        let settled = self.settled;
        settled.is_some_and(|at| now.saturating_duration_since(at) < time)
    }

    /// Takes what a lookup found.
    pub(super) fn settle(&mut self, answer: &Answer, port: u16, now: Instant) {
        self.settled = Some(now);
        self.failure = answer.as_ref().err().map(Arc::clone);
        let Ok(found) = answer else {
            return;
        };
        let mut old = std::mem::take(&mut self.listed);
        for mut socket in found.iter().copied() {
            socket.set_port(port);
            if self.iter().all(|address| address.socket != socket) {
                let known = old.iter().position(|one| one.address.socket == socket);
                self.listed.push(Listed {
                    address: known.map_or_else(
                        || Arc::new(Address::new(socket)),
                        |index| old.remove(index).address,
                    ),
                    missing: None,
                });
            }
        }
        for mut one in old {
            let since = *one.missing.get_or_insert(now);
            if now.saturating_duration_since(since) < GONE_AFTER {
                self.listed.push(one);
            }
        }
    }

    /// Notes that a lookup takes long: what is known is used meanwhile.
    pub(super) fn note_late_lookup(&mut self, now: Instant) {
        if !self.is_empty() {
            self.settled = Some(now);
        }
    }

    /// In the order in which to try them: first those that did not fail lately, of those the ones
    /// in the last answer, of those the family that connects (IPv6 or not). As long as none has
    /// connected, the families take turns (RFC 8305 section 4).
    pub(super) fn in_order(
        &self,
        connects: Option<bool>,
        now: Instant,
    ) -> Result<Vec<Arc<Address>>, ConnectError> {
        if let ([], Some(error)) = (&self.listed[..], &self.failure) {
            return Err(ConnectError::Resolve(Arc::clone(error)));
        }
        let is_only = self.listed.len() == 1;
        let mut of_family = [0; 2];
        let rank = |Listed { address, missing }: &Listed| {
            let is_ipv6 = address.socket.is_ipv6();
            let nth = &mut of_family[usize::from(is_ipv6)];
            *nth += 1;
            let is_fallback = connects.is_some_and(|ipv6| ipv6 != is_ipv6);
            // To ask this is to promise to try it.
            let is_avoided = !is_only && address.is_avoided(now);
            let rank = (is_avoided, missing.is_some(), is_fallback, *nth);
            (rank, Arc::clone(address))
        };
        let mut ranked: Vec<_> = self.listed.iter().map(rank).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        Ok(ranked.into_iter().map(|(_, address)| address).collect())
    }
}

#[cfg(test)]
mod tests;
