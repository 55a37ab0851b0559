//! What happens once a second: the history looks at the counters, a frame is made if somebody watches, and
//! the log is told what it was spared.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::api;
use super::view::{View, leaves};

/// The time between two looks.
const TICK: Duration = Duration::from_secs(1);

/// Looks for as long as this process answers operators; then whoever watches is let go, and finds the one
/// that answers from now on.
pub(super) async fn run(view: Arc<View>) {
    let mut ticks = interval_at(Instant::now() + TICK, TICK);
    // A look that is late is a longer second, not several short ones.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut presence = view.presence.clone();
    let mut shown = 0;
    loop {
        tokio::select! {
            () = leaves(&mut presence) => break,
            _ = ticks.tick() => {}
        }
        view.doorkeeper.log_wrong_tries(std::time::Instant::now());
        view.live.look(&view.metrics);
        let marks = view.events.marks_after(shown);
        shown = marks.last().map_or(shown, |last| last.number);
        if view.live.viewers() > 0 {
            view.live.show(&Bytes::from(api::frame(&view, &marks)));
        }
    }
    view.live.end();
}
