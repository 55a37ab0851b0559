//! Accepts connections to the operator's ports and serves each: so many at once, heads of a bounded size
//! and time. When there is no room for one more, idle connections are asked to go.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http_body::Body as _;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::server::Phase;

use super::caller::Caller;
use super::router::router;
use super::socket::{AdminSocket, Port, Socket};
use super::stream::Unstalled;
use super::tick;
use super::view::{Presence, View, leaves};

/// How many connections the operator's ports have at once, in all.
pub const MOST_CONNECTIONS: usize = MOST_ADMIN + MOST_METRICS;
const MOST_ADMIN: usize = 256;
const MOST_METRICS: usize = 64;
/// The largest head of a request.
const MAX_HEAD: usize = 64 << 10;
const MAX_FIELDS: usize = 100;
/// How long a head may take, and how long a connection may rest before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How often connections that rest are asked to go while there is no room.
const CROWD_INTERVAL: Duration = Duration::from_millis(20);
/// How long a request may go on once there is no room, streams excepted: it may be one that never comes whole.
const CROWDED_REQUEST: Duration = Duration::from_secs(1);
/// How long one that has asked nothing yet may stay once a successor answers.
const FIRST_REQUEST: Duration = Duration::from_millis(250);
/// How long to wait when the process or the machine runs short of something, file descriptors mostly.
const RESOURCE_BACKOFF: Duration = Duration::from_millis(100);

/// What the thread of the operator's ports works with.
#[derive(Debug)]
pub struct Parts {
    /// What listens.
    pub sockets: Vec<AdminSocket>,
    /// What is seen.
    pub view: Arc<View>,
    /// Dropped once this process does not answer operators any more.
    pub answers: oneshot::Sender<()>,
}

/// How much more the processors favour workers than what is done here: a scrape of thousands of routes takes
/// a tenth of a second, in which requests would wait for a processor. Of one that is always busy this thread
/// still gets a tenth.
const NICENESS: i32 = 10;

/// Serves the operator's ports. Never returns but with an error: their end is that of the process.
///
/// # Errors
/// The system refuses what this takes.
pub fn run(parts: Parts) -> io::Result<()> {
    // On Linux that of this thread, and of those that it starts. An error would only cost requests time.
    let _ = rustix::process::setpriority_process(None, NICENESS);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut doors = JoinSet::new();
        let is_admin = |socket: &AdminSocket| socket.port == Port::Admin;
        let has_admin = parts.sockets.iter().any(is_admin);
        for socket in parts.sockets {
            let door = Door {
                router: router(socket.port, Arc::clone(&parts.view)),
                is_open: socket.is_open(),
                room: Arc::new(Room::of(socket.port)),
                phase: parts.view.phase.clone(),
                presence: parts.view.presence.clone(),
            };
            doors.spawn(door.open(socket));
        }
        if has_admin {
            let view = Arc::clone(&parts.view);
            doors.spawn(async {
                tick::run(view).await;
                Ok(())
            });
        }
        while let Some(ended) = doors.join_next().await {
            ended.map_err(io::Error::other)??;
        }
        drop(parts.answers);
        std::future::pending().await
    })
}

/// Room for the connections of a port.
struct Room {
    places: Arc<Semaphore>,
    /// Connections that rest are to go.
    crowded: Notify,
}

impl Room {
    fn of(port: Port) -> Self {
        let places = match port {
            Port::Admin => MOST_ADMIN,
            Port::Metrics => MOST_METRICS,
        };
        Self {
            places: Arc::new(Semaphore::new(places)),
            crowded: Notify::new(),
        }
    }

    /// Waits for a place, and asks for one as long as there is none: a connection that has just been
    /// accepted does not listen yet.
    async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            let place = Arc::clone(&self.places).acquire_owned();
            if let Ok(Ok(place)) = timeout(CROWD_INTERVAL, place).await {
                return place;
            }
            self.crowded.notify_waiters();
        }
    }
}

/// A port, as its connections see it.
struct Door {
    router: Router,
    is_open: bool,
    room: Arc<Room>,
    phase: watch::Receiver<Phase>,
    presence: watch::Receiver<Presence>,
}

/// What the last request of a connection has come to.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    /// There was none yet.
    Nothing,
    /// It has a whole answer, or none yet.
    Answer,
    /// An answer without an end.
    Stream,
}

/// What listens.
enum Accepting {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Door {
    /// Accepts until a successor does. Whoever has handed a socket to this process accepts until this
    /// one serves.
    async fn open(mut self, socket: AdminSocket) -> io::Result<()> {
        let (port, at) = (socket.port, socket.to_string());
        let accepting = match socket.socket {
            Socket::Tcp(it) => Accepting::Tcp(TcpListener::from_std(it)?),
            Socket::Unix(it) => Accepting::Unix(UnixListener::from_std(it)?),
        };
        if socket.inherited {
            // The sender lives as long as the process.
            let _ = self.phase.wait_for(|phase| *phase != Phase::Starting).await;
        }
        match port {
            Port::Admin => tracing::info!(address = at, "admin port open"),
            Port::Metrics => tracing::info!(address = at, "metrics port open"),
        }
        let mut connections = JoinSet::new();
        let mut presence = self.presence.clone();
        loop {
            let place = tokio::select! {
                () = leaves(&mut presence) => break,
                place = self.room.place() => place,
                Some(_) = connections.join_next() => continue,
            };
            tokio::select! {
                () = leaves(&mut presence) => break,
                accepted = self.accept(&accepting, place, &mut connections) => {
                    if let Err(error) = accepted {
                        tracing::warn!(%error, "cannot accept a connection to the admin port");
                        tokio::time::sleep(RESOURCE_BACKOFF).await;
                    }
                }
            }
        }
        // Closed, so that nobody connects to a process that ends.
        drop(accepting);
        while connections.join_next().await.is_some() {}
        Ok(())
    }

    async fn accept(
        &self,
        accepting: &Accepting,
        place: OwnedSemaphorePermit,
        connections: &mut JoinSet<()>,
    ) -> io::Result<()> {
        match accepting {
            Accepting::Tcp(it) => {
                let (stream, peer) = it.accept().await?;
                let local = stream.local_addr()?.ip().to_canonical();
                let caller = Caller {
                    address: Some(peer.ip().to_canonical()),
                    local: Some(local),
                    is_open: self.is_open,
                };
                connections.spawn(self.serve(stream, caller, place));
            }
            Accepting::Unix(it) => {
                let (stream, _) = it.accept().await?;
                let caller = Caller {
                    is_open: self.is_open,
                    ..Caller::default()
                };
                connections.spawn(self.serve(stream, caller, place));
            }
        }
        Ok(())
    }

    /// Serves one connection to its end.
    fn serve<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
        &self,
        stream: S,
        caller: Caller,
        place: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + use<S> {
        let router = TowerToHyperService::new(self.router.clone());
        let (asks, mut asked) = watch::channel(Asked::Nothing);
        let asks = Arc::new(asks);
        let service = service_fn(move |mut request| {
            asks.send_replace(Asked::Answer);
            http::Request::extensions_mut(&mut request).insert(caller);
            let (answer, asks) = (router.call(request), Arc::clone(&asks));
            async move {
                let answer = answer.await?;
                if answer.body().size_hint().exact().is_none() {
                    asks.send_replace(Asked::Stream);
                }
                Ok::<_, Infallible>(answer)
            }
        });
        let mut presence = self.presence.clone();
        let room = Arc::clone(&self.room);
        async move {
            let stream = TokioIo::new(Unstalled::new(stream));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(MAX_HEAD)
                .max_headers(MAX_FIELDS)
                .serve_connection(stream, service);
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = leaves(&mut presence) => {
                    // One that has just been made is about to ask, and would be closed.
                    let asks = async { drop(asked.wait_for(|it| *it != Asked::Nothing).await) };
                    tokio::select! {
                        ended = connection.as_mut() => ended,
                        _ = timeout(FIRST_REQUEST, asks) => {
                            connection.as_mut().graceful_shutdown();
                            connection.await
                        }
                    }
                }
                () = room.crowded.notified() => {
                    connection.as_mut().graceful_shutdown();
                    match timeout(CROWDED_REQUEST, connection.as_mut()).await {
                        Ok(ended) => ended,
                        Err(_) if *asked.borrow() == Asked::Stream => connection.await,
                        // The connection is dropped.
                        Err(_) => Ok(()),
                    }
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, address = ?caller.address, "connection to the admin port ended");
            }
            drop(place);
        }
    }
}
