//! The calls of the scripts: how a command is written and what its answer says.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use ::redis::{Cmd, Script, ServerErrorKind, Value};
use smallvec::SmallVec;

use super::super::policy::{Algorithm, MAX_REQUESTS};
use super::super::{Check, Decision, Decisions, Limit, Outcome, Subject, Verdict};
use super::{CallError, Connection};

/// What a command takes beside its keys, in bytes; a good guess saves growing its buffer.
const COMMAND_SIZE: usize = 128;

/// How many numbers an answer has before those of each key, and for each key.
const HEADER: usize = 1;
const PER_KEY: usize = 5;

/// The script calls of one worker.
#[derive(Debug)]
pub(in crate::limit) struct Scripts {
    decide: Code,
    refund: Code,
    key_prefix: String,
    /// The key of the call that is being written; kept to write the next into.
    key: RefCell<String>,
}

#[derive(Debug)]
struct Code {
    script: Script,
    text: &'static str,
}

/// What Redis says of a request.
#[derive(Debug)]
pub(in crate::limit) struct Answer {
    /// Whether it may go on, and what each limit says.
    pub outcome: Outcome,
    /// By what each counter's window is known again, for a refund.
    pub windows: SmallVec<[u64; 2]>,
}

impl Code {
    fn new(text: &'static str) -> Self {
        let script = Script::new(text);
        Self { script, text }
    }
}

impl Scripts {
    /// Prepares calls on keys that begin with `key_prefix`.
    pub(in crate::limit) fn new(key_prefix: String) -> Self {
        Self {
            decide: Code::new(include_str!("decide.lua")),
            refund: Code::new(include_str!("refund.lua")),
            key_prefix,
            key: RefCell::default(),
        }
    }

    /// Decides one request under all its limits, and counts it if none refuses it. One
    /// round trip, and a second one if Redis has forgotten the script. May be dropped at any time: what has been
    /// sent may then have been counted, and its answer is discarded when it comes.
    ///
    /// On a cluster that is one call for each subject, at the same time. What one of them counted
    /// and another refused is given back, so that a count may for a moment be too high.
    pub(in crate::limit) async fn decide(
        &self,
        connection: Connection,
        checks: &[Check<'_>],
        cost: NonZeroU32,
    ) -> Result<Answer, CallError> {
        if !connection.is_cluster() || checks.iter().all(|c| c.subject == checks[0].subject) {
            return self.decide_at_once(connection, checks, cost).await;
        }
        let mut groups: SmallVec<[SmallVec<[usize; 2]>; 3]> = SmallVec::new();
        for (place, check) in checks.iter().enumerate() {
            let same =
                |group: &&mut SmallVec<[usize; 2]>| checks[group[0]].subject == check.subject;
            match groups.iter_mut().find(same) {
                Some(group) => group.push(place),
                None => groups.push(SmallVec::from_slice(&[place])),
            }
        }
        let calls = groups.iter().map(|group| {
            let connection = connection.clone();
            async move {
                let checks: SmallVec<[Check<'_>; 2]> = group.iter().map(|&i| checks[i]).collect();
                self.decide_at_once(connection, &checks, cost).await
            }
        });
        let answers = join_all(calls).await;
        self.unite(&connection, checks, &groups, answers, cost)
            .await
    }

    async fn decide_at_once(
        &self,
        mut connection: Connection,
        checks: &[Check<'_>],
        cost: NonZeroU32,
    ) -> Result<Answer, CallError> {
        let put = |command: &mut Cmd| put_checks(command, checks, cost);
        let reply = self
            .call(&mut connection, &self.decide, checks, put)
            .await?;
        read(reply, checks.len())
    }

    /// Makes one answer of those of several calls, and gives back what is void.
    async fn unite(
        &self,
        connection: &Connection,
        checks: &[Check<'_>],
        groups: &[SmallVec<[usize; 2]>],
        answers: Vec<Result<Answer, CallError>>,
        cost: NonZeroU32,
    ) -> Result<Answer, CallError> {
        let mut decisions = Decisions::from_elem(None, checks.len());
        let mut windows = SmallVec::from_elem(0, checks.len());
        let mut failure = None;
        let mut void = Vec::new();
        for (group, answer) in groups.iter().zip(answers) {
            match answer {
                Ok(answer) => {
                    for (place, &check) in group.iter().enumerate() {
                        decisions[check] = answer.outcome.decisions[place];
                        windows[check] = answer.windows[place];
                    }
                    if answer.outcome.verdict == Verdict::Admitted {
                        void.push(group);
                    }
                }
                Err(error) => failure = Some(error),
            }
        }
        let all_admitted = void.len() == groups.len();
        if !all_admitted {
            for group in void {
                let counted = group.iter().filter(|&&check| has_room(decisions[check]));
                let counted: SmallVec<[(Check<'_>, u64); 2]> = counted
                    .map(|&check| (checks[check], windows[check]))
                    .collect();
                // If this fails too, the count stays too high until the window ends.
                let _ = self
                    .refund(connection.clone(), &counted, cost.get().into())
                    .await;
            }
        }
        let refuses = |(check, decision): (&Check<'_>, &Option<Decision>)| {
            check.policy.enforces() && decision.is_some_and(|decision| !decision.admitted)
        };
        match failure {
            // One refusal is enough, whatever the others would have said.
            Some(error) if !checks.iter().zip(&decisions).any(refuses) => Err(error),
            _ => Ok(Answer {
                outcome: Outcome::of(all_admitted, decisions),
                windows,
            }),
        }
    }

    /// Gives back `amount` to counters of one subject, each with its window as it was told.
    pub(in crate::limit) async fn refund(
        &self,
        mut connection: Connection,
        counted: &[(Check<'_>, u64)],
        amount: u64,
    ) -> Result<(), CallError> {
        if counted.is_empty() {
            return Ok(());
        }
        let checks: SmallVec<[Check<'_>; 2]> = counted.iter().map(|(check, _)| *check).collect();
        let put = |command: &mut Cmd| {
            for (check, window) in counted {
                put_refund(command, check.policy.limit, *window, amount);
            }
        };
        let reply = self
            .call(&mut connection, &self.refund, &checks, put)
            .await?;
        reply.extract_error()?;
        Ok(())
    }

    /// Makes a call like any other, on a key that nobody is counted by, and leaves the script with
    /// Redis. That is all that requests need: a Redis that is reached but out of memory, read-only
    /// or closed to us answers this no better than them.
    pub(in crate::limit) async fn prove(
        &self,
        mut connection: Connection,
    ) -> Result<(), CallError> {
        let mut command = Cmd::with_capacity(10, self.decide.text.len() + COMMAND_SIZE);
        let key = format!("{}:{{proof}}", self.key_prefix);
        command.arg("EVAL").arg(self.decide.text).arg(1).arg(key);
        // Never refused, for a refusal writes nothing and would prove less.
        command.arg(1);
        command
            .arg("fixed")
            .arg(MAX_REQUESTS)
            .arg(1000)
            .arg(0)
            .arg(1);
        read(connection.call(&command).await?, 1).map(drop)
    }

    /// Calls a script by its digest, and with its text if Redis does not know it.
    async fn call(
        &self,
        connection: &mut Connection,
        code: &Code,
        checks: &[Check<'_>],
        put: impl Fn(&mut Cmd),
    ) -> Result<Value, CallError> {
        let command = self.command("EVALSHA", code.script.get_hash(), checks, &put);
        let reply = connection.call(&command).await?;
        if !forgotten(&reply) {
            return Ok(reply);
        }
        let command = self.command("EVAL", code.text, checks, &put);
        connection.call(&command).await
    }

    fn command(
        &self,
        name: &str,
        script: &str,
        checks: &[Check<'_>],
        put: impl Fn(&mut Cmd),
    ) -> Cmd {
        let (keys, args) = (checks.len(), 1 + checks.len() * PER_KEY);
        let mut command = Cmd::with_capacity(3 + keys + args, script.len() + keys * COMMAND_SIZE);
        command.arg(name).arg(script).arg(keys);
        let mut key = self.key.borrow_mut();
        for check in checks {
            key.clear();
            put_key(&mut key, &self.key_prefix, check);
            command.arg(key.as_str());
        }
        put(&mut command);
        command
    }
}

fn has_room(decision: Option<Decision>) -> bool {
    decision.is_some_and(|decision| decision.admitted)
}

fn put_checks(command: &mut Cmd, checks: &[Check<'_>], cost: NonZeroU32) {
    command.arg(cost.get());
    for check in checks {
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
    }
}

fn put_refund(command: &mut Cmd, limit: Limit, window: u64, amount: u64) {
    match limit.algorithm() {
        Algorithm::FixedWindow => command.arg(amount).arg(window).arg(0),
        Algorithm::SlidingWindow => command.arg(amount).arg(window).arg(limit.window_ms()),
        Algorithm::TokenBucket { .. } => {
            let units = amount.saturating_mul(limit.rate().1);
            command.arg(units).arg("").arg(0)
        }
    };
}

/// Appends the key of a counter: `PREFIX:{client:NAME}:POLICY`, `PREFIX:{ip:ADDRESS}:POLICY` or
/// `PREFIX:{route:NAME}:POLICY`. In braces stands what a cluster places keys by, so that all
/// counters of a subject are together.
fn put_key(key: &mut String, prefix: &str, check: &Check<'_>) {
    let policy = check.policy.counter();
    let written = match check.subject {
        Subject::Client(name) => write!(key, "{prefix}:{{client:{}}}:{policy}", name.as_str()),
        Subject::Address(ip) => write!(key, "{prefix}:{{ip:{ip}}}:{policy}"),
        Subject::Route(name) => write!(key, "{prefix}:{{route:{name}}}:{policy}"),
    };
    written.expect("writing to a string never fails");
}

fn forgotten(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript))
}

fn read(reply: Value, keys: usize) -> Result<Answer, CallError> {
    let reply = reply.extract_error()?;
    let unexpected = || CallError::Refused("an answer that is none".into());
    let Value::Array(values) = reply else {
        return Err(unexpected());
    };
    let number = |value: &Value| match value {
        Value::Int(number) => u64::try_from(*number).map_err(|_| unexpected()),
        _ => Err(unexpected()),
    };
    let numbers: SmallVec<[u64; HEADER + 2 * PER_KEY]> =
        values.iter().map(number).collect::<Result<_, _>>()?;
    if numbers.len() != HEADER + keys * PER_KEY {
        return Err(unexpected());
    }
    let (mut decisions, mut windows) = (SmallVec::new(), SmallVec::new());
    for of_key in numbers[HEADER..].chunks_exact(PER_KEY) {
        decisions.push(Some(Decision {
            admitted: of_key[0] == 1,
            remaining: of_key[1],
            reset: Duration::from_millis(of_key[2]),
            retry_after: Duration::from_millis(of_key[3]),
            degraded: false,
        }));
        windows.push(of_key[4]);
    }
    Ok(Answer {
        outcome: Outcome::of(numbers[0] == 1, decisions),
        windows,
    })
}

/// Runs futures at the same time; there are two or three of them.
async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<(Pin<Box<F>>, Option<F::Output>)> =
        futures.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|cx| {
        let mut pending = false;
        for (future, output) in running.iter_mut().filter(|(_, output)| output.is_none()) {
            match future.as_mut().poll(cx) {
                Poll::Ready(ready) => *output = Some(ready),
                Poll::Pending => pending = true,
            }
        }
        if pending {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    running
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientName;
    use crate::limit::Policy;

    #[test]
    fn the_counters_of_a_subject_share_a_hash_tag() {
        let limit = Limit::new(1, Duration::from_secs(1)).unwrap();
        let key = |policy: &Policy, subject: &Subject| {
            let mut key = String::new();
            put_key(&mut key, "tollgate", &Check { policy, subject });
            key
        };
        let fixed = Policy::new("identified", limit);
        let client = Subject::Client(ClientName::parse("mobile-app").unwrap());
        assert_eq!(
            key(&fixed, &client),
            "tollgate:{client:mobile-app}:identified"
        );
        let sliding = limit.counted_by(Algorithm::SlidingWindow).unwrap();
        let sliding = Policy::new("identified", sliding);
        let address = |ip: &str| Subject::Address(ip.parse().unwrap());
        assert_eq!(
            key(&sliding, &address("203.0.113.7")),
            "tollgate:{ip:203.0.113.7}:identified:sliding-window"
        );
        assert_eq!(
            key(&fixed, &address("2001:db8::")),
            "tollgate:{ip:2001:db8::}:identified"
        );
        let route = Subject::Route("/api/search".into());
        assert_eq!(
            key(&fixed, &route),
            "tollgate:{route:/api/search}:identified"
        );
    }

    #[test]
    fn only_sensible_numbers_are_an_answer() {
        let numbers =
            |numbers: &[i64]| Value::Array(numbers.iter().map(|&n| Value::Int(n)).collect());
        let answer = read(numbers(&[1, 1, 9, 1500, 0, 5]), 1).unwrap();
        assert_eq!(answer.windows[..], [5]);
        let decision = answer.outcome.only().unwrap();
        assert!(decision.admitted);
        assert_eq!(
            (decision.remaining, decision.reset),
            (9, Duration::from_millis(1500))
        );
        for reply in [
            Value::Nil,
            numbers(&[1]),
            numbers(&[1, 1, -9, 1500, 0, 5]),
            numbers(&[1, 1, 9, 1500, 0, 5, 1, 9, 1500, 0, 5]),
            Value::Array(vec![Value::Nil; 6]),
        ] {
            assert!(matches!(read(reply, 1), Err(CallError::Refused(_))));
        }
    }
}
