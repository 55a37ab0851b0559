//! The access log: one line a request, whatever becomes of it, with nothing secret in it.

mod choice;
mod departures;
mod files;
mod lines;
mod reasons;
