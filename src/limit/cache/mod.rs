//! What a worker decides without asking Redis: it refuses a caller that Redis has refused, until that
//! caller may ask again, and admits a busy caller on permits that Redis has granted several at a time.

mod account;
mod leases;
mod refusals;
mod table;

pub(super) use leases::{Leases, Unused};
pub(super) use refusals::Refusals;
pub(super) use table::Table;
