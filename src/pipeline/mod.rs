//! The request path, from top to bottom: [`run`] is the whole of it. Each stage is a function; what
//! it hands on is a type that only it can make, so that stages in another order do not compile.
//! Around them, [`handle()`] never fails: it answers rejections and sees to it that every request
//! leaves exactly one line in the access log.

mod aside;
mod clock;
pub mod explain;
mod handle;
pub mod identify;
mod json;
pub mod protect;
mod proxy;
pub mod rate_limit;
mod record;
mod refuse;
pub mod rejection;
pub mod request;
pub mod resolve;
pub mod snapshot;
mod worker;

pub use aside::aside;
pub use handle::handle;
pub use refuse::{note_unread, refuse_unread};
pub use worker::Worker;

use crate::message::forward::max_forwards;
use crate::message::path::RequestPath;

use self::identify::identify;
use self::protect::protect;
use self::proxy::proxy;
use self::rate_limit::{Report, rate_limit};
use self::record::Record;
use self::refuse::{Reply, answer};
use self::rejection::Rejection;
use self::request::{After, Downstream, Request};
use self::resolve::resolve;

/// What a request goes through. A rejection means that the client has not been sent anything yet;
/// `report` is what its answer tells of the limit in either case.
async fn run<'r>(
    request: &Request<'r>,
    client: &mut Downstream<'_>,
    record: &Record<'r>,
    report: &mut Option<Report<'r>>,
) -> Result<After, Rejection> {
    let snapshot: &'r snapshot::Snapshot = &request.current.snapshot;
    if request.target.path == b"*" {
        // OPTIONS about the gateway as a whole: nothing here answers that.
        record.note_caller(identify(
            &snapshot.access,
            &request.head.fields,
            request.address,
        ))?;
        return Err(Rejection::NoRoute);
    }
    let path = record.set_path(RequestPath::parse(request.target.path)?);
    let caller = record.note_caller(identify(
        &snapshot.access,
        &request.head.fields,
        request.address,
    ))?;
    let admitted = protect(&snapshot.access.protected, path, caller)?;
    // Found before it is counted, for a route has a cost; told afterwards, for a 404 counts too.
    let route = resolve(&snapshot.routes, request.host, &request.head.method, path);
    if let Ok(route) = &route {
        record.note_route(route);
    }
    let limited = rate_limit(
        &snapshot.limits,
        &request.worker.limiter,
        admitted,
        request.address,
        route.as_ref().ok().map(|route| &***route),
        report,
    )
    .await;
    record.note_shadow(report.as_ref().and_then(|report| report.shadow));
    let permit = limited?;
    let route = route?;
    record.note_upstream(&snapshot.upstreams[route.upstream]);
    resolve::check(route, path, request.body)?;
    if max_forwards(&request.head.method, &request.head.fields) == Some(0) {
        let reply = Reply::LastHop(request);
        return Ok(aside(answer(
            reply,
            request.worker,
            record,
            report.as_ref(),
            client,
        ))
        .await);
    }
    proxy(route, &permit, request, client, report.as_ref(), record).await
}
