//! `[access]` and `[clients.NAME]`.

use http::HeaderName;
use jiff::Timestamp;

use crate::client::ApiKeyHash;
use crate::config::keys::{List, table};
use crate::config::kinds::{FieldName, Name};
use crate::route::PathPrefix;

table! {
    /// Who may call what.
    AccessKeys {
        /// Paths that need an identified client; anonymous callers get 401. Compared more widely than
        /// routes on purpose.
        protected: List<PathPrefix> = List::empty();
        /// The header field in which clients send their key. `authorization` is possible.
        api_key_header: FieldName = FieldName(HeaderName::from_static("x-api-key"));
        /// Whether services get the key, too.
        forward_api_key: bool = false;
        /// The header field in which services find the client's name. What callers send in it never
        /// gets there.
        client_header: FieldName = FieldName(HeaderName::from_static("x-client-id"));
    }
}

table! {
    /// One who calls with a key.
    ClientKeys {
        /// The hashes of the client's keys. The same key cannot be given twice. A string is short for
        /// a table with `hash`.
        keys: List<KeyKeys> = List::empty();
        /// The tier whose limit holds for the client, instead of `limits.identified`.
        tier: Option<Name>;
    }
}

table! {
    /// One key of a client.
    KeyKeys [hash] {
        /// `sha256:` and 64 hexadecimal digits.
        hash: ApiKeyHash;
        /// The moment from which on the key counts. In TOML the quotes may be left out.
        not_before: Option<Timestamp>;
        /// The moment from which on the key does not count any more.
        expires_at: Option<Timestamp>;
    }
}
