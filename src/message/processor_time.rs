//! How much work tests measure: by the processor time of their thread, which does not grow with what else
//! the machine does.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How much more work than at first.
const TIMES: u32 = 8;

/// Fails unless `work` grows with its size. If it grew with the square, eight times the size would take 64
/// times as long.
pub(crate) fn assert_linear<T>(size: usize, what: &str, work: impl Fn(usize) -> T) {
    let once = |size| {
        let begun = processor_time();
        black_box(work(size));
        processor_time().saturating_sub(begun)
    };
    // The least of a few: others use the same caches.
    let least = |size| (0..3).map(|_| once(size)).min().unwrap_or_default();
    let (little, much) = (least(size), least(size * TIMES as usize));
    assert!(
        much < little * TIMES * 3,
        "{what}: {little:?}, then {much:?}"
    );
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[test]
#[should_panic(expected = "squared")]
fn what_grows_with_the_square_is_found() {
    let all = |size: usize| (0..size * size).fold(0_usize, |sum, n| black_box(sum ^ n));
    assert_linear(100, "squared", all);
}
