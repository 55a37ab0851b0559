//! How a connection that has been made in clear goes on in TLS.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};

use crate::wire::buffers::Buffers;
use crate::wire::input::Input;
use crate::wire::tls::{Agreed, HandshakeError, Hello, HelloError, TlsStream, read_hello};

use super::{Connection, Stream};

impl Connection {
    /// Reads what a client of TLS says first, and uses nothing of it.
    ///
    /// # Errors
    /// When it can be no hello; a handshake says what is wrong with it.
    pub fn poll_hello(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Buffers,
    ) -> Poll<Result<Hello, HelloError>> {
        loop {
            if let Some(hello) = read_hello(self.input.bytes())? {
                return Poll::Ready(Ok(hello));
            }
            let read = self.poll_fill(cx, buffers);
            if read.is_pending() {
                self.input.shrink(buffers);
            }
            match ready!(read) {
                Ok(0) | Err(_) => return Poll::Ready(Err(HelloError::Left)),
                Ok(_) => {}
            }
        }
    }

    /// Goes on in TLS, as the server, with what the client has sent so far as the beginning of the
    /// handshake.
    pub async fn accept_tls(
        self,
        config: Arc<ServerConfig>,
        buffers: &Buffers,
    ) -> Result<Self, HandshakeError> {
        match self.stream {
            Stream::Plain(socket) => {
                let tls = TlsStream::server(socket, self.input, config)?;
                let mut secured = Self::handshake(tls, buffers).await?;
                // A proxy announces the client in front of the handshake.
                secured.reached = self.reached;
                Ok(secured)
            }
            Stream::Tls(_) => Ok(self),
        }
    }

    /// Goes on in TLS, as the client, with a server that is called by `name`.
    pub async fn connect_tls(
        self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        buffers: &Buffers,
    ) -> Result<Self, HandshakeError> {
        match self.stream {
            Stream::Plain(socket) => {
                let tls = TlsStream::client(socket, config, name)?;
                Self::handshake(tls, buffers).await
            }
            Stream::Tls(_) => Ok(self),
        }
    }

    async fn handshake(tls: TlsStream, buffers: &Buffers) -> Result<Self, HandshakeError> {
        let mut tls = Box::new(tls);
        let mut input = Input::default();
        poll_fn(|cx| tls.poll_handshake(cx, buffers, input.storage())).await?;
        Ok(Self {
            input,
            ..Self::over(Stream::Tls(tls))
        })
    }

    /// What was agreed upon with the peer, if TLS is spoken.
    pub fn agreed(&self) -> Option<Agreed<'_>> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(tls) => Some(tls.agreed()),
        }
    }

    /// Whether a part of a record has come, of which nothing can be read before the rest has.
    pub fn is_within_record(&self) -> bool {
        match &self.stream {
            Stream::Plain(_) => false,
            Stream::Tls(tls) => tls.is_within_record(),
        }
    }
}
