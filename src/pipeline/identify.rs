//! Stage 1: who is calling. No key is an anonymous caller, or the client of its certificate; a known key an
//! identified one; anything else, also a key and a certificate of different clients, is refused on every route, for a key that cannot be read is not the same as none. But for one
//! in a cookie, which a browser sends by itself, also to the page where somebody logs in again.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::client::{ApiKeyHash, Client, KeyFault, KeyId, LastUse, MAX_KEY};
use crate::message::fields::Fields;
use crate::message::key_sources::SentKey;
use crate::tls::ClientCertificate;

use super::snapshot::Access;

/// Who is calling.
#[derive(Debug, Clone, Copy)]
pub enum Caller<'s> {
    /// By its address.
    Anonymous(IpAddr),
    /// By its key or its certificate.
    Identified(&'s Client),
}

impl<'s> Caller<'s> {
    /// The configured client, if it is one.
    pub fn client(self) -> Option<&'s Client> {
        match self {
            Self::Anonymous(_) => None,
            Self::Identified(client) => Some(client),
        }
    }
}

/// What a request's key says.
#[derive(Debug)]
pub struct Identified<'s> {
    /// Which key it is, if it was one that could be looked up.
    pub key: Option<KeyId>,
    /// Who is calling, or why the key is not accepted.
    pub caller: Result<Caller<'s>, KeyFault<'s>>,
    /// Whether cookies alone have a key.
    pub by_cookie: bool,
    /// When the key was last used, if it is one that is accepted.
    pub used: Option<&'s LastUse>,
}

/// Identifies the caller by the key it sent, in a field or the query, and by the certificate that its
/// connection has proved. `address` is where the request comes from.
pub fn identify<'s>(
    access: &'s Access,
    fields: &Fields,
    query: Option<&[u8]>,
    address: IpAddr,
    certificate: Option<&ClientCertificate>,
) -> Identified<'s> {
    let names = &access.names;
    let sent = names.key_sources.find(&names.api_key, fields, query);
    let by_cookie = sent.by_cookie;
    let without_key = |caller| Identified {
        key: None,
        caller,
        by_cookie,
        used: None,
    };
    let key = match sent.key {
        SentKey::Nothing => {
            let client = access.certificates.find(certificate);
            let anonymous = Caller::Anonymous(address);
            return without_key(client.map(|it| it.map_or(anonymous, Caller::Identified)));
        }
        // Of two keys it is not for us to choose which one counts.
        SentKey::Several => return without_key(Err(KeyFault::Several)),
        SentKey::Key(key) => key,
    };
    if key.is_empty() || key.len() > MAX_KEY || !key.iter().all(u8::is_ascii_graphic) {
        return without_key(Err(KeyFault::Malformed));
    }
    let hash = ApiKeyHash::of(&key);
    let known = access.keys.find(&hash, Timestamp::now);
    let used = known.as_ref().ok().map(|known| known.used);
    let client = known.and_then(|known| access.certificates.agree(certificate, known.client));
    Identified {
        key: Some(hash.id()),
        used: used.filter(|_| client.is_ok()),
        caller: client.map(Caller::Identified),
        by_cookie,
    }
}
