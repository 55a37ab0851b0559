//! Finds the server that takes writes where Sentinels watch over several: each is asked in turn who
//! that is, and whoever is named is asked whether it knows of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Value, cmd};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::dial::{Dialer, Driver, drive};
use super::url::Endpoint;
use super::{CallError, STEP};

/// How often they are asked whether the master is still the same. A master that they have replaced
/// may go on as one for ten seconds, and what is counted there is lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The Sentinels, and the name by which they know the master.
#[derive(Debug, Clone)]
pub(super) struct Sentinels {
    pub endpoints: Vec<Endpoint>,
    pub master: String,
    /// Which of them to ask first: the last that could help.
    pub first: Arc<AtomicUsize>,
}

impl Sentinels {
    /// Connects to the master. `dialer` has its user, password and database; Sentinels are given
    /// user and password only if they ask for them. The driver ends, too, when the Sentinels name
    /// another master.
    pub(super) async fn connect(
        self,
        dialer: Dialer,
    ) -> Result<(MultiplexedConnection, Driver), CallError> {
        let mut failure = CallError::NoMaster;
        for nth in self.in_turn() {
            let connected = timeout(STEP, self.connect_by(nth, &dialer)).await;
            match connected.unwrap_or(Err(CallError::Silent)) {
                Ok((connection, mut driver, master)) => {
                    self.first.store(nth, Ordering::Relaxed);
                    let driver = async move {
                        tokio::select! {
                            () = &mut driver => {}
                            () = self.replaced(&dialer, &master) => {}
                        }
                    };
                    return Ok((connection, Box::pin(driver)));
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Each of them, beginning with the one that could help last.
    fn in_turn(&self) -> impl Iterator<Item = usize> + use<> {
        let (first, all) = (self.first.load(Ordering::Relaxed), self.endpoints.len());
        (first..first + all).map(move |nth| nth % all)
    }

    async fn connect_by(
        &self,
        nth: usize,
        dialer: &Dialer,
    ) -> Result<(MultiplexedConnection, Driver, Endpoint), CallError> {
        let (mut sentinel, mut sentinel_driver) = self.reach(nth, dialer).await?;
        let asked = self.ask(nth, &mut sentinel);
        let master = drive(&mut sentinel_driver, asked).await?;
        let (mut connection, mut driver) = dialer.open(&master).await?;
        let role = drive(&mut driver, async {
            Ok(connection.send_packed_command(&cmd("ROLE")).await?)
        });
        // Whoever may not ask this finds out with the first call.
        match role.await? {
            Value::Array(role) if role.first().is_some_and(|role| !is_text(role, "master")) => {
                Err(CallError::Demoted)
            }
            _ => Ok((connection, driver, master)),
        }
    }

    /// Waits until another master is named.
    async fn replaced(&self, dialer: &Dialer, master: &Endpoint) {
        let mut pause = interval(LOOK_EVERY);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pause.tick().await;
            for nth in self.in_turn() {
                let asked = timeout(STEP, self.reach(nth, dialer)).await;
                let Ok(Ok((mut sentinel, mut driver))) = asked else {
                    continue;
                };
                self.first.store(nth, Ordering::Relaxed);
                // For as long as this one answers.
                while let Ok(Ok(named)) =
                    timeout(STEP, drive(&mut driver, self.ask(nth, &mut sentinel))).await
                {
                    if named != *master {
                        return;
                    }
                    pause.tick().await;
                }
            }
        }
    }

    /// Connects to one Sentinel, with user and password if it has to be.
    async fn reach(
        &self,
        nth: usize,
        dialer: &Dialer,
    ) -> Result<(MultiplexedConnection, Driver), CallError> {
        let sentinel = &self.endpoints[nth];
        let (mut connection, mut driver) = dialer.without_login().open(sentinel).await?;
        let asked = drive(&mut driver, self.ask(nth, &mut connection)).await;
        match asked {
            Err(CallError::Credentials) => dialer.without_database().open(sentinel).await,
            _ => Ok((connection, driver)),
        }
    }

    /// Asks one Sentinel for the master's address.
    async fn ask(
        &self,
        nth: usize,
        sentinel: &mut MultiplexedConnection,
    ) -> Result<Endpoint, CallError> {
        let mut command = cmd("SENTINEL");
        command.arg("get-master-addr-by-name").arg(&self.master);
        let reply = sentinel.send_packed_command(&command).await?;
        let (host, port): (String, u16) = match reply.extract_error()? {
            Value::Nil => return Err(CallError::NoMaster),
            reply => ::redis::from_redis_value(reply).map_err(|_| CallError::unexpected())?,
        };
        Endpoint::new(&host, port, &self.endpoints[nth].host).ok_or(CallError::NoMaster)
    }
}

fn is_text(value: &Value, text: &str) -> bool {
    match value {
        Value::BulkString(bytes) => bytes == text.as_bytes(),
        Value::SimpleString(string) => string == text,
        _ => false,
    }
}
