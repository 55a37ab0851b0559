//! Stage 5: the request goes to its upstream and the answer comes back, both streaming.
//!
//! The request takes one of the upstream's places, where these are counted, and holds it to the end
//! (`place.rs`). An endpoint is picked and tried. What fails before anything of an answer has gone out may be tried
//! again elsewhere (`tries.rs`): what was sent only if the request is safe to repeat (RFC 9110 section
//! 9.2.2) and still whole in memory. Apart from that, a kept connection may have died unnoticed: what
//! was not sent at all is sent on a fresh one.

mod answer;
mod attempt;
mod error;
mod forward;
mod kept;
mod pace;
mod pass;
mod pass_error;
mod place;
mod tries;
mod tunnel;

use crate::route::Route;
use crate::upstream::{Link, Try};
use crate::wire::stream::GivenUp;

use self::answer::Relayed;
use self::attempt::Attempt;
use self::error::{AttemptError, Cause, Phase};
use self::forward::Forward;
use self::kept::Kept;
use self::pace::Slow;
use self::tries::Tries;
use self::tunnel::tunnel;
use super::boxed_cold;
use super::client_side::{After, ClientSide};
use super::codes::{CLIENT_CLOSED, DRAIN};
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
    let forward = Forward::new(route, upstream, permit, request, record, &mut client.end);
    let kept = Kept::take(&mut client.end, record, route.body_limit, forward.keeps())?;
    if kept.is_whole() {
        forward.counts_since.set(Some(record.now()));
    }
    let place = match &forward.upstream.rules.capacity {
        None => None,
        Some(rules) => match place::take(&forward, rules, client).await {
            Ok(place) => Some(place),
            Err(error) => return fail(error, record, client),
        },
    };
    let mut tries = Tries::new(&forward, &kept, place);
    let mut current = match tries.first(client.bound) {
        Some(picked) => picked?,
        None => boxed_cold(tries.first_of_unresolved()).await?,
    };
    loop {
        record.asks_service();
        match exchange(&forward, &kept, &mut current, &mut tries, client).await {
            Ok(Exchanged::Answered(after)) => return Ok(after),
            Ok(Exchanged::Unwelcome(next)) => {
                record.asked_in_vain();
                current = next;
            }
            Err(error) => {
                record.asked_in_vain();
                match tries.after(&current, &error, client) {
                    Some(next) => current = next,
                    None => return fail(error, record, client),
                }
            }
        }
        boxed_cold(tries.pause()).await;
    }
}

/// How a try has ended.
enum Exchanged {
    /// The client has its answer.
    Answered(After),
    /// The service has answered in a way that another endpoint may do better than; this one.
    Unwelcome(Try),
}

/// Tries to have the request answered by one endpoint.
async fn exchange<'f, 'r>(
    forward: &'f Forward<'f, 'r>,
    kept: &Kept<'_>,
    current: &mut Try,
    tries: &mut Tries<'f, 'r>,
    client: &mut ClientSide<'_>,
) -> Result<Exchanged, AttemptError> {
    let record = forward.record;
    record.begin_try(forward.endpoint(current));
    current.begins();
    let mut link = match kept_link(forward, kept, current, tries, client) {
        Some(link) => link,
        None => tries.connect(current).await?,
    };
    loop {
        let endpoint = forward.endpoint(current);
        let mut attempt = Attempt::start(forward, current, kept, &mut link);
        let begun = {
            // In a block, for the future needs no place for it while the answer is relayed.
            let head = match attempt.head(client).await {
                Ok(head) => head,
                Err(error) if error.was_stale() && kept.has_all() => {
                    drop(attempt);
                    tries.note_stale(current, &error);
                    record.begin_try(endpoint);
                    link = tries.connect(current).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let body = attempt.body_of(&head)?;
            // Nothing of the answer has gone out: here another endpoint can still be tried.
            if let Some(next) = tries.instead_of(&head, current, &attempt) {
                return Ok(Exchanged::Unwelcome(next));
            }
            attempt.begin_answer(head, body, endpoint, client)
        };
        if attempt.has_sent_all() {
            kept.let_go();
        }
        if begun.endless || begun.switched {
            tries.is_endless();
        }
        let relayed = attempt.relay(begun, client).await?;
        if relayed.switched {
            let idle = forward.upstream.rules.idle_timeout;
            boxed_cold(tunnel(attempt.into_service(), client, record, idle)).await;
            return Ok(Exchanged::Answered(After::Close));
        }
        drop(attempt);
        current.ended_whole();
        keep(link, &relayed, forward, client);
        return Ok(Exchanged::Answered(record.after(relayed.goes_on, client)));
    }
}

/// A kept connection for a try.
fn kept_link(
    forward: &Forward<'_, '_>,
    kept: &Kept<'_>,
    current: &Try,
    tries: &Tries<'_, '_>,
    client: &mut ClientSide<'_>,
) -> Option<Link> {
    if tries.needs_new_connection(current) {
        return None;
    }
    let ask_kernel = !(forward.may_be_retried() && forward.is_repeatable(kept) && kept.is_whole());
    let pool = &current.candidate().pool;
    let (announced, now) = (forward.announced.as_ref(), forward.record.now());
    let own = client.bound.take(pool, announced, ask_kernel, now);
    own.or_else(|| pool.take(announced, ask_kernel, now))
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
        record.code.set(Some(CLIENT_CLOSED));
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

fn keep(mut link: Link, relayed: &Relayed, forward: &Forward<'_, '_>, client: &mut ClientSide<'_>) {
    let Some(rest) = relayed.rest else { return };
    link.connection.rest(&forward.record.worker.buffers);
    if link.bound || relayed.offers_binding {
        link.bound = true;
        client.bound.keep(link, rest, relayed.at);
    } else {
        link.keep(forward.upstream.rules.max_idle, rest, relayed.at);
    }
}
