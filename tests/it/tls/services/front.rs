//! TLS in front of an upstream of plain bytes: so a test's script need not know of TLS, and goes on being
//! read and judged as ever.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustls::{HandshakeKind, ServerConfig};
use tokio::io::{AsyncWriteExt, copy, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::support::Upstream;

/// What a handshake has come to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Handshake {
    pub kind: Option<HandshakeKind>,
    pub protocol: Option<Vec<u8>>,
    pub name: Option<String>,
    /// Whether the gateway has shown a certificate.
    pub certificate: bool,
}

/// A server of TLS that runs until it is dropped.
pub(super) struct Front {
    address: SocketAddr,
    handshakes: Arc<Mutex<Vec<Handshake>>>,
    _stop: oneshot::Sender<()>,
}

impl Front {
    /// Speaks TLS in front of an upstream.
    pub(super) fn of(upstream: &Upstream, config: ServerConfig) -> Self {
        Self::start(upstream, config, true)
    }

    /// The same, but closes without saying so in TLS.
    pub(super) fn without_goodbye(upstream: &Upstream, config: ServerConfig) -> Self {
        Self::start(upstream, config, false)
    }

    fn start(upstream: &Upstream, config: ServerConfig, says_goodbye: bool) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let handshakes = Arc::<Mutex<Vec<Handshake>>>::default();
        let (stop, stopped) = oneshot::channel();
        let (to, seen) = (upstream.address(), Arc::clone(&handshakes));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                let acceptor = TlsAcceptor::from(Arc::new(config));
                tokio::select! {
                    () = accept(listener, acceptor, to, says_goodbye, seen) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            handshakes,
            _stop: stop,
        }
    }

    /// Its URL with the address as the host.
    pub(super) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Its URL with a name of this machine.
    pub(super) fn url_by_name(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The handshakes that have ended well.
    pub(super) fn handshakes(&self) -> Vec<Handshake> {
        let handshakes = self.handshakes.lock();
        handshakes.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    to: SocketAddr,
    says_goodbye: bool,
    seen: Arc<Mutex<Vec<Handshake>>>,
) {
    while let Ok((socket, _)) = listener.accept().await {
        let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            let _ = socket.set_nodelay(true);
            let tls = acceptor.accept(socket).await?;
            let (_, agreed) = tls.get_ref();
            let handshake = Handshake {
                kind: agreed.handshake_kind(),
                protocol: agreed.alpn_protocol().map(<[u8]>::to_vec),
                name: agreed.server_name().map(str::to_owned),
                certificate: agreed.peer_certificates().is_some(),
            };
            let locked = seen.lock();
            locked
                .unwrap_or_else(PoisonError::into_inner)
                .push(handshake);
            let plain = TcpStream::connect(to).await?;
            let _ = plain.set_nodelay(true);
            let ((mut from, mut back), (mut answers, mut up)) = (split(tls), plain.into_split());
            let cut = tokio::sync::Notify::new();
            let upwards = async {
                let _ = copy(&mut from, &mut up).await;
                let _ = up.shutdown().await;
            };
            let downwards = async {
                let copied = copy(&mut answers, &mut back).await;
                let _ = back.flush().await;
                if copied.is_ok() && says_goodbye {
                    let _ = back.shutdown().await;
                    return;
                }
                // Whoever waits for both would leave the connection open.
                cut.notify_one();
            };
            tokio::select! {
                _ = async { tokio::join!(upwards, downwards) } => {}
                () = cut.notified() => {}
            }
            std::io::Result::Ok(())
        });
    }
}
