//! Which traces are recorded, where nobody who is trusted has decided that.

/// One more than the largest number that is drawn.
const RANGE: u64 = 1 << 56;

/// Takes a share of traces, by numbers of 56 bits that are as good as random.
///
/// For a trace that begins here the number is taken from its id, so that every sampler that goes by the id
/// agrees. It is not taken from an id that a stranger has sent: who chooses the id chooses the number, and
/// could have each of its requests recorded, or with the same id again and again the one in a hundred that
/// happened to be. For those it is drawn anew for each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampler {
    /// The smallest number that is taken.
    threshold: u64,
}

impl Sampler {
    /// Takes a share from 0 to 1.
    pub fn new(share: f64) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a power of two, and a number between 0 and that"
        )]
        let left = ((1.0 - share.clamp(0.0, 1.0)) * RANGE as f64) as u64;
        Self { threshold: left }
    }

    /// Whether one with this number is recorded.
    pub fn takes(self, randomness: u64) -> bool {
        randomness >= self.threshold
    }

    /// Whether one is recorded whose id says nothing.
    pub fn draws(self) -> bool {
        self.takes(fastrand::u64(..RANGE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::TraceId;

    #[test]
    fn all_none_and_a_share_are_taken() {
        let taken = |share| {
            let sampler = Sampler::new(share);
            let ids = (0..10_000).filter(|_| sampler.takes(TraceId::random().randomness()));
            (ids.count(), (0..10_000).filter(|_| sampler.draws()).count())
        };
        assert_eq!(taken(0.0), (0, 0));
        assert_eq!(taken(1.0), (10_000, 10_000));
        let (by_id, drawn) = taken(0.25);
        // Eight standard deviations.
        for count in [by_id, drawn] {
            assert!((2150..2850).contains(&count), "{count}");
        }
    }

    #[test]
    fn the_same_id_is_always_judged_alike() {
        let (few, more) = (Sampler::new(0.1), Sampler::new(0.5));
        for _ in 0..1000 {
            let randomness = TraceId::random().randomness();
            assert!(!few.takes(randomness) || more.takes(randomness));
        }
    }
}
