//! What routes change of header fields, and which fields are not theirs to change.

use std::sync::Arc;

use http::HeaderName;

use crate::config::expand::Piece;
use crate::config::file::{FieldRulesKeys, RouteKeys};
use crate::config::keys::Map;
use crate::config::kinds::{AnyField, FieldValue};
use crate::config::problems::{Problem, Problems};
use crate::config::source::At;
use crate::message::field_rules::{FieldRules, Part, Template};
use crate::message::forward::Names;
use crate::message::known_field::KnownField;

/// Where WSGI applications are told what their paths begin with.
const SCRIPT_NAMES: [&str; 2] = ["x-script-name", "script-name"];

/// What is changed of the requests of a route, with or without CORS, and of their answers.
pub(super) fn of_route(
    prefix: &str,
    keys: &RouteKeys,
    names: &Names,
    cors: bool,
    problems: &mut Problems,
) -> [Option<Arc<FieldRules>>; 2] {
    let route = keys.name.as_ref().map_or(prefix, |name| &name.0);
    let kept_prefix = (!*keys.strip_prefix).then_some(prefix);
    let directions = [
        (&keys.request_headers, Of::Requests),
        (&keys.response_headers, Of::Answers { cors }),
    ];
    directions.map(|(keys, of)| {
        let rules = Rules {
            names,
            route,
            kept_prefix,
            of,
        };
        rules.compile(keys, problems).map(Arc::new)
    })
}

/// The rules for one direction.
struct Rules<'c> {
    names: &'c Names,
    /// The route's name.
    route: &'c str,
    /// Its prefix, if services get it.
    kept_prefix: Option<&'c str>,
    of: Of,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Requests,
    /// Of a route with or without CORS.
    Answers {
        cors: bool,
    },
}

/// What is done to a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Set,
    Add,
    Remove,
}

impl Rules<'_> {
    fn compile(&self, keys: &FieldRulesKeys, problems: &mut Problems) -> Option<FieldRules> {
        let set = keys.set.names().map(|name| (name, How::Set));
        let add = keys.add.names().map(|name| (name, How::Add));
        let remove = keys.remove.iter().map(|name| (name, How::Remove));
        for (name, how) in set.chain(add).chain(remove) {
            if let Some(why) = self.why_not(&name.0, how)
                && !self.names_own_prefix(name, how, keys)
            {
                let message = format!("`{}` is not for a route to change", name.0);
                problems.add(Problem::at(name.span, message).label(why));
            }
        }
        let once = keys.set.names().chain(keys.remove.iter());
        let mut seen: Vec<&At<AnyField>> = Vec::new();
        for name in once {
            if let Some(first) = seen.iter().find(|other| other.0 == name.0) {
                let what = format!("the field `{}`", name.0);
                problems.add(Problem::given_twice(&what, first.span, name.span));
            }
            seen.push(name);
        }
        let templates = |map: &Map<AnyField, FieldValue>| {
            let fields = map.good();
            fields
                .map(|(name, value)| (name.0.clone(), self.template(&value.0)))
                .collect()
        };
        FieldRules::new(
            templates(&keys.set),
            templates(&keys.add),
            keys.remove.iter().map(|name| name.0.clone()).collect(),
        )
    }

    fn template(&self, pieces: &[Piece]) -> Template {
        let part = |piece: &Piece| match piece {
            Piece::Text(text) => Part::Text(text.as_str().into()),
            Piece::Own("client") => Part::Client,
            Piece::Own("ip") => Part::Address,
            Piece::Own("request_id") => Part::RequestId,
            // Names and prefixes are ASCII without blanks.
            Piece::Own(_) => Part::Text(self.route.into()),
        };
        Template(pieces.iter().map(part).collect())
    }

    /// Whether a WSGI application is told the prefix that it takes off its paths itself. Nothing else
    /// is safe: of another name more or less would be taken off than was checked, and where the
    /// gateway takes the prefix off, it would go twice.
    fn names_own_prefix(&self, name: &At<AnyField>, how: How, keys: &FieldRulesKeys) -> bool {
        let Some(prefix) = self.kept_prefix.filter(|_| how == How::Set) else {
            return false;
        };
        let mut values = keys.set.good().filter(|(other, _)| other.span == name.span);
        SCRIPT_NAMES.contains(&name.0.as_str())
            && values
                .any(|(_, value)| matches!(&value.0[..], [Piece::Text(text)] if text == prefix))
    }

    /// Why a field is not for a route to change, if that is so.
    fn why_not(&self, name: &HeaderName, how: How) -> Option<&'static str> {
        // Services that turn names into variables take `Content_Length` for `Content-Length`.
        let plain: Vec<u8> = name
            .as_str()
            .bytes()
            .map(|b| if b.is_ascii_alphanumeric() { b } else { b'-' })
            .collect();
        let known = KnownField::of(&plain);
        let names = self.names;
        if plain.eq_ignore_ascii_case(names.api_key.as_ref()) {
            return Some("clients send their key in it; see `access.forward_api_key`");
        }
        if names.is_own(&plain) {
            return Some("only the gateway says what it says");
        }
        match known {
            known if known.is_hop_by_hop() => Some("it is about one connection"),
            KnownField::Trailer
            | KnownField::Http2Settings
            | KnownField::ProxyAuthenticate
            | KnownField::ProxyAuthorization
            | KnownField::ProxyAuthenticationInfo
            | KnownField::Expect
            | KnownField::SecWebSocketKey
            | KnownField::SecWebSocketAccept
            | KnownField::SecWebSocketVersion => Some("it is about one connection"),
            KnownField::ContentLength => Some("it says where the body ends"),
            KnownField::Host => Some("`host` of the route says what services are asked for"),
            KnownField::Forwarded
            | KnownField::XForwardedFor
            | KnownField::XForwardedProto
            | KnownField::XForwardedHost
            | KnownField::XForwarded
            | KnownField::Via => Some("the gateway says in it where a request came from"),
            KnownField::ClaimedTarget if SCRIPT_NAMES.contains(&name.as_str()) => Some(
                "some services take it for a part of the path; with `strip_prefix = false` it may be set to the route's own prefix",
            ),
            KnownField::ClaimedTarget => Some(
                "some services take it for the path, the script's name or the host, whatever was checked",
            ),
            KnownField::Proxy => Some("programs take it for the proxy that they are to use"),
            KnownField::MaxForwards => Some("it counts the gateways on the way"),
            KnownField::Date => Some("it says when the message was made"),
            KnownField::TraceParent | KnownField::TraceState if how != How::Remove => {
                Some("it says which trace a request belongs to")
            }
            known => match self.of {
                Of::Requests => None,
                Of::Answers { cors } => why_not_of_answers(known, how, cors),
            },
        }
    }
}

fn why_not_of_answers(known: KnownField, how: How, cors: bool) -> Option<&'static str> {
    match known {
        KnownField::RateLimit
        | KnownField::RateLimitPolicy
        | KnownField::XRateLimit
        | KnownField::RetryAfter => Some("clients are told of limits in it"),
        KnownField::AccessControl if cors => Some("`cors` decides it"),
        KnownField::Vary if cors && how != How::Add => Some("`cors` relies on it; `add` to it"),
        KnownField::SetCookie if how == How::Set => {
            Some("the service's cookies would be lost; `add` one")
        }
        _ => None,
    }
}
