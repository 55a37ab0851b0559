//! Where the admin port is, and a request to it.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Collected, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::config::AdminListen;
use crate::message::escapes::escaped;

use super::events::Events;

/// How long a gateway may take to accept, and to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much is read of an answer that is not what was asked for.
const MOST_OF_PROBLEM: usize = 64 << 10;
/// How much is read of a list.
const MOST_OF_LIST: usize = 8 << 20;
/// The environment's variable with the token.
const TOKEN: &str = "TOLLGATE_ADMIN_TOKEN";

/// The admin port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Door {
    /// The host and port that are connected to.
    Tcp(String),
    /// A Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host) => write!(f, "http://{host}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What the admin port knows an operator by.
pub(super) struct Token(Option<SecretString>);

impl Token {
    /// The token in a file, else that of the environment.
    pub(super) fn find(file: Option<&Path>) -> Result<Self, String> {
        let (text, from) = match file {
            None => (std::env::var(TOKEN).unwrap_or_default(), TOKEN.to_owned()),
            Some(file) => {
                let text = std::fs::read_to_string(file);
                let text = text.map_err(|e| format!("cannot read {}: {e}", file.display()))?;
                (text, file.display().to_string())
            }
        };
        let text = text.trim();
        if text.is_empty() && file.is_some() {
            return Err(format!("there is no token in {from}"));
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(format!(
                "what {from} has is no token: it is not visible ASCII"
            ));
        }
        Ok(Self((!text.is_empty()).then(|| text.into())))
    }
}

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("no gateway answers at {door}: {error}")]
    Unreachable { door: Door, error: io::Error },
    #[error("what answers at {door} does not speak HTTP: {error}")]
    NotHttp { door: Door, error: hyper::Error },
    #[error("{door} {detail}")]
    Answered {
        door: Door,
        status: u16,
        detail: String,
    },
}

impl Door {
    /// The port that is named, else that of the configuration.
    pub(super) fn find(named: Option<&str>, file: &Path) -> Result<Self, String> {
        if let Some(named) = named {
            return Self::parse(named);
        }
        let loaded = crate::cli::read(file).map_err(|problems| {
            format!("{problems}\nwithout a good configuration, name the admin port: `--admin http://HOST:PORT` or `--admin unix:PATH`")
        })?;
        match loaded.settings.admin_listen {
            AdminListen::Off => Err(format!(
                "{} has no admin port: add `listen = \"127.0.0.1:9000\"` to `[admin]`, or name the port with --admin",
                file.display()
            )),
            AdminListen::Unix(path) => Ok(Self::Unix(path)),
            AdminListen::Tcp(address) if address.port() == 0 => Err(
                "the system picks the admin port (`admin.listen` ends with `:0`): name it with --admin; the gateway's log has it".to_owned(),
            ),
            AdminListen::Tcp(address) => Ok(Self::Tcp(local(address).to_string())),
        }
    }

    fn parse(named: &str) -> Result<Self, String> {
        if let Some(path) = named.strip_prefix("unix:") {
            return Ok(Self::Unix(path.into()));
        }
        if named.starts_with("https://") {
            return Err("the admin port speaks plain HTTP: write http://HOST:PORT".to_owned());
        }
        let host = named.strip_prefix("http://").unwrap_or(named);
        let host = host.strip_suffix('/').unwrap_or(host);
        let port = host.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        let has_path = host.contains(['/', '@', ' ']);
        match port {
            Some(Ok(_)) if !has_path => Ok(Self::Tcp(host.to_owned())),
            _ => Err(format!(
                "`{named}` is no admin port: write http://HOST:PORT or unix:PATH"
            )),
        }
    }

    /// Whether there is something of this name in a list of the port, as far as it says so.
    pub(super) async fn has(&self, list: &str, name: &str, token: &Token) -> Option<bool> {
        let target = format!("/api/v1/{list}?limit=1000&q={}", escaped(name));
        let answer = self.get(&target, token).await.ok()?;
        let body = Limited::new(answer.into_body(), MOST_OF_LIST).collect();
        let body = timeout(PATIENCE, body).await.ok()?.ok()?.to_bytes();
        let listed: serde_json::Value = serde_json::from_slice(&body).ok()?;
        let mut items = listed["items"].as_array()?.iter();
        let is_there = items.any(|item| item["name"] == name);
        (is_there || listed["next_cursor"].is_null()).then_some(is_there)
    }

    /// Asks for a stream of events.
    pub(super) async fn open(&self, target: &str, token: &Token) -> Result<Events, Refused> {
        let answer = self.get(target, token).await?;
        if answer.status() == StatusCode::OK {
            return Ok(Events::of(answer.into_body()));
        }
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MOST_OF_PROBLEM).collect();
        let body = timeout(PATIENCE, body).await.map_err(|_| self.late())?;
        let body = body.map(Collected::to_bytes).unwrap_or_default();
        Err(Refused::Answered {
            door: self.clone(),
            status: head.status.as_u16(),
            detail: detail(head.status, &body, token),
        })
    }

    fn unreachable(&self, error: io::Error) -> Refused {
        Refused::Unreachable {
            door: self.clone(),
            error,
        }
    }

    fn late(&self) -> Refused {
        self.unreachable(io::ErrorKind::TimedOut.into())
    }

    async fn get(&self, target: &str, token: &Token) -> Result<http::Response<Incoming>, Refused> {
        let unreachable = |error| self.unreachable(error);
        let answer = async {
            match self {
                Self::Tcp(host) => {
                    let stream = TcpStream::connect(host).await.map_err(unreachable)?;
                    self.ask(stream, host, target, token).await
                }
                Self::Unix(path) => {
                    let stream = UnixStream::connect(path).await.map_err(unreachable)?;
                    self.ask(stream, "localhost", target, token).await
                }
            }
        };
        timeout(PATIENCE, answer).await.map_err(|_| self.late())?
    }

    async fn ask<S>(
        &self,
        stream: S,
        host: &str,
        target: &str,
        token: &Token,
    ) -> Result<http::Response<Incoming>, Refused>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let not_http = |error| Refused::NotHttp {
            door: self.clone(),
            error,
        };
        let connected = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = connected.map_err(not_http)?;
        // It ends with the stream of events, whose end says so.
        drop(tokio::spawn(connection));
        let mut request = Request::get(target)
            .header(header::HOST, host)
            .header(header::ACCEPT, "text/event-stream");
        if let Some(token) = &token.0 {
            let bearer = format!("Bearer {}", token.expose_secret());
            request = request.header(header::AUTHORIZATION, bearer);
        }
        let request = request.body(Empty::<Bytes>::new());
        let request = request.expect("a host and a token have been checked, a target is escaped");
        sender.send_request(request).await.map_err(not_http)
    }
}

/// Where somebody on this machine finds what listens on an address.
fn local(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// What a refusal says, and what to do about it.
fn detail(status: StatusCode, body: &[u8], token: &Token) -> String {
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let said = problem.as_ref().and_then(|it| it["detail"].as_str());
    let said = said.map(super::show::plain);
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if token.0.is_none() => {
            format!(
                "wants a token: put it into {TOKEN}, or name a file that has it with --token-file"
            )
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "does not accept this token".to_owned(),
        StatusCode::NOT_FOUND => {
            "has no stream of requests: is this the admin port of a gateway of this version?"
                .to_owned()
        }
        _ => match said {
            Some(said) => format!("answers {}: {said}", status.as_u16()),
            None => format!("answers {}", status.as_u16()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_may_be_named_in_several_ways() {
        let tcp = |host: &str| Ok(Door::Tcp(host.to_owned()));
        assert_eq!(Door::parse("http://127.0.0.1:9000/"), tcp("127.0.0.1:9000"));
        assert_eq!(Door::parse("localhost:9000"), tcp("localhost:9000"));
        assert_eq!(Door::parse("http://[::1]:9000"), tcp("[::1]:9000"));
        assert_eq!(
            Door::parse("unix:/run/x.sock"),
            Ok(Door::Unix("/run/x.sock".into()))
        );
        for wrong in [
            "https://x:1",
            "http://x",
            "x:port",
            "http://a:b@x:1",
            "http://x:1/y",
        ] {
            assert!(Door::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_listens_everywhere_is_found_here() {
        for (listens, found) in [
            ("0.0.0.0:9000", "127.0.0.1:9000"),
            ("[::]:9000", "[::1]:9000"),
            ("10.0.0.1:9000", "10.0.0.1:9000"),
        ] {
            assert_eq!(local(listens.parse().unwrap()).to_string(), found);
        }
    }
}
