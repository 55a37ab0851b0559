//! Opens a connection to one server: resolves the name, each time anew, because it leads elsewhere
//! after a failover; then TCP, TLS where the URL asks for it, and the login. Ends it when the name has
//! moved meanwhile. Not by the redis crate, which does not show when a connection ends.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    Arg, AsyncConnectionConfig, Cmd, ErrorKind, ProtocolVersion, RedisConnectionInfo, Value, cmd,
};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::CallError;
use super::names::Names;
use super::url::HostPort;

/// The longest that a new connection may take, name look-up and login included.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long of that a server may be silent in a TLS handshake: one without TLS waits for the end of a line.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_millis(800);

/// How many calls may wait for the connection to take them; more wait in turn.
const QUEUE: usize = 1024;

/// How much a server may say to a new connection.
const MOST_SAID: u64 = 4096;

/// A script that a server answers unless it is loading, cut off from its master or closed to us. Not
/// that of requests, which would need keys that are here.
const PROBE: &str = "return redis.call('TIME')";

/// How long a connection is idle before TCP asks whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Makes a connection work for as long as it is polled; ends when the connection does.
pub(in crate::limit) type Driver = Pin<Box<dyn Future<Output = ()>>>;

/// How connections are opened. Holds a password.
#[derive(Clone)]
pub(super) struct Dialer {
    pub login: RedisConnectionInfo,
    pub tls: Option<Arc<ClientConfig>>,
    pub names: Arc<Names>,
}

impl Dialer {
    /// The same without user, password and database.
    pub(super) fn without_login(&self) -> Self {
        Self {
            login: RedisConnectionInfo::default(),
            ..self.clone()
        }
    }

    /// The same user and password, in the database that is always there.
    pub(super) fn without_database(&self) -> Self {
        Self {
            login: self.login.clone().set_db(0),
            ..self.clone()
        }
    }

    /// Connects and logs in. Nothing happens on the connection unless its driver is polled.
    ///
    /// Has no time-out: that is for its caller.
    pub(super) async fn open(
        &self,
        address: &HostPort,
    ) -> Result<(MultiplexedConnection, Driver), CallError> {
        let connected = connect(&self.names, address).await;
        let (stream, ip) = connected.map_err(CallError::Unreachable)?;
        let (connection, driver) = self.speak(stream, address).await?;
        Ok((connection, self.while_named(driver, &address.host, ip)))
    }

    async fn speak(
        &self,
        stream: TcpStream,
        address: &HostPort,
    ) -> Result<(MultiplexedConnection, Driver), CallError> {
        let Some(tls) = &self.tls else {
            return Box::pin(self.log_in(stream, CallError::Speechless)).await;
        };
        let name = ServerName::try_from(address.host.clone())
            .map_err(|error| CallError::Unreachable(io::Error::other(error)))?;
        let handshake = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
        let stream = timeout(HANDSHAKE_TIMEOUT, handshake)
            .await
            .map_err(|_| CallError::NoHandshake)?
            .map_err(CallError::Unreachable)?;
        // Boxed, for what is awaited once in the life of a connection need not make its keeper large.
        Box::pin(self.log_in(stream, CallError::Unreachable)).await
    }

    /// Ends the connection, too, when its address is none of the host's any more: a server that has been
    /// replaced may answer on, and would count apart from where new connections lead.
    fn while_named(&self, mut driver: Driver, host: &str, ip: IpAddr) -> Driver {
        let (names, host) = (Arc::clone(&self.names), host.to_owned());
        Box::pin(async move {
            tokio::select! {
                biased;
                () = &mut driver => {}
                () = names.moved(&host, ip) => {}
            }
        })
    }

    /// The same to a socket of this machine.
    pub(super) async fn open_socket(
        &self,
        path: &Path,
    ) -> Result<(MultiplexedConnection, Driver), CallError> {
        let stream = UnixStream::connect(path)
            .await
            .map_err(CallError::Unreachable)?;
        Box::pin(self.log_in(stream, CallError::Unreachable)).await
    }

    /// `silent` is the error where the connection ends before the server has said a word.
    async fn log_in(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        silent: fn(io::Error) -> CallError,
    ) -> Result<(MultiplexedConnection, Driver), CallError> {
        introduce_to(&mut stream, &self.login, silent).await?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        // There is nothing left for the crate to say.
        let login = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP2)
            .set_skip_set_lib_name();
        let connected = MultiplexedConnection::new_with_config(&login, stream, config).await;
        let (connection, driver) = connected.map_err(|error| match error.kind() {
            ErrorKind::Io => CallError::Unreachable(io::Error::other(error)),
            _ => error.into(),
        })?;
        Ok((connection, Box::pin(driver)))
    }
}

/// Logs in and chooses the database, or only asks for an answer; then says who we are, which a server
/// need not understand. All of it in one round trip, for requests wait until it is done. Not by the
/// redis crate, for which a server that says why it refuses a connection and closes it is a broken
/// pipe.
async fn introduce_to(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    login: &RedisConnectionInfo,
    silent: fn(io::Error) -> CallError,
) -> Result<(), CallError> {
    let mut commands = Vec::new();
    if let Some(password) = login.password() {
        let mut auth = cmd("AUTH");
        auth.arg(login.username()).arg(password);
        commands.push(auth);
    }
    if login.db() != 0 {
        commands.push(cmd("SELECT").arg(login.db()).clone());
    }
    if commands.is_empty() {
        commands.push(cmd("PING"));
    }
    let needed = commands.len();
    for (what, value) in [
        ("LIB-NAME", env!("CARGO_PKG_NAME")),
        ("LIB-VER", env!("CARGO_PKG_VERSION")),
    ] {
        let client = cmd("CLIENT").arg("SETINFO").arg(what).arg(value).clone();
        commands.push(client);
    }
    let packed: Vec<u8> = commands.iter().flat_map(Cmd::get_packed_command).collect();
    // What it has said before it closed the connection can be read even so.
    let sent = stream.write_all(&packed).await;
    let sent = match sent {
        Ok(()) => stream.flush().await,
        failed => failed,
    };
    let mut replies = BufReader::new(stream.take(MOST_SAID));
    for (place, command) in commands.iter().enumerate() {
        let mut line = Vec::new();
        // With TLS 1.3 a server refuses our certificate only now, and the cause says so.
        let read = replies.read_until(b'\n', &mut line).await;
        let ended = if place == 0 {
            silent
        } else {
            CallError::Unreachable
        };
        match (&sent, read) {
            (_, Ok(1..)) => {}
            (Ok(()), Ok(0)) => return Err(ended(io::ErrorKind::UnexpectedEof.into())),
            (Ok(()), Err(error)) => return Err(ended(error)),
            (Err(_), _) => return sent.map_err(ended),
        }
        if place < needed {
            check(command, &line, login)?;
        }
    }
    Ok(())
}

/// Reads a reply to one of the first commands.
fn check(command: &Cmd, line: &[u8], login: &RedisConnectionInfo) -> Result<(), CallError> {
    let line = String::from_utf8_lossy(line);
    let Some(error) = line.trim_end().strip_prefix('-') else {
        let is_fine = line.starts_with('+');
        return is_fine
            .then_some(())
            .ok_or_else(|| CallError::not_redis(&line));
    };
    // Some repeat what they don't understand.
    let said = match login.password() {
        Some(password) if !password.is_empty() => error.replace(password, "..."),
        _ => error.to_owned(),
    };
    let is = |name: &[u8]| command.args_iter().next() == Some(Arg::Simple(name));
    match CallError::said(&said) {
        // That user may have the right to all that is needed.
        CallError::Refused(said)
            if is(b"PING") && (said.starts_with("NOPERM") || said.contains("unknown command")) =>
        {
            Ok(())
        }
        CallError::Refused(said) if is(b"AUTH") && !is_of_the_server(&said) => {
            Err(CallError::Credentials(said))
        }
        error => Err(error),
    }
}

/// Whether a server says this to anybody who connects.
fn is_of_the_server(said: &str) -> bool {
    said.contains("max number of clients") || !said.starts_with("ERR ")
}

/// Makes a call on a connection that is not driven yet.
pub(super) async fn drive<T>(
    driver: &mut Driver,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    tokio::select! {
        biased;
        answer = call => answer,
        () = driver => Err(CallError::Ended),
    }
}

/// Asks for nothing but an answer: is the server there, and is it open to us?
pub(super) async fn probe(mut connection: MultiplexedConnection) -> Result<Value, CallError> {
    let mut command = cmd("EVAL");
    command.arg(PROBE).arg(0);
    Ok(connection.send_packed_command(&command).await?)
}

/// Opens a connection to the first of the host's addresses that takes one.
async fn connect(names: &Names, address: &HostPort) -> io::Result<(TcpStream, IpAddr)> {
    let mut refused = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for ip in names.addresses(&address.host, address.port).await? {
        match TcpStream::connect(ip).await {
            Ok(stream) => return Ok((prepare(stream)?, ip.ip())),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn prepare(stream: TcpStream) -> io::Result<TcpStream> {
    // A call is one small packet: waiting for more to send with it would cost a round trip.
    stream.set_nodelay(true)?;
    // A firewall may silently forget a connection that is idle between bursts.
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_login_takes_one_round_trip() {
        let (ours, mut server) = tokio::io::duplex(4096);
        let dialer = Dialer {
            login: RedisConnectionInfo::default().set_password("p").set_db(3),
            tls: None,
            names: Arc::default(),
        };
        let server = async {
            let mut said = [0; 4096];
            let length = server.read(&mut said).await.unwrap();
            let said = String::from_utf8_lossy(&said[..length]).into_owned();
            let unknown = b"+OK\r\n+OK\r\n-ERR unknown subcommand\r\n-ERR unknown subcommand\r\n";
            server.write_all(unknown).await.unwrap();
            (said, server)
        };
        let (connected, (said, _server)) =
            tokio::join!(dialer.log_in(ours, CallError::Unreachable), server);
        let _kept = connected.unwrap();
        for part in ["AUTH", "SELECT", "LIB-NAME", "LIB-VER"] {
            assert!(said.contains(part), "{said}");
        }
    }
}
