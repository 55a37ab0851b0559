//! `[routes]` and `[[route]]`.

use std::time::Duration;

use http::{Method, StatusCode};
use ipnet::IpNet;

use super::CorsKeys;
use crate::client::AllowEntry;
use crate::config::keys::{List, Map, Number, OrOff, Perhaps, table};
use crate::config::kinds::{
    AnyField, FieldText, FieldValue, HostName, Name, RedirectStatus, Size, Target, endpoints_alone,
};
use crate::route::{
    EncodedControls, EncodedSlash, PathEncoding, PathPrefix, RedirectTarget, SentHost,
};

table! {
    /// What becomes of the requests of a route, and under which rules.
    RouteKeys [upstream], otherwise endpoints_alone, such as r#"upstream = "http://127.0.0.1:4001""# {
        /// Where requests go: the URL of a service, or the name of an upstream. A route has this,
        /// `redirect` or `respond`.
        upstream: Perhaps<Target>;
        /// Where clients are sent instead.
        redirect: Perhaps<RedirectKeys>;
        /// What is answered instead, without a service.
        respond: Perhaps<RespondKeys>;
        /// What the route is called in the access log. Absent: its prefix.
        name: Option<Name>;
        /// The names of hosts that the route is for, without port; upper and lower case are the
        /// same. `*.example.com` is every host one label below `example.com`; a route that names the
        /// host comes first. Empty: any.
        hosts: List<HostName> = List::empty();
        /// The methods that the route is for, in upper case. `GET` includes `HEAD`. Empty: any.
        methods: List<Method> = List::empty();
        /// Whether the prefix is removed from the path and sent in `X-Forwarded-Prefix`: `/api/orders/7`
        /// arrives as `/7`.
        strip_prefix: bool = true;
        /// What replaces the prefix that is removed: with `/v2`, `/api/orders/7` of the route `/api`
        /// arrives as `/v2/orders/7`.
        replace_prefix: Option<PathPrefix>;
        /// Whether the service's own paths and hosts in an answer are rewritten to those that clients use,
        /// where they differ: in `Location`, `Content-Location`, `Refresh` and the paths of cookies.
        rewrite_redirects: bool = true;
        /// The `Host` that the service gets: `preserve`, as the client sent it; `endpoint`, as the
        /// endpoint's URL has it; or a name. `X-Forwarded-Host` has the one that the client sent. Absent:
        /// the upstream's `host`.
        host: Option<SentHost>;
        /// The longest wait for the head of the answer. Bodies and streams are governed by the
        /// upstream's `idle_timeout`.
        timeout: Duration = Duration::from_secs(30);
        /// The largest request body; a larger one gets 413, by its `Content-Length` or as it arrives.
        body_limit: OrOff<Size<0, { u64::MAX }>> = OrOff(None);
        /// What happens to a path with `%2F` in it: `reject` is 400, `keep` passes it on as it is; directly behind the route's prefix it must not stand beside another slash.
        encoded_slash: EncodedSlash = EncodedSlash::Reject;
        /// What happens to a path with escaped control characters (`%00` to `%1F`, `%7F`) in it: `reject`
        /// is 400, `keep` passes it on as it is.
        encoded_controls: EncodedControls = EncodedControls::Reject;
        /// Whether repeated slashes arrive as one. `false` is for services to which they matter, such as
        /// `/img/http://host/a.png`; at most four places of a path may have some, and those directly
        /// behind the prefix are merged in any case.
        merge_slashes: bool = true;
        /// What the escapes of a path may decode to; other paths get 400. `any` is for a service that
        /// reads Latin-1 or Windows-1252.
        path_encoding: PathEncoding = PathEncoding::Utf8;
        /// The clients that may use the route: `client:NAME`, or `group:NAME` for all clients of a group;
        /// others get 403, anonymous callers 401. Empty: everybody.
        allow: List<AllowEntry> = List::empty();
        /// Addresses and networks from which requests may come, beside `access.ip_allow`; others get
        /// 403. Empty: all.
        ip_allow: List<IpNet> = List::empty();
        /// Addresses and networks from which no request may come: 403.
        ip_deny: List<IpNet> = List::empty();
        /// Which web pages of other origins may call here, instead of `access.cors`. `off`: the CORS
        /// fields of the service pass unchanged.
        cors: Option<OrOff<CorsKeys>>;
        /// Which header fields of requests are set, added or removed before the service gets them.
        request_headers: FieldRulesKeys;
        /// Which header fields of answers are set, added or removed, also of the gateway's own answers.
        response_headers: FieldRulesKeys;
        /// The policies that apply to the route, in addition to the caller's own limit.
        limits: List<Name> = List::empty();
        /// How many requests each request counts as, also under the caller's own limit.
        cost: Number<1, { u32::MAX as u64 }> = Number(1);
    }
}

table! {
    /// What is changed of header fields. Values may have `${client}`, `${ip}`, `${request_id}` and
    /// `${route}` in them.
    FieldRulesKeys, such as r#"set = { x-name = "value" }"# {
        /// Fields and their values, which replace all fields of the same name. One with `${client}` in its
        /// value is left out where the caller is anonymous.
        set: Map<AnyField, FieldValue> = Map::default();
        /// Fields and their values, in addition to those of the same name.
        add: Map<AnyField, FieldValue> = Map::default();
        /// The names of fields that are removed.
        remove: List<AnyField> = List::empty();
    }
}

table! {
    /// Where clients are sent.
    RedirectKeys [to], such as r#"to = "/new", status = @308"# {
        /// A path of the same host, or an `http` or `https` URL. The part of the request's path after the
        /// prefix is appended, and its query, unless there is a query or fragment here.
        to: RedirectTarget;
        /// The status: 301 and 308 are permanent, 302, 303 and 307 temporary. 307 and 308 preserve the
        /// method.
        status: RedirectStatus = RedirectStatus(StatusCode::PERMANENT_REDIRECT);
    }
}

table! {
    /// What is answered.
    RespondKeys, such as r#"status = @404, body = @"not here""# {
        /// The status; not 3xx, for which there is `redirect`.
        status: Number<200, 599> = Number(200);
        /// The body.
        body: String = String::new();
        /// What the body is.
        content_type: FieldText = FieldText("text/plain; charset=utf-8".to_owned());
    }
}

table! {
    /// A route in the long form.
    LongRouteKeys, such as r#"prefix = "/api", upstream = "http://127.0.0.1:4001""# {
        ..route: RouteKeys;
        /// What the paths of its requests begin with.
        prefix: PathPrefix;
    }
}
