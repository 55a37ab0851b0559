//! The store in Redis: one script call decides and counts a request, on Redis' own clock, so that
//! any number of gateways share one limit exactly. Here is only what a call is; when it may be
//! made, how long it may take and what happens when it fails is in `failure`.

mod target;

pub(super) use target::RedisTarget;

pub use target::{InvalidRedisUrl, check_redis_url};

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, ErrorKind, RedisError, Script, ServerErrorKind, Value};

use super::policy::MAX_REQUESTS;
use super::{Decision, Policy, Subject};

/// What a command takes beside its key, in bytes; a good guess saves growing its buffer.
const COMMAND_SIZE: usize = 128;

/// The script calls of one worker.
#[derive(Debug)]
pub(super) struct FixedWindow {
    script: Script,
    code: &'static str,
    key_prefix: String,
    /// The key of the call that is being written; kept to write the next into.
    key: RefCell<String>,
}

impl FixedWindow {
    /// Prepares calls on keys that begin with `key_prefix`.
    pub(super) fn new(key_prefix: String) -> Self {
        let code = include_str!("fixed_window.lua");
        Self {
            script: Script::new(code),
            code,
            key_prefix,
            key: RefCell::default(),
        }
    }

    /// Decides one request, and counts it if it is admitted. One round trip, and a second one if
    /// Redis has forgotten the script. May be dropped at any time: what has been sent may then
    /// have been counted, and its answer is discarded when it comes.
    pub(super) async fn decide(
        &self,
        mut connection: MultiplexedConnection,
        policy: &Policy,
        subject: &Subject,
        cost: NonZeroU32,
    ) -> Result<Decision, CallError> {
        let command = self.command("EVALSHA", self.script.get_hash(), policy, subject, cost);
        let mut reply = connection.send_packed_command(&command).await?;
        if forgotten(&reply) {
            let command = self.command("EVAL", self.code, policy, subject, cost);
            reply = connection.send_packed_command(&command).await?;
        }
        read(reply)
    }

    /// Makes a call like any other, on a key that nobody is counted by, and leaves the script with
    /// Redis. That is all that requests need: a Redis that is reached but out of memory, read-only
    /// or closed to us answers this no better than them.
    pub(super) async fn prove(
        &self,
        mut connection: MultiplexedConnection,
    ) -> Result<(), CallError> {
        let mut command = Cmd::with_capacity(6, self.code.len() + COMMAND_SIZE);
        let key = format!("{}:{{proof}}", self.key_prefix);
        command.arg("EVAL").arg(self.code).arg(1).arg(key);
        // Never refused, for a refusal writes nothing and would prove less.
        command.arg(MAX_REQUESTS).arg(1000).arg(1);
        read(connection.send_packed_command(&command).await?).map(drop)
    }

    fn command(
        &self,
        name: &str,
        script: &str,
        policy: &Policy,
        subject: &Subject,
        cost: NonZeroU32,
    ) -> Cmd {
        let mut key = self.key.borrow_mut();
        key.clear();
        put_key(&mut key, &self.key_prefix, policy, subject);
        let mut command = Cmd::with_capacity(7, script.len() + key.len() + COMMAND_SIZE);
        command.arg(name).arg(script).arg(1).arg(key.as_str());
        command
            .arg(policy.limit.requests())
            .arg(policy.limit.window_ms())
            .arg(cost.get());
        command
    }
}

/// Appends the key of a counter: `PREFIX:{client:NAME}:POLICY` or `PREFIX:{ip:ADDRESS}:POLICY`.
/// In braces stands what a cluster places keys by, so that all counters of a subject are together;
/// no name can hold a brace.
fn put_key(key: &mut String, prefix: &str, policy: &Policy, subject: &Subject) {
    let written = match subject {
        Subject::Client(name) => {
            write!(key, "{prefix}:{{client:{}}}:{}", name.as_str(), policy.name)
        }
        Subject::Address(ip) => write!(key, "{prefix}:{{ip:{ip}}}:{}", policy.name),
    };
    written.expect("writing to a string never fails");
}

fn forgotten(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript))
}

fn read(reply: Value) -> Result<Decision, CallError> {
    let reply = reply.extract_error()?;
    let unexpected = || CallError::Refused("an answer that is none".into());
    let Value::Array(numbers) = reply else {
        return Err(unexpected());
    };
    let [
        Value::Int(admitted),
        Value::Int(remaining),
        Value::Int(reset_ms),
    ] = numbers[..]
    else {
        return Err(unexpected());
    };
    Ok(Decision {
        admitted: admitted == 1,
        remaining: u64::try_from(remaining).map_err(|_| unexpected())?,
        reset: Duration::from_millis(u64::try_from(reset_ms).map_err(|_| unexpected())?),
        degraded: false,
    })
}

/// Why a call brought no decision. The text is for the operator and holds no password.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("it cannot be reached: {0}")]
    Unreachable(io::Error),
    #[error("the connection has ended")]
    Ended,
    #[error("it does not answer in time")]
    Silent,
    #[error("it does not accept the user or the password")]
    Credentials,
    #[error("it answers with an error: {0}")]
    Refused(String),
}

impl From<RedisError> for CallError {
    fn from(error: RedisError) -> Self {
        match (error.kind(), error.code()) {
            (ErrorKind::Io, _) => Self::Ended,
            (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
                Self::Credentials
            }
            (_, Some(code)) => Self::Refused(format!("{code} {}", error.detail().unwrap_or(""))),
            _ => Self::Refused(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientName;
    use crate::limit::Limit;

    #[test]
    fn the_counters_of_a_subject_share_a_hash_tag() {
        let limit = Limit::new(1, Duration::from_secs(1)).unwrap();
        let policy = Policy {
            name: "identified".into(),
            limit,
        };
        let key = |subject| {
            let mut key = String::new();
            put_key(&mut key, "tollgate", &policy, &subject);
            key
        };
        let client = Subject::Client(ClientName::parse("mobile-app").unwrap());
        assert_eq!(key(client), "tollgate:{client:mobile-app}:identified");
        let address = |ip: &str| Subject::Address(ip.parse().unwrap());
        assert_eq!(
            key(address("203.0.113.7")),
            "tollgate:{ip:203.0.113.7}:identified"
        );
        assert_eq!(
            key(address("2001:db8::")),
            "tollgate:{ip:2001:db8::}:identified"
        );
    }

    #[test]
    fn only_three_sensible_numbers_are_a_decision() {
        let int = |n| Value::Int(n);
        let decision = read(Value::Array(vec![int(1), int(9), int(1500)])).unwrap();
        assert!(decision.admitted);
        assert_eq!(
            (decision.remaining, decision.reset),
            (9, Duration::from_millis(1500))
        );
        for reply in [
            Value::Nil,
            Value::Array(vec![int(1), int(9)]),
            Value::Array(vec![int(1), int(-1), int(1)]),
            Value::Array(vec![int(1), int(1), Value::Nil]),
        ] {
            assert!(matches!(read(reply), Err(CallError::Refused(_))));
        }
    }
}
