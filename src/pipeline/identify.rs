//! Stage 1: who is calling. No key is an anonymous caller; a known key an identified one; anything
//! else is refused on every route, for a key that cannot be read is not the same as none.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::client::Client;
use crate::message::fields::Fields;

use super::rejection::Rejection;
use super::snapshot::Access;

/// Who is calling.
#[derive(Debug, Clone, Copy)]
pub enum Caller<'s> {
    /// By its address.
    Anonymous(IpAddr),
    /// By its key.
    Identified(&'s Client),
}

impl<'s> Caller<'s> {
    /// The configured client, if it is one.
    #[must_use]
    pub fn client(self) -> Option<&'s Client> {
        match self {
            Self::Anonymous(_) => None,
            Self::Identified(client) => Some(client),
        }
    }
}

/// Identifies the caller by the key it sent. `address` is where the request comes from.
pub fn identify<'s>(
    access: &'s Access,
    fields: &Fields,
    address: IpAddr,
) -> Result<Caller<'s>, Rejection> {
    let mut keys = fields.get_all_named(&access.names.api_key);
    let Some(key) = keys.next() else {
        return Ok(Caller::Anonymous(address));
    };
    // Of two keys it is not for us to choose which one counts.
    let readable = keys.next().is_none() && !key.is_empty() && key.iter().all(u8::is_ascii_graphic);
    let client = if readable {
        access.keys.find(key, Timestamp::now)
    } else {
        None
    };
    client
        .map(|client| Caller::Identified(client))
        .ok_or(Rejection::InvalidApiKey)
}
