//! Routes: which requests go to which upstream, and under which rules. Compiled from the
//! configuration; looked up once a request on the canonical path.

mod action;
mod choices;
mod evaded;
mod exposed;
mod near_miss;
mod prefix;
mod protected;
mod public;
mod slashes;
mod spellings;
mod table;
mod wide;
mod wide_reading;

pub use action::{Action, FixedAnswer, InvalidRedirect, Redirect, RedirectTarget};
pub use choices::Indistinguishable;
pub use exposed::Exposed;
pub use near_miss::{NearMiss, WhyLost};
pub use prefix::{InvalidPrefix, PathPrefix};
pub use protected::{ProtectedPrefix, ProtectedPrefixes};
pub use slashes::{MAX_RUNS, are_uncertain, runs};
pub use table::{Resolved, RouteTable};

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use crate::limit::{Policy, Subject};
use crate::message::address_rules::AddressRules;
use crate::message::cors::Cors;
use crate::message::field_rules::FieldRules;
use crate::message::mapping::PathMapping;
use crate::message::path::RequestPath;
use crate::words::words;

/// One route, ready to be used.
#[derive(Debug, Clone)]
pub struct Route {
    /// What it is called in the log.
    pub name: Arc<str>,
    /// Its place in the table.
    pub place: usize,
    /// What its paths begin with.
    pub prefix: PathPrefix,
    /// Host names in lower case, without port; `*.` stands for one label. Empty: any.
    pub hosts: Vec<String>,
    /// Empty: any.
    pub methods: Vec<Method>,
    /// What becomes of its requests.
    pub action: Action,
    /// The host that services are asked for.
    pub host: SentHost,
    /// Whether the prefix is taken off before the path goes on.
    pub strip_prefix: bool,
    /// What stands in the place of the prefix that is taken off, if anything does.
    pub replacement: Option<PathPrefix>,
    /// Whether the service's own URLs and cookie paths in its answers become those that clients use.
    pub rewrites_redirects: bool,
    /// The longest wait for the head of the answer, from the moment the request is sent.
    pub timeout: Duration,
    /// Bytes; `None` is off.
    pub body_limit: Option<u64>,
    /// What becomes of paths with `%2F`.
    pub encoded_slash: EncodedSlash,
    /// What becomes of paths with escaped control characters.
    pub encoded_controls: EncodedControls,
    /// Whether repeated slashes go on as one.
    pub merge_slashes: bool,
    /// What becomes of paths that are not UTF-8.
    pub path_encoding: PathEncoding,
    /// Index into the snapshot's lists of those who may come in; `None` is everybody.
    pub allow: Option<usize>,
    /// From which addresses requests may come, beside what holds everywhere.
    pub addresses: Option<Arc<AddressRules>>,
    /// What pages of other origins may do here.
    pub cors: Option<Arc<Cors>>,
    /// What is changed of the fields of its requests.
    pub request_headers: Option<Arc<FieldRules>>,
    /// What is changed of the fields of its answers.
    pub response_headers: Option<Arc<FieldRules>>,
    /// As how many requests one counts.
    pub cost: NonZeroU32,
    /// The limits that hold here, beside each caller's own.
    pub limits: Vec<Arc<Policy>>,
    /// Under what everybody who uses it is counted together.
    pub subject: Subject,
}

/// The host that services are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentHost {
    /// As the client has asked.
    Preserve,
    /// That of the endpoint's URL.
    Endpoint,
    /// This one, perhaps with a port.
    Name(Box<str>),
}

impl Route {
    /// The upstream that its requests go to, if they do.
    pub fn upstream(&self) -> Option<usize> {
        match self.action {
            Action::Forward(upstream) => Some(upstream),
            Action::Redirect(_) | Action::Respond(_) => None,
        }
    }

    /// How its paths are mapped to those of an endpoint with a path of its own.
    pub fn mapping<'a>(&'a self, base: &'a str) -> PathMapping<'a> {
        let text = |prefix: &'a PathPrefix| prefix.before_slash();
        PathMapping {
            public: if self.strip_prefix {
                text(&self.prefix)
            } else {
                ""
            },
            base,
            inserted: self.replacement.as_ref().map_or("", text),
        }
    }

    /// The path as this route sends it on, before its prefix is taken off.
    pub fn path_to_send<'p>(&self, path: &'p RequestPath<'_>) -> Cow<'p, str> {
        if self.merge_slashes {
            Cow::Borrowed(path.as_str())
        } else {
            slashes::kept(&self.prefix, path)
        }
    }
}

words! {
    /// What a route does with `%2F` in a path.
    #[derive(Default)]
    pub enum EncodedSlash {
        /// Such paths are refused.
        #[default]
        Reject = "reject",
        /// They go on as they are.
        Keep = "keep",
    }

    /// What a route does with escaped control characters in a path.
    #[derive(Default)]
    pub enum EncodedControls {
        /// Such paths are refused.
        #[default]
        Reject = "reject",
        /// They go on as they are.
        Keep = "keep",
    }

    /// What the escapes of a path decode to.
    #[derive(Default)]
    pub enum PathEncoding {
        /// UTF-8: other paths are refused, for services disagree on what becomes of them.
        #[default]
        Utf8 = "utf-8",
        /// Any bytes, for a service that reads Latin-1.
        Any = "any",
    }
}

#[cfg(test)]
mod testing {
    use super::{Action, EncodedControls, EncodedSlash, PathEncoding, PathPrefix, Route, SentHost};

    /// A route with nothing special about it.
    pub(super) fn route(prefix: &str, upstream: usize) -> Route {
        Route {
            name: prefix.into(),
            place: 0,
            prefix: PathPrefix::parse(prefix).unwrap(),
            hosts: Vec::new(),
            methods: Vec::new(),
            action: Action::Forward(upstream),
            host: SentHost::Preserve,
            strip_prefix: true,
            replacement: None,
            rewrites_redirects: false,
            timeout: std::time::Duration::from_secs(30),
            body_limit: None,
            encoded_slash: EncodedSlash::Reject,
            encoded_controls: EncodedControls::Reject,
            merge_slashes: true,
            path_encoding: PathEncoding::Utf8,
            allow: None,
            addresses: None,
            cors: None,
            request_headers: None,
            response_headers: None,
            cost: std::num::NonZeroU32::MIN,
            limits: Vec::new(),
            subject: crate::limit::Subject::route(prefix),
        }
    }
}
