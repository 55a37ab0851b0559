//! Connecting for a try. An endpoint that is a name may have several addresses: those that were tried in vain
//! beside the one that connects have failed, each for its own reason, and the access log lists them.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::upstream::{AddressPool, Failure, Link, Miss, Missed, Try};

use super::super::super::boxed_cold;
use super::super::error::{AttemptError, Cause};
use super::Tries;

impl Tries<'_, '_> {
    /// Makes a new connection for a try, which is one of the address that it leads to from then on, or of the
    /// one that failed last.
    pub(in super::super) async fn connect(
        &mut self,
        current: &mut Try,
    ) -> Result<Link, AttemptError> {
        let (forward, missed) = (self.forward, Missed::default());
        let candidate = Rc::clone(current.candidate());
        let begun = Instant::now();
        let connected = boxed_cold(forward.connect(&candidate, &missed)).await;
        let missed = missed.into_inner();
        let took = begun.elapsed();
        let led_to = match &connected {
            Ok(link) => Some(Rc::clone(&link.pool)),
            Err(error) => match &error.cause {
                Cause::Connect(error) => error.address(),
                _ => None,
            }
            .and_then(|address| forward.candidates.pool(&candidate).at(address)),
        };
        let led_to = led_to.unwrap_or_else(|| Rc::clone(&candidate.pool));
        if !missed.is_empty() || !Rc::ptr_eq(&led_to, &candidate.pool) {
            self.note_missed(current, &missed, took, &led_to);
        }
        connected.map_err(|mut error| {
            forward.note_attempt(&led_to);
            error.waited = took;
            error
        })
    }

    /// Notes the addresses that failed beside the one that a try has led to.
    #[cold]
    fn note_missed(
        &mut self,
        current: &mut Try,
        missed: &[Miss],
        took: Duration,
        led_to: &Rc<AddressPool>,
    ) {
        let candidate = Rc::clone(current.candidate());
        let pools = self.forward.candidates.pool(&candidate);
        let picked = candidate.pool.address.socket;
        let end = led_to.address.socket;
        for miss in missed.iter().filter(|miss| miss.address != end) {
            if miss.address == picked {
                self.note_miss(current, miss.why, miss.took);
            } else if let Some(pool) = pools.at(miss.address) {
                self.note_miss(&current.at(&pool), miss.why, miss.took);
            }
        }
        if picked == end {
            return;
        }
        if missed.iter().all(|miss| miss.address != picked) {
            // It was silent, and another one was faster.
            self.note_miss(current, Failure::NoConnection, took);
        }
        *current = current.at(led_to);
    }

    fn note_miss(&mut self, failed: &Try, why: Failure, took: Duration) {
        let (forward, now) = (self.forward, Instant::now());
        forward.note_attempt(&failed.candidate().pool);
        failed.comes_to(why.counted());
        if !self.was_tried(failed) {
            forward.upstream.failed(failed, why, now);
        }
        self.note(failed, why, took);
        self.missed += 1;
        forward.record.begin_try(forward.endpoint(failed));
    }
}
