//! One attempt to have a request answered, over one connection: it is started, yields the head of
//! an answer, and is relayed. The request goes up while the answer comes down, both in one task;
//! the answer may come before the request has gone up whole.

mod deadline;
mod failed;

use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use http::StatusCode;

use crate::message::body::BodyLength;
use crate::message::connection_auth;
use crate::message::forward::Receiver;
use crate::message::head::AnswerHead;
use crate::message::known_field::KnownField;
use crate::message::sink::Persistence;
use crate::upstream::{Endpoint, Link, TlsError, Try};
use crate::wire::end::End;
use crate::wire::framing::{AnswerBody, answer_body};
use crate::wire::head::AnswerError;
use crate::wire::stream::Ended;

use super::super::boxed_cold;
use super::super::client_side::ClientSide;
use super::answer::{Interim, Relay, Relayed, is_event_stream, rest_after, switches_to_websocket};
use super::error::{AttemptError, Cause};
use super::forward::Forward;
use super::kept::Kept;
use super::pace::Paces;
use super::pass::Pass;
use super::pass_error::PassError;

pub(super) use self::deadline::{HALF_CLOSED, LOOK};

/// How long the client of a stream of events has to take the last chunk, when the gateway drains.
const LAST_CHUNK_TIME: Duration = Duration::from_secs(1);
/// How many interim answers one request may get.
const MAX_INTERIM: u8 = 64;

/// An attempt under way.
#[expect(
    clippy::struct_excessive_bools,
    reason = "what has happened in either direction, in any order"
)]
pub(super) struct Attempt<'a, 'r> {
    forward: &'a Forward<'a, 'r>,
    current: &'a Try,
    service: End<'a>,
    up: Pass<'a, 'r>,
    /// When it began.
    started: Instant,
    begun: bool,
    /// The connection had been kept.
    reused: bool,
    /// When the request had been sent, or would not be read any further.
    sent: Option<Instant>,
    /// The service has been sent all of it.
    uploaded: bool,
    interim: u8,
    /// When the last interim answer came: a service that sends one is at work.
    interim_at: Option<Instant>,
    /// Its connection may be used again, as far as the request goes: the service was not told otherwise.
    keeps_connection: bool,
    /// The connection has carried a body, this request's or that of an earlier one.
    carried_body: bool,
    /// A head had to be repaired: the connection is not used again.
    repaired: bool,
    /// The service has asked for the request's body (RFC 9110 section 15.2.1).
    continued: bool,
    /// The client is being answered.
    answering: bool,
    /// The client has had to be waited for, for more of its request.
    awaited: bool,
    /// The client has to read before more of the answer can be sent.
    blocked: bool,
    /// That was so while it was answered.
    was_blocked: bool,
    paces: Paces,
    /// When the last byte moved, in either direction.
    progress: Instant,
    /// Both sides' kernels were asked for room since the last byte moved.
    asked_for_room: bool,
    /// The client has ended its half.
    half_closed: bool,
    /// When that was found, or the kernel was last asked about it.
    looked: Instant,
}

impl<'a, 'r> Attempt<'a, 'r> {
    /// Starts to send a request where a try goes; what is kept has been taken of it from the client.
    pub(super) fn start(
        forward: &'a Forward<'a, 'r>,
        current: &'a Try,
        kept: &'a Kept<'a>,
        link: &'a mut Link,
    ) -> Self {
        let record = forward.record;
        forward.note_attempt(&link.pool);
        link.carried_body |= !forward.request.body.is_empty();
        link.bound |= connection_auth::is_begun(&forward.request.head.fields);
        let carried_body = link.carried_body;
        let reused = link.reused;
        let mut service = link.end(&record.worker.buffers);
        let endpoint = forward.endpoint(current);
        let keeps_connection = forward.keeps_connection(endpoint);
        let head = forward.head_for(endpoint, keeps_connection);
        service.send_head(&head, forward.request.body);
        let up = Pass::new(record, Receiver::Service);
        let now = record.now();
        Self {
            forward,
            current,
            service,
            up: up.after(kept, forward.route.body_limit),
            started: now,
            begun: false,
            reused,
            sent: None,
            uploaded: false,
            interim: 0,
            interim_at: None,
            keeps_connection,
            carried_body,
            repaired: false,
            continued: false,
            answering: false,
            awaited: false,
            blocked: false,
            was_blocked: false,
            paces: Paces::default(),
            progress: now,
            half_closed: false,
            asked_for_room: false,
            looked: now,
        }
    }

    /// Waits for the head of the final answer. Interim answers pass meanwhile.
    pub(super) async fn head(
        &mut self,
        client: &mut ClientSide<'_>,
    ) -> Result<AnswerHead, AttemptError> {
        let head = poll_fn(|cx| {
            // The request goes first. From then on it is the answer that does: once that has come,
            // nobody has to look what the client does.
            let answer_first = std::mem::replace(&mut self.begun, true);
            if !answer_first && let Poll::Ready(cause) = self.poll_up(cx, &mut client.end) {
                return Poll::Ready(Err(cause));
            }
            if let Poll::Ready(head) = self.poll_head(cx, &mut client.end) {
                return Poll::Ready(head);
            }
            if answer_first && let Poll::Ready(cause) = self.poll_up(cx, &mut client.end) {
                return Poll::Ready(Err(cause));
            }
            self.poll_due(cx, client).map(Err)
        });
        let head = head.await.map_err(|cause| self.failed(cause))?;
        let record = self.forward.record;
        // An answer may come before the request has been sent whole.
        let sent = self.sent.unwrap_or(self.progress);
        self.progress = record.now();
        let took = self.progress.saturating_duration_since(sent);
        record.upstream_time.set(Some(took));
        record.try_answered(head.status);
        Ok(head)
    }

    /// Passes on what follows on the head of an answer.
    pub(super) async fn relay(
        &mut self,
        mut relayed: Relayed,
        client: &mut ClientSide<'_>,
    ) -> Result<Relayed, AttemptError> {
        let record = self.forward.record;
        let mut down = Pass::new(record, Receiver::Client);
        let drains = Cell::new(false);
        let drain = async {
            record.worker.drain_begins().await;
            drains.set(true);
            tokio::time::sleep(LAST_CHUNK_TIME).await;
        };
        let mut drain = relayed.endless.then(|| boxed_cold(drain));
        let passed = poll_fn(|cx| {
            if let Some(drain) = &mut drain {
                if drain.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(Cause::Drained));
                }
                if drains.get() {
                    down.end(&mut client.end);
                }
            }
            if let Poll::Ready(passed) = down.poll(cx, &mut self.service, &mut client.end) {
                return Poll::Ready(match passed {
                    Ok(()) if drains.get() => Err(Cause::Drained),
                    passed => passed.map_err(|error| Cause::of_answer(&error)),
                });
            }
            self.blocked = !down.reads;
            self.was_blocked |= self.blocked;
            match self.poll_up(cx, &mut client.end) {
                Poll::Ready(cause) => Poll::Ready(Err(cause)),
                Poll::Pending => self.poll_due(cx, client).map(Err),
            }
        });
        passed.await.map_err(|cause| self.failed(cause))?;
        if let Some(odd) = self.service.odd() {
            // As behind a head that had to be repaired.
            relayed.rest = None;
            self.forward.log_odd(Some(odd));
        }
        if self.service.has_more() && !relayed.switched {
            relayed.rest = None;
            if self.carried_body && self.service.has_unasked_answer() {
                self.current.candidate().pool.note_left_body();
            }
        }
        relayed.at = record.now();
        Ok(relayed)
    }

    /// How long it has taken so far.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    /// How long the service took from the end of the request to the head of its answer, which has
    /// come; `None` if it came before that end.
    pub(super) fn took(&self) -> Option<Duration> {
        self.sent.and(self.forward.record.upstream_time.get())
    }

    /// Whether all of the request has been sent.
    pub(super) fn has_sent_all(&self) -> bool {
        self.uploaded
    }

    /// The service's side after a switch of protocols.
    pub(super) fn into_service(self) -> End<'a> {
        self.service
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut End<'_>,
    ) -> Poll<Result<AnswerHead, Cause>> {
        loop {
            if self.interim > 0 {
                let flushed = client.poll_flush(cx);
                let was_blocked = std::mem::replace(&mut self.blocked, flushed.is_pending());
                ready!(flushed).map_err(|_| Cause::ClientLeft)?;
                if was_blocked {
                    // Only now the service is waited for again.
                    self.interim_at = Some(self.forward.record.now());
                }
            }
            let head = ready!(self.service.poll_answer(cx)).map_err(|error| match error {
                AnswerError::Ended => Cause::Ended,
                AnswerError::Refused(alert) => self.forward.refused(TlsError::refused(alert)),
                AnswerError::Invalid(why) => Cause::Invalid(why),
            })?;
            if head.status == StatusCode::SWITCHING_PROTOCOLS {
                let asked_for = self.forward.websocket && switches_to_websocket(&head);
                return Poll::Ready(if asked_for {
                    Ok(head)
                } else {
                    let why = "it switched to a protocol that was not asked for";
                    Err(Cause::Invalid(why.into()))
                });
            }
            if !head.status.is_informational() {
                return Poll::Ready(Ok(head));
            }
            self.interim += 1;
            self.interim_at = Some(self.forward.record.now());
            self.repaired |= head.repaired.is_some();
            self.forward.log_odd(head.repaired);
            self.continued |= head.status == StatusCode::CONTINUE;
            if self.interim > MAX_INTERIM {
                return Poll::Ready(Err(Cause::Invalid("too many interim answers".into())));
            }
            client.send_interim(&Interim(&head));
            self.give_back(head);
        }
    }

    /// The length of the body that follows on the head of an answer.
    pub(super) fn body_of(&self, head: &AnswerHead) -> Result<AnswerBody, AttemptError> {
        answer_body(head, self.forward.method())
            .map_err(|why| self.failed(Cause::Invalid(why.of_answer().into())))
    }

    /// Passes on the head of an answer, which `endpoint` has sent, and behind which this body comes.
    pub(super) fn begin_answer(
        &mut self,
        head: AnswerHead,
        AnswerBody { length, odd }: AnswerBody,
        endpoint: &Endpoint,
        client: &mut ClientSide<'_>,
    ) -> Relayed {
        let record = self.forward.record;
        let switched = head.status == StatusCode::SWITCHING_PROTOCOLS;
        self.repaired |= head.repaired.is_some();
        self.forward.log_odd(head.repaired.or(odd));
        let framing = client.end.framing(length);
        // A client that is still sending may never have been going to send the rest (RFC 9110 section
        // 10.1.1), so what follows could be anything.
        let goes_on =
            !switched && record.goes_on() && self.uploaded && framing != BodyLength::UntilClose;
        // A service that answers before it was sent everything may not read the rest of it before
        // the next request, but as the next request.
        let reusable = !switched
            && !self.repaired
            && self.keeps_connection
            && self.uploaded
            && !self.may_leave_body_unread(head.status);
        let longest = self.forward.upstream.rules.idle_timeout;
        let rest = rest_after(&head, length, longest).filter(|_| reusable);
        let relay = Relay {
            head: &head,
            own_urls: self.forward.own_urls(endpoint, &head.fields),
            framing,
            persistence: match (switched, goes_on) {
                (true, _) => Persistence::WebSocket,
                (false, true) => Persistence::Stays,
                (false, false) => Persistence::Ends,
            },
            at: self.progress,
            record,
        };
        let endless = is_event_stream(&head, length);
        let offers_binding = connection_auth::is_offered(head.status, &head.fields);
        client.end.send_head(&relay, framing);
        record.status.set(Some(head.status));
        self.service.expect_answer_body(length);
        self.give_back(head);
        self.answering = true;
        Relayed {
            goes_on,
            rest,
            offers_binding,
            switched,
            endless,
            at: self.progress,
        }
    }

    /// Whether the service may have answered without reading the body: it refuses the request, or
    /// never asked for the body although the client waits to be asked (RFC 9110 section 10.1.1).
    /// What it has left unread it would take for the next request.
    fn may_leave_body_unread(&self, status: StatusCode) -> bool {
        let request = self.forward.request;
        let refused = status.is_client_error() || status.is_server_error();
        !request.body.is_empty()
            && (refused || request.head.fields.has(KnownField::Expect) && !self.continued)
    }

    /// Sends the request, and watches the client: one that has left needs no answer.
    fn poll_up(&mut self, cx: &mut Context<'_>, client: &mut End<'_>) -> Poll<Cause> {
        if self.sent.is_none()
            && let Poll::Ready(passed) = self.up.poll(cx, client, &mut self.service)
        {
            match passed {
                Ok(()) => self.uploaded = true,
                // The service may have answered before it stopped reading.
                Err(PassError::Write) if self.service.is_within_message() => {}
                Err(PassError::Write) => return Poll::Ready(Cause::Ended),
                Err(PassError::Read) => return Poll::Ready(Cause::ClientLeft),
                Err(error) => return Poll::Ready(Cause::ClientRefused(error.into())),
            }
            let now = self.forward.record.now();
            self.sent = Some(now);
            if self.uploaded && self.forward.counts_since.get().is_none() {
                self.forward.counts_since.set(Some(now));
            }
        }
        let is_read = self.sent.is_none() && self.up.reads;
        if is_read || self.half_closed {
            return Poll::Pending;
        }
        match ready!(client.poll_ended(cx)) {
            Ended::Both => Poll::Ready(Cause::ClientLeft),
            Ended::Sending => {
                (self.half_closed, self.looked) = (true, self.forward.record.now());
                Poll::Pending
            }
        }
    }

    fn give_back(&self, head: AnswerHead) {
        let buffers = &self.forward.record.worker.buffers;
        buffers.give_head(head.into_storage());
    }
}
