//! What the old gateway ceases to do for its successor, and does again if that never serves.

use tokio::sync::watch;

use crate::admin::Presence;
use crate::limit::StateFile;

/// Something that is undone at the end of this, unless it is kept.
pub(super) struct UndoUnlessKept<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> UndoUnlessKept<F> {
    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl<F: FnOnce()> Drop for UndoUnlessKept<F> {
    fn drop(&mut self) {
        if let Some(undo) = self.0.take() {
            undo();
        }
    }
}

/// Ceases to write a state file.
pub(super) fn rest(file: &StateFile) -> UndoUnlessKept<impl FnOnce()> {
    file.rest();
    UndoUnlessKept(Some(|| file.resume()))
}

/// Keeps operators from changing anything. Waits for a change that is being made.
pub(super) fn refuse_changes(presence: &watch::Sender<Presence>) -> UndoUnlessKept<impl FnOnce()> {
    set(presence, Presence::Here, Presence::HandingOver);
    UndoUnlessKept(Some(|| {
        set(presence, Presence::HandingOver, Presence::Here);
    }))
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
        let no_changes = refuse_changes(&presence);
        assert_eq!(*presence.borrow(), Presence::HandingOver);
        drop(no_changes);
        assert_eq!(*presence.borrow(), Presence::Here);
        refuse_changes(&presence).keep();
        assert_eq!(*presence.borrow(), Presence::HandingOver);
        presence.send_replace(Presence::Ended);
        drop(refuse_changes(&presence));
        assert_eq!(*presence.borrow(), Presence::Ended);
    }
}
