//! What stands around the request path: the plan is made and carried out, a rejection is answered,
//! and the record ends with the request whatever happens, be it a bug.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::message::caller::Peer;
use crate::message::head::RequestHead;
use crate::message::known_field::KnownField;

use super::boxed_cold;
use super::client_side::{After, ClientSide};
use super::plan::{Purpose, plan, shed};
use super::record::Record;
use super::refuse::{Reply, answer};
use super::rejection::Rejection;
use super::request::Request;
use super::run;
use super::worker::Worker;

/// Answers one request whose head has been read.
pub async fn handle(
    worker: &Worker,
    peer: &Peer<'_>,
    head: &RequestHead,
    client: &mut ClientSide<'_>,
) -> After {
    let current = worker.current();
    let begun = worker.clock.look();
    let mut request = Request::new(&current.snapshot, head, peer);
    if !request.trusted && head.fields.has(KnownField::XForwardedFor) {
        worker.unlisted_proxies.note(peer.address);
    }
    let sheds = worker.lag.refuses(begun);
    let planned = catch(|| {
        let refused = sheds
            .then(|| shed(&mut request, &current.snapshot))
            .flatten();
        let purpose = Purpose::Serve(&worker.clock, begun);
        refused.unwrap_or_else(|| plan(&mut request, &current.snapshot, purpose))
    });
    let record = Record::begin(worker, &current, peer, Some(&request), begun);
    client.end.expect_request_body(request.body);
    let outcome = match &planned {
        Err(cause) => Err(cause.clone()),
        Ok(plan) => {
            let mut work = pin!(run(plan, &request, client, &record));
            poll_fn(|cx| {
                let poll = catch(|| work.as_mut().poll(cx));
                record.waits();
                match poll {
                    Ok(poll) => poll.map(Ok),
                    Err(cause) => Poll::Ready(Err(cause)),
                }
            })
            .await
        }
    };
    let rejection = match outcome {
        Ok(Ok(after)) => return after,
        Ok(Err(rejection)) => rejection,
        Err(cause) => {
            let request_id = record.request_id.text();
            let trace_id = record.trace_id().map(tracing::field::display);
            tracing::error!(cause, request_id, trace_id, "a request ran into a bug");
            if record.status.get().is_some() {
                record.code.set(Some(Rejection::Internal.code()));
                return After::Cut;
            }
            Rejection::Internal
        }
    };
    boxed_cold(answer(Reply::Rejected(&rejection), &record, client)).await
}

/// Runs a part of a request's way, so that a bug in it ends this request and nothing else.
fn catch<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| cause(&*panic))
}

fn cause(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no cause given").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<'a, 'c: 'a, F: Future>(
        _: impl Fn(&'a Worker, &'a Peer<'a>, &'a RequestHead, &'a mut ClientSide<'c>) -> F,
    ) -> usize {
        size_of::<F>()
    }

    /// Each request's future is written to memory of its own, and most of it is read again.
    #[test]
    fn the_future_of_a_request_stays_small() {
        let bytes = size(handle);
        assert!(bytes <= 2200, "{bytes}");
    }
}
