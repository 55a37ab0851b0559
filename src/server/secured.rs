//! Connections of clients that speak TLS: the handshake comes before anything else, within
//! `server.header_timeout`. Those that are begun and not finished are bounded in number: where there are
//! too many, the oldest ends, which is no client that goes on with it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use tokio::sync::Notify;

use crate::message::caller::TlsPeer;
use crate::pipeline::Worker;
use crate::tls::{ACME_TLS, AskedClient, ClientCertificate, Handshake, VerifierId};
use crate::wire::alarm::Alarm;
use crate::wire::stream::Connection;
use crate::wire::tls::{Hello, HelloError};

use super::connections::ConnectionGuard;
use super::handshakes::Ended;
use super::room::Room;

/// How many handshakes of a worker may be under way. One takes a few KiB.
const MAX_HANDSHAKES: usize = 1024;

/// The handshakes of a worker that are under way.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    /// The oldest first.
    all: RefCell<BTreeMap<u64, Rc<Notify>>>,
    next: Cell<u64>,
}

/// What has become of a connection on which TLS is to be spoken.
pub(super) enum Secured {
    Yes(Connection, Box<TlsPeer>),
    /// The client speaks something else.
    NotTls(Connection),
    /// It has ended.
    No,
}

/// Takes the handshake to its end.
pub(super) async fn secure(
    connection: Connection,
    worker: &Worker,
    guard: &ConnectionGuard,
    under_way: &UnderWay,
    room: &Room,
) -> Secured {
    // What a client may wait for it may also lose, as those that rest do.
    let begun = Instant::now();
    guard.set_idle(Some(begun));
    let one = under_way.begin();
    let mut patience = Patience {
        begun,
        due: begun + worker.current().snapshot.header_timeout,
        alarm: Alarm::default(),
        guard,
        one: &one,
    };
    let secured = shake_hands(connection, worker, &mut patience).await;
    guard.set_idle(None);
    let (outcome, secured) = match secured {
        Ok(secured @ Secured::NotTls(_)) => (Ended::NotTls, secured),
        Ok(secured) => (Ended::Done, secured),
        Err(outcome) => (outcome, Secured::No),
    };
    guard.note_handshake(outcome.counted());
    room.handshakes.note(&outcome);
    secured
}

async fn shake_hands(
    mut connection: Connection,
    worker: &Worker,
    patience: &mut Patience<'_>,
) -> Result<Secured, Ended> {
    let buffers = &worker.buffers;
    let hello = poll_fn(|cx| connection.poll_hello(cx, buffers));
    let hello = match patience.wait(hello).await? {
        Ok(hello) => hello,
        // A session says what is wrong with it.
        Err(HelloError::Malformed) => Hello::default(),
        Err(HelloError::NotTls) => return Ok(Secured::NotTls(connection)),
        Err(HelloError::Left) => return Err(Ended::Left),
        Err(why @ HelloError::TooLarge) => return Err(Ended::Failed(why.to_string())),
    };
    let handshake = {
        let snapshot = &worker.current().snapshot;
        let tls = snapshot.tls.as_ref();
        let protocols = hello.alpn.iter().map(|it| &**it);
        tls.map(|tls| tls.handshake(hello.sni.as_deref(), protocols))
    };
    let Some(Handshake { config, verifier }) = handshake else {
        // A reload may have taken all certificates away; it is refused while a listener needs them.
        return Ok(Secured::No);
    };
    let accepted = connection.accept_tls(config, buffers);
    let mut connection = patience.wait(accepted).await??;
    if connection.agreed().and_then(|agreed| agreed.protocol) == Some(ACME_TLS) {
        // It has seen what it came for (RFC 8737 section 3).
        let goodbye = poll_fn(|cx| connection.poll_finish(cx, buffers));
        let _ = patience.wait(goodbye).await;
        return Ok(Secured::No);
    }
    let peer = Box::new(peer(&connection, hello, verifier));
    Ok(Secured::Yes(connection, peer))
}

fn peer(connection: &Connection, hello: Hello, verifier: Option<VerifierId>) -> TlsPeer {
    let agreed = connection.agreed();
    let certificates = agreed
        .as_ref()
        .map_or(&[][..], |agreed| agreed.certificates);
    let asked = verifier.map(|verifier| {
        let certificate = ClientCertificate::of(certificates);
        Box::new(AskedClient::new(verifier, certificate))
    });
    TlsPeer {
        version: agreed.as_ref().map_or("", |agreed| agreed.version),
        cipher: agreed.as_ref().map_or("", |agreed| agreed.cipher),
        sni: hello.sni,
        asked,
    }
}

/// How long a handshake may take.
struct Patience<'p> {
    begun: Instant,
    due: Instant,
    alarm: Alarm,
    guard: &'p ConnectionGuard,
    one: &'p OneUnderWay<'p>,
}

impl Patience<'_> {
    /// Waits for a part of it; `Err` says why nobody waits any longer.
    async fn wait<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Ended> {
        let mut work = pin!(work);
        let mut ended = pin!(self.one.gives_way.notified());
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            if ended.as_mut().poll(cx).is_ready() || self.guard.gives_way(cx) {
                return Poll::Ready(Err(Ended::GaveWay));
            }
            let due = self.guard.due(self.due, self.begun);
            let due = self.alarm.poll_due(cx, due);
            due.map(|()| Err(Ended::TimedOut))
        })
        .await
    }
}

/// One handshake as long as it is under way.
struct OneUnderWay<'u> {
    all: &'u UnderWay,
    number: u64,
    gives_way: Rc<Notify>,
}

impl UnderWay {
    fn begin(&self) -> OneUnderWay<'_> {
        let (number, gives_way) = (self.next.get(), Rc::new(Notify::new()));
        self.next.set(number + 1);
        let mut all = self.all.borrow_mut();
        all.insert(number, Rc::clone(&gives_way));
        if all.len() > MAX_HANDSHAKES
            && let Some((_, oldest)) = all.pop_first()
        {
            oldest.notify_one();
        }
        OneUnderWay {
            all: self,
            number,
            gives_way,
        }
    }
}

impl Drop for OneUnderWay<'_> {
    fn drop(&mut self) {
        self.all.all.borrow_mut().remove(&self.number);
    }
}
