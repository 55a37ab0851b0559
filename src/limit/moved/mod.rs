//! Counters that another process has taken over, while this one still serves what it has accepted.
//! They have one home at any time: what is asked here meanwhile is decided there, so that both
//! together admit no more than one would.
//!
//! If that process ends first, or never was ready, counting goes on here with what was counted up to
//! the move.

mod text;

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, oneshot};

use crate::lock::lock;

use super::{Check, MemoryStore, Outcome};

/// How many requests may wait to be asked about; those beyond wait to wait.
const WAITING: usize = 64;

/// Where to ask once the counters have moved.
#[derive(Debug)]
pub(super) struct Moved {
    memory: Arc<MemoryStore>,
    asks: Mutex<Option<mpsc::Sender<Question>>>,
}

/// What a request asks of counters that are elsewhere, in bytes for the other process.
#[derive(Debug)]
pub struct Question {
    /// What [`super::LimitStore::answer`] reads there.
    pub text: Vec<u8>,
    answer: oneshot::Sender<Vec<u8>>,
}

impl Question {
    /// Hands on what the other process answers.
    pub fn answer(self, text: Vec<u8>) {
        // Its client may have left.
        let _ = self.answer.send(text);
    }
}

/// The questions of all requests, as long as the counters are elsewhere. Counting goes on here when it
/// is dropped.
#[derive(Debug)]
pub struct Questions {
    moved: Arc<Moved>,
    /// Last, for what waits in it is decided here once it is gone.
    asked: mpsc::Receiver<Question>,
}

impl Questions {
    /// Waits for the next one; `None` when there will be none any more.
    pub fn wait(&mut self) -> Option<Question> {
        self.asked.blocking_recv()
    }
}

impl Drop for Questions {
    fn drop(&mut self) {
        self.moved.memory.set_moved(false);
    }
}

impl Moved {
    pub(super) fn new(memory: Arc<MemoryStore>) -> Self {
        let asks = Mutex::default();
        Self { memory, asks }
    }

    /// Lets requests ask from now on, and, if this process counts, ends counting in it.
    pub(super) fn move_out(self: &Arc<Self>, counts_here: bool) -> Questions {
        let (asks, asked) = mpsc::channel(WAITING);
        *lock(&self.asks) = Some(asks);
        if counts_here {
            self.memory.set_moved(true);
        }
        Questions {
            moved: Arc::clone(self),
            asked,
        }
    }

    /// Decides what another process asks, or asks on.
    pub(super) fn answer(&self, question: &[u8]) -> Option<Vec<u8>> {
        let (asked, cost) = text::read_question(question)?;
        let checks: Vec<_> = asked
            .iter()
            .map(|(policy, subject)| Check { policy, subject })
            .collect();
        loop {
            if let Some(outcome) = self.memory.decide_unless_moved(&checks, cost) {
                return Some(text::of_outcome(&outcome));
            }
            let answered = self.asks().and_then(|asks| {
                let (answer, answered) = oneshot::channel();
                let text = question.to_vec();
                asks.blocking_send(Question { text, answer }).ok()?;
                answered.blocking_recv().ok()
            });
            if answered.is_some() {
                return answered;
            }
        }
    }

    /// Decides a request after the counters have moved.
    pub(super) async fn decide(&self, checks: &[Check<'_>], cost: NonZeroU32) -> Outcome {
        let Some(text) = text::of_question(checks, cost) else {
            return self.memory.decide(checks, cost);
        };
        loop {
            if let Some(outcome) = self.ask(text.clone(), checks.len()).await {
                return outcome;
            }
            // Nobody is there to be asked, so the counters are here again, or will be elsewhere soon.
            if let Some(outcome) = self.memory.decide_unless_moved(checks, cost) {
                return outcome;
            }
        }
    }

    async fn ask(&self, text: Vec<u8>, checks: usize) -> Option<Outcome> {
        let asks = self.asks()?;
        let (answer, answered) = oneshot::channel();
        asks.send(Question { text, answer }).await.ok()?;
        text::read_outcome(&answered.await.ok()?, checks)
    }

    fn asks(&self) -> Option<mpsc::Sender<Question>> {
        lock(&self.asks).clone()
    }
}

#[cfg(test)]
mod tests;
