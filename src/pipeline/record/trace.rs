//! The trace that a request belongs to: found or begun with the request, told to the service with each try.
//! Only of one that is recorded more is noted; what that becomes is in `spans.rs`.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use http::StatusCode;

use crate::message::forward::ForwardedTrace;
use crate::traces::{Flags, SpanId, TraceId, TraceParent, TraceSettings, is_valid_state};
use crate::upstream::Endpoint;

use super::super::request::Request;
use super::Record;

/// The trace of one request.
#[derive(Debug)]
pub(super) struct Trace<'r> {
    pub id: TraceId,
    pub flags: Flags,
    /// The `tracestate` that came is passed on.
    pub keeps_state: bool,
    /// What is noted while the request is served; absent if the trace is not recorded.
    noted: RefCell<Option<Box<Noted<'r>>>>,
}

/// What the spans of a request are made of, beside its record.
#[derive(Debug)]
pub(super) struct Noted<'r> {
    /// The span of the whole request.
    pub id: SpanId,
    /// The caller's.
    pub parent: Option<SpanId>,
    /// The last one may be under way.
    pub tries: Vec<NotedTry<'r>>,
}

/// A try, from the moment that a connection is looked for.
#[derive(Debug)]
pub(super) struct NotedTry<'r> {
    pub id: SpanId,
    pub endpoint: &'r Endpoint,
    /// The address that it went to, as text.
    pub address: Option<Rc<str>>,
    pub begun: Instant,
    pub ended: Option<Instant>,
    /// Of the answer that has come.
    pub status: Option<StatusCode>,
    /// Why it has failed.
    pub error: Option<Cow<'static, str>>,
}

impl Trace<'_> {
    /// The trace of a request: the one that it says it belongs to, or a new one. Whether it is recorded is
    /// a trusted proxy's to say; of all others the configured share is.
    pub(super) fn of(request: &Request<'_>, settings: &TraceSettings) -> Self {
        let fields = &request.head.fields;
        let came = TraceParent::of(fields);
        let (id, flags, sampled) = match came {
            Some(came) if request.trusted => (came.trace_id, came.flags, came.flags.is_sampled()),
            Some(came) => (came.trace_id, came.flags, settings.sampler.draws()),
            None => {
                let id = TraceId::random();
                let sampled = settings.sampler.takes(id.randomness());
                (id, Flags::default(), sampled)
            }
        };
        let note = || {
            Box::new(Noted {
                id: SpanId::random(),
                parent: came.map(|came| came.parent_id),
                tries: Vec::new(),
            })
        };
        Self {
            id,
            flags: flags.sampled(sampled),
            keeps_state: came.is_some() && is_valid_state(fields),
            noted: RefCell::new(sampled.then(note)),
        }
    }
}

impl<'r> Record<'r> {
    /// The trace that the request belongs to. Where there are no traces, the one that its caller names.
    pub(in crate::pipeline) fn trace_id(&self) -> Option<TraceId> {
        let came = || TraceParent::of(&self.request?.head.fields).map(|came| came.trace_id);
        self.trace.as_ref().map(|trace| trace.id).or_else(came)
    }

    /// Whether its trace is recorded.
    pub(in crate::pipeline) fn is_sampled(&self) -> bool {
        self.trace
            .as_ref()
            .is_some_and(|trace| trace.flags.is_sampled())
    }

    /// What goes to the service with the try that is under way.
    pub(in crate::pipeline) fn forwarded_trace(&self) -> Option<ForwardedTrace> {
        let trace = self.trace.as_ref()?;
        let mut parent_id = None;
        self.note_try(|current| parent_id = Some(current.id));
        let sent = TraceParent {
            trace_id: trace.id,
            // A trace that is not recorded has no spans, and yet each hop has an id of its own.
            parent_id: parent_id.unwrap_or_else(SpanId::random),
            flags: trace.flags,
        };
        Some(ForwardedTrace {
            parent: sent.value(),
            keeps_state: trace.keeps_state,
        })
    }

    /// Notes that a connection to this endpoint is looked for.
    #[inline]
    pub(in crate::pipeline) fn begin_try(&self, endpoint: &'r Endpoint) {
        self.note(|noted| {
            noted.tries.push(NotedTry {
                id: SpanId::random(),
                endpoint,
                address: None,
                begun: self.now(),
                ended: None,
                status: None,
                error: None,
            });
        });
    }

    /// Notes the address that the try goes to.
    #[inline]
    pub(in crate::pipeline) fn try_goes_to(&self, address: &Rc<str>) {
        self.note_try(|current| current.address = Some(Rc::clone(address)));
    }

    /// Notes the status of the answer that has come.
    #[inline]
    pub(in crate::pipeline) fn try_answered(&self, status: StatusCode) {
        self.note_try(|current| current.status = Some(status));
    }

    /// Notes that the try has failed.
    #[inline]
    pub(in crate::pipeline) fn try_failed(&self, why: Cow<'static, str>) {
        self.note_try(|current| {
            current.ended = Some(self.now());
            current.error = Some(why);
        });
    }

    fn note_try(&self, note: impl FnOnce(&mut NotedTry<'r>)) {
        self.note(|noted| {
            if let Some(current) = noted.tries.last_mut() {
                note(current);
            }
        });
    }

    #[inline]
    fn note(&self, note: impl FnOnce(&mut Noted<'r>)) {
        if let Some(trace) = &self.trace
            && let Some(noted) = trace.noted.borrow_mut().as_mut()
        {
            note(noted);
        }
    }

    /// What has been noted, if the trace is recorded.
    pub(super) fn take_noted(&self) -> Option<(&Trace<'r>, Box<Noted<'r>>)> {
        let trace = self.trace.as_ref()?;
        Some((trace, trace.noted.take()?))
    }
}
