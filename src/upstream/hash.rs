//! Consistent hashing: the same text leads to the same endpoint, on every worker and every instance,
//! and when an endpoint comes or goes only its share of the texts moves.
//!
//! Up to 64 endpoints by rendezvous (Thaler and Ravishankar, 1998; weights as in Schindelhauer and
//! Schomaker, 2005): each endpoint draws a lot for the text, the best one has it. Beyond that a table
//! as in Maglev (Eisenbud et al., 2016), which is filled once and asked in one step.

/// The size of a table: a prime, at least a hundred times as many as there are endpoints.
const TABLE: usize = 65_537;
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

/// The lot that an endpoint draws for a text: the smallest is the best.
#[expect(clippy::cast_precision_loss, reason = "53 bits are random enough")]
pub(super) fn lot(text: u64, endpoint: u64, weight: f32) -> f64 {
    let bits = mix(text ^ endpoint) >> 11;
    let uniform = (bits as f64 + 0.5) / (1_u64 << 53) as f64;
    -uniform.ln() / f64::from(weight)
}

/// Which endpoint has a text, for each hash.
#[derive(Debug)]
pub(super) struct Table(Box<[u16]>);

impl Table {
    /// Fills a table for endpoints that have this hash and weight each. All weights are positive.
    pub(super) fn fill(endpoints: &[(u64, f32)]) -> Self {
        let heaviest = endpoints.iter().map(|one| one.1).fold(0.0, f32::max);
        let mut table = vec![u16::MAX; TABLE];
        let mut next: Vec<Places> = endpoints.iter().map(|one| Places::of(one.0)).collect();
        let mut turns = vec![0.0; endpoints.len()];
        let mut left = TABLE;
        while left > 0 {
            for (nth, (_, weight)) in endpoints.iter().enumerate() {
                turns[nth] += weight / heaviest;
                if left == 0 || turns[nth] < 1.0 {
                    continue;
                }
                turns[nth] -= 1.0;
                let place = loop {
                    let place = next[nth].next_place();
                    if table[place] == u16::MAX {
                        break place;
                    }
                };
                table[place] = u16::try_from(nth).unwrap_or(0);
                left -= 1;
            }
        }
        Self(table.into())
    }

    /// The endpoint that has a text; the next ones for the same text are asked for by `nth`.
    pub(super) fn get(&self, text: u64, nth: u64) -> usize {
        let text = if nth == 0 {
            text
        } else {
            mix(text.wrapping_add(nth))
        };
        let place = usize::try_from(text % TABLE as u64).unwrap_or(0);
        usize::from(self.0[place])
    }
}

/// The places of a table in the order in which an endpoint would like to have them.
struct Places {
    place: usize,
    step: usize,
}

impl Places {
    fn of(endpoint: u64) -> Self {
        let small = |n: u64, below: usize| usize::try_from(n % below as u64).unwrap_or(0);
        Self {
            place: small(mix(endpoint), TABLE),
            step: 1 + small(mix(endpoint ^ 0x9e37_79b9), TABLE - 1),
        }
    }

    fn next_place(&mut self) -> usize {
        let place = self.place;
        self.place = (place + self.step) % TABLE;
        place
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

    fn by_lot(endpoints: &[(u64, f32)], text: u64) -> usize {
        let lots = endpoints.iter().map(|(id, weight)| lot(text, *id, *weight));
        let best = lots.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        best.unwrap().0
    }

    /// How many of the texts move when the last of so many endpoints is added; all to that one.
    fn moved(count: usize, find: impl Fn(&[(u64, f32)]) -> Box<dyn Fn(u64) -> usize>) -> usize {
        let all = endpoints(count);
        let (before, after) = (find(&all[..count - 1]), find(&all));
        let moves: Vec<usize> = texts()
            .filter(|text| before(*text) != after(*text))
            .map(&after)
            .collect();
        assert!(count > FEW || moves.iter().all(|to| *to == count - 1));
        moves.len()
    }

    #[test]
    fn a_tenth_moves_to_a_tenth_endpoint() {
        let moved = moved(10, |endpoints| {
            let endpoints = endpoints.to_vec();
            Box::new(move |text| by_lot(&endpoints, text))
        });
        assert!((900..=1100).contains(&moved), "{moved}");
    }

    #[test]
    fn a_table_moves_little_more_than_its_share() {
        let moved = moved(100, |endpoints| {
            let table = Table::fill(endpoints);
            Box::new(move |text| table.get(text, 0))
        });
        assert!((80..=300).contains(&moved), "{moved}");
    }

    #[test]
    fn weights_are_shares() {
        let mut endpoints = endpoints(100);
        endpoints[0].1 = 11.0;
        let table = Table::fill(&endpoints);
        let lots = |text| by_lot(&endpoints, text);
        let table = |text| table.get(text, 0);
        for find in [&lots as &dyn Fn(u64) -> usize, &table] {
            let count = texts().filter(|text| find(*text) == 0).count();
            assert!((900..=1100).contains(&count), "{count} of {TEXTS}");
        }
    }

    /// Instances of different versions must agree.
    #[test]
    fn hashes_stay_what_they_are() {
        assert_eq!(hash(b""), 0xf52a_15e9_a9b5_e89b);
        let all = endpoints(10);
        let found: Vec<usize> = texts().take(8).map(|text| by_lot(&all, text)).collect();
        assert_eq!(found, [2, 3, 7, 9, 3, 4, 1, 8]);
    }
}
