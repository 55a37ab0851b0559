//! Boxes rare branches, so that the common future stays small: a future has the size of its largest
//! part, and its code stands in one function with all that it awaits.

use std::future::Future;
use std::pin::Pin;

/// A future in a box of its own, known by its interface alone so that its code stays apart as well.
#[cold]
#[inline(never)]
pub fn boxed_cold<'f, T>(
    future: impl Future<Output = T> + 'f,
) -> Pin<Box<dyn Future<Output = T> + 'f>> {
    Box::pin(future)
}
