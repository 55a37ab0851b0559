//! Hand-overs as the main loop sees them: when one may begin, what is asked meanwhile, and what follows
//! from its end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

use super::Gateway;
use super::hand_over::{HandOverError, Heir, Offer, UnderWay};
use crate::admin::{AdminSocket, Presence, Reloads};
use crate::config;
use crate::server::Listener;

/// How long a successor may take until it could serve.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// A hand-over that has begun.
pub(super) struct Succession {
    under_way: UnderWay,
    /// This process was told to stop meanwhile.
    pub stop: bool,
    /// It was told to open its log anew, as the successor is once it serves.
    pub reopen: bool,
    /// Whatever asks for a reload counts here: a signal or an operator's request.
    reloads: Arc<Reloads>,
    /// How often one had been asked for when the successor was started.
    reloads_before: u64,
}

impl Succession {
    /// Begins to hand these sockets over. `None`: there is a reason against it, which the log then has.
    pub(super) fn begin(
        gateway: &Gateway,
        sockets: &[Listener],
        admin: &[AdminSocket],
        presence: &watch::Sender<Presence>,
    ) -> Option<Self> {
        if let Some(why) = reason_against(std::process::id(), &gateway.file) {
            refuse(why);
            return None;
        }
        let program = match &gateway.program {
            Ok(program) => program.clone(),
            Err(error) => {
                refuse(&format!("where the program is, is not known: {error}"));
                return None;
            }
        };
        // Before the successor can read the configuration.
        let reloads_before = gateway.reloads.times_asked();
        let sockets = sockets.iter().map(Listener::try_clone);
        let begun = sockets.collect::<Result<_, _>>().and_then(|sockets| {
            UnderWay::begin(Offer {
                program,
                sockets,
                admin: admin
                    .iter()
                    .map(AdminSocket::try_clone)
                    .collect::<Result<_, _>>()?,
                state: gateway.state.clone(),
                texts: gateway.reloads.in_force().written.texts.clone(),
                store: gateway.store.clone(),
                metrics: Arc::clone(&gateway.metrics),
                drains: gateway.drains.clone(),
                circuits: gateway.circuits.clone(),
                presence: presence.clone(),
                ready_within: READY_WITHIN,
            })
        });
        let under_way = begun.inspect_err(|error| refuse(&error.to_string()));
        Some(Self {
            under_way: under_way.ok()?,
            stop: false,
            reopen: false,
            reloads: Arc::clone(&gateway.reloads),
            reloads_before,
        })
    }

    /// Waits for the end.
    pub(super) async fn done(&mut self) -> Result<Heir, HandOverError> {
        self.under_way.done().await
    }

    /// Gives up, for this process is to stop.
    pub(super) fn give_up(&mut self) {
        self.stop = true;
        self.under_way.give_up();
    }

    /// What was asked of the old gateway since the successor was started.
    fn asked(&self) -> impl Iterator<Item = Signal> {
        let reload = self.reloads.times_asked() != self.reloads_before;
        let asked = [
            (reload, Signal::HUP),
            (self.reopen, Signal::USR1),
            (self.stop, Signal::TERM),
        ];
        asked
            .into_iter()
            .filter(|(asked, _)| *asked)
            .map(|(_, signal)| signal)
    }

    /// Tells the successor, which serves now, what was asked of the old gateway meanwhile. To be called when
    /// the old one refuses to reload: what it has answered till then is known here.
    pub(super) fn pass_on(&self, successor: u32) {
        let pid = i32::try_from(successor).ok().and_then(Pid::from_raw);
        for signal in self.asked() {
            // If it has ended, its parent finds out.
            let _ = pid.map(|pid| kill_process(pid, signal));
        }
    }
}

/// Says why nothing is handed over.
pub(super) fn refuse(why: &str) {
    tracing::error!("nothing is handed over: {why}");
}

/// Why a gateway like this one never hands over.
fn reason_against(process: u32, file: &Path) -> Option<&'static str> {
    if process == 1 {
        // All others of a container are killed with its process 1.
        return Some(
            "this is process 1, with which the container ends; start another container instead",
        );
    }
    config::is_stdin(file)
        .then_some("the configuration came from standard input, which cannot be read again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_replaced_is_not_tried() {
        let (file, stdin) = (Path::new("tollgate.toml"), Path::new("-"));
        assert_eq!(reason_against(2, file), None);
        assert!(reason_against(1, file).is_some_and(|why| why.contains("process 1")));
        assert!(reason_against(2, stdin).is_some_and(|why| why.contains("standard input")));
    }
}
