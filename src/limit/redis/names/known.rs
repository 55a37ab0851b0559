//! Which addresses a name has, by what lookups have found. As with services' names (`upstream/addresses`),
//! no answer takes an address away at once, for resolvers answer with a subset; one that fails or is
//! empty changes nothing.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// How often the name of a connection is looked up.
const INTERVAL: Duration = Duration::from_secs(10);

/// How long an address is a name's after the first answer without it: the third such answer ends that.
const GONE_AFTER: Duration = Duration::from_secs(15);

/// What has not been looked up for so long has no connection.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(5);

/// Names and their addresses.
#[derive(Default)]
pub(super) struct Known(HashMap<Box<str>, Name>);

struct Name {
    /// When it was last looked up.
    begun: Instant,
    /// Its addresses, and since when no answer has had each.
    listed: Vec<(IpAddr, Option<Instant>)>,
    /// Addresses that it had, and that have been logged as such.
    left: Vec<IpAddr>,
}

impl Known {
    /// A lookup begins.
    pub(super) fn begins(&mut self, host: &str, now: Instant) {
        let age = |name: &Name| now.saturating_duration_since(name.begun);
        self.0.retain(|_, name| age(name) < FORGOTTEN_AFTER);
        let name = self.0.entry(host.into()).or_insert_with(|| Name {
            begun: now,
            listed: Vec::new(),
            left: Vec::new(),
        });
        name.begun = now;
    }

    /// Whether it is time for the next one.
    pub(super) fn is_due(&self, host: &str, now: Instant) -> bool {
        let age = |name: &Name| now.saturating_duration_since(name.begun);
        self.0.get(host).is_none_or(|name| age(name) >= INTERVAL)
    }

    /// Takes what a lookup has found.
    pub(super) fn settle(&mut self, host: &str, found: &[SocketAddr], now: Instant) {
        let Some(name) = self.0.get_mut(host).filter(|_| !found.is_empty()) else {
            return;
        };
        let is_found = |ip: IpAddr| found.iter().any(|address| address.ip() == ip);
        for (ip, missing) in &mut name.listed {
            *missing = (!is_found(*ip)).then(|| missing.unwrap_or(now));
        }
        let age = |since| now.saturating_duration_since(since);
        name.listed
            .retain(|(_, missing)| missing.is_none_or(|since| age(since) < GONE_AFTER));
        for ip in found.iter().map(SocketAddr::ip) {
            if !name.listed.iter().any(|(listed, _)| *listed == ip) {
                name.listed.push((ip, None));
            }
        }
        name.left.retain(|ip| !is_found(*ip));
    }

    /// Whether an address that a host had is none of its own any more. Logged once.
    pub(super) fn has_left(&mut self, host: &str, from: IpAddr) -> bool {
        let Some(name) = self.0.get_mut(host) else {
            return false;
        };
        let mut listed = name.listed.iter().map(|(ip, _)| *ip);
        if name.listed.is_empty() || listed.clone().any(|ip| ip == from) {
            return false;
        }
        if !name.left.contains(&from) {
            name.left.push(from);
            let now = listed.next().map(|ip| ip.to_string());
            tracing::info!(name = host, %from, to = now, "the name of redis leads elsewhere; connecting there");
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ip(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn answer(last: &[u8]) -> Vec<SocketAddr> {
        last.iter().map(|last| (ip(*last), 0).into()).collect()
    }

    #[test]
    fn the_third_answer_without_an_address_takes_it_away() {
        let (mut known, mut now) = (Known::default(), Instant::now());
        let mut settle = |last: &[u8]| {
            now += INTERVAL;
            known.begins("redis.test", now);
            known.settle("redis.test", &answer(last), now);
            [1, 2].map(|last| known.has_left("redis.test", ip(last)))
        };
        assert_eq!(settle(&[1, 2]), [false, false]);
        assert_eq!(settle(&[2]), [false, false]);
        assert_eq!(settle(&[2]), [false, false]);
        assert_eq!(settle(&[]), [false, false], "an empty answer says nothing");
        assert_eq!(settle(&[2]), [true, false]);
        assert_eq!(settle(&[1, 2]), [false, false]);
    }

    #[test]
    fn an_address_that_comes_back_has_not_gone() {
        let (mut known, now) = (Known::default(), Instant::now());
        known.begins("redis.test", now);
        for (after, last) in [(0, 1), (10, 2), (20, 1), (30, 2), (40, 1)] {
            known.settle("redis.test", &answer(&[last]), now + after * SECOND);
            assert!(!known.has_left("redis.test", ip(1)));
        }
    }

    #[test]
    fn nothing_has_left_a_name_that_nothing_is_known_of() {
        let (mut known, now) = (Known::default(), Instant::now());
        assert!(known.is_due("redis.test", now));
        assert!(!known.has_left("redis.test", ip(1)));
        known.begins("redis.test", now);
        assert!(!known.has_left("redis.test", ip(1)));
        assert!(!known.is_due("redis.test", now + 9 * SECOND));
        assert!(known.is_due("redis.test", now + 10 * SECOND));
    }

    #[test]
    fn names_without_connections_are_forgotten() {
        let (mut known, now) = (Known::default(), Instant::now());
        for nth in 0..1000 {
            known.begins(&format!("{nth}.test"), now);
        }
        known.begins("redis.test", now + FORGOTTEN_AFTER);
        assert_eq!(known.0.len(), 1);
    }
}
