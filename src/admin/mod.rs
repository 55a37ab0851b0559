//! The operator's own port: what the gateway does and why, for people and for programs. It has a thread
//! of its own, with a runtime of its own, so that nothing that is asked here holds up a request; it reads
//! what the gateway shares ([`View`]) and takes no part in serving.
//!
//! `socket` claims where it listens, `serve` accepts and bounds connections, `router` says what is where,
//! `health` what the gateway lacks, `exposition` what it has counted, `page` the dashboard's files.

mod exposition;
mod filter;
mod health;
mod page;
mod problem;
mod process;
mod router;
mod serve;
mod socket;
mod stream;
mod tail;
mod view;

pub use health::{Reason, reasons};
pub use problem::Problem;
pub use process::Process;
pub use serve::{MOST_CONNECTIONS, Parts, run};
pub use socket::{AdminSocket, ClaimError, Given, Port, claim};
pub use view::{Presence, View};
