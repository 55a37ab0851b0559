//! Tests of histograms.

use proptest::prelude::*;

use super::*;

fn totals(durations: impl IntoIterator<Item = Duration>) -> HistogramTotals {
    let histogram = Histogram::default();
    for took in durations {
        histogram.note(took);
    }
    let mut totals = HistogramTotals::default();
    histogram.add_to(&mut totals);
    totals
}

#[test]
fn buckets_begin_and_end_where_the_schema_says() {
    let only = |nanos| {
        let totals = totals([Duration::from_nanos(nanos)]);
        let native: Vec<_> = totals.native().collect();
        (totals.zero_count(), native)
    };
    assert_eq!(only(0), (1, vec![]));
    assert_eq!(only(61_035), (1, vec![]), "2^-14 s");
    assert_eq!(only(61_036), (0, vec![(-111, 1)]));
    assert_eq!(
        only(1_000_000_000),
        (0, vec![(0, 1)]),
        "a bound belongs to its bucket"
    );
    assert_eq!(only(1_000_000_001), (0, vec![(1, 1)]));
    assert_eq!(only(1_090_507_732), (0, vec![(1, 1)]));
    assert_eq!(only(1_090_507_733), (0, vec![(2, 1)]));
    assert_eq!(only(64_000_000_000), (0, vec![(48, 1)]));
    assert_eq!(only(64_000_000_001), (0, vec![(49, 1)]));
    assert_eq!(only(u64::MAX), (0, vec![(49, 1)]));
}

#[test]
fn no_two_classic_bounds_share_a_bucket() {
    let mut buckets: Vec<_> = CLASSIC_BOUNDS.iter().map(|nanos| bucket(*nanos)).collect();
    buckets.dedup();
    assert_eq!(buckets.len(), CLASSIC_BOUNDS.len());
}

#[test]
fn what_was_counted_since_is_a_difference() {
    let histogram = Histogram::default();
    let read = || {
        let mut totals = HistogramTotals::default();
        histogram.add_to(&mut totals);
        totals
    };
    histogram.note(Duration::from_millis(3));
    let earlier = read();
    histogram.note(Duration::from_millis(300));
    let since = read().since(&earlier);
    assert_eq!(since, totals([Duration::from_millis(300)]));
    let mut sum = earlier.clone();
    sum.add(&since);
    assert_eq!(sum, read());
}

#[test]
fn an_empty_one_has_no_quantiles() {
    assert_eq!(HistogramTotals::default().quantile(0.5), None);
}

proptest! {
    #[test]
    fn classic_buckets_are_exact(nanos in prop::collection::vec(0_u64..70_000_000_000, 0..50)) {
        let totals = totals(nanos.iter().map(|nanos| Duration::from_nanos(*nanos)));
        let mut up_to = 0;
        for ((_, count), bound) in totals.classic().zip(CLASSIC_BOUNDS.into_iter().chain([u64::MAX])) {
            up_to += count;
            let expected = nanos.iter().filter(|nanos| **nanos <= bound).count();
            prop_assert_eq!(up_to, expected as u64);
        }
        prop_assert_eq!(up_to, totals.count());
    }

    #[test]
    fn quantiles_are_within_a_bucket(
        mut micros in prop::collection::vec(62_u64..60_000_000, 1..200),
        share in 0.01..1.0_f64,
    ) {
        let totals = totals(micros.iter().map(|micros| Duration::from_micros(*micros)));
        micros.sort_unstable();
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let nth = (share * micros.len() as f64).ceil() as usize;
        #[allow(clippy::cast_precision_loss)]
        let exact = micros[nth - 1] as f64 / 1e6;
        let found = totals.quantile(share).unwrap().as_secs_f64();
        prop_assert!((found / exact - 1.0).abs() < 0.091, "{found} for {exact}");
    }
}
