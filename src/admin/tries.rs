//! Wrong tokens, by address: after some in a minute the answer is that there are too many, and the log says so
//! once a minute. The right token passes all the same, so that nobody locks an operator out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How many wrong tokens an address may try in a minute until it is told to wait.
const MOST: u32 = 10;
const MINUTE: Duration = Duration::from_mins(1);
/// How many addresses are known; when there are more, all are forgotten.
const MOST_ADDRESSES: usize = 1024;

/// Wrong tries of the last minute.
#[derive(Debug, Default)]
pub(super) struct WrongTries(HashMap<Option<IpAddr>, (Instant, u32)>);

impl WrongTries {
    /// Notes a wrong try. Returns how long to wait if there were too many.
    pub(super) fn note(&mut self, address: Option<IpAddr>, now: Instant) -> Option<Duration> {
        if self.0.len() >= MOST_ADDRESSES && !self.0.contains_key(&address) {
            self.0.clear();
        }
        let (begun, tries) = self.0.entry(address).or_insert((now, 0));
        if now.saturating_duration_since(*begun) >= MINUTE {
            (*begun, *tries) = (now, 0);
        }
        *tries += 1;
        if *tries == 1 || *tries == MOST + 1 {
            let from = address.map(|it| it.to_string());
            tracing::warn!(tries = *tries, from, "a wrong token on the admin port");
        }
        let waits = *tries > MOST;
        waits.then(|| MINUTE.saturating_sub(now.saturating_duration_since(*begun)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_waits_after_too_many_tries_and_others_do_not() {
        let now = Instant::now();
        let mut tries = WrongTries::default();
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|it| it.parse().ok());
        for _ in 0..MOST {
            assert_eq!(tries.note(one, now), None);
        }
        assert_eq!(tries.note(one, now + MINUTE / 2), Some(MINUTE / 2));
        assert_eq!(tries.note(other, now), None);
        assert_eq!(tries.note(one, now + MINUTE), None);
    }

    #[test]
    fn many_addresses_take_no_more_room() {
        let mut tries = WrongTries::default();
        for n in 0..5000_u32 {
            tries.note(Some(IpAddr::from(n.to_be_bytes())), Instant::now());
        }
        assert!(tries.0.len() <= MOST_ADDRESSES);
    }
}
