//! TLS: in front of the gateway and towards services, with real clients and real certificates.

mod clients;
mod front;
mod programs;
mod redirect;
mod resumption;
mod rotation;
mod services;
