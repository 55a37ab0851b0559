//! The operator's own port: what the gateway does and why, for people and for programs. It has a thread
//! of its own, with a runtime of its own, so that nothing that is asked here holds up a request; it reads
//! what the gateway shares ([`View`]) and takes no part in serving.
//!
//! `socket` claims where it listens, `serve` accepts and bounds connections, `guard` decides who may ask what,
//! `router` says what is where, `answer` completes answers; `changes` has what operators may change, `changer` who may, `health` says what the gateway lacks, `exposition`
//! what it has counted, `page` has the dashboard's files.

mod access;
mod answer;
mod api;
mod assessment;
mod body;
mod caller;
mod changer;
mod changes;
mod exposition;
mod filter;
mod guard;
mod health;
mod history;
mod live;
mod login;
mod page;
mod problem;
mod process;
mod reloads;
mod router;
mod serve;
mod sessions;
mod socket;
mod stream;
mod tail;
mod tick;
mod time;
mod tries;
mod view;

pub use access::{Doorkeeper, Grant, Operator, Proof};
pub use exposition::Scrapes;
pub use health::{Reason, reasons};
pub use live::Live;
pub use problem::Problem;
pub use process::Process;
pub use reloads::{Done, InForce, Last, Outcome, Reloads};
pub use serve::{MOST_CONNECTIONS, Parts, run};
pub use socket::{AdminSocket, ClaimError, Given, Port, claim, unusable};
pub use view::{Presence, View};
