//! Listeners and the connections that come in through them. Each worker has listening sockets of
//! its own; what a connection does stays on its worker's thread.

mod accept;
mod connections;
mod h1;
mod listen;
mod room;
mod shares;
mod worker;

pub use listen::{BindError, Claimed, claim};
pub use room::Room;
pub use worker::{Phase, WorkerParts, run_worker};
