//! Which Redis: one server, the master that Sentinels name, or a cluster; and how to get a
//! connection to it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::redis::RedisConnectionInfo;

use super::cluster::{Cluster, Nodes};
use super::dial::{CONNECT_TIMEOUT, Dialer, Driver};
use super::names::Names;
use super::seeds::{STEP, Seeds};
use super::sentinel::Sentinels;
use super::url::{Address, RedisUrl};
use super::{CallError, Connection};
use crate::tls::{Certificate, ClientTls};

/// A Redis to count in. Holds a password: its `Debug` shows addresses only.
#[derive(Clone)]
pub struct RedisTarget {
    /// Empty if there is a socket.
    seeds: Seeds,
    /// That of one server on this machine.
    socket: Option<PathBuf>,
    topology: RedisTopology,
    login: RedisConnectionInfo,
    tls: Option<ClientTls>,
    nodes: Arc<Nodes>,
    names: Arc<Names>,
}

/// What stands behind the addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisTopology {
    /// One server.
    Single,
    /// Sentinels, which name the server.
    Sentinel {
        /// By which name they know it.
        master: String,
    },
    /// Nodes of a cluster, which name the others.
    Cluster,
}

impl RedisTarget {
    /// Takes one server's URL, or those of several Sentinels or nodes. User, password and database
    /// are for the servers that count, and are those of the first URL. `tls` is how, where the URLs
    /// ask for TLS.
    ///
    /// # Errors
    ///
    /// The URLs don't go together, or not with the topology or TLS.
    pub fn new(
        urls: &[RedisUrl],
        topology: RedisTopology,
        tls: Option<ClientTls>,
    ) -> Result<Self, InvalidRedisTarget> {
        Self::check(urls, &topology)?;
        let first = urls.first().ok_or(InvalidRedisTarget::NoUrl)?;
        if tls.is_none() && first.is_tls {
            return Err(InvalidRedisTarget::NoTls);
        }
        let (mut addresses, mut socket) = (Vec::new(), None);
        for url in urls {
            match &url.address {
                Address::Tcp(address) => addresses.push(address.clone()),
                Address::Unix(path) => socket = Some(path.clone()),
            }
        }
        Ok(Self {
            seeds: Seeds::new(addresses),
            socket,
            topology,
            login: first.login.clone(),
            tls: tls.filter(|_| first.is_tls),
            nodes: Arc::default(),
            names: Arc::default(),
        })
    }

    /// Checks whether URLs go together, and with the topology.
    ///
    /// # Errors
    ///
    /// They do not.
    pub fn check(urls: &[RedisUrl], topology: &RedisTopology) -> Result<(), InvalidRedisTarget> {
        let first = urls.first().ok_or(InvalidRedisTarget::NoUrl)?;
        let is_single = *topology == RedisTopology::Single;
        if is_single && urls.len() > 1 {
            return Err(InvalidRedisTarget::Several);
        }
        if let Some(place) = urls.iter().position(|url| !url.agrees_with(first)) {
            return Err(InvalidRedisTarget::Differs(place));
        }
        if *topology == RedisTopology::Cluster && first.login.db() != 0 {
            return Err(InvalidRedisTarget::ClusterDatabase);
        }
        let is_socket = |url: &RedisUrl| matches!(url.address, Address::Unix(_));
        if !is_single && urls.iter().any(is_socket) {
            return Err(InvalidRedisTarget::Socket);
        }
        Ok(())
    }

    /// What Redis is shown that asks for it.
    pub fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.tls.as_ref()?.certificate()
    }

    /// The longest that [`Self::connect`] may take.
    pub(in crate::limit) fn patience(&self) -> Duration {
        let steps = u32::try_from(self.seeds.addresses.len()).unwrap_or(u32::MAX);
        match self.topology {
            RedisTopology::Single => CONNECT_TIMEOUT,
            _ => CONNECT_TIMEOUT.saturating_add(STEP.saturating_mul(steps)),
        }
    }

    /// Connects and logs in. Nothing happens on the connection unless the second value, its
    /// driver, is polled; the driver ends when the connection does, that to a cluster when no node
    /// is left. `deadline` is how long a call to a node of a cluster may take.
    ///
    /// Has no time-out: that is for its caller.
    pub(in crate::limit) async fn connect(
        &self,
        deadline: Duration,
    ) -> Result<(Connection, Driver), CallError> {
        let dialer = Dialer {
            login: self.login.clone(),
            tls: self.tls.as_ref().map(|tls| tls.speaking(&[])),
            names: Arc::clone(&self.names),
        };
        let (connection, driver) = match &self.topology {
            RedisTopology::Single => match &self.socket {
                Some(path) => dialer.open_socket(path).await?,
                None => dialer.open(&self.seeds.addresses[0]).await?,
            },
            RedisTopology::Sentinel { master } => {
                let sentinels = Sentinels {
                    seeds: self.seeds.clone(),
                    master: master.clone(),
                };
                sentinels.connect(dialer).await?
            }
            RedisTopology::Cluster => {
                let nodes = Arc::clone(&self.nodes);
                let connected = Cluster::connect(dialer, &self.seeds, deadline, nodes);
                let (cluster, driver) = connected.await?;
                return Ok((Connection::Cluster(cluster), driver));
            }
        };
        Ok((Connection::Server(connection), driver))
    }
}

impl fmt::Display for RedisTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let RedisTopology::Sentinel { master } = &self.topology {
            write!(f, "{master} of ")?;
        }
        if let Some(path) = &self.socket {
            write!(f, "{}", path.display())?;
        }
        for (place, address) in self.seeds.addresses.iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{address}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for RedisTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisTarget({self})")
    }
}

/// Why addresses and topology don't go together. Places count from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedisTarget {
    /// There is no address.
    #[error("it has no address")]
    NoUrl,
    /// More than one server.
    #[error("give one address, or write `mode = \"cluster\"` or `mode = \"sentinel\"`")]
    Several,
    /// A URL that differs from the first.
    #[error("user, password, database and `rediss://` must be those of the first address")]
    Differs(usize),
    /// Sentinels and nodes name each other by host and port.
    #[error("`unix://` is for one Redis; a cluster and Sentinels take `redis://`")]
    Socket,
    /// A cluster has no other databases.
    #[error("a cluster has database 0 only")]
    ClusterDatabase,
    /// URLs with TLS, and no settings for it.
    #[error("`rediss://` needs TLS")]
    NoTls,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        let urls = ["redis://user:hunter2@a", "redis://user:hunter2@b:1"];
        let urls = urls.map(|url| RedisUrl::parse(url).unwrap());
        let master = "mymaster".to_owned();
        let target = RedisTarget::new(&urls, RedisTopology::Sentinel { master }, None);
        let shown = format!("{:?}", target.unwrap());
        assert_eq!(shown, "RedisTarget(mymaster of a:6379, b:1)");
    }
}
