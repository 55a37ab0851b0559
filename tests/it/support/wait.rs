//! Waiting with a deadline, how much is sent, and bytes to send.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The longest that anything in these tests is waited for: less than the 30 s of a drain, and a lot for
/// a machine that has other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Asks again and again until there is an answer, and fails the test if none comes in time.
pub(crate) fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, ask)
}

/// The same for what takes several rounds if servers are too busy to agree in the first.
pub(crate) fn eventually_within<T>(
    patience: Duration,
    what: &str,
    mut ask: impl FnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            Instant::now() < deadline,
            "waited {patience:?} in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the counter has stood still for a while, and returns it.
pub(crate) fn settled(counter: &AtomicUsize) -> usize {
    let mut last = usize::MAX;
    eventually("the sender to stall", || {
        std::thread::sleep(Duration::from_millis(300));
        let now = counter.load(Ordering::Relaxed);
        let stands = now == last;
        last = now;
        stands.then_some(now)
    })
}

/// As many as the variable says, which `make bars` sets, or `usual`.
pub(crate) fn as_many_as(variable: &str, usual: usize) -> usize {
    let asked = std::env::var(variable).ok();
    asked.map_or(usual, |text| text.parse().expect("a number"))
}

/// Bytes without a pattern that a mistake could reproduce; the same ones for the same length.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(len as u64).fill(&mut bytes);
    bytes
}
