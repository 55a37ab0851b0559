//! The operator's log and the access log.
