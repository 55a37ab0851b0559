//! Durations, counted in buckets that grow by 2^(1/8): a native histogram of Prometheus with schema 3
//! (relative error below 4.5 %), from 2^-14 s (61 µs) to 2^6 s (64 s). Where the bound of a classic bucket
//! falls into one of these, that is two cells, so that classic buckets are exact, too.
//! See <https://prometheus.io/docs/specs/native_histograms/>.

use std::time::Duration;

use super::cell::Counter;
use super::row::{Row, Total};

/// Buckets for each doubling: two to the power of the schema.
pub const SCHEMA: i32 = 3;
/// The bound of the shortest bucket, in seconds: 2^-14.
pub const ZERO_THRESHOLD: f64 = 1.0 / 16_384.0;
const PER_DOUBLING: i32 = 1 << SCHEMA;
/// The upper bound of bucket `i` is 2^(i/8) s. What is no longer than the bound of this one is not told apart.
const ZERO_INDEX: i32 = -14 * PER_DOUBLING;
/// The last bucket, for all that is longer than 2^6 s.
const LAST_INDEX: i32 = 6 * PER_DOUBLING + 1;
/// The buckets of the schema, that of the shortest included.
const BUCKETS: usize = (LAST_INDEX - ZERO_INDEX) as usize + 1;

/// The bounds of the classic buckets, in nanoseconds.
pub const CLASSIC_BOUNDS: [u64; 16] = [
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
];

/// One for each bucket of the schema, and one more for each that a classic bound divides. No two of those
/// are in one bucket; that of 1 s is the bound of one itself.
pub(super) const CELLS: usize = BUCKETS + CLASSIC_BOUNDS.len();

/// 2^(j/8) for the eight parts of a doubling.
const PARTS: [f64; 8] = [
    1.0,
    1.090_507_732_665_257_7,
    1.189_207_115_002_721,
    1.296_839_554_651_009_6,
    std::f64::consts::SQRT_2,
    1.542_210_825_407_940_7,
    1.681_792_830_507_429,
    1.834_008_086_409_342_4,
];

const MANTISSA: u64 = (1 << 52) - 1;

/// The mantissas of [`PARTS`].
const MANTISSAS: [u64; 8] = {
    let mut mantissas = [0; 8];
    let mut at = 0;
    while at < 8 {
        mantissas[at] = PARTS[at].to_bits() & MANTISSA;
        at += 1;
    }
    mantissas
};

/// The bucket of so many nanoseconds, counted from 0 for the shortest.
#[inline]
const fn bucket(nanos: u64) -> usize {
    #[allow(clippy::cast_precision_loss)] // half a bucket is 4 %
    let bits = (nanos as f64 * 1e-9).to_bits();
    #[allow(clippy::cast_possible_truncation)] // eleven bits
    let exponent = (bits >> 52) as i32 - 1023;
    let mantissa = bits & MANTISSA;
    let mut index = exponent * PER_DOUBLING;
    let mut at = 0;
    while at < 8 {
        index += (mantissa > MANTISSAS[at]) as i32;
        at += 1;
    }
    let index = if index < ZERO_INDEX {
        ZERO_INDEX
    } else {
        index
    };
    let index = if index > LAST_INDEX {
        LAST_INDEX
    } else {
        index
    };
    #[allow(clippy::cast_sign_loss)] // not below the least
    let bucket = (index - ZERO_INDEX) as usize;
    bucket
}

/// Where a bucket's cells are.
#[derive(Clone, Copy)]
struct Place {
    first: u16,
    /// What is longer than this, in nanoseconds, is in the next cell.
    divided_at: u64,
}

const PLACES: [Place; BUCKETS] = {
    let undivided = Place {
        first: 0,
        divided_at: u64::MAX,
    };
    let mut places = [undivided; BUCKETS];
    let mut at = 0;
    while at < CLASSIC_BOUNDS.len() {
        places[bucket(CLASSIC_BOUNDS[at])].divided_at = CLASSIC_BOUNDS[at];
        at += 1;
    }
    let (mut at, mut first) = (0, 0);
    while at < BUCKETS {
        places[at].first = first;
        first += 1 + (places[at].divided_at < u64::MAX) as u16;
        at += 1;
    }
    places
};

/// The cell of a bound of a classic bucket: the last that it holds.
const CLASSIC_CELLS: [usize; CLASSIC_BOUNDS.len()] = {
    let mut cells = [0; CLASSIC_BOUNDS.len()];
    let mut at = 0;
    while at < cells.len() {
        cells[at] = PLACES[bucket(CLASSIC_BOUNDS[at])].first as usize;
        at += 1;
    }
    cells
};

/// One thread's durations.
#[derive(Debug)]
pub struct Histogram {
    cells: [Counter; CELLS],
    sum_ns: Counter,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            cells: std::array::from_fn(|_| Counter::default()),
            sum_ns: Counter::default(),
        }
    }
}

impl Histogram {
    /// Counts one. Called by the one thread that owns it.
    #[inline]
    pub fn note(&self, took: Duration) {
        // 584 years are longer than any.
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let place = PLACES[bucket(nanos)];
        let cell = usize::from(place.first) + usize::from(nanos > place.divided_at);
        self.cells[cell].increment();
        self.sum_ns.add(nanos);
    }

    /// All durations together, in nanoseconds.
    pub(super) fn sum_ns(&self) -> u64 {
        self.sum_ns.get()
    }
}

impl Row for Histogram {
    type Totals = HistogramTotals;

    fn add_to(&self, totals: &mut HistogramTotals) {
        for (total, cell) in totals.cells.iter_mut().zip(&self.cells) {
            *total += cell.get();
        }
        totals.sum_ns = totals.sum_ns.wrapping_add(self.sum_ns.get());
    }

    fn each(totals: &mut HistogramTotals, each: &mut dyn FnMut(&mut u64)) {
        each(&mut totals.sum_ns);
        totals.cells.iter_mut().for_each(each);
    }
}

/// The durations of all threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistogramTotals {
    pub(super) cells: Box<[u64; CELLS]>,
    sum_ns: u64,
}

impl Default for HistogramTotals {
    fn default() -> Self {
        Self {
            cells: Box::new([0; CELLS]),
            sum_ns: 0,
        }
    }
}

impl HistogramTotals {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.cells.iter().sum()
    }

    /// All of them together, in seconds.
    #[allow(clippy::cast_precision_loss)] // a double is what Prometheus reads
    pub fn sum_seconds(&self) -> f64 {
        self.sum_ns as f64 * 1e-9
    }

    /// The bounds of the classic buckets in seconds, and how many are in each and not in the one before;
    /// the last has no bound.
    #[allow(clippy::cast_precision_loss)] // so few bits
    pub fn classic(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = CLASSIC_BOUNDS.map(|nanos| nanos as f64 / 1e9).into_iter();
        let ends = CLASSIC_CELLS.into_iter().map(|cell| cell + 1);
        let mut begin = 0;
        let buckets = bounds.chain([f64::INFINITY]).zip(ends.chain([CELLS]));
        buckets.map(move |(bound, end)| {
            let count = self.cells[begin..end].iter().sum();
            begin = end;
            (bound, count)
        })
    }

    /// How many are no longer than 2^-14 s.
    pub fn zero_count(&self) -> u64 {
        self.cells[0]
    }

    /// The buckets of the schema that are not empty, by their index, without those of
    /// [`HistogramTotals::zero_count`].
    pub fn native(&self) -> impl Iterator<Item = (i32, u64)> {
        let indices = (ZERO_INDEX + 1)..=LAST_INDEX;
        let buckets = indices.zip(&PLACES[1..]).map(|(index, place)| {
            let first = usize::from(place.first);
            let second = if place.divided_at < u64::MAX {
                self.cells[first + 1]
            } else {
                0
            };
            (index, self.cells[first] + second)
        });
        buckets.filter(|(_, count)| *count > 0)
    }

    /// The duration that this share of them does not exceed, as exact as the buckets are; between their
    /// bounds as if they were spread evenly on a logarithmic scale, as Prometheus has it.
    #[allow(clippy::cast_precision_loss)] // 4.5 % are lost before
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = share.clamp(0.0, 1.0) * count as f64;
        let mut before = self.zero_count() as f64;
        let zero = f64::from(ZERO_INDEX);
        if rank <= before {
            let seconds = bound(zero) * rank / before;
            return Some(Duration::from_secs_f64(seconds));
        }
        let mut last = zero;
        for (index, here) in self.native() {
            let here = here as f64;
            last = f64::from(index);
            if rank <= before + here {
                last -= 1.0 - (rank - before) / here;
                break;
            }
            before += here;
        }
        Some(Duration::from_secs_f64(bound(last)))
    }

    /// What has been counted since `earlier`, an earlier reading of the same.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        for (own, earlier) in since.cells.iter_mut().zip(&*earlier.cells) {
            *own = own.saturating_sub(*earlier);
        }
        since.sum_ns = since.sum_ns.wrapping_sub(earlier.sum_ns);
        since
    }
}

impl Total for HistogramTotals {
    fn add(&mut self, other: &Self) {
        for (own, other) in self.cells.iter_mut().zip(&*other.cells) {
            *own += other;
        }
        self.sum_ns = self.sum_ns.wrapping_add(other.sum_ns);
    }
}

/// 2^(index/8) seconds.
fn bound(index: f64) -> f64 {
    (index / f64::from(PER_DOUBLING)).exp2()
}

#[cfg(test)]
mod tests;
