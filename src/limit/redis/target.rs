//! Which Redis, and how to get a connection to it. The connection is made here rather than by the
//! redis crate, so that its end is ours to see and its name is resolved anew each time: after a
//! failover the same name leads elsewhere.

use std::fmt;
use std::io;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};

use super::{CallError, Connection};

/// How many calls may wait for the connection to take them; more wait in turn.
const QUEUE: usize = 1024;

/// How long an idle connection is left alone before TCP asks whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// An address, and what to say there first. Holds a password: its `Debug` shows the address only.
#[derive(Clone)]
pub(in crate::limit) struct RedisTarget {
    host: String,
    port: u16,
    login: RedisConnectionInfo,
}

impl RedisTarget {
    /// Parses `redis://[user:password@]host[:port][/database]`.
    pub(in crate::limit) fn parse(url: &str) -> Result<Self, InvalidRedisUrl> {
        let (scheme, _) = url.split_once("://").ok_or(InvalidRedisUrl::Malformed)?;
        match scheme {
            "redis" | "valkey" => {}
            "rediss" | "valkeys" => return Err(InvalidRedisUrl::Tls),
            _ => return Err(InvalidRedisUrl::Malformed),
        }
        // The crate's error would repeat parts of the URL.
        let parsed = url
            .into_connection_info()
            .map_err(|_| InvalidRedisUrl::Malformed)?;
        let ConnectionAddr::Tcp(host, port) = parsed.addr() else {
            return Err(InvalidRedisUrl::Malformed);
        };
        let login = parsed.redis_settings().clone();
        if login.db() < 0 {
            return Err(InvalidRedisUrl::Malformed);
        }
        let login = login
            .set_protocol(ProtocolVersion::RESP2)
            .set_lib_name(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        Ok(Self {
            host: host.clone(),
            port: *port,
            login,
        })
    }

    /// Connects and logs in. Nothing happens on the connection unless the second value, its
    /// driver, is polled; the driver ends when the connection does.
    ///
    /// Takes as long as it takes: time-outs are the caller's.
    pub(in crate::limit) async fn connect(
        &self,
    ) -> Result<(Connection, impl Future<Output = ()>), CallError> {
        let stream = self.open().await.map_err(CallError::Unreachable)?;
        // A call is one small packet: to wait for more to send with it would cost a round trip.
        stream.set_nodelay(true).map_err(CallError::Unreachable)?;
        // Between bursts a connection is idle, and what stands between may forget it silently.
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE);
        SockRef::from(&stream)
            .set_tcp_keepalive(&keepalive)
            .map_err(CallError::Unreachable)?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let connected = MultiplexedConnection::new_with_config(&self.login, stream, config).await;
        let (connection, driver) = connected?;
        Ok((Connection::new(connection), driver))
    }

    /// Opens a connection to the first of the host's addresses that takes one.
    async fn open(&self) -> io::Result<TcpStream> {
        let mut refused = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in lookup_host((self.host.as_str(), self.port)).await? {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }
}

impl fmt::Display for RedisTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for RedisTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisTarget({self})")
    }
}

/// Whether the text of a URL leads to a Redis. For the compiler of the configuration, which can
/// point at the place; nothing is connected.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_redis_url(url: &str) -> Result<(), InvalidRedisUrl> {
    RedisTarget::parse(url).map(drop)
}

/// Why a URL does not lead to Redis. Does not repeat the URL: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedisUrl {
    /// Not the URL of a Redis.
    #[error("the URL of Redis is written `redis://[user:password@]host[:port][/database]`")]
    Malformed,
    /// A URL that asks for TLS.
    #[error("TLS to Redis is not supported yet: write `redis://` instead of `rediss://`")]
    Tls,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let target = RedisTarget::parse("redis://user:p%40ss@redis.example:6380/3").unwrap();
        assert_eq!(target.to_string(), "redis.example:6380");
        assert_eq!(target.login.username(), Some("user"));
        assert_eq!(target.login.password(), Some("p@ss"));
        assert_eq!(target.login.db(), 3);

        let target = RedisTarget::parse("redis://[::1]").unwrap();
        assert_eq!(target.to_string(), "[::1]:6379");
        assert_eq!(target.login.password(), None);
    }

    #[test]
    fn the_password_is_never_shown() {
        let target = RedisTarget::parse("redis://user:hunter2@localhost").unwrap();
        assert_eq!(format!("{target:?}"), "RedisTarget(localhost:6379)");
    }

    #[test]
    fn other_urls_are_refused_without_repeating_them() {
        for (url, why) in [
            ("redis://", InvalidRedisUrl::Malformed),
            ("localhost:6379", InvalidRedisUrl::Malformed),
            ("http://localhost", InvalidRedisUrl::Malformed),
            ("unix:///tmp/redis.sock", InvalidRedisUrl::Malformed),
            ("redis://localhost:port", InvalidRedisUrl::Malformed),
            ("redis://localhost/first", InvalidRedisUrl::Malformed),
            ("redis://localhost/-1", InvalidRedisUrl::Malformed),
            ("rediss://localhost", InvalidRedisUrl::Tls),
        ] {
            assert_eq!(RedisTarget::parse(url).unwrap_err(), why, "{url}");
        }
    }
}
