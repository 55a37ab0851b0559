//! One client connection: heads are read from it, one after another, and each is put through the
//! pipeline. Between two requests it holds no buffer and costs little.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::message::caller::Peer;
use crate::message::head::RequestHead;
use crate::message::protocol::Version;
use crate::pipeline::client_side::{After, ClientSide};
use crate::pipeline::rejection::Rejection;
use crate::pipeline::{Worker, boxed_cold, handle, note_unread, refuse_http2, refuse_unread};
use crate::upstream::BoundLinks;
use crate::wire::alarm::Alarm;
use crate::wire::end::End;
use crate::wire::head::{HeadError, read_request};
use crate::wire::http1::Http1;
use crate::wire::proxy_protocol;
use crate::wire::scan::{HeadScanner, leading_blank};
use crate::wire::stream::Connection;

use super::connections::ConnectionGuard;

/// How long a client that has been told that the connection ends is read from. Closing before it
/// has read the last answer would reset the connection and lose the answer. How much is no matter:
/// nothing of it is kept.
const LINGER: Duration = Duration::from_secs(5);
/// How many bytes of empty lines before a request are read past (RFC 9112 section 2.2).
const MAX_BLANK: usize = 16;

/// Serves the connection to its end.
pub(super) async fn serve(
    connection: Connection,
    peer: Peer<'_>,
    worker: &Worker,
    guard: &ConnectionGuard,
) {
    serve_requests(connection, peer, worker, guard).await;
    worker.client_left(SocketAddr::new(peer.address, peer.port));
}

async fn serve_requests(
    connection: Connection,
    peer: Peer<'_>,
    worker: &Worker,
    guard: &ConnectionGuard,
) {
    let mut client = Client {
        connection,
        alarm: Alarm::default(),
        bound: BoundLinks::default(),
        peer,
        worker,
        guard,
    };
    let mut idle_since = worker.clock.look();
    let mut is_first = true;
    loop {
        let after = match client.next_head(idle_since).await {
            Next::Head(head) => {
                // Boxed: a resting connection should not hold the room that a request needs. And
                // made where it stays: moved there, kilobytes of nothing would be copied.
                let place = Box::new_uninit();
                Box::into_pin(Box::write(place, client.answer(head))).await
            }
            Next::Refused(rejection) => {
                boxed_cold(client.refuse(&rejection)).await;
                After::Close
            }
            Next::Http2 if is_first => boxed_cold(client.refuse_http2()).await,
            // A client that has been answered in HTTP/1.1 reads nothing else.
            Next::Http2 => {
                boxed_cold(client.refuse(&HeadError::Http2.into())).await;
                After::Close
            }
            Next::Left => return note_unread(worker, &peer),
            Next::Ended => return,
        };
        is_first = false;
        match after {
            // The record of the request looked at the clock when it ended.
            After::GoesOn => idle_since = worker.clock.last_look(),
            After::CloseNow if client.is_silent() => return client.close(),
            After::Close | After::CloseNow => return boxed_cold(client.linger()).await,
            After::Cut => return client.cut(),
        }
    }
}

/// Refuses a client that was to speak TLS.
pub(super) async fn refuse_plain(
    connection: Connection,
    peer: Peer<'_>,
    worker: &Worker,
    guard: &ConnectionGuard,
) {
    let alarm = Alarm::default();
    let mut client = Client {
        connection,
        alarm,
        bound: BoundLinks::default(),
        peer,
        worker,
        guard,
    };
    let why = "this port speaks TLS: use a URL that begins with https://";
    client.refuse(&Rejection::BadRequest(why.into())).await;
    client.linger().await;
}

struct Client<'w> {
    connection: Connection,
    alarm: Alarm,
    bound: BoundLinks,
    peer: Peer<'w>,
    worker: &'w Worker,
    guard: &'w ConnectionGuard,
}

/// What came next on the connection.
enum Next {
    Head(RequestHead),
    Refused(Rejection),
    /// The client speaks HTTP/2.
    Http2,
    /// The client left in the middle of a head.
    Left,
    /// Nothing, and nothing more will.
    Ended,
}

impl Client<'_> {
    /// Empty lines do not begin a request: a connection on which nothing else has come rests on, for as
    /// long as it would without them.
    async fn next_head(&mut self, idle_since: Instant) -> Next {
        let mut blank = 0;
        loop {
            if self.connection.input().is_empty() {
                self.connection.rest(&self.worker.buffers);
                self.guard.set_idle(Some(idle_since));
                if !self.wait(idle_since).await {
                    return Next::Ended;
                }
                self.guard.set_idle(None);
            }
            if let Some(next) = self.read_head(&mut blank).await {
                return next;
            }
        }
    }

    /// The head that has begun to arrive; nothing if it was empty lines alone. `blank` counts their
    /// bytes.
    async fn read_head(&mut self, blank: &mut usize) -> Option<Next> {
        // Copied, so that a client that is slow with its head does not hold the snapshot.
        let (limits, header_timeout) = {
            let snapshot = &self.worker.current().snapshot;
            (snapshot.head_limits, snapshot.header_timeout)
        };
        // Most heads come in one piece, and need no clock.
        let mut due = None;
        let buffers = &self.worker.buffers;
        let mut scanner = HeadScanner::default();
        loop {
            let input = self.connection.input_mut();
            // Wherever the reads happen to cut, and not for ever.
            let more = leading_blank(input.bytes());
            if more > 0 && *blank <= MAX_BLANK {
                *blank += more;
                input.consume(more);
                scanner = HeadScanner::default();
                if input.is_empty() {
                    return None;
                }
            }
            let announced = proxy_protocol::seems_begun(input.bytes());
            match scanner.find_end(input.bytes(), &limits) {
                Err(error) => return Some(Next::Refused(refused(error, announced))),
                Ok(Some(end)) => {
                    let mut storage = buffers.take_head();
                    input.move_to(&mut storage.bytes, end);
                    return Some(match read_request(storage, &limits) {
                        Ok(head) => Next::Head(head),
                        Err(HeadError::Http2) => Next::Http2,
                        Err(error) => Next::Refused(refused(error, announced)),
                    });
                }
                Ok(None) => {}
            }
            let (connection, alarm) = (&mut self.connection, &mut self.alarm);
            let read = poll_fn(|cx| match connection.poll_fill(cx, buffers) {
                Poll::Pending => {
                    connection.input_mut().shrink(buffers);
                    let due = *due.get_or_insert_with(|| Instant::now() + header_timeout);
                    alarm.poll_due(cx, due).map(|()| None)
                }
                Poll::Ready(read) => Poll::Ready(Some(read)),
            });
            match read.await {
                Some(Ok(0)) => return Some(Next::Refused(cut_off())),
                None => return Some(Next::Refused(Rejection::RequestTimeout)),
                Some(Err(_)) => return Some(Next::Left),
                Some(Ok(_)) => {}
            }
        }
    }

    /// Waits for the next request to begin, and reads its first bytes; `false` if none will come.
    /// Holds nothing of the configuration meanwhile: a reload would have to keep the old one.
    async fn wait(&mut self, since: Instant) -> bool {
        let buffers = &self.worker.buffers;
        let mut record_since = None;
        poll_fn(|cx: &mut Context<'_>| {
            if let Poll::Ready(read) = self.connection.poll_fill(cx, buffers) {
                return Poll::Ready(read.is_ok_and(|n| n > 0));
            }
            if self.guard.gives_way(cx) {
                return Poll::Ready(false);
            }
            let snapshot = &self.worker.current().snapshot;
            let mut due = since + snapshot.idle_timeout;
            // A request has begun, of which nothing can be read yet.
            if self.connection.is_within_record() {
                let since = *record_since.get_or_insert_with(Instant::now);
                due = due.min(since + snapshot.header_timeout);
            }
            let due = self.guard.due(due, since);
            self.alarm.poll_due(cx, due).map(|()| false)
        })
        .await
    }

    async fn answer(&mut self, head: RequestHead) -> After {
        let (worker, peer) = (self.worker, self.peer);
        let after = handle(worker, &peer, &head, &mut self.side(head.version)).await;
        worker.buffers.give_head(head.into_storage());
        after
    }

    async fn refuse(&mut self, rejection: &Rejection) {
        let (worker, peer) = (self.worker, self.peer);
        refuse_unread(worker, &peer, rejection, &mut self.side(Version::Http11)).await;
    }

    async fn refuse_http2(&mut self) -> After {
        let (worker, peer) = (self.worker, self.peer);
        refuse_http2(worker, &peer, &mut self.side(Version::Http11)).await
    }

    fn side(&mut self, version: Version) -> ClientSide<'_> {
        let http1 = Http1::new(&mut self.connection, &self.worker.buffers, version);
        ClientSide {
            end: End::Http1(http1),
            alarm: &mut self.alarm,
            bound: &mut self.bound,
        }
    }

    /// Whether nothing is known to have come after the last request. Bytes that nobody has read
    /// make closing a reset, which may cost the client its answer.
    fn is_silent(&mut self) -> bool {
        self.connection.is_clean()
    }

    /// Ends the connection; what was sent last arrives if the client sends nothing more.
    fn close(mut self) {
        self.connection.rest(&self.worker.buffers);
    }

    /// Ends the connection so that what was sent last arrives, whatever the client sends. It gives way as
    /// one that rests does.
    async fn linger(mut self) {
        let (connection, buffers) = (&mut self.connection, &self.worker.buffers);
        let guard = self.guard;
        guard.set_idle(Some(Instant::now()));
        let read_to_end = async {
            poll_fn(|cx| connection.poll_finish(cx, buffers)).await?;
            loop {
                connection.input_mut().consume(usize::MAX);
                if connection.fill(buffers).await? == 0 {
                    return Ok(());
                }
            }
        };
        let given_way = async {
            let mut read_to_end = pin!(read_to_end);
            poll_fn(|cx| match read_to_end.as_mut().poll(cx) {
                Poll::Pending if guard.gives_way(cx) => Poll::Ready(Ok(())),
                read => read,
            })
            .await
        };
        // Whether it worked or not: there is nothing more that can be done.
        let _ = self.alarm.limit(LINGER, given_way).await;
        self.connection.input_mut().consume(usize::MAX);
        self.connection.rest(buffers);
    }

    /// Resets the connection: an answer that is not whole must not look like one that is.
    fn cut(self) {
        self.connection.reset();
    }
}

/// Why a head is refused, perhaps for a load balancer that is not known as one.
fn refused(error: HeadError, announced: bool) -> Rejection {
    if announced {
        let why = "a PROXY protocol header is taken only from trusted proxies, and where `listen` says so";
        return Rejection::BadRequest(why.into());
    }
    error.into()
}

fn cut_off() -> Rejection {
    Rejection::BadRequest("the connection ended before the request did".into())
}
