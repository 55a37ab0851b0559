//! Who may call: pages of other origins, groups of clients, addresses, and where a key may stand.

mod addresses;
mod cors;
mod keys;
mod named;
mod who;
