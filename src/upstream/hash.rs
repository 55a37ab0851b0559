//! Consistent hashing: the same text leads to the same endpoint, on every worker and every instance,
//! in whatever order it has the endpoints, and when one comes or goes only its share of the texts moves.
//!
//! By rendezvous (Thaler and Ravishankar, 1998; weights as in Schindelhauer and Schomaker, 2005): each
//! endpoint draws a lot for the text, the best one has it. With many endpoints that takes long, so a
//! table keeps what was drawn. It has a place for each text modulo its size, so lots are drawn for places,
//! with few endpoints as well: else all texts would move when there are enough for a table.

use std::cell::Cell;

/// How many places there are for texts: a prime, and many for each of a thousand endpoints.
const PLACES: u64 = 65_537;
/// A table is used for more endpoints than this.
pub(super) const FEW: usize = 64;

/// The hash of a text. It is the same in all versions, for instances must agree.
pub fn hash(text: &[u8]) -> u64 {
    // FNV-1a, and then mixed, for it hardly changes the upper bits.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    mix(hash)
}

/// Which of some endpoints, that have this hash and weight each, has a text.
pub(super) fn owner<T>(text: u64, endpoints: impl Iterator<Item = (T, (u64, f32))>) -> Option<T> {
    let place = mix(text % PLACES);
    let lots = endpoints.map(|(one, (id, weight))| (one, lot(place, id, weight)));
    let best = lots.reduce(|best, one| if one.1 < best.1 { one } else { best });
    best.map(|(one, _)| one)
}

/// The lot that an endpoint draws for a place: the smallest is the best.
#[expect(clippy::cast_precision_loss, reason = "53 bits are random enough")]
fn lot(place: u64, endpoint: u64, weight: f32) -> f64 {
    let bits = mix(place ^ endpoint) >> 11;
    let uniform = (bits as f64 + 0.5) / (1_u64 << 53) as f64;
    -uniform.ln() / f64::from(weight)
}

/// Which endpoint has a text, for each place, as far as it has been asked for.
#[derive(Debug)]
pub(super) struct Table(Box<[Cell<u16>]>);

/// What nobody has asked for yet.
const UNKNOWN: u16 = u16::MAX;

impl Table {
    /// The endpoint that has a text, found by `owner` if it is not known yet; the next ones for the
    /// same text are asked for by `nth`.
    pub(super) fn get(&self, text: u64, nth: u64, owner: impl Fn(u64) -> usize) -> usize {
        let text = if nth == 0 {
            text
        } else {
            mix(text.wrapping_add(nth))
        };
        let place = usize::try_from(text % PLACES).unwrap_or(0);
        let known = &self.0[place];
        if known.get() == UNKNOWN {
            let found = owner(text);
            known.set(u16::try_from(found).unwrap_or(UNKNOWN));
            return found;
        }
        usize::from(known.get())
    }
}

impl Default for Table {
    fn default() -> Self {
        let places = (0..PLACES).map(|_| Cell::new(UNKNOWN));
        Self(places.collect())
    }
}

/// Spreads each bit over all (the finalizer of `SplitMix64`).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: usize = 10_000;

    fn endpoints(count: usize) -> Vec<(u64, f32)> {
        let endpoint = |nth| (hash(format!("10.0.0.{nth}:80").as_bytes()), 1.0);
        (0..count).map(endpoint).collect()
    }

    fn texts() -> impl Iterator<Item = u64> {
        (0..TEXTS).map(|nth| hash(format!("client-{nth}").as_bytes()))
    }

    fn owner_of(endpoints: &[(u64, f32)], text: u64) -> usize {
        owner(text, endpoints.iter().copied().enumerate()).unwrap()
    }

    /// How many of the texts move when the last of so many endpoints is added; all to that one.
    fn moved(count: usize) -> usize {
        let all = endpoints(count);
        let moves: Vec<usize> = texts()
            .filter(|text| owner_of(&all[..count - 1], *text) != owner_of(&all, *text))
            .map(|text| owner_of(&all, text))
            .collect();
        assert!(moves.iter().all(|to| *to == count - 1));
        moves.len()
    }

    #[test]
    fn only_the_share_of_a_new_endpoint_moves_and_all_to_it() {
        for count in [10, FEW + 1, 100] {
            let (moved, share) = (moved(count), TEXTS / count);
            let may_be = share * 3 / 4..=share * 4 / 3;
            assert!(may_be.contains(&moved), "{count}: {moved}");
        }
        let tenth = moved(10);
        assert!((900..=1100).contains(&tenth), "{tenth}");
    }

    #[test]
    fn the_order_of_endpoints_changes_nothing() {
        for count in [10, 100] {
            let all = endpoints(count);
            let reversed: Vec<_> = all.iter().copied().rev().collect();
            for text in texts() {
                let place = count - 1 - owner_of(&reversed, text);
                assert_eq!(owner_of(&all, text), place);
            }
        }
    }

    #[test]
    fn a_table_knows_what_was_drawn() {
        let (all, table) = (endpoints(100), Table::default());
        for text in texts() {
            let drawn = table.get(text, 0, |text| owner_of(&all, text));
            assert_eq!(drawn, owner_of(&all, text));
            assert_eq!(table.get(text, 0, |_| panic!("it is known")), drawn);
        }
    }

    #[test]
    fn weights_are_shares() {
        let mut endpoints = endpoints(100);
        endpoints[0].1 = 11.0;
        let count = texts()
            .filter(|text| owner_of(&endpoints, *text) == 0)
            .count();
        assert!((900..=1100).contains(&count), "{count} of {TEXTS}");
    }

    /// Instances of different versions must agree.
    #[test]
    fn hashes_stay_what_they_are() {
        assert_eq!(hash(b""), 0xf52a_15e9_a9b5_e89b);
        let all = endpoints(10);
        let found: Vec<usize> = texts().take(8).map(|text| owner_of(&all, text)).collect();
        assert_eq!(found, [2, 9, 4, 4, 4, 6, 9, 2]);
    }
}
