//! The service's half of an exchange: its answer is read, its head made the client's, its body
//! passed on as it comes.

use std::time::{Duration, Instant};

use http::StatusCode;

use crate::message::answer::{Answer, put_answer, put_interim};
use crate::message::body::BodyLength;
use crate::message::fields::Fields;
use crate::message::forward::Receiver;
use crate::message::head::AnswerHead;
use crate::message::known::Known;
use crate::message::sink::{HeadSink, Persistence};
use crate::wire::body::{Body, Coding};
use crate::wire::framing::{answer_body, keeps_alive};
use crate::wire::head::{HeadLimits, read_answer};
use crate::wire::scan::HeadScanner;
use crate::wire::sink::Http1Sink;
use crate::wire::stream::{Reader, Writer};

use super::super::aside;
use super::exchange::{Exchange, Shared};
use super::pass::{Pass, PassError, Taken};

/// What an answer's head may be. Wider than for clients: the services are our own.
const LIMITS: HeadLimits = HeadLimits {
    max_bytes: 256 * 1024,
    max_fields: 256,
};
/// How many interim answers one request may get.
const INTERIM: u32 = 64;

/// An answer that has been passed on whole.
#[derive(Debug)]
pub(super) struct Answered {
    /// Whether the client's connection may go on; it was told so.
    pub goes_on: bool,
    /// Whether the service's connection may be kept.
    pub keep: Keep,
    /// The protocol was switched; what follows is a tunnel.
    pub switched: bool,
    /// When the last of it was read.
    pub at: Instant,
}

/// Whether a connection to a service may be kept after its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    No,
    Yes,
    /// It may, but the service lets it rest no longer than this.
    AtMost(Duration),
}

/// Why an answer could not be passed on.
#[derive(Debug)]
pub(super) enum AnswerError {
    /// The service closed the connection, or it broke.
    Ended,
    Invalid(&'static str),
    ClientGone,
}

/// Reads the answer and writes it to the client.
pub(super) async fn answer(
    exchange: &Exchange<'_, '_>,
    shared: &Shared,
    from: &mut Reader<'_>,
    to: &mut Writer<'_>,
) -> Result<Answered, AnswerError> {
    let request = exchange.request;
    let mut interim = 0;
    let head = loop {
        let head = read_head(exchange, shared, from).await?;
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return aside(switch(exchange, shared, &head, to)).await;
        }
        if !head.status.is_informational() {
            break head;
        }
        interim += 1;
        if interim > INTERIM {
            return Err(AnswerError::Invalid("too many interim answers"));
        }
        if request.head.version.has_interim_answers() {
            aside(pass_interim(exchange, &head, to)).await?;
        }
        exchange
            .record
            .worker
            .buffers
            .give_head(head.into_storage());
    };
    let now = exchange.record.now();
    shared.progress.set(now);
    exchange
        .record
        .upstream_time
        .set(Some(now.saturating_duration_since(exchange.record.begun())));
    let length = answer_body(&head, &request.head.method)
        .map_err(|_| AnswerError::Invalid("its length is ambiguous"))?;
    // A service that answers before it was sent everything may not read the rest of it before the
    // next request, but as the next request.
    let reusable = exchange.body_is_read
        && shared.is_uploaded()
        && keeps_alive(head.version, &head.fields)
        && length != BodyLength::UntilClose;
    let keep = if reusable {
        rest_hint(&head.fields).map_or(Keep::Yes, Keep::AtMost)
    } else {
        Keep::No
    };
    pass_on(exchange, shared, head, length, keep, from, to).await
}

async fn pass_interim(
    exchange: &Exchange<'_, '_>,
    head: &AnswerHead,
    to: &mut Writer<'_>,
) -> Result<(), AnswerError> {
    let buffers = &exchange.record.worker.buffers;
    let mut out = buffers.take();
    let version = exchange.request.head.version;
    put_interim(&mut Http1Sink::new(&mut out, version), head);
    let written = to.write_all(&out).await;
    buffers.give(out);
    written.map_err(|_| AnswerError::ClientGone)?;
    to.end_message();
    Ok(())
}

async fn pass_on(
    exchange: &Exchange<'_, '_>,
    shared: &Shared,
    head: AnswerHead,
    length: BodyLength,
    keep: Keep,
    from: &mut Reader<'_>,
    to: &mut Writer<'_>,
) -> Result<Answered, AnswerError> {
    let request = exchange.request;
    let buffers = &exchange.record.worker.buffers;
    let (framing, coding) = match length {
        BodyLength::Chunked | BodyLength::UntilClose if !request.head.version.has_chunks() => {
            (BodyLength::UntilClose, Coding::Identity)
        }
        BodyLength::Chunked | BodyLength::UntilClose => (BodyLength::Chunked, Coding::Chunked),
        length => (length, Coding::Identity),
    };
    // A client that is still sending may never have been going to send the rest (RFC 9110 section
    // 10.1.1), so what follows could be anything.
    let goes_on =
        exchange.record.goes_on() && shared.is_uploaded() && framing != BodyLength::UntilClose;
    let mut out = buffers.take();
    put_head(
        exchange,
        shared,
        &mut out,
        &head,
        framing,
        if goes_on {
            Persistence::Stays
        } else {
            Persistence::Ends
        },
    );
    exchange.record.status.set(Some(head.status));
    buffers.give_head(head.into_storage());

    let pass = Pass {
        coding,
        names: &exchange.record.current.snapshot.access.names,
        receiver: Receiver::Client,
        buffers,
        count: &exchange.record.bytes_out,
        limit: None,
        progress: &shared.progress,
        waits: &shared.waits_for_service,
    };
    let mut body = Body::new(length);
    shared.until_close.set(framing == BodyLength::UntilClose);
    let passed = async {
        let taken = pass.gather(&mut body, from.input, &mut out)?;
        shared.answering.set(true);
        pass.write(to, &out).await?;
        out.clear();
        if taken == Taken::Whole {
            Ok(())
        } else {
            aside(pass.run(&mut body, from, to, &mut out)).await
        }
    };
    let passed = passed.await;
    buffers.give(out);
    match passed {
        Ok(()) => {
            to.end_message();
            Ok(Answered {
                goes_on,
                keep: if from.input.is_empty() {
                    keep
                } else {
                    Keep::No
                },
                switched: false,
                at: shared.progress.get(),
            })
        }
        Err(PassError::Write) => Err(AnswerError::ClientGone),
        Err(PassError::Framing(_)) => Err(AnswerError::Invalid("its chunks are malformed")),
        Err(PassError::CutOff | PassError::Read | PassError::TooLarge { .. }) => {
            Err(AnswerError::Ended)
        }
    }
}

/// Appends the whole head of an answer as the client gets it.
fn put_head(
    exchange: &Exchange<'_, '_>,
    shared: &Shared,
    out: &mut Vec<u8>,
    head: &AnswerHead,
    framing: BodyLength,
    persistence: Persistence,
) {
    let request = exchange.request;
    let snapshot = &exchange.record.current.snapshot;
    let report = exchange.record.report.get();
    let answer = Answer {
        request_id_header: &snapshot.access.names.request_id,
        request_id: exchange.record.request_id.bytes(),
        reports_limit: report.is_some_and(|report| report.has_fields(&snapshot.limits)),
        persistence,
    };
    let mut sink = Http1Sink::new(out, request.head.version);
    put_answer(&mut sink, head, framing, &answer, |out| {
        exchange
            .record
            .worker
            .clock
            .put_http(out, shared.progress.get());
    });
    if let Some(report) = report {
        report.put_fields(&snapshot.limits, &mut sink);
    }
    sink.end();
}

/// Passes on a switch to the protocol that was asked for; any other was not asked for.
async fn switch(
    exchange: &Exchange<'_, '_>,
    shared: &Shared,
    head: &AnswerHead,
    to: &mut Writer<'_>,
) -> Result<Answered, AnswerError> {
    let matches = |mut protocols: Box<dyn Iterator<Item = &[u8]> + '_>| {
        protocols
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(b"websocket"))
            && protocols.next().is_none()
    };
    if !exchange.websocket || !matches(Box::new(head.fields.list_items(Known::Upgrade))) {
        return Err(AnswerError::Invalid(
            "it switched to a protocol that was not asked for",
        ));
    }
    let mut out = exchange.record.worker.buffers.take();
    put_head(
        exchange,
        shared,
        &mut out,
        head,
        BodyLength::None,
        Persistence::WebSocket,
    );
    exchange.record.status.set(Some(head.status));
    shared.answering.set(true);
    let written = to.write_all(&out).await;
    exchange.record.worker.buffers.give(out);
    written.map_err(|_| AnswerError::ClientGone)?;
    Ok(Answered {
        goes_on: false,
        keep: Keep::No,
        switched: true,
        at: shared.progress.get(),
    })
}

async fn read_head(
    exchange: &Exchange<'_, '_>,
    shared: &Shared,
    from: &mut Reader<'_>,
) -> Result<AnswerHead, AnswerError> {
    let buffers = &exchange.record.worker.buffers;
    let mut scanner = HeadScanner::default();
    loop {
        let begun = from.input.bytes();
        if !b"HTTP/".starts_with(&begun[..begun.len().min(5)]) {
            return Err(AnswerError::Invalid("it is not HTTP"));
        }
        let end = scanner.find_end(begun, &LIMITS);
        if let Some(end) = end.map_err(|_| AnswerError::Invalid("its head is malformed"))? {
            let mut storage = buffers.take_head();
            from.input.move_to(&mut storage.bytes, end);
            return read_answer(storage, &LIMITS)
                .map_err(|_| AnswerError::Invalid("its head is malformed"));
        }
        match from.fill(buffers).await {
            Ok(0) | Err(_) => return Err(AnswerError::Ended),
            Ok(_) => shared.heard.set(true),
        }
    }
}

/// How long the service says that it lets a connection rest, less what a request needs to reach
/// it: one sent at the last moment would meet a closed door.
fn rest_hint(fields: &Fields) -> Option<Duration> {
    let timeout = fields.list_items(Known::KeepAlive).find_map(|item| {
        let seconds = std::str::from_utf8(item)
            .ok()?
            .trim()
            .strip_prefix("timeout=")?;
        seconds.parse::<u32>().ok()
    })?;
    Some(Duration::from_secs(timeout.into()).saturating_sub(Duration::from_secs(1)))
}
