//! Stage 5: the request goes to its upstream and the answer comes back, both streaming.
//!
//! A kept connection may have died unnoticed. What was not sent at all is sent again on a fresh
//! one; what may have been read already only if the request is safe to repeat (RFC 9110 section
//! 9.2.2) and still whole in memory.

mod answer;
mod attempt;
mod error;
mod forward;
mod pace;
mod pass;
mod tunnel;

use crate::message::method::is_idempotent;
use crate::route::Route;
use crate::upstream::{Link, Pool};
use crate::wire::stream::GivenUp;

use self::answer::Relayed;
use self::attempt::Attempt;
use self::error::{AttemptError, Cause, Phase};
use self::forward::Forward;
use self::pace::Slow;
use self::pass::Beginning;
use self::tunnel::{DRAIN, tunnel};
use super::boxed_cold;
use super::client_side::{After, ClientSide};
use super::rate_limit::Permit;
use super::record::Record;
use super::rejection::Rejection;
use super::request::Request;

/// Sends the request on and streams the answer to the client. A rejection means that the client
/// has not been sent anything yet.
pub(super) async fn proxy<'r>(
    route: &'r Route,
    upstream: usize,
    permit: &Permit<'r>,
    request: &Request<'r>,
    client: &mut ClientSide<'_>,
    record: &Record<'r>,
) -> Result<After, Rejection> {
    let forward = Forward::new(route, upstream, permit, request, record);
    let buffers = &record.worker.buffers;
    let beginning = Beginning::take(&mut client.end, &record.bytes_in, route.body_limit, buffers)?;
    let repeatable = beginning.is_whole() && is_idempotent(&request.head.method);
    let target = forward.pick();
    let mut link = match target.pool.take(!repeatable, record.now()) {
        Some(link) => link,
        None => match forward.connect(target).await {
            Ok(link) => link,
            Err(error) => return fail(error, record, client),
        },
    };
    loop {
        let mut attempt = Attempt::start(&forward, target.endpoint, &beginning, &mut link);
        let head = attempt.head(client).await;
        // Nothing of the answer has gone out: here another attempt could still be made.
        let begun = head.and_then(|head| attempt.begin_answer(head, target.endpoint, client));
        let error = match begun {
            Ok(begun) => match attempt.relay(begun, client).await {
                Ok(relayed) if relayed.switched => {
                    let idle = forward.upstream.rules.idle_timeout;
                    boxed_cold(tunnel(attempt.into_service(), client, record, idle)).await;
                    return Ok(After::Close);
                }
                Ok(relayed) => {
                    drop(attempt);
                    keep(link, &relayed, target.pool, &forward);
                    return Ok(record.after(relayed.goes_on, client));
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        drop(attempt);
        if !(link.reused && error.is_of_stale_connection(repeatable)) {
            return fail(error, record, client);
        }
        link = match forward.connect(target).await {
            Ok(link) => link,
            Err(error) => return fail(error, record, client),
        };
    }
}

/// What becomes of the client's connection after an attempt that failed.
fn fail(
    error: AttemptError,
    record: &Record<'_>,
    client: &mut ClientSide<'_>,
) -> Result<After, Rejection> {
    let answering = error.phase == Phase::Body;
    record.detail.replace(error.detail().map(Into::into));
    if matches!(error.cause, Cause::Drained) {
        client.end.give_up();
        record.code.set(Some(DRAIN));
        return Ok(After::Close);
    }
    // The rest of its answer lies in front of whatever it were sent.
    if matches!(error.cause, Cause::ClientSlow(Slow::ToRead)) {
        record.code.set(Some(Rejection::ClientSlow.code()));
        return Ok(After::Cut);
    }
    let Some(rejection) = error.into_rejection() else {
        record.code.set(Some("client_closed"));
        return Ok(After::Cut);
    };
    record.note_detail(&rejection);
    let code = rejection.code();
    let after = match client.end.give_up() {
        GivenUp::Broken if answering => After::Close,
        GivenUp::LooksWhole if answering => After::Cut,
        _ => return Err(rejection),
    };
    record.code.set(Some(code));
    Ok(after)
}

fn keep(mut link: Link, relayed: &Relayed, pool: &Pool, forward: &Forward<'_, '_>) {
    if let Some(rest) = relayed.rest {
        link.max_idle_time = rest;
        link.connection.rest(&forward.record.worker.buffers);
        pool.give(link, forward.upstream.rules.max_idle, relayed.at);
    }
}
