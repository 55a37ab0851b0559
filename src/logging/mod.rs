//! Where log lines go: the operator's log to standard error, access lines to where the
//! configuration says. Lines pass through a bounded queue to a thread of their own, so that a slow
//! or full disk never holds up a request; lines that find no room are counted and dropped.
//! The last lines of the operator's log are kept as values as well.

mod access;
mod events;
mod losses;
mod members;
mod operator;
mod sink;
mod tap;
mod target;

pub use access::AccessLines;
pub use events::{Event, Events, Mark};
pub(crate) use members::start;
pub use members::{Lines, Member, Members, Sample, Start};
pub use operator::{LogLevel, OperatorLog, start_operator_log};
pub use sink::Sink;
pub use tap::{Following, Heard, Tap};
pub use target::Target;
