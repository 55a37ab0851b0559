//! The rules of HTTP that need no socket: paths, targets, forwarding fields, what must not be
//! passed on.

pub mod answer;
pub mod caller;
pub mod escapes;
pub mod forward;
pub mod hop;
pub mod path;
#[cfg(test)]
pub(crate) mod readings;
pub mod target;
