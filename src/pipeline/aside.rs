//! Room of their own for what few requests come to. A future has the size of its largest part and
//! its code stands in one function with all that it awaits: what is rare would make every request's
//! future larger, and would stand between what every request runs through.

use std::future::Future;
use std::pin::Pin;

/// A future in a box of its own, known by its interface alone so that its code stays apart as well.
#[cold]
#[inline(never)]
pub fn aside<'f, T>(future: impl Future<Output = T> + 'f) -> Pin<Box<dyn Future<Output = T> + 'f>> {
    Box::pin(future)
}
