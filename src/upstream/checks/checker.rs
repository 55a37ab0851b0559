//! The checks of one address, one after another: what they say in a row, and what follows from that.

use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::sync::watch::error::RecvError;
use tokio::time::{sleep, sleep_until};

use crate::upstream::address::Check;
use crate::upstream::check_failure::CheckFailure;
use crate::upstream::connect::connects;
use crate::upstream::failure::Failure;
use crate::upstream::rules::HealthRules;
use crate::wire::buffers::Buffers;

use super::Token;
use super::ask::ask;
use super::fault::Fault;
use super::target::Target;

/// Pauses differ by this part, so that checks of many gateways do not fall together.
const JITTER: f32 = 0.1;

/// What checks one address.
pub(super) struct Checker {
    buffers: Rc<Buffers>,
    /// The first check of what is asked begins within this time.
    spread: Duration,
    /// Until the first check has ended.
    token: Option<Token>,
    streak: Streak,
    down_since: Option<Instant>,
}

/// Checks in a row that speak against the verdict.
#[derive(Debug, Default, PartialEq, Eq)]
struct Streak(u32);

impl Checker {
    pub(super) fn new(buffers: Rc<Buffers>, spread: Duration, token: Option<Token>) -> Self {
        Self {
            buffers,
            spread,
            token,
            streak: Streak::default(),
            down_since: None,
        }
    }

    /// Checks until the sender of targets is dropped. A change of what is asked keeps the verdict; one of the
    /// times alone also keeps the check that is under way, and what those before it have said.
    pub(super) async fn run(mut self, mut targets: watch::Receiver<Target>) {
        loop {
            let target = targets.borrow_and_update().clone();
            let latest = targets.clone();
            let changed = tokio::select! {
                biased;
                changed = asks_otherwise(&mut targets, &target) => changed,
                never = self.rounds(latest) => match never {},
            };
            if changed.is_err() {
                return;
            }
            self.streak = Streak::default();
        }
    }

    async fn rounds(&mut self, mut latest: watch::Receiver<Target>) -> Infallible {
        self.spread_out().await;
        loop {
            let target = latest.borrow_and_update().clone();
            let (checked, times_changed) = check(&target, &mut latest, &self.buffers).await;
            let target = latest.borrow().clone();
            match checked {
                Ok(()) => self.passed(&target),
                Err(Fault::Endpoint(why, detail)) => {
                    self.failed(&target, why, detail.as_deref()).await;
                }
                Err(Fault::Ours(error)) => {
                    let (upstream, endpoint) = (&target.upstream.name, target.address.socket);
                    tracing::debug!(%upstream, %endpoint, %error, "an endpoint could not be checked");
                }
            }
            self.token = None;
            // With new times comes a check.
            if times_changed {
                self.spread_out().await;
                continue;
            }
            tokio::select! {
                () = sleep(jittered(target.rules.interval, fastrand::f32())) => {}
                _ = latest.changed() => self.spread_out().await,
            }
        }
    }

    async fn spread_out(&self) {
        sleep(self.spread.mul_f32(fastrand::f32())).await;
    }

    fn passed(&mut self, target: &Target) {
        let before = target.address.check();
        if self.streak.after(true, before, &target.rules) != Check::Up {
            return;
        }
        let now = Instant::now();
        target
            .upstream
            .checked(&target.address, Check::Up, None, now);
        if before == Check::Down {
            let down_for = self.down_since.take().map(|since| now - since);
            let down_ms =
                down_for.map_or(0, |it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
            let (upstream, endpoint) = (&target.upstream.name, target.address.socket);
            tracing::info!(event = "endpoint_up", %upstream, %endpoint, down_ms, "an endpoint is up again: its checks pass");
        }
    }

    async fn failed(&mut self, target: &Target, why: CheckFailure, detail: Option<&str>) {
        let state = &target.endpoint().state;
        let (upstream, endpoint) = (&target.upstream.name, target.address.socket);
        tracing::debug!(%upstream, %endpoint, reason = %why, detail, "a check has failed");
        if matches!(
            why,
            CheckFailure::Try(Failure::Refused | Failure::NoConnection)
        ) {
            let fallbacks = state.fallbacks(&target.address);
            connects(&fallbacks, state, target.rules.timeout).await;
        }
        if !state.uses(&target.address) {
            // The other family connects: requests go there, and so do checks from now on.
            return;
        }
        let before = target.address.check();
        let failures = self.streak.0 + 1;
        if self.streak.after(false, before, &target.rules) != Check::Down {
            return;
        }
        let now = Instant::now();
        let down = target
            .upstream
            .checked(&target.address, Check::Down, Some(why), now);
        if down {
            self.down_since = Some(now);
            tracing::warn!(event = "endpoint_down", %upstream, %endpoint, reason = %why, detail, failures, "an endpoint is down: its checks fail");
        }
    }
}

/// Waits until something else is asked than this; an error says that nothing will be.
async fn asks_otherwise(
    targets: &mut watch::Receiver<Target>,
    target: &Target,
) -> Result<(), RecvError> {
    loop {
        targets.changed().await?;
        if !targets.borrow_and_update().asks_as(target) {
            return Ok(());
        }
    }
}

/// Checks once, within the latest time for a check. Says whether the times have changed meanwhile.
async fn check(
    target: &Target,
    latest: &mut watch::Receiver<Target>,
    buffers: &Buffers,
) -> (Result<(), Fault>, bool) {
    let begun = tokio::time::Instant::now();
    let mut checked = pin!(ask(target, buffers));
    let (mut due, mut times_changed) = (begun, false);
    loop {
        tokio::select! {
            checked = &mut checked => return (checked, times_changed),
            () = sleep_until(due), if times_changed => {
                return (Err(Failure::TimedOut.into()), true);
            }
            Ok(()) = latest.changed() => {
                due = begun + latest.borrow_and_update().rules.timeout;
                times_changed = true;
            }
        }
    }
}

impl Streak {
    /// The verdict after one more check. The first one decides at once.
    fn after(&mut self, passed: bool, before: Check, rules: &HealthRules) -> Check {
        let (says, enough) = if passed {
            (Check::Up, rules.up)
        } else {
            (Check::Down, rules.down)
        };
        let speaks_against = says != before;
        self.0 = if speaks_against { self.0 + 1 } else { 0 };
        if before == Check::Unknown || self.0 >= enough {
            self.0 = 0;
            return says;
        }
        before
    }
}

fn jittered(pause: Duration, at_random: f32) -> Duration {
    pause.mul_f32(1.0 - JITTER + 2.0 * JITTER * at_random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Statuses;
    use crate::upstream::rules::HealthCall;

    fn rules(up: u32, down: u32) -> HealthRules {
        HealthRules {
            call: HealthCall::Http {
                path: "/healthz".into(),
                statuses: Statuses::of(&[200]),
            },
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            up,
            down,
            host: None,
        }
    }

    /// The verdicts after each of these checks: `+` passes, `-` fails; `u` up, `d` down.
    fn verdicts(mut verdict: Check, checks: &str, rules: &HealthRules) -> String {
        let mut streak = Streak::default();
        let mut after = |check| {
            verdict = streak.after(check == '+', verdict, rules);
            match verdict {
                Check::Unknown => '?',
                Check::Up => 'u',
                Check::Down => 'd',
            }
        };
        checks.chars().map(&mut after).collect()
    }

    #[test]
    fn so_many_in_a_row_change_the_verdict() {
        for (before, up, down, checks, expected) in [
            (Check::Up, 2, 3, "+--+---+", "uuuuuudd"),
            (Check::Down, 2, 3, "+-++--+---", "ddduuuuuud"),
            (Check::Up, 1, 1, "-+-+", "dudu"),
            (Check::Down, 3, 1, "++-+++-", "dddddud"),
        ] {
            let found = verdicts(before, checks, &rules(up, down));
            assert_eq!(found, expected, "{checks}");
        }
    }

    #[test]
    fn the_first_check_decides_at_once() {
        for (checks, expected) in [("+--", "uuu"), ("-+++", "dduu"), ("---", "ddd")] {
            let found = verdicts(Check::Unknown, checks, &rules(2, 3));
            assert_eq!(found, expected, "{checks}");
        }
    }

    #[test]
    fn pauses_differ_by_a_tenth() {
        let pause = Duration::from_secs(10);
        for (at_random, expected) in [(0.0, 9.0), (0.5, 10.0), (1.0, 11.0)] {
            let found = jittered(pause, at_random).as_secs_f32();
            assert!((found - expected).abs() < 0.01, "{found}");
        }
    }
}
