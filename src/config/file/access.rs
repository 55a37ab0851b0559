//! `[access]`, `[clients.NAME]` and the file that `clients_file` names.

use std::time::Duration;

use http::{HeaderName, Method};
use ipnet::IpNet;
use jiff::Timestamp;

use crate::client::{AllowEntry, ApiKeyHash, ClientName};
use crate::config::keys::{List, Map, OrAny, table};
use crate::config::kinds::{AnyField, FieldName, Name, Origin};
use crate::config::source::{At, Span};
use crate::message::key_sources::KeySource;
use crate::route::PathPrefix;

table! {
    /// Who may call what.
    AccessKeys {
        /// Paths that need an identified client; anonymous callers get 401. Compared more widely than
        /// routes on purpose. A string is short for a table with `prefix`. Where several cover a path,
        /// each has to let the caller in.
        protected: List<ProtectedKeys> = List::empty();
        /// Paths below protected ones that are open to everyone. Compared to the letter, so that an
        /// exception opens nothing else. What is protected below a public path stays protected.
        public: List<PathPrefix> = List::empty();
        /// Addresses and networks from which requests may come; others get 403. Empty: all.
        ip_allow: List<IpNet> = List::empty();
        /// Addresses and networks from which no request may come, also if `ip_allow` has them: 403.
        ip_deny: List<IpNet> = List::empty();
        /// Where a key may stand. `header`: in `api_key_header`. `bearer`: in `Authorization`, behind
        /// `Bearer`. `query:NAME`: in that parameter of the query, which is taken out before the request
        /// goes on. `cookie:NAME`: in that cookie.
        key_sources: List<KeySource> = List(vec![At {
            value: KeySource::Header,
            span: Span::NOWHERE,
        }]);
        /// The header field in which clients send their key. `authorization` is possible.
        api_key_header: FieldName = FieldName(HeaderName::from_static("x-api-key"));
        /// Whether services get the key, too. One in a query they never get.
        forward_api_key: bool = false;
        /// The header field in which services find the client's name. What callers send in it never
        /// gets there.
        client_header: FieldName = FieldName(HeaderName::from_static("x-client-id"));
        /// Which web pages of other origins may call (CORS). A route's `cors` replaces it. Absent: what
        /// a service says about this passes.
        cors: Option<CorsKeys>;
    }
}

table! {
    /// Paths that need an identified client.
    ProtectedKeys [prefix] {
        /// What the paths begin with.
        prefix: PathPrefix;
        /// The clients that may come in, and groups of them: `client:NAME`, `group:NAME`; other clients
        /// get 403. Empty: every client.
        allow: List<AllowEntry> = List::empty();
        /// The methods that need a client; with others the paths are as if they were not listed here.
        /// `GET` takes `HEAD` along. Empty: all.
        methods: List<Method> = List::empty();
    }
}

table! {
    /// Which web pages of other origins may call, and what they may send and read.
    CorsKeys {
        /// The origins of the pages, as browsers write them: scheme, host, and the port if it is not
        /// the scheme's own. `"*"`: any, without credentials.
        origins: List<OrAny<Origin>>;
        /// The methods that pages may use. `"*"`: any.
        methods: List<OrAny<Method>> = usual_methods();
        /// The header fields that pages may send. `"*"`: any.
        headers: List<OrAny<AnyField>> = List(vec![At {
            value: OrAny(None),
            span: Span::NOWHERE,
        }]);
        /// The header fields of answers that pages may read, beside those that they always may:
        /// `Retry-After`, those of limits and the request's id. `"*"`: any, without credentials.
        expose: List<OrAny<AnyField>> = List::empty();
        /// Whether pages may send cookies and client certificates.
        credentials: bool = false;
        /// How long a browser may remember what it was told before it sent a request.
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
    let at = |method| At {
        value: OrAny(Some(method)),
        span: Span::NOWHERE,
    };
    List(methods.map(at).into())
}

table! {
    /// One who calls with a key.
    ClientKeys {
        /// The hashes of the client's keys. The same key cannot be given twice. A string is short for
        /// a table with `hash`.
        keys: List<KeyKeys> = List::empty();
        /// The tier whose limit holds for the client, instead of `limits.identified`.
        tier: Option<Name>;
        /// The groups that the client is in, for `allow` of routes and protected paths.
        groups: List<Name> = List::empty();
    }
}

table! {
    /// What stands in a file of clients.
    ClientsFileKeys {
        /// Those who call with a key, by name.
        clients: Map<ClientName, ClientKeys> = Map::default();
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
