//! What stands around the pipeline: the health check, the request as the stages see it, the answer
//! to a rejection, and the record that ends with the request whatever happens.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use http::Method;

use crate::message::caller::caller;
use crate::message::head::RequestHead;
use crate::message::target::RequestTarget;
use crate::wire::body::Body;
use crate::wire::framing::request_body;

use super::aside;
use super::record::Record;
use super::refuse::{Reply, answer};
use super::rejection::Rejection;
use super::request::{After, Downstream, Request};
use super::run;
use super::worker::Worker;

/// Answers one request whose head has been read.
pub async fn handle(
    worker: &Worker,
    peer: IpAddr,
    head: &RequestHead,
    client: &mut Downstream<'_>,
) -> After {
    let current = worker.current();
    let snapshot = &*current.snapshot;
    let trusted = snapshot.trusts(peer);
    let address = caller(peer, &head.fields, |hop| snapshot.trusts(hop));
    let mut record = Record::begin(
        worker,
        address,
        Some(head),
        &snapshot.access.names.request_id,
    );
    let (target, body) = match understand(head) {
        Ok(understood) => understood,
        Err(rejection) => {
            let reply = Reply::Unframed(&rejection);
            return aside(answer(reply, worker, &record, None, client)).await;
        }
    };
    client.body = Body::new(body);
    if let Some(authority) = target.authority {
        // RFC 9112 section 3.2.2: what the target says counts, and the Host field is ignored.
        record.host = authority;
    }
    let host = record.host;
    let request = Request {
        worker,
        current: &current,
        head,
        target,
        host,
        body,
        peer,
        trusted,
        address,
    };
    if is_health(&request.target, &head.method) {
        record.logged.set(tracing::enabled!(tracing::Level::DEBUG));
        let reply = Reply::Healthy(&request);
        return aside(answer(reply, worker, &record, None, client)).await;
    }
    let mut report = None;
    let outcome = {
        let mut work = pin!(run(&request, client, &record, &mut report));
        poll_fn(|cx| {
            let poll = catch(|| work.as_mut().poll(cx));
            record.waits();
            poll
        })
        .await
    };
    let rejection = match outcome {
        Ok(Ok(after)) => return after,
        Ok(Err(rejection)) => rejection,
        Err(cause) => {
            tracing::error!(
                cause,
                request_id = record.request_id.text(),
                "a request ran into a bug"
            );
            if record.status.get().is_some() {
                record.code.set(Some(Rejection::Internal.code()));
                return After::Cut;
            }
            Rejection::Internal
        }
    };
    let reply = Reply::Rejected(&request, &rejection);
    aside(answer(reply, worker, &record, report.as_ref(), client)).await
}

type Understood<'r> = (RequestTarget<'r>, crate::message::body::BodyLength);

/// The parts of a request that have to be understood before any stage can judge it.
pub(super) fn understand(head: &RequestHead) -> Result<Understood<'_>, Rejection> {
    let body = request_body(head)?;
    if matches!(head.method, Method::CONNECT | Method::TRACE) {
        return Err(Rejection::NotImplemented(
            "CONNECT and TRACE are not passed on.".into(),
        ));
    }
    let target = RequestTarget::parse(head.target(), &head.method)
        .map_err(|why| Rejection::BadRequest(why.to_string().into()))?;
    Ok((target, body))
}

/// Whether the gateway is asked how it is.
pub(super) fn is_health(target: &RequestTarget<'_>, method: &Method) -> bool {
    target.path == b"/health" && matches!(*method, Method::GET | Method::HEAD)
}

/// Polls a request so that a bug in it ends this request and nothing else.
fn catch<T>(poll: impl FnOnce() -> Poll<T>) -> Poll<Result<T, String>> {
    match catch_unwind(AssertUnwindSafe(poll)) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(cause(&*panic))),
    }
}

fn cause(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no cause given").to_owned()
}

/// The health check's answer: it runs.
pub(super) const HEALTHY: &[u8] = b"{\"status\":\"ok\"}";
