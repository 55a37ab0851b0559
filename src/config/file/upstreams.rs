//! `[upstreams.NAME]`.

use std::time::Duration;

use crate::config::keys::{List, Number, table};
use crate::upstream::EndpointUrl;

table! {
    /// A service behind the gateway.
    UpstreamKeys {
        ..rules: UpstreamRuleKeys;
        /// Where it is: `http://host[:port][/path]`, without user, query and fragment. The URL's own
        /// path is put in front of the request's. A request for the prefix alone goes to the URL as it
        /// is written, with a slash at its end or without.
        endpoints: List<EndpointKeys>;
    }
}

table! {
    /// How a service is reached.
    UpstreamRuleKeys {
        /// The longest time for connecting, including the lookup of the name.
        connect_timeout: Duration = Duration::from_secs(2);
        /// The longest pause without a byte in either direction while the gateway waits for the service
        /// (for the client: `server.idle_timeout`); also how long an idle connection stays open for the
        /// next request.
        idle_timeout: Duration = Duration::from_mins(1);
        /// How many idle connections each worker leaves open for later requests, for each address of an
        /// endpoint. A connection that becomes idle beyond this number is closed.
        keep: Number<0, 1_000_000> = Number(1024);
    }
}

table! {
    /// One address of a service.
    EndpointKeys [url] {
        /// Its URL.
        url: EndpointUrl;
    }
}
