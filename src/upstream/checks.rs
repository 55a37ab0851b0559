//! Which addresses are checked: each address of an upstream with `health` that requests are spread
//! over, by one checker for the process. What a reload or a lookup changes, the checkers follow; an
//! address that is not checked any more is one of which checks say nothing.

mod ask;
mod by_grpc;
mod by_http;
mod checker;
mod fault;
mod stream;
mod target;

use std::collections::HashMap;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::wire::buffers::Buffers;

use super::Upstream;
use super::address::{Address, Check};

use checker::Checker;
use target::Target;

/// First checks are spread over this much time for each of them,
const STEP: Duration = Duration::from_millis(10);
/// but over no more than this in all.
const SPREAD: Duration = Duration::from_secs(1);

/// The longest that the first round may take, however long a check may.
const LONGEST_FIRST_ROUND: Duration = Duration::from_secs(30);

/// Held by whatever the first round waits for.
pub(super) type Token = mpsc::Sender<Infallible>;

/// The first check of each address.
pub(super) struct FirstRound {
    token: Token,
    over: mpsc::Receiver<Infallible>,
    /// The longest that it may take.
    patience: Duration,
}

impl FirstRound {
    pub(super) fn of(upstreams: &[Arc<Upstream>]) -> Self {
        let (token, over) = mpsc::channel(1);
        let timeouts = upstreams
            .iter()
            .filter_map(|one| Some(one.rules.health.as_ref()?.timeout));
        Self {
            token,
            over,
            patience: timeouts.max().map_or(Duration::ZERO, |it| {
                it.saturating_add(SPREAD).min(LONGEST_FIRST_ROUND)
            }),
        }
    }

    /// As long as one of these is held, the round is not over.
    pub(super) fn token(&self) -> Token {
        self.token.clone()
    }

    /// Waits for its end, but not for long.
    pub(super) async fn over(mut self) {
        drop(self.token);
        // Nothing is ever sent: all tokens have been dropped, or it takes too long.
        let _ = timeout(self.patience, self.over.recv()).await;
    }
}

/// All checkers.
#[derive(Default)]
pub(super) struct Checks {
    /// A checker holds the address that it is found by, so no other can come to be at its place.
    running: HashMap<*const Address, watch::Sender<Target>>,
    tasks: JoinSet<()>,
    buffers: Rc<Buffers>,
}

impl Checks {
    /// Checks what is to be checked now, and nothing else. New checkers hold `token` until their
    /// first check has ended.
    pub(super) fn follow(&mut self, upstreams: &[Arc<Upstream>], token: Option<&Token>) {
        // Those that were stopped.
        while self.tasks.try_join_next().is_some() {}
        let targets = targets(upstreams);
        let count = u32::try_from(targets.len()).unwrap_or(u32::MAX);
        let spread = STEP.saturating_mul(count).min(SPREAD);
        let mut old = std::mem::take(&mut self.running);
        for target in targets {
            let key = Arc::as_ptr(&target.address);
            // One that has ended by itself has met a bug; the next may do better.
            let known = old.remove(&key).filter(|checker| !checker.is_closed());
            let checker = match known {
                Some(checker) => {
                    checker.send_if_modified(|current| current.follow(target));
                    checker
                }
                None => self.start(target, spread, token),
            };
            self.running.insert(key, checker);
        }
        let now = Instant::now();
        for stopped in old.into_values() {
            let Target {
                upstream, address, ..
            } = &*stopped.borrow();
            upstream.checked(address, Check::Unknown, None, now);
        }
    }

    fn start(
        &mut self,
        target: Target,
        spread: Duration,
        token: Option<&Token>,
    ) -> watch::Sender<Target> {
        let (sender, targets) = watch::channel(target);
        let checker = Checker::new(Rc::clone(&self.buffers), spread, token.cloned());
        self.tasks.spawn_local(checker.run(targets));
        sender
    }
}

fn targets(upstreams: &[Arc<Upstream>]) -> Vec<Target> {
    let mut targets = Vec::new();
    for upstream in upstreams {
        let Some(rules) = &upstream.rules.health else {
            continue;
        };
        for (endpoint, one) in upstream.endpoints.iter().enumerate() {
            let addresses = one.state.in_use().into_iter();
            targets.extend(addresses.map(|(address, _)| Target {
                upstream: Arc::clone(upstream),
                endpoint,
                address,
                rules: Arc::clone(rules),
            }));
        }
    }
    targets
}
