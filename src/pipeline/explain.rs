//! What would become of a request: its head is read as the gateway reads it, and the plan is
//! described that the gateway would carry out.

mod certificate;
mod endpoints;
mod keys;
mod limits;
mod outage;
mod question;
mod routes;
mod text;
mod who;

pub use certificate::{AskedLine, CertificateLine};
pub use endpoints::EndpointLine;
pub use limits::LimitLine;
pub use question::Question;
pub use routes::{NearMissLine, RouteLine};
pub use who::AllowLine;

use http::StatusCode;
use serde::Serialize;

use crate::client::Client;
use crate::message::caller::Peer;
use crate::message::cors;
use crate::message::fields::HeadStorage;
use crate::message::head::RequestHead;
use crate::message::path::RequestPath;
use crate::message::target::host_without_port;
use crate::wire::head::read_request;
use crate::wire::scan::HeadScanner;

use self::endpoints::describe_endpoints;
use self::limits::{describe_limit_of_invalid_keys, describe_limits};
use self::routes::describe_route;
use super::identify::Caller;
use super::plan::{Plan, Purpose, Then, plan};
use super::protect::Admitted;
use super::rejection::Rejection;
use super::request::{Identity, Request};
use super::snapshot::Snapshot;

/// What would become of a request, stage by stage; later stages are empty once one has refused it.
#[derive(Debug, Default, Serialize)]
pub struct Explanation {
    /// As it came.
    pub method: String,
    /// The target as it came.
    pub target: String,
    /// Without its port.
    pub host: String,
    /// The certificates that the host has, if the request comes with TLS: a client is shown the first that
    /// it can check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificates: Option<Vec<CertificateLine>>,
    /// What the client is asked for in the handshake, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<AskedLine>,
    /// The canonical path.
    pub path: Option<String>,
    /// How the path came about; empty if it was canonical as it came.
    pub path_steps: Vec<&'static str>,
    /// The client's name, if it is an identified one.
    pub client: Option<String>,
    /// `anonymous`, `identified` or `invalid`.
    pub client_kind: Option<&'static str>,
    /// Why the key that was sent is not accepted, or no key of the client that was named would be; the client
    /// is not told.
    pub key_fault: Option<String>,
    /// Where the request comes from.
    pub ip: String,
    /// What is said of that address, if anything is.
    pub address: Option<String>,
    /// The protected prefix that it lies under.
    pub protected_by: Option<String>,
    /// The exception from protection that it lies under.
    pub public_by: Option<String>,
    /// The lists of clients that have to let it in.
    pub allow: Vec<AllowLine>,
    /// What pages of other origins may do with it, if that is configured.
    pub cors: Option<String>,
    /// The limits that it would count against.
    pub limits: Vec<LimitLine>,
    /// The route that wins.
    pub route: Option<RouteLine>,
    /// The routes that were passed over, the nearest first.
    pub near_misses: Vec<NearMissLine>,
    /// What the gateway would answer by itself, if that is no refusal.
    pub answers: Option<String>,
    /// The URL that would be sent; its path alone where it is not certain which of several endpoints gets it.
    pub sends: Option<String>,
    /// The endpoints that it may be sent to.
    pub endpoints: Vec<EndpointLine>,
    /// Which of several endpoints is picked.
    pub picks: Option<String>,
    /// As whose the connection to it is announced, if it is.
    pub announces: Option<String>,
    /// The status of that answer.
    pub answers_with: Option<u16>,
    /// The refusal, if it would be refused.
    pub refused: Option<Refusal>,
}

impl Explanation {
    /// The status of the answer; 200 if it is for a service to say.
    pub fn status(&self) -> u16 {
        let refused = self.refused.as_ref().map(|refusal| refusal.status);
        refused.or(self.answers_with).unwrap_or(200)
    }

    fn answer(&mut self, status: StatusCode, what: &str) {
        let status = status.as_u16();
        self.answers = Some(format!("{status}: {what}"));
        self.answers_with = Some(status);
    }
}

/// A refusal, as the client would get it.
#[derive(Debug, Serialize)]
pub struct Refusal {
    /// The answer's status.
    pub status: u16,
    /// The stable name of the reason.
    pub code: &'static str,
    /// The sentence that the client gets.
    pub detail: String,
}

/// Explains a request by its very bytes, up to the end of its head. `as_client` stands in for a key
/// of that client, which nobody here knows.
///
/// # Errors
/// When the bytes are more or less than a head, or have a key beside the client.
pub fn explain(
    snapshot: &Snapshot,
    bytes: Vec<u8>,
    peer: Peer<'_>,
    as_client: Option<&Client>,
) -> Result<Explanation, Unclear> {
    let mut explanation = Explanation {
        ip: peer.address.to_canonical().to_string(),
        ..Explanation::default()
    };
    let limits = &snapshot.head_limits;
    let rejection = match HeadScanner::default().find_end(&bytes, limits) {
        Err(error) => Some(error.into()),
        Ok(end) if end != Some(bytes.len()) => return Err(Unclear::NotOneHead),
        Ok(_) => match read_request(HeadStorage::from(bytes), limits) {
            Err(error) => Some(error.into()),
            Ok(head) if as_client.is_some() && keys::are_sent(snapshot, &head) => {
                return Err(Unclear::TwoCallers);
            }
            Ok(head) => describe(&mut explanation, snapshot, &head, peer, as_client),
        },
    };
    explanation.refused = rejection.map(|rejection| Refusal::of(&rejection, snapshot));
    Ok(explanation)
}

impl Refusal {
    fn of(rejection: &Rejection, snapshot: &Snapshot) -> Self {
        let detail = rejection.detail(&snapshot.access.names.key_sources);
        Self {
            status: rejection.status().as_u16(),
            code: rejection.code(),
            detail: detail.into_owned(),
        }
    }
}

/// Why a question cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum Unclear {
    /// What was to be explained is not the head of one request.
    #[error("a request has no empty line before its end")]
    NotOneHead,
    /// It says twice who asks.
    #[error("a client is named, and the request has a key: both say who asks, give one of the two")]
    TwoCallers,
}

/// Describes the plan that the gateway makes; returns the refusal that it comes to, if it does.
fn describe(
    explanation: &mut Explanation,
    snapshot: &Snapshot,
    head: &RequestHead,
    peer: Peer<'_>,
    as_client: Option<&Client>,
) -> Option<Rejection> {
    let mut request = Request::new(snapshot, head, &peer);
    let plan = plan(&mut request, snapshot, Purpose::Explain(as_client));
    explanation.method = head.method.to_string();
    explanation.target = target_without_keys(&request);
    explanation.host = String::from_utf8_lossy(host_without_port(request.host)).into_owned();
    certificate::describe(explanation, snapshot, peer);
    explanation.ip = request.address.to_canonical().to_string();
    if let (Some(path), Some(target)) = (&request.path, request.target) {
        explanation.path = Some(path.as_str().to_owned());
        explanation.path_steps = RequestPath::steps(target.path);
    }
    describe_caller(
        explanation,
        snapshot,
        &request,
        matches!(plan, Plan::Count(..)),
    );
    explanation.address = who::address(snapshot, &request);
    explanation.cors = cors_of(&request);
    match plan {
        Plan::Preflight => {
            explanation.answer(StatusCode::NO_CONTENT, "a preflight, which no service gets");
            describe_route(explanation, snapshot, &request);
        }
        Plan::ToHttps => {
            explanation.answer(StatusCode::PERMANENT_REDIRECT, "the same URL with https");
        }
        Plan::Health => explanation.answer(StatusCode::OK, "the gateway's own health check"),
        Plan::Challenge(_) => {
            let what = "an answer to a certificate authority's challenge";
            explanation.answer(StatusCode::OK, what);
        }
        Plan::Refuse(rejection) => {
            if matches!(rejection, Rejection::InvalidApiKey) {
                describe_limit_of_invalid_keys(explanation, snapshot, &request);
            }
            return Some(rejection);
        }
        Plan::Count(admitted, then) => {
            if let Some(Identity::InvalidKey(_)) = request.identity {
                describe_limit_of_invalid_keys(explanation, snapshot, &request);
            }
            describe_limits(explanation, snapshot, &request, &admitted);
            describe_route(explanation, snapshot, &request);
            return describe_then(explanation, snapshot, &request, &admitted, then);
        }
    }
    None
}

/// Describes what becomes of a request that no limit refuses; returns the refusal that it comes to, if it
/// does.
fn describe_then(
    explanation: &mut Explanation,
    snapshot: &Snapshot,
    request: &Request<'_>,
    admitted: &Admitted<'_>,
    then: Then<'_>,
) -> Option<Rejection> {
    match then {
        Then::Refuse(rejection) => return Some(rejection),
        Then::LastHop => {
            explanation.answer(StatusCode::OK, "Max-Forwards is 0, so it goes no further");
        }
        Then::Forward(route, upstream) => {
            let client = admitted.caller().client();
            let client = client.map(|client| client.name.as_str());
            let upstream = &snapshot.upstreams[upstream];
            return describe_endpoints(explanation, upstream, request, route, client);
        }
        Then::Redirect(route, redirect) => {
            let mut text = b"it is at ".to_vec();
            if let Some(path) = &request.path {
                let query = request.query();
                redirect
                    .to
                    .put(&mut text, &route.prefix, path.as_str(), query);
            }
            explanation.answer(redirect.status, &String::from_utf8_lossy(&text));
        }
        Then::Respond(fixed) => {
            let text = format!("the route's own answer, {} bytes", fixed.body.len());
            explanation.answer(fixed.status, &text);
        }
    }
    None
}

/// Describes who is calling and what protects the path. `counts`: it was not refused for its key or what is protected.
fn describe_caller(
    explanation: &mut Explanation,
    snapshot: &Snapshot,
    request: &Request<'_>,
    counts: bool,
) {
    explanation.client_kind = request.identity.map(|identity| match identity {
        Identity::InvalidKey(_) => "invalid",
        Identity::Known(Caller::Anonymous(_)) => "anonymous",
        Identity::Known(Caller::Identified(_)) => "identified",
    });
    if let Some(Identity::InvalidKey(fault)) = request.identity {
        explanation.client = fault.client().map(|client| client.name.as_str().to_owned());
        explanation.key_fault = Some(fault.to_string());
    }
    if let Some(Identity::Known(caller)) = request.identity {
        let client = caller.client();
        explanation.client = client.map(|client| client.name.as_str().to_owned());
        who::describe_protection(explanation, snapshot, request, client);
    } else if counts {
        who::describe_protection(explanation, snapshot, request, None);
        let anonymous = ", in a cookie: where nothing is protected the caller is anonymous";
        explanation.key_fault = explanation.key_fault.take().map(|fault| fault + anonymous);
    }
}

/// The target as it came, but for keys in its query.
fn target_without_keys(request: &Request<'_>) -> String {
    let target = request.head.target();
    let mut shown = String::from_utf8_lossy(target).into_owned();
    if let (Some(_), Some(end)) = (&request.query_without_keys, shown.find('?')) {
        let rest = request.query().map(String::from_utf8_lossy);
        shown.truncate(end);
        shown.extend(rest.map(|rest| format!("?{rest}")));
    }
    shown
}

/// Says of which origins pages may call, or whether the one that the request names is among them.
fn cors_of(request: &Request<'_>) -> Option<String> {
    let (cors, fields) = request.cors()?;
    let text = match (cors::origin(fields), cors.origins()) {
        (None, None) => "pages of any origin may call".to_owned(),
        (None, Some(origins)) => format!("pages of {} may call", origins.join(", ")),
        (Some(origin), _) => {
            let name = String::from_utf8_lossy(origin);
            if cors.allows(origin) {
                format!("pages of {name} may call")
            } else {
                return Some(format!("pages of {name} may not call: it is not listed"));
            }
        }
    };
    let credentials = if cors.has_credentials() {
        ", with credentials"
    } else {
        ""
    };
    Some(text + credentials)
}
