//! The call by which gateways know of each other: one small script on one key.

use ::redis::{Cmd, Value};

use super::{CallError, Connection};

/// What a gateway has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::limit) enum Heartbeat {
    /// It is alive.
    Alive,
    /// It ends.
    Ends,
}

/// How many gateways there are, as Redis says.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::limit) enum FleetSize {
    /// So many, this one included.
    Count {
        instances: u32,
        /// This one was not among them before.
        is_new: bool,
    },
    /// It refuses; which command, and why.
    Refused(String),
}

/// Tells Redis of the gateway called `id`, which counts for `lasts_ms` if it is not heard of again.
/// With the script's text each time: once in a while that costs less than to learn that Redis has
/// forgotten it.
pub(in crate::limit) async fn heartbeat(
    connection: &mut Connection,
    key_prefix: &str,
    id: &str,
    what: Heartbeat,
    lasts_ms: u64,
) -> Result<FleetSize, CallError> {
    let mut command = Cmd::new();
    let script = include_str!("heartbeat.lua");
    command.arg("EVAL").arg(script).arg(1);
    command.arg(format!("{key_prefix}:{{instances}}")).arg(id);
    command.arg(match what {
        Heartbeat::Alive => "alive",
        Heartbeat::Ends => "ends",
    });
    command.arg(lasts_ms);
    read(connection.call(&command).await?.extract_error()?)
}

fn read(reply: Value) -> Result<FleetSize, CallError> {
    if let Value::BulkString(error) = reply {
        return Ok(FleetSize::Refused(String::from_utf8_lossy(&error).into()));
    }
    let (instances, is_new): (i64, i64) =
        ::redis::from_redis_value(reply).map_err(|_| CallError::unexpected())?;
    Ok(FleetSize::Count {
        instances: u32::try_from(instances.max(0)).unwrap_or(u32::MAX),
        is_new: is_new == 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sensible_numbers_are_a_count() {
        let numbers =
            |numbers: &[i64]| Value::Array(numbers.iter().map(|&n| Value::Int(n)).collect());
        let count = |instances, is_new| FleetSize::Count { instances, is_new };
        assert_eq!(read(numbers(&[3, 1])).unwrap(), count(3, true));
        assert_eq!(read(numbers(&[-3, 0])).unwrap(), count(0, false));
        let refused = read(Value::BulkString(b"zadd: no".to_vec())).unwrap();
        assert_eq!(refused, FleetSize::Refused("zadd: no".into()));
        for answer in [Value::Nil, numbers(&[]), numbers(&[1]), numbers(&[1, 2, 3])] {
            assert!(matches!(read(answer), Err(CallError::Refused(_))));
        }
    }
}
