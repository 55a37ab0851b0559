//! The request path, from top to bottom. [`plan`](plan::plan) says what is to become of a request,
//! [`run`] carries it out. Each stage is a function; what it hands on is a type that only it can
//! make, so that stages in another order do not compile. Around them, [`handle()`] never fails: it
//! answers rejections and sees to it that every request leaves exactly one line in the access log.

mod addresses;
mod boxed_cold;
pub mod client_side;
mod clock;
pub mod codes;
pub mod explain;
mod handle;
mod hashed_by;
pub mod identify;
mod json;
mod lag;
mod measured;
mod named;
mod plan;
pub mod protect;
mod proxy;
pub mod rate_limit;
mod record;
mod refuse;
pub mod rejection;
mod report;
pub mod request;
pub mod resolve;
mod room;
pub mod snapshot;
mod unlisted;
mod worker;

pub use boxed_cold::boxed_cold;
pub use handle::handle;
pub use measured::names;
pub use refuse::{note_unread, refuse_http2, refuse_unread};
pub use unlisted::UnlistedProxies;
pub use worker::{Reports, Worker};

use self::client_side::{After, ClientSide};
use self::plan::{Plan, Then};
use self::proxy::proxy;
use self::rate_limit::{limit_invalid_keys, rate_limit};
use self::record::Record;
use self::refuse::{Reply, answer};
use self::rejection::Rejection;
use self::request::Request;

/// Carries out the plan of a request. A rejection means that the client has not been sent anything
/// yet.
async fn run<'r>(
    plan: &Plan<'r>,
    request: &Request<'r>,
    client: &mut ClientSide<'_>,
    record: &Record<'r>,
) -> Result<After, Rejection> {
    let (admitted, then) = match plan {
        Plan::Health => {
            record.counted.set(false);
            record.logged.set(tracing::enabled!(tracing::Level::DEBUG));
            return Ok(boxed_cold(answer(Reply::Healthy, record, client)).await);
        }
        Plan::ToHttps => {
            return Ok(boxed_cold(answer(Reply::ToHttps, record, client)).await);
        }
        Plan::Challenge(shown) => {
            return Ok(boxed_cold(answer(Reply::Challenge(shown), record, client)).await);
        }
        Plan::Preflight => {
            return Ok(boxed_cold(answer(Reply::Preflight, record, client)).await);
        }
        Plan::Refuse(Rejection::InvalidApiKey) => {
            return Err(boxed_cold(limit_invalid_keys(request, record)).await);
        }
        Plan::Refuse(rejection) => return Err(rejection.clone()),
        Plan::Count(admitted, then) => (admitted, then),
    };
    let permit = rate_limit(admitted, request, record).await?;
    match then {
        Then::Refuse(rejection) => Err(rejection.clone()),
        Then::LastHop => Ok(boxed_cold(answer(Reply::LastHop, record, client)).await),
        Then::Redirect(route, redirect) => {
            let reply = Reply::Redirect(route, redirect);
            Ok(boxed_cold(answer(reply, record, client)).await)
        }
        Then::Respond(fixed) => {
            Ok(boxed_cold(answer(Reply::Configured(fixed), record, client)).await)
        }
        Then::Forward(route, upstream) => {
            proxy(route, *upstream, &permit, request, client, record).await
        }
    }
}
