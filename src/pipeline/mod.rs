//! The request path, from top to bottom.

pub mod snapshot;
