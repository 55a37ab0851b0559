//! How a cluster's slots are shared among shards, and how many shards that takes. The average says
//! too little: a client is one key in one slot on one shard, so the hottest shard decides.

/// How many slots a Redis Cluster has.
pub(crate) const SLOTS: usize = 16_384;

/// The most masters that Redis Cluster is made for.
const MOST_SHARDS: usize = 1000;

/// The slot of a client's keys: a mixer (`SplitMix64`'s) stands in for the cluster's CRC16.
pub(crate) fn slot_of(client: u32, seed: u64) -> usize {
    let mut x = (u64::from(client) ^ seed.rotate_left(32)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (x ^ (x >> 31)) as usize % SLOTS
}

/// A number of shards, and what the hottest of them is asked a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shards {
    pub count: usize,
    pub hottest: f64,
}

impl Shards {
    /// The fewest shards of which none is asked more than `budget`. `None`: no number is enough.
    pub(crate) fn needed(slots: &[f64], budget: f64) -> Option<Self> {
        (1..=MOST_SHARDS)
            .map(|count| Self::of(slots, count))
            .find(|shards| shards.hottest <= budget)
    }

    fn of(slots: &[f64], count: usize) -> Self {
        let mut loads = vec![0.0; count];
        for (slot, load) in slots.iter().enumerate() {
            loads[slot * count / slots.len()] += load;
        }
        Self {
            count,
            hottest: loads.into_iter().fold(0.0, f64::max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_loads_take_as_many_shards_as_they_fill() {
        let slots = vec![1.0; SLOTS];
        let needed = Shards::needed(&slots, SLOTS as f64 / 4.0).unwrap();
        assert_eq!((needed.count, needed.hottest), (4, SLOTS as f64 / 4.0));
    }

    #[test]
    fn one_hot_key_cannot_be_shared() {
        let mut slots = vec![1.0; SLOTS];
        slots[77] = 5000.0;
        assert_eq!(Shards::needed(&slots, 4999.0), None);
        let needed = Shards::needed(&slots, 6000.0).unwrap();
        assert!(needed.count > 4 && needed.hottest <= 6000.0);
    }

    #[test]
    fn clients_are_spread_over_all_slots() {
        let mut clients = vec![0; SLOTS];
        for client in 0..SLOTS as u32 * 100 {
            clients[slot_of(client, 1)] += 1;
        }
        let least = clients.iter().min().unwrap();
        assert!(*least > 50, "{least}");
    }
}
