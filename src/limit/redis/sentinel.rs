//! Finds the server that takes writes where Sentinels watch over several: they are asked who that is,
//! and the server that they name is asked whether it is the master.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Value, cmd};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::CallError;
use super::dial::{Dialer, Driver, drive};
use super::seeds::{STEP, Seeds};
use super::url::HostPort;

/// How often they are asked whether the master is still the same. A master that they have replaced
/// may go on as one for ten seconds, and what is counted there is lost.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The Sentinels, and the name by which they know the master.
#[derive(Debug, Clone)]
pub(super) struct Sentinels {
    pub seeds: Seeds,
    pub master: String,
}

impl Sentinels {
    /// Connects to the master. `dialer` has its user, password and database; Sentinels are given
    /// user and password only if they ask for them. The driver ends, too, when the Sentinels name
    /// another master.
    pub(super) async fn connect(
        self,
        dialer: Dialer,
    ) -> Result<(MultiplexedConnection, Driver), CallError> {
        let connected = self
            .seeds
            .ask(async |one| self.connect_by(one, &dialer).await);
        let (connection, mut driver, master) = connected.await?;
        let driver = async move {
            tokio::select! {
                () = &mut driver => {}
                () = self.replaced(&dialer, &master) => {}
            }
        };
        Ok((connection, Box::pin(driver)))
    }

    async fn connect_by(
        &self,
        one: &HostPort,
        dialer: &Dialer,
    ) -> Result<(MultiplexedConnection, Driver, HostPort), CallError> {
        let (mut sentinel, mut sentinel_driver) = self.reach(one, dialer).await?;
        let asked = self.ask(one, &mut sentinel);
        let master = drive(&mut sentinel_driver, asked).await?;
        let (mut connection, mut driver) = dialer.open(&master).await?;
        let role = drive(&mut driver, async {
            Ok(connection.send_packed_command(&cmd("ROLE")).await?)
        });
        // A user without the right to ask finds out with the first call.
        match role.await? {
            Value::Array(role) if role.first().is_some_and(|role| !is_text(role, "master")) => {
                Err(CallError::Demoted)
            }
            _ => Ok((connection, driver, master)),
        }
    }

    /// Waits until another master is named.
    async fn replaced(&self, dialer: &Dialer, master: &HostPort) {
        let mut pause = interval(LOOK_INTERVAL);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pause.tick().await;
            let reached = self.seeds.ask(async |one| {
                let (sentinel, driver) = self.reach(one, dialer).await?;
                Ok((one.clone(), sentinel, driver))
            });
            let Ok((one, mut sentinel, mut driver)) = reached.await else {
                continue;
            };
            // For as long as this one answers.
            while let Ok(Ok(named)) =
                timeout(STEP, drive(&mut driver, self.ask(&one, &mut sentinel))).await
            {
                if named != *master {
                    return;
                }
                pause.tick().await;
            }
        }
    }

    /// Connects to one Sentinel, with user and password if it has to be.
    async fn reach(
        &self,
        one: &HostPort,
        dialer: &Dialer,
    ) -> Result<(MultiplexedConnection, Driver), CallError> {
        match dialer.without_login().open(one).await {
            Err(CallError::Credentials(_)) => dialer.without_database().open(one).await,
            reached => reached,
        }
    }

    /// Asks one Sentinel for the master's address.
    async fn ask(
        &self,
        one: &HostPort,
        sentinel: &mut MultiplexedConnection,
    ) -> Result<HostPort, CallError> {
        let mut command = cmd("SENTINEL");
        command.arg("get-master-addr-by-name").arg(&self.master);
        let reply = sentinel.send_packed_command(&command).await?;
        let (host, port): (String, u16) = match reply.extract_error()? {
            Value::Nil => return Err(CallError::NoMaster),
            reply => ::redis::from_redis_value(reply).map_err(|_| CallError::unexpected())?,
        };
        HostPort::new(&host, port, &one.host).ok_or(CallError::NoMaster)
    }
}

fn is_text(value: &Value, text: &str) -> bool {
    match value {
        Value::BulkString(bytes) => bytes == text.as_bytes(),
        Value::SimpleString(string) => string == text,
        _ => false,
    }
}
