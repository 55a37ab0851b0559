//! What can be moved to another process: numbers that only grow.

/// Totals that can be moved.
pub(super) trait Movable: Default {
    /// Calls `each` with every number that only grows, in an order of its own.
    fn each(&mut self, each: &mut dyn FnMut(&mut u64));
}
