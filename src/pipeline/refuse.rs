//! Answers that the gateway makes itself: rejections and the health check. They are small, whole
//! and never cached; a body that the client is still sending is read past, if it is short.

use std::net::IpAddr;
use std::time::Duration;

use http::StatusCode;

use crate::message::body::BodyLength;
use crate::message::known::Known;
use crate::message::protocol::Version;
use crate::message::sink::{FieldSink, HeadSink, Persistence};
use crate::wire::sink::Http1Sink;

use super::record::Record;
use super::rejection::Rejection;
use super::request::{After, Downstream, Request};
use super::worker::Worker;

/// The health check's answer: it runs.
const HEALTHY: &[u8] = b"{\"status\":\"ok\"}";
/// Bodies up to this size are read past, so that a refused upload does not cost its connection.
const READ_PAST: u64 = 64 * 1024;
/// How long a client may take to read an answer of ours, or to send a body that is read past.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is answered.
#[derive(Clone, Copy)]
pub(super) enum Reply<'a> {
    Healthy,
    /// The request was to come no further than here.
    LastHop,
    Rejected(&'a Rejection),
}

/// Refuses what could not even be read as a request.
pub async fn refuse_unread(
    worker: &Worker,
    peer: IpAddr,
    rejection: &Rejection,
    client: &mut Downstream<'_>,
) {
    let current = worker.current();
    let record = Record::begin(worker, &current, peer, None, worker.clock.look());
    answer(Reply::Rejected(rejection), &record, client).await;
}

/// Leaves the access line of a request whose client left before it could be read.
pub fn note_unread(worker: &Worker, peer: IpAddr) {
    let current = worker.current();
    drop(Record::begin(
        worker,
        &current,
        peer,
        None,
        worker.clock.look(),
    ));
}

/// Sends the answer and says what becomes of the connection.
pub(super) async fn answer(
    reply: Reply<'_>,
    record: &Record<'_>,
    client: &mut Downstream<'_>,
) -> After {
    if let Reply::Rejected(rejection) = reply {
        record.code.set(Some(rejection.code()));
    }
    if client.writer.is_within_message() {
        // An answer that follows on one that is not whole would be read as a part of it.
        return After::Cut;
    }
    let goes_on = goes_on(reply, client, record);
    let mut out = record.worker.buffers.take();
    put_reply(&mut out, reply, record, goes_on);
    let sent = client
        .alarm
        .limit(PATIENCE, client.writer.write_all(&out))
        .await;
    record.worker.buffers.give(out);
    if sent.is_err() {
        return After::Cut;
    }
    client.writer.end_message();
    if goes_on && !client.body.is_finished() && !read_past(client, record).await {
        return After::Close;
    }
    record.after(goes_on, &client.body)
}

fn goes_on(reply: Reply<'_>, client: &Downstream<'_>, record: &Record<'_>) -> bool {
    let Some(request) = record.request() else {
        return false;
    };
    let closes = matches!(reply, Reply::Rejected(rejection) if rejection.closes());
    let short = match request.body {
        BodyLength::Fixed(length) => length <= READ_PAST,
        // How long a chunked one is shows when it is read past.
        BodyLength::None | BodyLength::Chunked | BodyLength::UntilClose => true,
    };
    // Told no, a client that asked first may or may not send its body (RFC 9110 section 10.1.1).
    let asked = request.head.fields.has(Known::Expect) && !client.body.is_finished();
    // Of a body that was being passed on it is not certain how far it has been taken.
    let begun = record.bytes_in.get() > 0 && !client.body.is_finished();
    record.goes_on() && !closes && short && !asked && !begun
}

fn put_reply(out: &mut Vec<u8>, reply: Reply<'_>, record: &Record<'_>, goes_on: bool) {
    let (status, body, kind): (_, _, &[u8]) = match reply {
        Reply::Healthy => (StatusCode::OK, HEALTHY.to_vec(), b"application/json"),
        Reply::LastHop => (StatusCode::OK, Vec::new(), b""),
        Reply::Rejected(rejection) => {
            let problem = rejection.problem(record.request_id.text());
            (rejection.status(), problem, b"application/problem+json")
        }
    };
    record.status.set(Some(status));
    let request = record.request();
    let version = request.map_or(Version::Http11, |request| request.head.version);
    let mut sink = Http1Sink::new(out, version);
    sink.status(status, status.canonical_reason().unwrap_or("").as_bytes());
    if !kind.is_empty() {
        sink.field(b"Content-Type", kind);
    }
    sink.framing(BodyLength::Fixed(body.len() as u64));
    sink.field(b"Cache-Control", b"no-store");
    let clock = &record.worker.clock;
    sink.composed(b"Date", |out| clock.put_http(out, record.begun()));
    let snapshot = &record.current.snapshot;
    sink.field(
        snapshot.access.names.request_id.as_ref(),
        record.request_id.bytes(),
    );
    if let Some(report) = record.report.get() {
        report.put_fields(&snapshot.limits, &mut sink);
    }
    if let Reply::Rejected(rejection) = reply {
        rejection.put_fields(&mut sink);
    }
    let persistence = if goes_on {
        Persistence::Stays
    } else {
        Persistence::Ends
    };
    sink.connection(persistence, false);
    sink.end();
    // RFC 9110 section 9.3.2, also where nothing but the method could be made sense of.
    if !request.is_some_and(Request::is_head) {
        record.bytes_out.set(body.len() as u64);
        out.extend_from_slice(&body);
    }
}

/// Reads past what is left of the body; says whether its end was reached.
async fn read_past(client: &mut Downstream<'_>, record: &Record<'_>) -> bool {
    let (reader, body) = (&mut client.reader, &mut client.body);
    let end = client.alarm.limit(PATIENCE, async {
        let mut seen = 0_u64;
        loop {
            match body.next(reader.input) {
                Ok(crate::wire::body::Piece::Data(n)) => {
                    body.used(n, reader.input);
                    seen = seen.saturating_add(n as u64);
                    record
                        .bytes_in
                        .set(record.bytes_in.get().saturating_add(n as u64));
                    if seen > READ_PAST {
                        return Ok(false);
                    }
                }
                Ok(crate::wire::body::Piece::NeedMore) => {
                    if reader.fill(&record.worker.buffers).await? == 0 {
                        return Ok(false);
                    }
                }
                Ok(crate::wire::body::Piece::End) => {
                    body.finish();
                    return Ok(true);
                }
                Err(_) => return Ok(false),
            }
        }
    });
    end.await.unwrap_or(false)
}
