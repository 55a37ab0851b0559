//! The client's half of an exchange: the rest of its request goes up, and then the client is
//! watched, for one that has left needs no answer.

use std::future::pending;
use std::time::Duration;

use crate::wire::body::Body;
use crate::wire::stream::{FirstWriteError, Reader, Writer};

use super::super::aside;
use super::super::rejection::Rejection;
use super::exchange::{Exchange, Shared};
use super::pass::PassError;

/// A client that has ended its half of the connection may still read an answer, or may be gone:
/// TCP does not tell. It gets this long for the answer to begin.
const HALF_CLOSED: Duration = Duration::from_secs(5);
/// What a client may send ahead of its answer; beyond it waits in the kernel.
const AHEAD: usize = 32 * 1024;

/// Why the client's half ended before the answer did.
#[derive(Debug)]
pub(super) enum UploadEnd {
    /// Nothing of the request has left on this connection.
    NothingSent,
    ClientGone,
    /// The request turned out to be one that is refused.
    Refused(Rejection),
}

/// Sends what is ready and passes on the rest of the body, then watches the client. Returns only
/// when the exchange cannot go on.
pub(super) async fn upload(
    exchange: &Exchange<'_, '_>,
    shared: &Shared,
    out: &mut Vec<u8>,
    body: &mut Body,
    from: &mut Reader<'_>,
    to: &mut Writer<'_>,
) -> UploadEnd {
    match to.write_first(out).await {
        Ok(()) if exchange.uploaded => {}
        Ok(()) => {
            out.clear();
            shared.progress.set(exchange.record.now());
            let pass = exchange.pass(shared);
            match aside(pass.run(body, from, to, out)).await {
                Ok(()) => {}
                // The service may have answered before it stopped reading.
                Err(PassError::Write) => shared.refused_upload.set(true),
                Err(PassError::Read) => return UploadEnd::ClientGone,
                Err(error) => return UploadEnd::Refused(refusal(&error)),
            }
        }
        Err(FirstWriteError::Nothing(_)) => return UploadEnd::NothingSent,
        Err(FirstWriteError::Something(_)) => shared.refused_upload.set(true),
    }
    shared.uploaded.set(Some(exchange.record.now()));
    watch(exchange, shared, from).await
}

/// How a body that cannot be passed on is refused.
pub(super) fn refusal(error: &PassError) -> Rejection {
    match error {
        PassError::Framing(error) => (*error).into(),
        PassError::TooLarge { limit } => Rejection::BodyTooLarge { limit: *limit },
        PassError::CutOff | PassError::Read | PassError::Write => {
            Rejection::BadRequest("the connection ended before the request did".into())
        }
    }
}

async fn watch(exchange: &Exchange<'_, '_>, shared: &Shared, from: &mut Reader<'_>) -> UploadEnd {
    loop {
        if from.input.bytes().len() >= AHEAD {
            return pending().await;
        }
        match from.fill(&exchange.record.worker.buffers).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(_) => return UploadEnd::ClientGone,
        }
    }
    aside(tokio::time::sleep(HALF_CLOSED)).await;
    if shared.answering.get() {
        // From here on writing tells whether the client is still there.
        return pending().await;
    }
    UploadEnd::ClientGone
}
