//! `[access]`, `[clients.NAME]` and the file that `clients_file` names.

use std::time::Duration;

use http::{HeaderName, Method};
use ipnet::IpNet;
use jiff::Timestamp;

use crate::client::{AllowEntry, ApiKeyHash, ClientName};
use crate::config::keys::{List, Map, OrAny, table};
use crate::config::kinds::{AnyField, FieldName, Name, Origin};
use crate::message::key_sources::KeySource;
use crate::route::PathPrefix;
use crate::tls::CertificateIdentity;

table! {
    /// Who may call what.
    AccessKeys, such as r#"protected = @["/api"]"# {
        /// Paths that need an identified client; anonymous callers get 401. Other spellings of these
        /// paths, such as other letter case or more escapes, are protected, too. A string is short for a
        /// table with `prefix`. If several cover a path, each must allow the client.
        protected: List<ProtectedKeys> = List::empty();
        /// Paths below protected ones that are open to everyone. They are open in exactly this spelling
        /// only, with all that is below them. A path in `protected` that is below a public path stays
        /// protected.
        public: List<PathPrefix> = List::empty();
        /// Addresses and networks from which requests are accepted; others get 403. Empty: all.
        ip_allow: List<IpNet> = List::empty();
        /// Addresses and networks whose requests get 403, even if `ip_allow` has them.
        ip_deny: List<IpNet> = List::empty();
        /// Where clients may send a key. `header`: in `api_key_header`. `bearer`: in `Authorization`,
        /// after `Bearer`. `query:NAME`: in that query parameter, which is removed before the request is
        /// forwarded. `cookie:NAME`: in that cookie.
        key_sources: List<KeySource> = List::of([KeySource::Header]);
        /// The header field in which clients send their key. `authorization` is possible.
        api_key_header: FieldName = FieldName(HeaderName::from_static("x-api-key"));
        /// Whether the key is forwarded to services. A key in the query is never forwarded.
        forward_api_key: bool = false;
        /// The header field that carries the client's name to services. What a caller sends in this field
        /// is removed.
        client_header: FieldName = FieldName(HeaderName::from_static("x-client-id"));
        /// Which web pages of other origins may call (CORS). A route's `cors` replaces it. Absent: the
        /// CORS fields of services pass unchanged.
        cors: Option<CorsKeys>;
    }
}

table! {
    /// Paths that need an identified client.
    ProtectedKeys [prefix], such as r#"prefix = "/api""# {
        /// What the paths begin with.
        prefix: PathPrefix;
        /// The clients that are allowed: `client:NAME`, or `group:NAME` for all clients of a group;
        /// others get 403. Empty: every client.
        allow: List<AllowEntry> = List::empty();
        /// The methods that need a client; requests with other methods are not affected. `GET` includes
        /// `HEAD`. Empty: all.
        methods: List<Method> = List::empty();
    }
}

table! {
    /// Which web pages of other origins may call, and what they may send and read.
    CorsKeys, such as r#"origins = @["https://app.example.com"]"# {
        /// The origins of the pages, as browsers write them: scheme, host, and the port if it is not
        /// the scheme's own. `https://*.example.com` is every host below `example.com`, but not
        /// `example.com` itself. `"*"`: any, without credentials.
        origins: List<OrAny<Origin>>;
        /// The methods that pages may use. `"*"`: any.
        methods: List<OrAny<Method>> = usual_methods();
        /// The header fields that pages may send. `"*"`: any.
        headers: List<OrAny<AnyField>> = List::of([OrAny(None)]);
        /// The header fields of answers that pages may read. `Retry-After`, the fields of limits and the
        /// request's id can always be read. `"*"`: any, without credentials.
        expose: List<OrAny<AnyField>> = List::empty();
        /// Whether pages may send cookies and client certificates.
        credentials: bool = false;
        /// How long a browser may cache the answer to a preflight request.
        max_age: Duration = Duration::from_mins(10);
    }
}

/// The methods that pages use.
fn usual_methods() -> List<OrAny<Method>> {
    let methods = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    List::of(methods.map(|method| OrAny(Some(method))))
}

table! {
    /// A client that calls with a key or a certificate.
    ClientKeys, such as r#"keys = ["sha256:..."]"# {
        /// The hashes of the client's keys. The same key cannot be given twice. A string is short for
        /// a table with `hash`.
        keys: List<KeyKeys> = List::empty();
        /// What the client's certificates are known by, with `tls.client_auth`; one is enough.
        /// `spki-sha256:` and the SHA-256 digest of the public key in hexadecimal digits, `san-dns:` and a DNS
        /// name, or `san-uri:` and a URI of the certificate. None can be given twice.
        certificates: List<CertificateIdentity> = List::empty();
        /// The tier of the client, whose limit applies instead of `limits.identified`.
        tier: Option<Name>;
        /// The groups that the client belongs to, for `allow` of routes and protected paths.
        groups: List<Name> = List::empty();
    }
}

impl ClientKeys {
    /// Whether nobody can call as this client.
    pub(in crate::config) fn proves_nothing(&self) -> bool {
        self.keys.is_empty() && self.certificates.is_empty()
    }

    /// The same for a client whose keys have all expired by now.
    pub(in crate::config) fn proves_nothing_since(&self, now: Timestamp) -> bool {
        let ends = self.keys.iter().map(|key| key.expires_at.value);
        self.certificates.is_empty()
            && ends
                .into_iter()
                .all(|end| end.is_some_and(|end| end <= now))
    }
}

table! {
    /// A file with clients.
    ClientsFileKeys {
        /// The clients that call with a key, by name.
        clients: Map<ClientName, ClientKeys> = Map::default();
    }
}

table! {
    /// One key of a client.
    KeyKeys [hash], such as r#"hash = "sha256:...""# {
        /// `sha256:` and 64 hexadecimal digits.
        hash: ApiKeyHash;
        /// The time from which the key is accepted. In TOML the quotes may be left out.
        not_before: Option<Timestamp>;
        /// The time from which the key is no longer accepted.
        expires_at: Option<Timestamp>;
    }
}
