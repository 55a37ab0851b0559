//! One exchange over one connection: the request's rest goes up while the answer comes down, both
//! in one task, under one deadline.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

use crate::message::forward::Receiver;
use crate::route::Route;
use crate::upstream::{Endpoint, Link, Pool, Upstream};
use crate::wire::body::Coding;

use super::super::record::Record;
use super::super::rejection::Rejection;
use super::super::request::{After, Downstream, Request};
use super::answer::{AnswerError, Answered, answer};
use super::pass::Pass;
use super::upload::{UploadEnd, upload};

/// A request on its way, as far as it does not depend on the connection that it takes.
pub(super) struct Exchange<'e, 'r> {
    pub route: &'e Route,
    pub upstream: &'e Upstream,
    pub endpoint: &'e Endpoint,
    /// This worker's connections to the endpoint.
    pub pool: &'e Pool,
    pub request: &'e Request<'r>,
    pub record: &'e Record<'r>,
    pub websocket: bool,
    /// How the request's body is framed on its way up.
    pub coding: Coding,
    /// Whether services can be relied upon to read the request's body.
    pub body_is_read: bool,
    /// Whether what is sent first is the whole request.
    pub uploaded: bool,
}

/// What the two directions tell each other.
pub(super) struct Shared {
    /// When the last byte moved, in either direction.
    pub progress: Cell<Instant>,
    /// When the request had been sent whole, or would not be read any further.
    pub uploaded: Cell<Option<Instant>>,
    /// The service stopped reading the request.
    pub refused_upload: Cell<bool>,
    /// The request is being read, not written, at the moment.
    pub waits_for_client: Cell<bool>,
    pub waits_for_service: Cell<bool>,
    /// Whether anything has come from the service.
    pub heard: Cell<bool>,
    /// Whether the client has been sent the answer's head.
    pub answering: Cell<bool>,
    /// Only the end of the stream ends the answer's body, so a broken one has to end otherwise.
    pub until_close: Cell<bool>,
}

/// Why an exchange failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing of the request has left: it can be sent again.
    NothingSent,
    /// The connection ended without a byte in answer: it can be sent again if that is safe.
    NoAnswer,
    /// Refused, with nothing sent to the client yet.
    Rejected(Rejection),
    ClientGone,
    /// The answer broke off on its way.
    Broken {
        code: &'static str,
        after: After,
    },
}

impl Exchange<'_, '_> {
    /// How the request's body is passed on.
    pub(super) fn pass<'p>(&'p self, shared: &'p Shared) -> Pass<'p> {
        Pass {
            coding: self.coding,
            names: &self.record.current.snapshot.access.names,
            receiver: Receiver::Service,
            buffers: &self.record.worker.buffers,
            count: &self.record.bytes_in,
            limit: self.route.body_limit,
            progress: &shared.progress,
            waits: &shared.waits_for_client,
        }
    }

    /// Runs the exchange over `link`, up to the end of the answer or, with a WebSocket, up to the
    /// switch of protocols. `out` is what is sent first: the head and what was at hand of the body.
    /// It is kept as it is until all of it has been sent.
    pub(super) async fn run(
        &self,
        link: &mut Link,
        client: &mut Downstream<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Answered, Failure> {
        let shared = Shared::begin(self.record.now());
        let (mut from_service, mut to_service) = link.connection.halves();
        let mut down = pin!(answer(self, &shared, &mut from_service, &mut client.writer));
        let mut up = pin!(upload(
            self,
            &shared,
            out,
            &mut client.body,
            &mut client.reader,
            &mut to_service
        ));
        let alarm = &mut *client.alarm;
        let mut begun = false;
        poll_fn(|cx| {
            // The request goes first. From then on it is the answer that does: once that has ended,
            // nobody has to look what the client does.
            let answer_first = std::mem::replace(&mut begun, true);
            if answer_first && let Poll::Ready(answered) = down.as_mut().poll(cx) {
                return Poll::Ready(answered.map_err(|error| shared.answer_failed(&error)));
            }
            if let Poll::Ready(end) = up.as_mut().poll(cx) {
                return Poll::Ready(Err(shared.upload_ended(end)));
            }
            if !answer_first && let Poll::Ready(answered) = down.as_mut().poll(cx) {
                return Poll::Ready(answered.map_err(|error| shared.answer_failed(&error)));
            }
            alarm
                .poll_due(cx, shared.due(self))
                .map(|()| Err(shared.timed_out()))
        })
        .await
    }
}

impl Shared {
    pub(super) fn begin(now: Instant) -> Self {
        Self {
            progress: Cell::new(now),
            uploaded: Cell::new(None),
            refused_upload: Cell::new(false),
            waits_for_client: Cell::new(false),
            waits_for_service: Cell::new(false),
            heard: Cell::new(false),
            answering: Cell::new(false),
            until_close: Cell::new(false),
        }
    }

    /// Whether the service has been sent the whole request. Only then may its connection be kept:
    /// what it has not read yet, it would take for the beginning of the next.
    pub(super) fn is_uploaded(&self) -> bool {
        self.uploaded.get().is_some() && !self.refused_upload.get()
    }

    /// By when something has to have happened: the next byte of a body, or the answer's head.
    fn due(&self, exchange: &Exchange<'_, '_>) -> Instant {
        match self.uploaded.get() {
            Some(sent) if !self.answering.get() => sent + exchange.route.timeout,
            None if self.waits_for_client.get() => {
                self.progress.get() + exchange.record.current.snapshot.idle_timeout
            }
            _ => self.progress.get() + exchange.upstream.idle_timeout,
        }
    }

    fn upload_ended(&self, end: UploadEnd) -> Failure {
        match end {
            UploadEnd::NothingSent => Failure::NothingSent,
            UploadEnd::ClientGone => Failure::ClientGone,
            UploadEnd::Refused(_) if self.answering.get() => self.broken("bad_request"),
            UploadEnd::Refused(rejection) => Failure::Rejected(rejection),
        }
    }

    fn answer_failed(&self, error: &AnswerError) -> Failure {
        match error {
            AnswerError::ClientGone => Failure::ClientGone,
            AnswerError::Ended if !self.heard.get() => Failure::NoAnswer,
            AnswerError::Ended if self.answering.get() => self.broken("upstream_reset"),
            AnswerError::Invalid(_) if self.answering.get() => self.broken("upstream_invalid"),
            AnswerError::Ended => Failure::Rejected(Rejection::UpstreamReset),
            AnswerError::Invalid(why) => {
                tracing::debug!(why, "a service sent what is not valid HTTP");
                Failure::Rejected(Rejection::UpstreamInvalid)
            }
        }
    }

    /// The client has to be able to tell that the answer is not whole.
    fn broken(&self, code: &'static str) -> Failure {
        Failure::Broken {
            code,
            after: if self.until_close.get() {
                After::Cut
            } else {
                After::Close
            },
        }
    }

    fn timed_out(&self) -> Failure {
        let rejection = if self.uploaded.get().is_none() && self.waits_for_client.get() {
            Rejection::RequestTimeout
        } else {
            Rejection::UpstreamTimeout
        };
        if self.answering.get() {
            self.broken(rejection.code())
        } else {
            Failure::Rejected(rejection)
        }
    }
}
