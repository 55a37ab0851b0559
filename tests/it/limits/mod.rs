//! Limits, counted in this process and in a real Redis: the same rules in both, exact under
//! concurrency, and what happens while Redis does not answer.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod connections;
mod contract;
mod exact;
mod fleet;
mod keys;
mod leases;
mod log;
mod model;
mod outage;
mod reference;
mod store;
mod topology;

use std::num::NonZeroU32;
use std::time::Duration;

use tollgate::limit::{Check, Decision, Limit, Limiter, Outcome, Policy, Source, Subject};

const MINUTE: Duration = Duration::from_mins(1);

fn policy(name: &str, requests: u64, window: Duration) -> Policy {
    Policy::new(name, Limit::new(requests, window).unwrap())
}

fn client(name: &str) -> Subject {
    Subject::client(name)
}

fn address(ip: &str) -> Subject {
    Subject::address(ip.parse().unwrap(), 64)
}

fn cost(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

/// The decision of a request that is held to one limit.
fn decided(outcome: &Outcome) -> Decision {
    match outcome.only() {
        Some(decision) => decision,
        None => panic!("no decision but {outcome:?}"),
    }
}

/// Whether a request was decided in this process, though there is to be a Redis.
fn is_degraded(decision: &Decision) -> bool {
    decision.source == Source::Memory
}

/// Whether a worker has a connection to Redis at this moment.
async fn is_up(limiter: &Limiter) -> bool {
    limiter.wait_ready(Duration::ZERO).await
}

/// Asks for `n` under one limit.
async fn ask_one(limiter: &Limiter, policy: &Policy, subject: &Subject, n: u32) -> Outcome {
    limiter.decide(&[Check { policy, subject }], cost(n)).await
}
