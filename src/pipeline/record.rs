//! What the access log tells of a request. A record is begun with the request and writes its one
//! line when it is dropped, whatever happened in between: served, refused, or the client gone.

mod facts;
mod kept;
mod line;
mod own_time;
mod spans;
mod trace;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderName, StatusCode};

use crate::limit::{Decision, Policy};
use crate::message::bytes::is_safe_name;
use crate::message::caller::Peer;
use crate::message::field_rules::Edit;
use crate::message::head::RequestHead;
use crate::metrics::recent::Seen;
use crate::metrics::{ClientKind, ClientOutcome, RouteRow, Served};
use crate::request_id;
use crate::upstream::Upstream;
use crate::wire::framing::keeps_alive;

use super::client_side::{After, ClientSide};
use super::codes;
use super::identify::Caller;
use super::rejection::Rejection;
use super::report::{Report, policies};
use super::request::{Identity, Request};
use super::worker::{Current, Worker};

use self::own_time::OwnTime;
use self::trace::Trace;

/// One request that is being served, with what its line will tell. Stages note what they find out;
/// both directions of a running exchange count into it, hence the cells.
#[derive(Debug)]
pub(super) struct Record<'r> {
    pub worker: &'r Worker,
    /// By what it is judged.
    pub current: &'r Current,
    begun: Instant,
    /// Where it is counted.
    row: &'r RouteRow,
    /// The time, once somebody has asked for it since the request last waited for anything.
    now: Cell<Option<Instant>>,
    /// `None` when no head could be read.
    request: Option<&'r Request<'r>>,
    peer: &'r Peer<'r>,
    pub request_id: RequestId<'r>,
    /// `None` where there are no traces, or no head could be read. In a box: most have none.
    trace: Option<Box<Trace<'r>>>,
    /// What its answer tells of the limits, once there is a count.
    pub report: Cell<Option<Report<'r>>>,
    /// The limit that could not be counted, if the request is refused for that.
    pub uncounted: Cell<Option<&'r Policy>>,
    upstream: Cell<Option<&'r Upstream>>,
    /// Where the last attempt went.
    pub endpoint: RefCell<Option<Rc<str>>>,
    pub attempts: Cell<u32>,
    /// Those attempts that have failed.
    pub tries: RefCell<Vec<FailedTry>>,
    /// The status that was sent.
    pub status: Cell<Option<StatusCode>>,
    pub code: Cell<Option<&'static str>>,
    /// What the request, or the service, has done that others with the same code have not.
    pub detail: RefCell<Option<Box<str>>>,
    /// How long the limits took to decide.
    pub limit_time: Cell<Option<Duration>>,
    /// From the end of what the service was sent to its answer's head.
    pub upstream_time: Cell<Option<Duration>>,
    own_time: OwnTime,
    pub bytes_in: Cell<u64>,
    pub bytes_out: Cell<u64>,
    /// Whether it is counted; a health check is not.
    pub counted: Cell<bool>,
    /// Whether the line belongs into the log; a health check's does not.
    pub logged: Cell<bool>,
}

/// An attempt that has failed.
#[derive(Debug)]
pub(super) struct FailedTry {
    /// The address that it went to, as text.
    pub endpoint: Rc<str>,
    /// A word.
    pub reason: Cow<'static, str>,
    pub took: Duration,
}

/// A request's id: its own, or one made here.
#[derive(Debug, Clone, Copy)]
pub(super) enum RequestId<'r> {
    Sent(&'r [u8]),
    Made(request_id::MadeId),
}

impl<'r> RequestId<'r> {
    /// The id that came with a request if it is safe to write, otherwise a fresh one.
    fn of(head: Option<&'r RequestHead>, name: &HeaderName) -> Self {
        if let Some(head) = head {
            let mut sent = head.fields.get_all_named(name);
            if let (Some(id), None) = (sent.next(), sent.next())
                && is_safe_name(id)
            {
                return Self::Sent(id);
            }
        }
        Self::Made(request_id::make())
    }

    /// The id's characters.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Sent(id) => id,
            Self::Made(id) => id,
        }
    }

    /// The id as text; ids are ASCII.
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(self.bytes()).unwrap_or("")
    }
}

impl<'r> Record<'r> {
    /// Begins the record of a request from `peer` that began at `begun`; without a request, of one
    /// that could not be read.
    pub(super) fn begin(
        worker: &'r Worker,
        current: &'r Current,
        peer: &'r Peer<'r>,
        request: Option<&'r Request<'r>>,
        begun: Instant,
    ) -> Self {
        let id = &current.snapshot.access.names.request_id;
        let route = request.and_then(|request| request.route.or(request.found));
        let row = current
            .measured
            .route(&worker.metrics, route.map(|route| &**route));
        row.in_flight.up();
        worker.metrics.row.in_flight.up();
        let traces = current.snapshot.traces.as_ref().zip(request);
        Self {
            worker,
            row,
            current,
            begun,
            now: Cell::new(Some(begun)),
            request,
            peer,
            request_id: RequestId::of(request.map(|request| request.head), id),
            trace: traces.map(|(settings, request)| Box::new(Trace::of(request, settings))),
            report: Cell::new(None),
            uncounted: Cell::new(None),
            upstream: Cell::new(None),
            endpoint: RefCell::new(None),
            attempts: Cell::new(0),
            tries: RefCell::default(),
            status: Cell::new(None),
            code: Cell::new(None),
            detail: RefCell::new(None),
            limit_time: Cell::new(None),
            upstream_time: Cell::new(None),
            own_time: OwnTime::begin(begun),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
            counted: Cell::new(true),
            logged: Cell::new(true),
        }
    }

    /// What was understood of the request, if its head could be read.
    pub(super) fn request(&self) -> Option<&'r Request<'r>> {
        self.request
    }

    /// What the route changes of the fields of answers, as far as the route is known.
    pub(super) fn edit_of_answer(&self) -> Option<Edit<'_>> {
        let request = self.request?;
        request.edit(request.response_headers, self.request_id.bytes())
    }

    /// Whether the client's connection may go on after this request.
    pub(super) fn goes_on(&self) -> bool {
        self.client_goes_on() && !self.worker.draining.get()
    }

    /// Whether the client means to go on.
    fn client_goes_on(&self) -> bool {
        let head = self.request.map(|request| request.head);
        head.is_some_and(|head| keeps_alive(head.version, &head.fields))
    }

    /// What becomes of the client's connection after an answer that is whole.
    pub(super) fn after(&self, goes_on: bool, client: &ClientSide<'_>) -> After {
        if goes_on {
            After::GoesOn
        } else if self.request.is_some() && client.end.is_taken() && !self.client_goes_on() {
            After::CloseNow
        } else {
            After::Close
        }
    }

    /// When the request began.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// The time now. As long as the request waits for nothing it is the same time for all who ask,
    /// and costs one look at the clock, or none where it has only just begun.
    pub(super) fn now(&self) -> Instant {
        let now = self.now.get().unwrap_or_else(Instant::now);
        self.now.set(Some(now));
        now
    }

    /// Notes that the request has to wait, so that time passes.
    pub(super) fn waits(&self) {
        self.now.set(None);
    }

    /// Notes that a service is asked from now on. What was done before took its time, however little:
    /// the clock is looked at again.
    pub(super) fn asks_service(&self) {
        let now = self.worker.clock.look();
        self.now.set(Some(now));
        self.own_time.pause(now);
    }

    /// Notes that it is not asked any more, and what it said is not passed on.
    pub(super) fn asked_in_vain(&self) {
        self.own_time.go_on(self.now());
    }

    /// Counts what each limit has said.
    pub(super) fn note_decisions(
        &self,
        own: Option<&Policy>,
        of_route: &[Arc<Policy>],
        decisions: &[Option<Decision>],
    ) {
        let Worker {
            metrics, limiter, ..
        } = self.worker;
        for (policy, decision) in policies(own, of_route).zip(decisions) {
            let decided = (policy, decision.as_ref());
            let measured = &self.current.measured;
            measured.note_decision(metrics, decided, limiter.asks_redis());
        }
    }

    /// Notes that it goes on, and where.
    pub(super) fn note_upstream(&self, upstream: &'r Upstream) {
        self.upstream.set(Some(upstream));
    }

    /// Notes what is particular about a refusal, unless more is known already.
    pub(super) fn note_detail(&self, rejection: &Rejection) {
        let known = self.detail.take();
        let detail = known
            .or_else(|| rejection.logged().map(Into::into))
            .or_else(|| match self.request.and_then(|request| request.identity) {
                Some(Identity::InvalidKey(fault)) => Some(fault.to_string().into()),
                _ => None,
            });
        self.detail.replace(detail);
    }
}

impl Record<'_> {
    /// Counts the request, which has ended.
    fn count(&self, took: Duration) {
        let metrics = &self.worker.metrics;
        let status = self.status_number();
        let code = self.code_or_gone();
        let (kind, of_client) = match self.request.and_then(|request| request.identity) {
            None => (ClientKind::Unknown, None),
            Some(Identity::Known(Caller::Anonymous(_))) => (ClientKind::Anonymous, None),
            Some(Identity::Known(Caller::Identified(client))) => (
                ClientKind::Identified,
                Some((client, outcome(code, status))),
            ),
            Some(Identity::InvalidKey(fault)) => {
                // Out of a cookie it is not always in the way, and other limits may be.
                let refused = code.is_some() && (status == 401 || self.has_tried_too_often());
                let client = fault.client().filter(|_| refused);
                let refused = client.map(|client| (client, ClientOutcome::Refused));
                (ClientKind::Invalid, refused)
            }
        };
        metrics.row.requests.increment();
        if let Some(code) = code {
            metrics.note_refused(code);
        }
        if let Some((client, outcome)) = of_client {
            self.current.measured.note_client(metrics, client, outcome);
        }
        // Last: whoever has seen the request in its route's row finds it in the others.
        self.row.note(&Served {
            kind,
            status,
            duration: took,
            overhead: self.own_time.up_to(self.begun + took),
            request_bytes: self.bytes_in.get(),
            response_bytes: self.bytes_out.get(),
        });
    }
}

impl Record<'_> {
    /// Whether the limit of wrong keys has refused it.
    fn has_tried_too_often(&self) -> bool {
        let of_wrong_keys = self.current.snapshot.limits.invalid_keys.as_deref();
        let limit = self.limit().zip(of_wrong_keys);
        limit.is_some_and(|(limit, of_wrong_keys)| ptr::eq(limit, of_wrong_keys))
            && self.status_number() == 429
    }
}

/// What has come of a client's request.
fn outcome(code: Option<&str>, status: u16) -> ClientOutcome {
    match (code, status) {
        (_, 500..) | (Some(codes::CLIENT_CLOSED), _) => ClientOutcome::Failed,
        (None, _) => ClientOutcome::Served,
        (Some(_), 429) => ClientOutcome::Limited,
        (Some(_), 400..) => ClientOutcome::Refused,
        // Its answer had begun.
        (Some(_), _) => ClientOutcome::Failed,
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        // Also where nothing is logged: the next rest of the connection begins at this look.
        let now = self.worker.clock.look();
        let took = now.saturating_duration_since(self.begun);
        self.row.in_flight.down();
        self.worker.metrics.row.in_flight.down();
        if self.counted.get() {
            self.count(took);
            self.hand_over_spans(took);
        }
        if !self.logged.get() {
            return;
        }
        let seen = Seen {
            status: self.status_number(),
            code: self.code_or_gone(),
            took,
            now,
        };
        self.worker.recent.note(&seen, |kind| self.kept(kind, took));
        if self.worker.access_lines.are_followed() {
            self.show(took);
        }
        let lines = &self.current.snapshot.access_lines;
        let weight = match &lines.sample {
            Some(sample) if self.went_well() => {
                if !sample.takes(fastrand::u64(..)) {
                    return;
                }
                Some(sample.weight())
            }
            _ => None,
        };
        self.worker.access_lines.add(|out| {
            if self.worker.pretty_access {
                self.put_pretty(out, took, weight);
            } else {
                self.put_json(out, lines.members, took, weight);
            }
        });
    }
}
