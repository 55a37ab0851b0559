//! The signals that the gateway obeys, from the first moment to the last.

use std::future::Future;
use std::io;

use nix::sys::signal::SigSet;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals as they come. Those that come while nobody looks are kept, as one of each kind.
pub(super) struct Signals {
    pub stop: Stop,
    pub reload: Signal,
    pub reopen: Signal,
    pub hand_over: Signal,
    /// A file has reached the limit of sizes. That somebody listens turns it into an error of the write.
    _file_size: Signal,
}

/// The signals that ask the gateway to stop.
pub(super) struct Stop {
    terminate: Signal,
    interrupt: Signal,
    /// By which nginx, and what is made to stop it, ends a process in order.
    quit: Signal,
}

impl Signals {
    /// Takes them from the system, which ends a process for each of them otherwise, or holds them back if
    /// the parent did. Called before there are other threads, which block what this one does.
    pub(super) fn take() -> io::Result<Self> {
        SigSet::all().thread_unblock()?;
        Ok(Self {
            stop: Stop {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                quit: signal(SignalKind::quit())?,
            },
            reload: signal(SignalKind::hangup())?,
            reopen: signal(SignalKind::user_defined1())?,
            hand_over: signal(SignalKind::user_defined2())?,
            _file_size: signal(SignalKind::from_raw(
                nix::sys::signal::Signal::SIGXFSZ as i32,
            ))?,
        })
    }

    /// Waits for `work`; gives it up, and returns nothing, when told to stop.
    pub(super) async fn unless_stopped<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stop.asked() => None,
            done = work => Some(done),
        }
    }
}

impl Stop {
    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
        }
    }
}
