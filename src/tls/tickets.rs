//! Session tickets: what a client brings along to resume a session without a full handshake (RFC 8446
//! section 4.6.1, RFC 5077). All that is in one is encrypted under a key that all workers and, with a
//! shared secret, all gateways of a fleet derive from that secret and the time: nothing is exchanged.

use std::sync::{Arc, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use rustls::server::ProducesTickets;

use crate::lock::{read, write};

use super::secret::Secret;

/// For so long a key encrypts new tickets; for as long again it opens old ones.
pub(super) const PERIOD_SECONDS: u32 = 12 * 3600;

/// How many bytes at the beginning of a ticket say which key it takes.
const NAME_LEN: usize = 8;
const KEY_LEN: usize = 32;

/// Makes and opens tickets.
#[derive(Debug)]
pub(super) struct Tickets {
    secret: Secret,
    /// What clients were asked for: a ticket given for one answer opens nothing that asks another.
    clients: Vec<u8>,
    keys: RwLock<Arc<Keys>>,
    clock: fn() -> u64,
}

/// The keys of a period and its neighbours: clocks of a fleet differ.
#[derive(Debug)]
struct Keys {
    period: u64,
    /// The one of this period first.
    all: [Key; 3],
}

#[derive(Debug)]
struct Key {
    name: [u8; NAME_LEN],
    /// With random nonces the plain GCM bears 2^32 tickets a key, which a large fleet may give out in a
    /// period; this one bears far more (RFC 8452 section 6).
    aead: Option<RandomizedNonceKey>,
}

impl Tickets {
    /// Tickets under keys from this secret. `clients` says what is asked of clients.
    pub(super) fn new(secret: Secret, clients: &[u8]) -> Self {
        Self::with_clock(secret, clients, unix_seconds)
    }

    pub(super) fn with_clock(secret: Secret, clients: &[u8], clock: fn() -> u64) -> Self {
        let keys = Keys::of(clock() / u64::from(PERIOD_SECONDS), &secret, clients);
        Self {
            clients: clients.to_owned(),
            keys: RwLock::new(Arc::new(keys)),
            secret,
            clock,
        }
    }

    /// The keys of now.
    fn keys(&self) -> Arc<Keys> {
        let period = (self.clock)() / u64::from(PERIOD_SECONDS);
        let keys = Arc::clone(&read(&self.keys));
        if keys.period == period {
            return keys;
        }
        let keys = Arc::new(Keys::of(period, &self.secret, &self.clients));
        *write(&self.keys) = Arc::clone(&keys);
        keys
    }
}

impl Keys {
    fn of(period: u64, secret: &Secret, clients: &[u8]) -> Self {
        let around = [period, period.saturating_sub(1), period + 1];
        Self {
            period,
            all: around.map(|period| Key::of(period, secret, clients)),
        }
    }
}

impl Key {
    fn of(period: u64, secret: &Secret, clients: &[u8]) -> Self {
        let period = period.to_be_bytes();
        let purpose = |what: &'static [u8]| [&b"session tickets"[..], what, clients, &period];
        let key: [u8; KEY_LEN] = secret.derive(&purpose(b"key"));
        Self {
            name: secret.derive(&purpose(b"name")),
            aead: RandomizedNonceKey::new(&AES_256_GCM_SIV, &key).ok(),
        }
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        PERIOD_SECONDS
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let keys = self.keys();
        let [key, ..] = &keys.all;
        let mut sealed = plain.to_owned();
        let nonce = key.aead.as_ref()?;
        let nonce = nonce.seal_in_place_append_tag(Aad::from(key.name), &mut sealed);
        let nonce = nonce.ok()?;
        Some([&key.name[..], nonce.as_ref(), &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME_LEN>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let keys = self.keys();
        // The name is no secret: it stands in each ticket.
        let key = keys.all.iter().find(|key| key.name == *name)?;
        let mut sealed = sealed.to_owned();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let aead = key.aead.as_ref()?;
        let plain = aead.open_in_place(nonce, Aad::from(name), &mut sealed);
        plain.ok().map(|plain| plain.to_owned())
    }
}

fn unix_seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static NOW: Cell<u64> = const { Cell::new(1_800_000_000) };
    }

    fn tickets(secret: &str, clients: &[u8]) -> Tickets {
        let secret = Secret::shared(secret);
        Tickets::with_clock(secret, clients, || NOW.get())
    }

    fn sleep(seconds: u32) {
        NOW.set(NOW.get() + u64::from(seconds));
    }

    #[test]
    fn gateways_with_the_same_secret_open_the_tickets_of_one_another() {
        let (ours, theirs) = (tickets("a", b"none"), tickets("a", b"none"));
        let ticket = ours.encrypt(b"session").unwrap();
        assert_eq!(theirs.decrypt(&ticket).unwrap(), b"session");
        assert_ne!(ours.encrypt(b"session").unwrap(), ticket);
        let empty = ours.encrypt(b"").unwrap();
        assert_eq!(ours.decrypt(&empty).unwrap(), b"");
        for others in [tickets("b", b"none"), tickets("a", b"required")] {
            assert!(others.decrypt(&ticket).is_none());
        }
    }

    #[test]
    fn what_is_not_as_it_was_made_opens_nothing() {
        let tickets = tickets("a", b"none");
        let ticket = tickets.encrypt(b"session").unwrap();
        for at in 0..ticket.len() {
            let mut other = ticket.clone();
            other[at] ^= 1;
            assert!(tickets.decrypt(&other).is_none(), "byte {at}");
            assert!(tickets.decrypt(&ticket[..at]).is_none(), "{at} bytes");
        }
    }

    #[test]
    fn a_ticket_is_good_for_its_lifetime_and_not_for_two_more() {
        let tickets = tickets("a", b"none");
        let ticket = tickets.encrypt(b"session").unwrap();
        sleep(tickets.lifetime());
        assert!(tickets.decrypt(&ticket).is_some());
        sleep(tickets.lifetime());
        assert!(tickets.decrypt(&ticket).is_none());
    }

    #[test]
    fn clocks_may_differ_by_a_period() {
        let (ours, theirs) = (tickets("a", b"none"), tickets("a", b"none"));
        sleep(PERIOD_SECONDS);
        let ticket = theirs.encrypt(b"session").unwrap();
        NOW.set(NOW.get() - u64::from(PERIOD_SECONDS));
        assert!(ours.decrypt(&ticket).is_some());
    }
}
