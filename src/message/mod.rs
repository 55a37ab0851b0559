//! The rules of HTTP that need no socket: paths, targets, forwarding fields, what must not be
//! passed on.

pub mod address_rules;
pub mod answer;
pub mod body;
pub mod bytes;
pub mod caller;
pub mod connection_auth;
pub mod cookies;
pub mod cors;
pub mod escapes;
pub mod field_rules;
pub mod fields;
pub mod forward;
pub mod head;
pub mod hex;
pub mod hop;
pub mod host;
pub mod key_sources;
pub mod known_field;
pub mod lenient;
#[cfg(test)]
pub(crate) mod lenient_servers;
pub mod mapping;
pub mod method;
pub mod own_keys;
pub mod own_target;
pub mod own_urls;
pub mod path;
#[cfg(test)]
pub(crate) mod processor_time;
pub mod protocol;
pub mod sink;
pub mod target;
pub mod via;
