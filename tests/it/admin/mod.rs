//! The operator's own port: what answers there, to whom, and through starts, drains and hand-overs.

mod api;
mod browsers;
mod certificates;
mod changes;
mod explain;
mod handed_over;
mod losses;
mod metric_names;
mod openapi;
mod port;
mod requests;
mod security;
mod slow_readers;
mod store;
mod stream;
mod tail;
