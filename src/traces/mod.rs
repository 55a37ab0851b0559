//! Traces: which trace a request belongs to (W3C Trace Context), whether it is recorded, and how spans get
//! to a collector (OTLP). What a span says of a request is the pipeline's to know.
//!
//! A span is encoded by the worker that made it and appended to a bounded queue; a thread of its own sends
//! the queue in batches. Whatever becomes of the collector, requests neither wait for it nor fail.

mod context;
mod exporter;
mod ids;
mod otlp;
mod queue;
mod sampling;
mod settings;
mod span;

pub use context::{Flags, TraceParent, is_valid_state};
pub use exporter::Traces;
pub use ids::{SpanId, TraceId};
pub use sampling::Sampler;
pub use settings::{Collector, Protocol, TraceSettings};
pub use span::{Kind, Span, Value};
