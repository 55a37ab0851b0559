//! The calls of the scripts: how a command is written and what its answer says.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::time::Duration;

use ::redis::{Cmd, Script, ServerErrorKind, Value, cmd};
use smallvec::SmallVec;

use super::super::policy::MAX_REQUESTS;
use super::super::{Algorithm, Check, Decision, Outcome, Source, Who};
use super::{CallError, Connection};

/// What a command takes beside its keys, in bytes; a good guess saves growing its buffer.
const COMMAND_SIZE: usize = 128;

/// How many arguments each key comes with.
const ARGUMENTS: usize = 6;

/// How many numbers an answer has before those of each key, and for each key.
const HEADER: usize = 1;
const PER_KEY: usize = 5;

/// How many permits to ask for or to take, for each check of a request. None at all: nothing is
/// leased.
pub(in crate::limit) type Permits = SmallVec<[u64; 2]>;

/// What Redis says of a request.
#[derive(Debug)]
pub(in crate::limit) struct Reply {
    pub outcome: Outcome,
    /// How many permits for requests to come it has granted, for each check.
    pub granted: Permits,
}

/// The script calls of one worker.
#[derive(Debug)]
pub(in crate::limit) struct Scripts {
    script: Script,
    text: &'static str,
    key_prefix: String,
    /// The key of the call that is being written; kept to write the next into.
    key: RefCell<String>,
    /// What a new connection is to prove that it can count.
    proof: RefCell<Vec<String>>,
}

impl Scripts {
    /// Prepares calls on keys that begin with `key_prefix`.
    pub(in crate::limit) fn new(key_prefix: String) -> Self {
        let text = include_str!("decide.lua");
        Self {
            script: Script::new(text),
            text,
            proof: RefCell::new(vec![format!("{key_prefix}:{{proof}}")]),
            key_prefix,
            key: RefCell::default(),
        }
    }

    /// Decides one request under all its limits, and counts it if none refuses it. One round trip,
    /// and a second one if Redis has forgotten the script; on a cluster, that for each subject.
    /// `more` is how many permits to take for requests to come, for each check; empty if none. May
    /// be dropped at any time: what has been sent may then have been counted, and its answer is
    /// discarded when it comes.
    pub(in crate::limit) async fn decide(
        &self,
        mut connection: Connection,
        checks: &[Check<'_>],
        cost: NonZeroU32,
        more: &[u64],
    ) -> Result<Reply, CallError> {
        if connection.is_split(checks) {
            let call = self.decide_by_subject(&mut connection, checks, cost);
            // Boxed, for few need it. Several calls are no place for permits: what one subject has
            // granted might have to be given back for the next.
            let outcome = Box::pin(call).await?;
            return Ok(Reply {
                outcome,
                granted: Permits::from_elem(0, checks.len()),
            });
        }
        let cost = i64::from(cost.get());
        self.decide_at_once(&mut connection, checks, cost, more)
            .await
    }

    /// Returns permits that have not been spent, of a window that has so long to go at most.
    pub(in crate::limit) async fn return_unused(
        &self,
        mut connection: Connection,
        check: Check<'_>,
        permits: u64,
        to_go_ms: u64,
    ) -> Result<(), CallError> {
        // Far fewer than a limit has, which is less than half of the range.
        let permits = i64::try_from(permits).unwrap_or(i64::MAX);
        self.decide_at_once(&mut connection, &[check], -permits, &[to_go_ms])
            .await
            .map(drop)
    }

    /// Counts what was admitted without asking, as far as it fits.
    pub(in crate::limit) async fn count(
        &self,
        connection: &mut Connection,
        check: Check<'_>,
        spent: u64,
    ) -> Result<(), CallError> {
        let mut cost = spent;
        while let Some(now) = i64::try_from(cost).ok().filter(|cost| *cost > 0) {
            let reply = self.decide_at_once(connection, &[check], now, &[]).await?;
            let refused = reply.outcome.only().filter(|decision| !decision.admitted);
            // What is left of the limit, which is less.
            cost = refused.map_or(0, |decision| decision.remaining.min(cost - 1));
        }
        Ok(())
    }

    /// Decides under limits that one server counts. `more` is how many permits to take. A `cost` below
    /// zero gives back, and `more` is how many milliseconds the windows that have counted it may
    /// still have to go.
    pub(super) async fn decide_at_once(
        &self,
        connection: &mut Connection,
        checks: &[Check<'_>],
        cost: i64,
        more: &[u64],
    ) -> Result<Reply, CallError> {
        let command = |name, script| self.command(name, script, checks, cost, more);
        let by_digest = command("EVALSHA", self.script.get_hash());
        let mut reply = connection.call(&by_digest).await?;
        if is_forgotten(&reply) {
            reply = connection.call(&command("EVAL", self.text)).await?;
        }
        let reply = read(reply, checks.len());
        if let Err(CallError::NotSingle(_)) = &reply {
            // A new connection to the same place is not to be taken for a cure.
            let key = |check| {
                let mut key = String::new();
                put_key(&mut key, &self.key_prefix, check);
                key + ":proof"
            };
            self.proof.replace(checks.iter().map(key).collect());
        }
        reply
    }

    /// Makes a call like that of a request, on keys of its own, and leaves the script with Redis. A
    /// Redis that is reached but out of memory, read-only or closed to this user refuses it, too.
    pub(in crate::limit) async fn prove(
        &self,
        mut connection: Connection,
    ) -> Result<(), CallError> {
        let keys = self.proof.borrow().clone();
        let mut command = cmd("EVAL");
        command.arg(self.text).arg(keys.len()).arg(&keys).arg(1);
        for _ in &keys {
            // A limit that never refuses, because a refusal writes nothing and would prove less.
            command.arg("fixed").arg(&[MAX_REQUESTS, 1000, 0, 1, 0]);
        }
        read(connection.call(&command).await?, keys.len()).map(drop)
    }

    fn command(
        &self,
        name: &str,
        script: &str,
        checks: &[Check<'_>],
        cost: i64,
        more: &[u64],
    ) -> Cmd {
        let (keys, args) = (checks.len(), 1 + checks.len() * ARGUMENTS);
        let mut command = Cmd::with_capacity(3 + keys + args, script.len() + keys * COMMAND_SIZE);
        command.arg(name).arg(script).arg(keys);
        let mut key = self.key.borrow_mut();
        for check in checks {
            key.clear();
            put_key(&mut key, &self.key_prefix, check);
            command.arg(key.as_str());
        }
        put_checks(&mut command, checks, cost, more);
        command
    }
}

fn put_checks(command: &mut Cmd, checks: &[Check<'_>], cost: i64, more: &[u64]) {
    command.arg(cost);
    for (at, check) in checks.iter().enumerate() {
        let limit = check.policy.limit;
        let (name, most, a, b) = match limit.algorithm() {
            Algorithm::FixedWindow => ("fixed", limit.requests(), limit.window_ms(), 0),
            Algorithm::SlidingWindow => ("sliding", limit.requests(), limit.window_ms(), 0),
            Algorithm::TokenBucket { burst } => {
                let (per_ms, token) = limit.rate();
                ("bucket", burst.get(), per_ms, token)
            }
        };
        command.arg(name).arg(most).arg(a).arg(b);
        command.arg(u8::from(check.policy.enforces()));
        command.arg(more.get(at).copied().unwrap_or(0));
    }
}

/// Appends the key of a counter: `PREFIX:{client:NAME}:POLICY`, `PREFIX:{ip:ADDRESS}:POLICY` or
/// `PREFIX:{route:NAME}:POLICY`. In braces stands what a cluster places keys by, so that all
/// counters of a subject are together.
fn put_key(key: &mut String, prefix: &str, check: &Check<'_>) {
    let policy = check.policy.counter();
    let written = match check.subject.who() {
        Who::Client(name) => write!(key, "{prefix}:{{client:{name}}}:{policy}"),
        Who::Address(ip) => write!(key, "{prefix}:{{ip:{ip}}}:{policy}"),
        Who::Route(name) => write!(key, "{prefix}:{{route:{name}}}:{policy}"),
    };
    written.expect("writing to a string never fails");
}

fn is_forgotten(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript))
}

fn read(reply: Value, keys: usize) -> Result<Reply, CallError> {
    let reply = reply.extract_error()?;
    let Value::Array(values) = reply else {
        return Err(CallError::unexpected());
    };
    let number = |value: &Value| match value {
        Value::Int(number) => u64::try_from(*number).map_err(|_| CallError::unexpected()),
        _ => Err(CallError::unexpected()),
    };
    let numbers: SmallVec<[u64; HEADER + 2 * PER_KEY]> =
        values.iter().map(number).collect::<Result<_, _>>()?;
    if numbers.len() != HEADER + keys * PER_KEY {
        return Err(CallError::unexpected());
    }
    let of_keys = numbers[HEADER..].chunks_exact(PER_KEY);
    let decisions = of_keys.clone().map(|of_key| {
        Some(Decision {
            admitted: of_key[0] == 1,
            remaining: of_key[1],
            reset: Duration::from_millis(of_key[2]),
            retry_after: Duration::from_millis(of_key[3]),
            source: Source::Redis,
        })
    });
    Ok(Reply {
        outcome: Outcome::of(numbers[0] == 1, decisions.collect()),
        granted: of_keys.map(|of_key| of_key[4]).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::tests::policies;
    use crate::limit::{Policy, Subject};

    #[test]
    fn the_counters_of_a_subject_share_a_hash_tag() {
        let key = |policy: &Policy, subject: &Subject| {
            let mut key = String::new();
            put_key(&mut key, "tollgate", &Check { policy, subject });
            key
        };
        let [fixed, sliding, bucket] = policies(1, 1);
        let address = |ip: &str| Subject::address(ip.parse().unwrap(), 64);
        for (policy, subject, expected) in [
            (&fixed, Subject::client("app"), "{client:app}:test"),
            (
                &sliding,
                address("192.0.2.7"),
                "{ip:192.0.2.7}:test:sliding-window",
            ),
            (
                &bucket,
                address("2001:db8::"),
                "{ip:2001:db8::}:test:token-bucket",
            ),
            (&fixed, Subject::route("/api"), "{route:/api}:test"),
        ] {
            assert_eq!(key(policy, &subject), format!("tollgate:{expected}"));
        }
    }

    #[test]
    fn only_sensible_numbers_are_an_answer() {
        let numbers =
            |numbers: &[i64]| Value::Array(numbers.iter().map(|&n| Value::Int(n)).collect());
        let answer = read(numbers(&[1, 1, 9, 1500, 0, 3]), 1).unwrap();
        assert_eq!(answer.granted[..], [3]);
        let decision = answer.outcome.only().unwrap();
        assert!(decision.admitted);
        assert_eq!(
            (decision.remaining, decision.reset),
            (9, Duration::from_millis(1500))
        );
        for reply in [
            Value::Nil,
            numbers(&[1]),
            numbers(&[1, 1, -9, 1500, 0, 0]),
            numbers(&[1, 1, 9, 1500, 0, 0, 1, 9, 1500, 0, 0]),
            Value::Array(vec![Value::Nil; 6]),
        ] {
            assert!(matches!(read(reply, 1), Err(CallError::Refused(_))));
        }
    }
}
