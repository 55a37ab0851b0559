//! Counters on their way from a gateway to its successor, for none may go back when one hands over to the
//! other: first all of them, then, when the old one ends, what has been added since. Gauges stay behind.
//! Marks go the same way: names of what is as it is, without numbers.
//!
//! ```text
//! portion   family (one byte), length of the name (two bytes), name, then numbers that are not zero:
//!           place (two bytes) and number (eight bytes)
//! ```
//! Bytes of numbers are in little-endian order. A number is known by its place, and what is at which place
//! is for each version to say: the first portion is named by a digest of that, and a successor of another
//! version begins at zero.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::Metrics;
use super::dropped::Dropped;
use super::histogram::CLASSIC_BOUNDS;
use super::kinds::{
    ClientOutcome, HandshakeOutcome, PolicyOutcome, ReloadOutcome, RetryOutcome, StoreOutcome,
    TryOutcome,
};
use super::outcomes::Outcomes;
use super::route::ClientKind;
use super::row::{Row, Total as _};
use super::rows::Rows;
use super::status::REGISTERED;
use super::worker::{EndpointName, WorkerRow};
use crate::lock::lock;
use crate::message::hex::Hex;
use crate::words::Word;

/// What parts an endpoint's name.
const PARTED_BY: char = '\n';

/// What belongs to one name of one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portion {
    family: u8,
    name: String,
    numbers: Vec<u64>,
}

/// Which rows a portion belongs to.
#[repr(u8)]
#[derive(Clone, Copy)]
enum Family {
    Route = b'r',
    Client = b'c',
    Policy = b'p',
    Upstream = b'u',
    Endpoint = b'e',
    Worker = b'w',
    Reloads = b'l',
    Dropped = b'D',
    /// What is counted at which place.
    Places = b'P',
    /// An endpoint that an operator has drained: a mark.
    Drained = b'd',
    /// How an address has served: a mark.
    Circuit = b'b',
}

impl Portion {
    fn of<R: Row>(family: Family, name: impl Into<String>, mut totals: R::Totals) -> Self {
        let mut numbers = Vec::new();
        R::each(&mut totals, &mut |number| numbers.push(*number));
        Self {
            family: family as u8,
            name: name.into(),
            numbers,
        }
    }

    /// A mark: the endpoint of this name has been drained for so long. A successor that does not know of it
    /// passes it over.
    pub fn drained((name, for_time): (String, Duration)) -> Self {
        let millis = u64::try_from(for_time.as_millis()).unwrap_or(u64::MAX);
        Self {
            family: Family::Drained as u8,
            name,
            numbers: vec![millis],
        }
    }

    /// The name of the endpoint, and for how long it has been drained, if this is such a mark.
    pub fn as_drained(&self) -> Option<(&str, Duration)> {
        let millis = self.numbers.first().copied().unwrap_or(0);
        let is_mark = self.family == Family::Drained as u8;
        is_mark.then(|| (&*self.name, Duration::from_millis(millis)))
    }

    /// A mark: how the address of this name has served. A successor that does not know of it passes it over.
    pub fn circuit((name, standing): (String, [u64; 6])) -> Self {
        Self {
            family: Family::Circuit as u8,
            name,
            numbers: standing.into(),
        }
    }

    /// The name of the address, and how it has served, if this is such a mark.
    pub fn as_circuit(&self) -> Option<(&str, [u64; 6])> {
        let number = |at| self.numbers.get(at).copied().unwrap_or(0);
        let is_mark = self.family == Family::Circuit as u8;
        is_mark.then(|| (&*self.name, std::array::from_fn(number)))
    }

    /// As bytes, far fewer than 64 KiB.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.family];
        let name = self.name.as_bytes();
        let length = u16::try_from(name.len()).unwrap_or(0);
        bytes.extend(length.to_le_bytes());
        bytes.extend(&name[..length.into()]);
        for (place, number) in (0_u16..).zip(&self.numbers) {
            if *number > 0 {
                bytes.extend(place.to_le_bytes());
                bytes.extend(number.to_le_bytes());
            }
        }
        bytes
    }

    /// From its bytes. `None`: they make no sense.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (family, rest) = bytes.split_first()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (name, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
        let mut numbers = Vec::new();
        let (pairs, rest) = rest.as_chunks::<10>();
        for [place_0, place_1, number @ ..] in pairs {
            let place = usize::from(u16::from_le_bytes([*place_0, *place_1]));
            if numbers.len() <= place {
                numbers.resize(place + 1, 0);
            }
            numbers[place] = u64::from_le_bytes(*number);
        }
        rest.is_empty().then_some(Self {
            family: *family,
            name: String::from_utf8(name.to_vec()).ok()?,
            numbers,
        })
    }

    /// What has been added since `earlier`, an earlier portion of the same name.
    fn since(mut self, earlier: &Self) -> Self {
        for (number, earlier) in self.numbers.iter_mut().zip(&earlier.numbers) {
            *number = number.saturating_sub(*earlier);
        }
        self
    }

    /// The totals.
    fn totals<R: Row>(&self) -> R::Totals {
        let mut numbers = self.numbers.iter();
        let mut totals = R::Totals::default();
        R::each(&mut totals, &mut |number| {
            *number = numbers.next().copied().unwrap_or(0);
        });
        totals
    }
}

/// What has been added to these portions since `earlier`.
pub fn since(portions: Vec<Portion>, earlier: &[Portion]) -> Vec<Portion> {
    let earlier: BTreeMap<_, _> = earlier
        .iter()
        .map(|portion| ((portion.family, portion.name.as_str()), portion))
        .collect();
    let since = |portion: Portion| match earlier
        .get(&(portion.family, portion.name.as_str()))
        .copied()
    {
        Some(earlier) => portion.since(earlier),
        None => portion,
    };
    let portions = portions.into_iter().map(since);
    let is_news = |portion: &Portion| portion.numbers.iter().any(|number| *number > 0);
    portions.filter(is_news).collect()
}

impl Metrics {
    /// All that only grows.
    pub fn portions(&self) -> Vec<Portion> {
        let mut all = vec![
            Portion {
                family: Family::Places as u8,
                name: self.places(),
                numbers: Vec::new(),
            },
            Portion::of::<WorkerRow>(Family::Worker, "", self.read_workers()),
            Portion::of::<Outcomes<ReloadOutcome>>(Family::Reloads, "", self.read_reloads()),
            Portion::of::<Dropped>(Family::Dropped, "", self.read_dropped()),
        ];
        all.extend(named(Family::Route, &self.routes));
        all.extend(named(Family::Client, &self.clients));
        all.extend(named(Family::Policy, &self.policies));
        all.extend(named(Family::Upstream, &self.upstreams));
        all.extend(named(Family::Endpoint, &self.endpoints));
        all
    }

    /// Adds what another process has counted.
    pub fn take_in(&self, portion: &Portion) {
        const ROUTE: u8 = Family::Route as u8;
        const CLIENT: u8 = Family::Client as u8;
        const POLICY: u8 = Family::Policy as u8;
        const UPSTREAM: u8 = Family::Upstream as u8;
        const ENDPOINT: u8 = Family::Endpoint as u8;
        const WORKER: u8 = Family::Worker as u8;
        const RELOADS: u8 = Family::Reloads as u8;
        const DROPPED: u8 = Family::Dropped as u8;
        const PLACES: u8 = Family::Places as u8;
        let name = || Arc::from(portion.name.as_str());
        if portion.family == PLACES {
            let is_alike = portion.name == self.places();
            lock(&self.before).is_alike = is_alike;
        }
        if !lock(&self.before).is_alike {
            return;
        }
        match portion.family {
            ROUTE => add(&self.routes, portion, name()),
            CLIENT => add(&self.clients, portion, name()),
            POLICY => add(&self.policies, portion, name()),
            UPSTREAM => add(&self.upstreams, portion, name()),
            ENDPOINT => {
                if let Some((upstream, address)) = portion.name.split_once(PARTED_BY) {
                    let (upstream, address) = (upstream.into(), address.into());
                    let name = EndpointName { upstream, address };
                    add(&self.endpoints, portion, name);
                }
            }
            WORKER => lock(&self.before)
                .workers
                .add(&portion.totals::<WorkerRow>()),
            RELOADS => {
                let reloads = portion.totals::<Outcomes<ReloadOutcome>>();
                lock(&self.before).reloads.add(&reloads);
            }
            DROPPED => lock(&self.before).dropped.add(&portion.totals::<Dropped>()),
            // A mark, or of another version, which counts something more.
            _ => {}
        }
    }
}

impl Metrics {
    /// A digest of what is counted at which place.
    fn places(&self) -> String {
        let mut digest = Sha256::new();
        let mut add = |words: &[&str]| {
            for word in words {
                digest.update(word.as_bytes());
                digest.update([0]);
            }
            digest.update([1]);
        };
        add(self.codes);
        for all in [
            words::<ClientKind>(),
            words::<ClientOutcome>(),
            words::<PolicyOutcome>(),
            words::<TryOutcome>(),
            words::<RetryOutcome>(),
            words::<StoreOutcome>(),
            words::<HandshakeOutcome>(),
            words::<ReloadOutcome>(),
        ] {
            add(&all);
        }
        for status in REGISTERED {
            digest.update(status.to_le_bytes());
        }
        for bound in CLASSIC_BOUNDS {
            digest.update(bound.to_le_bytes());
        }
        Hex(&digest.finalize()[..16]).to_string()
    }
}

fn words<W: Word>() -> Vec<&'static str> {
    W::ALL.iter().map(|(word, _)| *word).collect()
}

fn named<K: Ord + Clone + ToString, R: Row>(
    family: Family,
    rows: &Rows<K, R>,
) -> impl Iterator<Item = Portion> {
    let totals = rows.read().into_iter();
    totals.map(move |(name, totals)| Portion::of::<R>(family, name.to_string(), totals))
}

fn add<K: Ord + Clone, R: Row>(rows: &Rows<K, R>, portion: &Portion, name: K) {
    rows.add_before(name, &portion.totals::<R>());
}

/// As portions have it.
impl fmt::Display for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{PARTED_BY}{}", self.upstream, self.address)
    }
}

#[cfg(test)]
mod tests;
