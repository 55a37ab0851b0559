//! How long to wait before connecting again.

use std::time::Duration;

use tokio::time::sleep;

const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// Pauses between attempts, each up to twice as long as the last.
#[derive(Debug)]
pub(in crate::limit) struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(SHORTEST)
    }
}

impl Pauses {
    /// Waits before the next attempt, where the last one came to an end after `lasted`.
    pub(in crate::limit) async fn wait(&mut self, lasted: Duration) {
        // What lasted was no busy loop, whether it served or waited for a connection.
        if lasted >= LONGEST {
            self.0 = SHORTEST;
        }
        // Between half and whole: a fleet that lost Redis together must not come back together.
        sleep(self.0.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        self.0 = (self.0 * 2).min(LONGEST);
    }
}
