//! Stage 1: from which addresses requests may come, here and anywhere. Asked before anybody is identified.

use std::sync::Arc;

use crate::message::caller::is_certain;
use crate::route::Route;

use super::rejection::Rejection;
use super::request::Request;
use super::snapshot::Snapshot;

/// Lets in requests from addresses that may call, here and anywhere.
pub(super) fn admit_address(
    snapshot: &Snapshot,
    route: Option<&Arc<Route>>,
    request: &Request<'_>,
) -> Result<(), Rejection> {
    let here = route.and_then(|route| route.addresses.as_deref());
    let anywhere = snapshot.access.addresses.as_ref();
    if anywhere.is_none() && here.is_none() {
        return Ok(());
    }
    let (peer, fields) = (request.peer.address, &request.head.fields);
    if !is_certain(peer, fields, |hop| snapshot.trusts(hop)) {
        let why = "a trusted proxy names no address in X-Forwarded-For";
        return Err(Rejection::IpForbidden(why.into()));
    }
    for (rules, of) in [(anywhere, "access."), (here, "the route's ")] {
        if let Some(rules) = rules.filter(|rules| !rules.admit(request.address)) {
            let why = rules.ruling(request.address).refusal(of);
            return Err(Rejection::IpForbidden(why.unwrap_or_default().into()));
        }
    }
    Ok(())
}
