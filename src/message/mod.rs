//! The rules of HTTP that need no socket: paths, forwarding fields, what must not be passed on.

pub mod path;
