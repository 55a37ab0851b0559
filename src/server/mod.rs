//! Listeners and the connections that come in through them. Each worker has listening sockets of
//! its own; what a connection does stays on its worker's thread.

mod accept;
mod address;
mod announced;
mod connections;
mod h1;
mod handshakes;
mod inherited;
mod listen;
mod room;
mod secured;
mod shares;
mod worker;

pub use address::{ListenAddress, Serves};
pub use inherited::{Inherited, Listener, Listening};
pub use listen::{BindError, Claimed, Listeners, claim};
pub use room::Room;
pub use worker::{Phase, WorkerParts, run_worker};
