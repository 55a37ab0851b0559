//! The harness: a gateway process, an upstream that records and misbehaves, a client that reads
//! strictly. Every wait has a deadline, every port is picked by the system, and everything that
//! was started is stopped when the test ends.

mod access_line;
mod admin;
pub(crate) mod ari;
mod client;
pub(crate) mod collector;
mod command;
mod gateway;
pub(crate) mod grpc;
mod message;
mod metrics;
mod names;
pub(crate) mod pebble;
mod peer;
pub(crate) mod redis;
pub(crate) mod redis_cluster;
pub(crate) mod redis_sentinel;
pub(crate) mod redis_tls;
mod reload;
mod request;
mod shop;
mod silent;
mod successors;
mod table;
pub(crate) mod tls;
mod upstream;
mod wait;

pub(crate) use admin::{ask_at, with_admin};
pub(crate) use client::{Client, Ending, Response};
pub(crate) use command::{Finished, tollgate, tollgate_reading};
pub(crate) use gateway::{Gateway, folder_with};
pub(crate) use message::Broken;
pub(crate) use metrics::Scrape;
pub(crate) use peer::{Gone, Peer, Seen};
pub(crate) use reload::NamedFiles;
pub(crate) use request::{Request, latin1};
pub(crate) use shop::{KEY, Shop, UNGUARDED, hash_of};
pub(crate) use silent::Silent;
pub(crate) use successors::{open_files, wait_gone};
pub(crate) use table::each;
pub(crate) use upstream::Upstream;
pub(crate) use wait::{PATIENCE, as_many_as, eventually, eventually_within, noise, settled};
