//! What the user wrote: a mirror of the schema, key for key, in which every value has its type and
//! its place. What is not written is absent; defaults, and whether things fit together, are decided
//! when this is compiled.

mod access;
mod limits;
mod redis;
mod routes;
mod server;
mod upstreams;

pub(super) use access::{AccessTable, ClientTable, KeyEntry};
pub(super) use limits::{Algorithm, LimitTable, LimitsTable, PolicyTable};
pub(super) use redis::{RedisMode, RedisTable};
pub(super) use routes::{RouteTable, flat_routes};
pub(super) use server::{AdminTable, LogTable, ServerTable};
pub(super) use upstreams::UpstreamTable;

use std::net::SocketAddr;
use std::path::PathBuf;

use super::problems::Problems;
use super::reader::Table;
use super::source::At;
use super::tree::Node;

/// The whole file.
#[expect(
    clippy::struct_field_names,
    reason = "fields are called as the keys are"
)]
pub(super) struct File {
    pub listen: Option<At<Vec<At<SocketAddr>>>>,
    pub routes_file: Option<At<PathBuf>>,
    /// Those of `[routes]` and of `[[route]]`.
    pub routes: Vec<RouteTable>,
    pub upstreams: Vec<UpstreamTable>,
    pub access: AccessTable,
    pub clients: Vec<ClientTable>,
    pub limits: LimitsTable,
    pub server: ServerTable,
    pub admin: AdminTable,
    pub log: LogTable,
}

/// Reads a file. What does not fit goes to `problems` and is left out.
pub(super) fn read(tree: Node, problems: &mut Problems) -> Option<File> {
    let mut table = Table::of(tree, "", problems)?;
    let file = File {
        listen: table.one_or_more("listen", problems),
        routes_file: table.read("routes_file", problems),
        routes: routes::read(&mut table, problems),
        upstreams: upstreams::read(&mut table, problems),
        access: AccessTable::read(table.table("access", problems), problems),
        clients: access::clients(&mut table, problems),
        limits: LimitsTable::read(table.table("limits", problems), problems),
        server: ServerTable::read(table.table("server", problems), problems),
        admin: AdminTable::read(table.table("admin", problems), problems),
        log: LogTable::read(table.table("log", problems), problems),
    };
    table.finish(problems);
    Some(file)
}
