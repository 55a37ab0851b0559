//! Wrong tokens, by address: after some in a minute the answer is that there are too many. The right token passes
//! all the same, so that nobody locks an operator out. Of IPv6 a network of 64 bits counts as one address, for
//! that is what one machine has. However many addresses try, the table and the log are bounded.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// How many wrong tokens an address may try in a minute until it is told to wait.
const MAX_TRIES: u32 = 10;
const MINUTE: Duration = Duration::from_mins(1);
/// How many addresses are known at once; what comes from others meanwhile counts as from one.
const MOST_ADDRESSES: usize = 1024;
/// How many lines a minute the log has of them; what is left out is told in one more.
const MOST_LINES: u32 = 10;
/// The part of an IPv6 address that is looked at.
const NETWORK: u128 = !0 << 64;

/// Wrong tries of the last minute.
#[derive(Debug, Default)]
pub(super) struct WrongTries {
    by_address: HashMap<Option<IpAddr>, Tries>,
    /// From addresses that found no room.
    by_others: Option<Tries>,
    lines: Lines,
}

/// Those of one address, in a minute that begins with the first.
#[derive(Debug)]
struct Tries {
    begun: Instant,
    count: u32,
}

/// What the log has been told, in a minute that begins with the first line.
#[derive(Debug, Default)]
struct Lines {
    begun: Option<Instant>,
    written: u32,
    /// How many tries there were since the first line that was left out.
    untold: u64,
}

impl WrongTries {
    /// Notes a wrong try. Returns how long to wait if there were too many.
    pub(super) fn note(&mut self, address: Option<IpAddr>, now: Instant) -> Option<Duration> {
        self.log_rest(now);
        let tries = self.of(address.map(network), now);
        tries.count = tries.count.saturating_add(1);
        let count = tries.count;
        let ends = MINUTE.saturating_sub(now.saturating_duration_since(tries.begun));
        let is_news = count == 1 || count == MAX_TRIES + 1;
        if self.lines.has_one_for(is_news, now) {
            let from = address.map(|it| it.to_string());
            tracing::warn!(tries = count, from, "a wrong token on the admin port");
        }
        (count > MAX_TRIES).then_some(ends)
    }

    /// Lets the log say how many tries of the last minute it has no line of, once that is over.
    pub(super) fn log_rest(&mut self, now: Instant) {
        if let Some(tries) = self.lines.take_untold(now) {
            tracing::warn!(tries, "more wrong tokens on the admin port within a minute");
        }
    }

    fn of(&mut self, address: Option<IpAddr>, now: Instant) -> &mut Tries {
        let is_full = self.by_address.len() >= MOST_ADDRESSES;
        if is_full && !self.by_address.contains_key(&address) {
            self.by_address.retain(|_, tries| !tries.is_over(now));
            if self.by_address.len() >= MOST_ADDRESSES {
                return Tries::going_on(self.by_others.get_or_insert(Tries::begin(now)), now);
            }
        }
        let tries = self.by_address.entry(address);
        Tries::going_on(tries.or_insert(Tries::begin(now)), now)
    }
}

impl Tries {
    fn begin(now: Instant) -> Self {
        Self {
            begun: now,
            count: 0,
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.begun) >= MINUTE
    }

    /// The same, or another minute of them.
    fn going_on(&mut self, now: Instant) -> &mut Self {
        if self.is_over(now) {
            *self = Self::begin(now);
        }
        self
    }
}

impl Lines {
    /// Whether a try has a line of its own: if it says anything new, and there is room for one.
    fn has_one_for(&mut self, is_news: bool, now: Instant) -> bool {
        if is_news && self.written < MOST_LINES {
            self.begun.get_or_insert(now);
            self.written += 1;
            return true;
        }
        if is_news || self.untold > 0 {
            self.untold += 1;
        }
        false
    }

    /// Ends a minute that is over; returns how many of its tries have not been told, if there are any.
    fn take_untold(&mut self, now: Instant) -> Option<u64> {
        let begun = self.begun?;
        if now.saturating_duration_since(begun) < MINUTE {
            return None;
        }
        let ended = std::mem::take(self);
        (ended.untold > 0).then_some(ended.untold)
    }
}

/// An address, or all addresses of a machine.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(it) => Ipv6Addr::from_bits(it.to_bits() & NETWORK).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    #[test]
    fn an_address_waits_after_too_many_tries_and_others_do_not() {
        let now = Instant::now();
        let mut tries = WrongTries::default();
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|it| it.parse().ok());
        for _ in 0..MAX_TRIES {
            assert_eq!(tries.note(one, now), None);
        }
        assert_eq!(tries.note(one, now + MINUTE / 2), Some(MINUTE / 2));
        assert_eq!(tries.note(other, now), None);
        assert_eq!(tries.note(one, now + MINUTE), None);
    }

    #[test]
    fn all_addresses_of_an_ipv6_network_are_one() {
        let now = Instant::now();
        let mut tries = WrongTries::default();
        for n in 0..MAX_TRIES {
            let address = format!("2001:db8:0:1:{n:x}::1").parse().ok();
            assert_eq!(tries.note(address, now), None);
        }
        let [same, other] = ["2001:db8:0:1:ffff::", "2001:db8:0:2::1"].map(|it| it.parse().ok());
        assert_eq!(tries.note(same, now), Some(MINUTE));
        assert_eq!(tries.note(other, now), None);
        // IPv4 addresses in IPv6 are those addresses.
        for n in 0..=MAX_TRIES {
            let address = format!("::ffff:192.0.2.{n}").parse().ok();
            assert_eq!(tries.note(address, now), None);
        }
    }

    #[test]
    fn many_addresses_take_no_more_room_and_free_nobody_of_waiting() {
        let now = Instant::now();
        let mut tries = WrongTries::default();
        for _ in 0..=MAX_TRIES {
            tries.note(Some(address(0)), now);
        }
        for n in 1..5000 {
            tries.note(Some(address(n)), now);
        }
        assert_eq!(tries.by_address.len(), MOST_ADDRESSES);
        assert_eq!(tries.note(Some(address(0)), now), Some(MINUTE));
        assert_eq!(tries.note(Some(address(5000)), now), Some(MINUTE));
        let later = now + MINUTE;
        assert_eq!(tries.note(Some(address(5000)), later), None);
        assert_eq!(tries.by_address.len(), 1);
    }

    #[test]
    fn the_log_has_some_lines_a_minute_and_one_of_the_rest() {
        let now = Instant::now();
        let mut tries = WrongTries::default();
        for n in 0..5000 {
            tries.note(Some(address(n)), now);
        }
        assert_eq!(tries.lines.written, MOST_LINES);
        let untold = u64::from(5000 - MOST_LINES);
        assert_eq!(tries.lines.untold, untold);
        assert_eq!(tries.lines.take_untold(now + MINUTE / 2), None);
        assert_eq!(tries.lines.take_untold(now + MINUTE), Some(untold));
        assert_eq!(tries.lines.take_untold(now + 2 * MINUTE), None);
        // It begins anew.
        tries.note(Some(address(1)), now + MINUTE);
        assert_eq!((tries.lines.written, tries.lines.untold), (1, 0));
    }

    #[test]
    fn one_address_has_two_lines_a_minute_and_no_third() {
        let now = Instant::now();
        let mut tries = WrongTries::default();
        for _ in 0..1000 {
            tries.note(Some(address(1)), now);
        }
        assert_eq!((tries.lines.written, tries.lines.untold), (2, 0));
    }
}
