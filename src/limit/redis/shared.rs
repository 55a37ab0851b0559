//! The Redis of the limits, for what else the gateways of a fleet have to agree on. Scripts alone, on
//! keys with one hash tag, so that single servers, Sentinels and clusters are all the same here. Has a
//! connection of its own: a request never waits behind what is asked here.

use std::rc::Rc;
use std::time::Duration;

use ::redis::{Cmd, FromRedisValue, from_redis_value};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::deadline::in_time;
use super::{CallError, Connection, Driver, Link, RedisSettings};

/// The longest that a call may take, and the wait for a connection. No request waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connection to the Redis of the limits.
#[derive(Debug)]
pub struct SharedRedis {
    settings: RedisSettings,
    link: Link<Connection>,
}

impl SharedRedis {
    /// Starts connecting; to be called within a `LocalRuntime`. The connection is kept until what is
    /// returned beside it is dropped.
    pub fn start(settings: RedisSettings) -> (Rc<Self>, JoinSet<()>) {
        let link = Link::new();
        let shared = Rc::new(Self { settings, link });
        let mut tasks = JoinSet::new();
        tasks.spawn_local(Rc::clone(&shared).stay_connected());
        (shared, tasks)
    }

    /// The key of a thing that is nobody's counter: all with the same `tag` are in one place.
    pub fn key(&self, tag: &str, name: &str) -> String {
        format!("{}:{{{tag}}}:{name}", self.settings.key_prefix)
    }

    /// Runs a script, which may be run twice if the connection ends meanwhile.
    ///
    /// # Errors
    /// Redis is not there, does not answer in time, or refuses.
    pub async fn run<T: FromRedisValue>(
        &self,
        script: &str,
        keys: &[String],
        arguments: &[&[u8]],
    ) -> Result<T, SharedRedisError> {
        let mut command = Cmd::new();
        command.arg("EVAL").arg(script).arg(keys.len());
        command.arg(keys).arg(arguments);
        let answer = match self.once(&command).await {
            Err(CallError::Ended) => self.once(&command).await,
            answer => answer,
        };
        let answer = answer.map_err(SharedRedisError)?;
        from_redis_value(answer).map_err(|_| SharedRedisError(CallError::unexpected()))
    }

    async fn once(&self, command: &Cmd) -> Result<::redis::Value, CallError> {
        // It may be just about to come.
        let up = timeout(PATIENCE, self.link.up()).await;
        up.map_err(|_| CallError::Ended)?;
        let (mut connection, attempt) = self.link.begin().await.ok_or(CallError::Ended)?;
        let is_cluster = connection.is_cluster();
        match in_time(PATIENCE, connection.call(command)).await {
            Ok(answer) => {
                self.link.answered(attempt);
                Ok(answer.extract_error()?)
            }
            // It says nothing of Redis, and the nodes of a cluster have breakers of their own.
            Err(cause @ CallError::Ended) => Err(cause),
            Err(cause) if is_cluster => Err(cause),
            Err(cause) => {
                self.link.failed(attempt, CallError::Silent);
                Err(cause)
            }
        }
    }

    /// Keeps the connection, without a word: whoever asks says what that is for.
    async fn stay_connected(self: Rc<Self>) {
        self.link
            .keep(
                async || self.connect().await,
                async |connection: Connection| connection.probe().await,
                |_| {},
            )
            .await;
    }

    async fn connect(&self) -> Result<(Connection, Driver), CallError> {
        let target = &self.settings.target;
        in_time(target.patience(), target.connect(PATIENCE)).await
    }
}

/// Why a script brought no answer. The text is for the operator and holds no password.
#[derive(Debug, thiserror::Error)]
#[error("Redis: {0}")]
pub struct SharedRedisError(CallError);
