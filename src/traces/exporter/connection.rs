//! One connection to a collector: HTTP/1.1 for OTLP/HTTP, HTTP/2 for OTLP/gRPC. It is kept between batches.

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::failure::Failure;
use crate::message::protocol::Scheme;
use crate::shortage::behind_lookup;
use crate::traces::settings::{Collector, Protocol};

/// A connection that is ready for a request.
pub(super) struct Connection {
    sender: Sender,
    /// Moves its bytes; ends with it.
    driver: JoinHandle<()>,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// What bytes come and go through.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Connection {
    /// Connects to a collector.
    pub(super) async fn open(to: &Collector) -> Result<Self, Failure> {
        let stream = TcpStream::connect((&*to.host, to.port)).await;
        let stream = stream.map_err(|error| Failure::Unreachable(behind_lookup(error)))?;
        // An error only costs time.
        let _ = stream.set_nodelay(true);
        let stream: Box<dyn Stream> = match (to.scheme, &to.trust) {
            (Scheme::Https, Some(trust)) => {
                let name = ServerName::try_from(to.host.to_string());
                let name = name.map_err(|error| Failure::Tls(std::io::Error::other(error)))?;
                let connector = TlsConnector::from(trust.clone());
                let stream = connector.connect(name, stream).await;
                Box::new(stream.map_err(Failure::Tls)?)
            }
            _ => Box::new(stream),
        };
        let io = TokioIo::new(stream);
        Ok(match to.protocol {
            Protocol::Http => {
                let (sender, connection) = http1::handshake(io).await?;
                // How it ends shows in the request that is under way, if there is one.
                let driver = async { drop(connection.await) };
                Self {
                    sender: Sender::Http1(sender),
                    driver: tokio::spawn(driver),
                }
            }
            Protocol::Grpc => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                let driver = async { drop(connection.await) };
                Self {
                    sender: Sender::Http2(sender),
                    driver: tokio::spawn(driver),
                }
            }
        })
    }

    /// Whether it can still be used, as far as that is known.
    pub(super) fn is_open(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => !sender.is_closed(),
            Sender::Http2(sender) => !sender.is_closed(),
        }
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn ask(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }
}

impl Drop for Connection {
    /// A collector that takes nothing any more would keep it for as long as the system has patience.
    fn drop(&mut self) {
        self.driver.abort();
    }
}
