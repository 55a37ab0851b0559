//! A check by HTTP: a GET, whose answer is read as those to requests are.

use std::borrow::Cow;
use std::future::poll_fn;
use std::task::ready;
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::{Instant, timeout, timeout_at};

use crate::message::body::BodyLength;
use crate::message::head::AnswerHead;
use crate::message::protocol::Version;
use crate::message::sink::{HeadSink, Persistence, PutHead};
use crate::upstream::Statuses;
use crate::upstream::failure::Failure;
use crate::upstream::tls::TlsFault;
use crate::wire::body::Piece;
use crate::wire::buffers::Buffers;
use crate::wire::end::End;
use crate::wire::framing::answer_body;
use crate::wire::head::AnswerError;
use crate::wire::http1::Http1;
use crate::wire::stream::Connection;

use super::fault::Fault;
use super::target::{Target, USER_AGENT};

/// How many interim answers a check may get.
const MAX_INTERIM: u32 = 64;
/// So much of an answer's body is read, for so long: some services log a connection that is closed
/// before, and an answer that is cut short, or whose chunks are none, is one that no client gets. What
/// is longer or slower passes by its head.
const READ_PAST: usize = 64 * 1024;
const READ_PAST_TIME: Duration = Duration::from_millis(100);

/// Asks once. An answer passes by its status, if a request would have been answered with it.
pub(super) async fn check(
    target: &Target,
    (path, statuses): (&str, &Statuses),
    mut connection: Connection,
    deadline: Instant,
    buffers: &Buffers,
) -> Result<(), Fault> {
    let mut end = Http1::new(&mut connection, buffers, Version::Http11);
    if target.endpoint().tls.is_none() {
        end.send_first(|out| target.put_first(out));
    }
    let mut end = End::Http1(end);
    end.send_head(&Get { target, path }, BodyLength::None);
    end.finish(None, |_| false);
    let head = timeout_at(deadline, head(&mut end, buffers)).await;
    let head = head.unwrap_or(Err(Failure::TimedOut.into()))?;
    let read = timeout(READ_PAST_TIME, read_past(&mut end, &head)).await;
    let status = head.status;
    buffers.give_head(head.into_storage());
    if !statuses.has(status) && status != StatusCode::SWITCHING_PROTOCOLS {
        return Err(Failure::Status(status).into());
    }
    read.unwrap_or(Ok(()))
}

/// The request.
struct Get<'t> {
    target: &'t Target,
    path: &'t str,
}

impl PutHead for Get<'_> {
    fn put(&self, sink: &mut impl HeadSink) {
        let Self { target, path } = self;
        let base_path = target.endpoint().url.base_path.trim_end_matches('/');
        sink.request(&Method::GET, target.host().as_bytes(), |target| {
            target.extend_from_slice(base_path.as_bytes());
            target.extend_from_slice(path.as_bytes());
        });
        sink.field(b"User-Agent", USER_AGENT.as_bytes());
        sink.field(b"Accept", b"*/*");
        sink.connection(Persistence::Ends, false);
        sink.end();
    }
}

/// Sends what is to be sent, and reads the head of the final answer.
async fn head(end: &mut End<'_>, buffers: &Buffers) -> Result<AnswerHead, Fault> {
    for _ in 0..=MAX_INTERIM {
        let head = poll_fn(|cx| {
            // Where that fails, the service may have answered before.
            let _ = end.poll_flush(cx);
            end.poll_answer(cx)
        });
        let head = head.await.map_err(|error| match error {
            AnswerError::Ended => Failure::Reset.into(),
            AnswerError::Refused(_) => Failure::Tls(TlsFault::Refused).into(),
            AnswerError::Invalid(why) => invalid(why),
        })?;
        if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(head);
        }
        buffers.give_head(head.into_storage());
    }
    Err(invalid("too many interim answers"))
}

/// Reads the body of an answer, as far as it is short.
async fn read_past(end: &mut End<'_>, head: &AnswerHead) -> Result<(), Fault> {
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(invalid("it switched to a protocol that was not asked for"));
    }
    let body = answer_body(head, &Method::GET).map_err(|why| invalid(why.of_answer()))?;
    end.expect_answer_body(body.length);
    let mut left = READ_PAST;
    poll_fn(|cx| {
        loop {
            match end.next_piece() {
                Ok(Piece::Data(bytes)) if bytes.len() <= left => {
                    let n = bytes.len();
                    left -= n;
                    end.used(n);
                }
                Ok(Piece::NeedMore) => {
                    if ready!(end.poll_more(cx)).is_err() {
                        return Err(Failure::Reset.into()).into();
                    }
                }
                Ok(Piece::Data(_) | Piece::End(_)) => return Ok(()).into(),
                Err(why) => return Err(invalid(format!("in its body: {why}"))).into(),
            }
        }
    })
    .await
}

/// What came is no answer that could be passed on.
fn invalid(why: impl Into<Cow<'static, str>>) -> Fault {
    Fault::Endpoint(Failure::Invalid.into(), Some(why.into()))
}
