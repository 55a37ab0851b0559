//! Tollgate as its users meet it: the real binary, started on a free port, between clients and
//! upstreams that speak raw bytes. A test starts an upstream, starts a gateway, asks, asserts.
//! `support` holds the harness; every other module is one class of behaviour.

mod support;

mod access;
mod access_log;
mod acme;
mod admin;
mod benchmarks;
mod circles;
mod cli;
mod commands;
mod connection;
mod corpus;
mod deploy;
mod explain;
mod failing;
mod faults;
mod forwarding;
mod framing;
mod hand_over;
mod harness;
mod identity;
mod import;
mod layering;
mod lifecycle;
mod limits;
mod metrics;
mod rate_limits;
mod refusals;
mod tls;
mod traces;
mod unusable_files;
mod wire_oracles;
