//! The plan of a request: what is to become of it, as far as the request and the configuration alone
//! decide that. Nothing is counted, sent or waited for here. [`run`](super::run) carries a plan out,
//! `tollgate explain` prints it, so the two cannot differ.

use std::sync::Arc;
use std::time::Instant;

use http::Method;

use crate::client::Client;
use crate::message::caller::{Entry, TlsPeer};
use crate::message::cors::preflight_method;
use crate::message::forward::max_forwards;
use crate::message::path::RequestPath;
use crate::message::target::RequestTarget;
use crate::message::via::has_looped;
use crate::route::{Action, FixedAnswer, Redirect, Resolved, Route};
use crate::tls::{ClientAuthMode, Fit};

use super::addresses::admit_address;
use super::clock::WallClock;
use super::identify::{Caller, identify};
use super::named::protect_named;
use super::protect::{Admitted, protect};
use super::rejection::Rejection;
use super::request::{Identity, Request};
use super::resolve::{check, check_slashes, resolve};
use super::snapshot::Snapshot;

/// What is to become of a request.
#[derive(Debug)]
pub(super) enum Plan<'p> {
    /// It asks how the gateway is, and is answered.
    Health,
    /// The client is sent to the same URL with `https`.
    ToHttps,
    /// A certificate authority asks whether a name leads here, and is answered with this.
    Challenge(String),
    /// A browser asks what a page may send, and is answered; no service is asked.
    Preflight,
    /// It is refused, and counts for nobody.
    Refuse(Rejection),
    /// It counts against the caller's limits, and then, unless one of them refuses it, it goes on.
    Count(Admitted<'p>, Then<'p>),
}

/// What is to become of a request that no limit refuses.
#[derive(Debug)]
pub(super) enum Then<'p> {
    /// It is refused; a 404 counts, too.
    Refuse(Rejection),
    /// It was to come no further than here, and is answered.
    LastHop,
    /// It goes to the route's upstream, by its index.
    Forward(&'p Route, usize),
    /// The client is sent elsewhere.
    Redirect(&'p Route, &'p Redirect),
    /// It is answered as the route says.
    Respond(&'p FixedAnswer),
}

/// What a plan is made for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose<'p> {
    /// To be carried out; the request began at this moment.
    Serve(&'p WallClock, Instant),
    /// To be told. With a client the caller is that one, whatever key was sent.
    Explain(Option<&'p Client>),
}

/// Plans a request, and notes in it what was understood on the way.
pub(super) fn plan<'p>(
    request: &mut Request<'p>,
    snapshot: &'p Snapshot,
    purpose: Purpose<'p>,
) -> Plan<'p> {
    steps(request, snapshot, purpose).unwrap_or_else(Plan::Refuse)
}

/// What becomes of a request while the worker cannot keep up: it is refused before anything is done
/// for it, with the fields that its route asks for. `None`: it goes its ordinary way, for it asks about
/// the gateway itself or what a page may send, or is refused anyway.
pub(super) fn shed<'p>(request: &mut Request<'p>, snapshot: &'p Snapshot) -> Option<Plan<'p>> {
    let head = request.head;
    let target = RequestTarget::parse(head.target(), &head.method).ok()?;
    if asks_about_gateway(&target, &head.method, snapshot).is_some() {
        return None;
    }
    request.body = head.body.ok()?;
    request.host = target.authority.unwrap_or(request.host);
    if target.path != b"*" {
        request.path = Some(RequestPath::parse(target.path).ok()?);
    }
    // A page whose preflight is refused cannot read that the gateway has no room.
    if is_preflight(request, snapshot).ok()? {
        return None;
    }
    if let Some(route) = find(request, snapshot, &head.method).and_then(Resolved::route) {
        request.note_rules(route);
    }
    Some(Plan::Refuse(Rejection::Overloaded))
}

/// What is answered before anything else is asked: how the gateway is, and whether a name leads here.
fn asks_about_gateway<'p>(
    target: &RequestTarget<'_>,
    method: &Method,
    snapshot: &Snapshot,
) -> Option<Plan<'p>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    if target.path == b"/health" {
        return Some(Plan::Health);
    }
    snapshot.challenges.answer(target.path).map(Plan::Challenge)
}

fn steps<'p>(
    request: &mut Request<'p>,
    snapshot: &'p Snapshot,
    purpose: Purpose<'p>,
) -> Result<Plan<'p>, Rejection> {
    let head = request.head;
    let target = read_target(request, snapshot)?;
    if let Some(plan) = asks_about_gateway(&target, &head.method, snapshot) {
        return Ok(plan);
    }
    // `OPTIONS *` has none.
    if target.path != b"*" {
        request.path = Some(RequestPath::parse(target.path)?);
    }
    if is_redirected(request, snapshot)? {
        return Ok(Plan::ToHttps);
    }
    if is_preflight(request, snapshot)? {
        return Ok(Plan::Preflight);
    }
    // Looked up at once, for a route has rules about who may come in; what the look-up says becomes
    // of the request once that is known.
    let found = find(request, snapshot, &head.method);
    let route = found.and_then(Resolved::route);
    if let Some(route) = route {
        request.note_rules(route);
    }
    request.found = found.and_then(Resolved::named);
    if let Some(name) = snapshot.access.names.via
        && has_looped(&head.fields, name)
    {
        return Err(Rejection::LoopDetected);
    }
    check_path(route, request)?;
    admit_address(snapshot, route, request)?;

    let caller = identify_caller(request, snapshot, purpose)?;
    let (Some(path), Some(found)) = (&request.path, found) else {
        return Err(Rejection::AsksAboutAll);
    };
    let admitted = protect(
        &snapshot.access,
        route.map(|route| &**route),
        &head.method,
        path,
        caller,
    )
    .and_then(|admitted| {
        protect_named(request, snapshot, route, caller)?;
        Ok(admitted)
    });
    let admitted = admitted.map_err(|rejection| match request.identity {
        Some(Identity::InvalidKey(_)) => Rejection::InvalidApiKey,
        _ => rejection,
    })?;
    // A route has limits of its own and a cost, so it is known before the request is counted.
    let then = match resolve(found, &snapshot.routes, request.host, &head.method, path) {
        Ok(route) => {
            request.route = Some(route);
            then(request, route, path)
        }
        Err(rejection) => Then::Refuse(rejection),
    };
    Ok(Plan::Count(admitted, then))
}

/// Reads how long the request's body is and what it asks for, and notes that.
fn read_target<'p>(
    request: &mut Request<'p>,
    snapshot: &Snapshot,
) -> Result<RequestTarget<'p>, Rejection> {
    let head = request.head;
    request.body = head.body?;
    // Many frameworks write methods in upper case before they look at them.
    let is = |method: &Method| method.as_str().eq_ignore_ascii_case(head.method.as_str());
    if is(&Method::CONNECT) || is(&Method::TRACE) {
        return Err(Rejection::NotImplemented(
            "CONNECT and TRACE are not passed on.".into(),
        ));
    }
    let target = RequestTarget::parse(head.target(), &head.method)
        .map_err(|why| Rejection::BadRequest(why.to_string().into()))?;
    request.target = Some(target);
    if let Some(query) = target.query {
        let without = snapshot.access.names.key_sources.query_without_keys(query);
        request.query_without_keys = without.map(Vec::into_boxed_slice);
    }
    // RFC 9112 section 3.2.2: what the target says counts, and the Host field is ignored.
    request.host = target.authority.unwrap_or(request.host);
    Ok(target)
}

/// Whether the client is sent to the same URL with `https`.
fn is_redirected(request: &Request<'_>, snapshot: &Snapshot) -> Result<bool, Rejection> {
    match request.peer.entry {
        Entry::Plain => Ok(false),
        Entry::Redirecting if came_by_https(request, snapshot) => Ok(false),
        Entry::Redirecting if snapshot.has_https(request.host) => Ok(true),
        Entry::Redirecting => Err(Rejection::NoRoute),
        Entry::Tls(tls) => match snapshot.fit(tls, request.host) {
            Fit::Fits => Ok(false),
            Fit::OtherHost => Err(Rejection::Misdirected { outdated: false }),
            Fit::Outdated => Err(Rejection::Misdirected { outdated: true }),
        },
    }
}

/// Whether a trusted proxy has ended the client's TLS: sent to `https`, it would come back here. Not where
/// certificates of clients are required, for which nobody was asked then.
fn came_by_https(request: &Request<'_>, snapshot: &Snapshot) -> bool {
    let client_auth = snapshot.tls.as_ref().and_then(|tls| tls.client_auth());
    let required = client_auth.is_some_and(|it| it.mode() == ClientAuthMode::Required);
    !required && request.public_origin().0 == b"https"
}

/// What is to become of a request of this route, unless a limit refuses it.
fn then<'p>(request: &Request<'p>, route: &'p Route, path: &RequestPath) -> Then<'p> {
    let head = request.head;
    match check(route, path, request.body) {
        Ok(()) if max_forwards(&head.method, &head.fields) == Some(0) => Then::LastHop,
        Ok(()) => match &route.action {
            Action::Forward(upstream) => Then::Forward(route, *upstream),
            Action::Redirect(redirect) => Then::Redirect(route, redirect),
            Action::Respond(answer) => Then::Respond(answer),
        },
        Err(rejection) => Then::Refuse(rejection),
    }
}

/// Finds out who is calling, and notes it. With a wrong key that stands in a cookie alone the caller is
/// anonymous, and the request's identity says what is wrong with the key.
fn identify_caller<'p>(
    request: &mut Request<'p>,
    snapshot: &'p Snapshot,
    purpose: Purpose<'p>,
) -> Result<Caller<'p>, Rejection> {
    if let Purpose::Explain(Some(client)) = purpose {
        let caller = Caller::Identified(client);
        request.identity = Some(Identity::Known(caller));
        return Ok(caller);
    }
    let query = request.target.and_then(|target| target.query);
    let fields = &request.head.fields;
    let certificate = request.peer.tls().and_then(TlsPeer::certificate);
    let identified = identify(
        &snapshot.access,
        fields,
        query,
        request.address,
        certificate,
    );
    if let (Some(used), Purpose::Serve(clock, begun)) = (identified.used, purpose) {
        used.note(clock.second(begun));
    }
    request.key = identified.key;
    request.identity = Some(match identified.caller {
        Ok(caller) => Identity::Known(caller),
        Err(fault) => Identity::InvalidKey(fault),
    });
    match identified.caller {
        Ok(caller) => Ok(caller),
        Err(_) if identified.by_cookie => Ok(Caller::Anonymous(request.address)),
        Err(_) => Err(Rejection::InvalidApiKey),
    }
}

/// Looks up the route of a request, as if it had this method.
fn find<'p>(
    request: &Request<'p>,
    snapshot: &'p Snapshot,
    method: &Method,
) -> Option<Resolved<'p>> {
    let path = request.path.as_ref()?;
    Some(snapshot.routes.find(request.host, method, path.as_str()))
}

/// Whether the request is a preflight that is answered here. Where no CORS is configured it is a
/// request like any other, for the service to answer.
fn is_preflight<'p>(request: &mut Request<'p>, snapshot: &'p Snapshot) -> Result<bool, Rejection> {
    let head = request.head;
    let asked = preflight_method(&head.method, &head.fields);
    let Some(found) = asked.and_then(|asked| find(request, snapshot, &asked)) else {
        return Ok(false);
    };
    let route = found.route();
    if let Some(route) = route {
        request.note_rules(route);
    }
    if request.cors.is_some() {
        request.found = found.named();
        check_path(route, request)?;
        admit_address(snapshot, route, request)?;
        request.route = route;
    }
    Ok(request.cors.is_some())
}

/// Refuses a path that is ambiguous on this route before it is asked who is calling, as one that is
/// ambiguous on all.
fn check_path(route: Option<&Arc<Route>>, request: &Request<'_>) -> Result<(), Rejection> {
    let route = route.map(|route| &**route);
    request
        .path
        .as_ref()
        .map_or(Ok(()), |path| check_slashes(route, path))
}
