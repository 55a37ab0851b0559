//! What the old gateway ceases to do for its successor, and does again if that never serves.

use tokio::sync::watch;

use crate::admin::Presence;
use crate::limit::StateFile;

/// A state file that is not written; again from the end of this on, unless it is kept so.
pub(super) struct Resting<'f>(Option<&'f StateFile>);

impl<'f> Resting<'f> {
    pub(super) fn begin(file: &'f StateFile) -> Self {
        file.rest();
        Self(Some(file))
    }

    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Resting<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.0 {
            file.resume();
        }
    }
}

/// Operators change nothing; again from the end of this on, unless it is kept so.
pub(super) struct NoChanges<'p>(Option<&'p watch::Sender<Presence>>);

impl<'p> NoChanges<'p> {
    /// Waits for a change that is being made.
    pub(super) fn begin(presence: &'p watch::Sender<Presence>) -> Self {
        set(presence, Presence::Here, Presence::HandingOver);
        Self(Some(presence))
    }

    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for NoChanges<'_> {
    fn drop(&mut self) {
        if let Some(presence) = self.0 {
            set(presence, Presence::HandingOver, Presence::Here);
        }
    }
}

/// The process may end meanwhile, which stays so.
fn set(presence: &watch::Sender<Presence>, from: Presence, to: Presence) {
    presence.send_if_modified(|it| {
        let is_from = *it == from;
        if is_from {
            *it = to;
        }
        is_from
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_change_things_again_unless_a_successor_serves_or_the_process_ends() {
        let presence = watch::Sender::new(Presence::Here);
        let no_changes = NoChanges::begin(&presence);
        assert_eq!(*presence.borrow(), Presence::HandingOver);
        drop(no_changes);
        assert_eq!(*presence.borrow(), Presence::Here);
        NoChanges::begin(&presence).keep();
        assert_eq!(*presence.borrow(), Presence::HandingOver);
        presence.send_replace(Presence::Ended);
        drop(NoChanges::begin(&presence));
        assert_eq!(*presence.borrow(), Presence::Ended);
    }
}
