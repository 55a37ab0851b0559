//! What is passed on of a request's fields: whatever a client sends, downstream gets exactly one
//! well-formed head, framed as decided, and nothing of what only the gateway may say.

use std::net::IpAddr;

use http::{HeaderName, Method};
use tollgate::message::body::BodyLength;
use tollgate::message::caller::{Entry, Peer};
use tollgate::message::fields::{FieldRef, Fields, HeadStorage};
use tollgate::message::forward::{Forwarding, Names, OddFieldNames, put_request};
use tollgate::message::head::RequestHead;
use tollgate::message::key_sources::KeySources;
use tollgate::message::known_field::KnownField;
use tollgate::message::own_target::Renamed;
use tollgate::message::protocol::Version;
use tollgate::message::sink::Persistence;
use tollgate::wire::head::{HeadLimits, read_request};
use tollgate::wire::scan::HeadScanner;
use tollgate::wire::sink::Http1Sink;

use super::request;

/// The head that goes out is larger than the one that came in.
const SENT: HeadLimits = HeadLimits {
    max_bytes: 16 * 1024,
    max_fields: 100,
};
const TARGET: &str = "/7?a=b";
const HOST: &str = "shop.test:81";
const REQUEST_ID: &str = "r-1";

/// What the gateway does with a request, as the input decides it.
struct Case {
    names: Names,
    peer: IpAddr,
    trusted: bool,
    client: Option<&'static str>,
    prefix: Option<&'static str>,
    persistence: Persistence,
    http10: bool,
}

impl Case {
    fn of(flags: u8, more: u8) -> Self {
        let is = |bit: u8| flags & bit != 0;
        let name = HeaderName::from_static;
        let (api_key, client, request_id) = match more & 3 {
            0 => ("x-api-key", "x-client-id", "x-request-id"),
            1 => ("authorization", "x-user-id", "x-correlation-id"),
            // Names that a configuration refuses do no harm either.
            2 => ("x-api-key", "x-forwarded-user", "x-forwarded-request-id"),
            _ => ("cookie", "from", "x-request"),
        };
        Self {
            names: Names {
                api_key: name(api_key),
                key_sources: KeySources::default(),
                forward_api_key: is(1),
                client: name(client),
                request_id: name(request_id),
                odd: if more & 4 == 0 {
                    OddFieldNames::Drop
                } else {
                    OddFieldNames::Pass
                },
                via: (more & 8 == 0).then_some("tollgate"),
            },
            peer: if is(2) {
                IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x0a00, 1])
            } else {
                IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 9])
            },
            trusted: is(4),
            client: is(8).then_some("mobile-app"),
            prefix: is(16).then_some("/api/orders"),
            persistence: match (is(32), is(128)) {
                (true, _) => Persistence::WebSocket,
                (false, true) => Persistence::Ends,
                (false, false) => Persistence::Stays,
            },
            http10: is(64),
        }
    }

    fn peer(&self) -> &'static str {
        if matches!(self.peer, IpAddr::V6(address) if address.to_ipv4_mapped().is_some()) {
            "10.0.0.1"
        } else {
            "2001:db8::9"
        }
    }
}

/// Two bytes say what the gateway does, the rest are lines of fields.
pub fn check(input: &[u8]) {
    let [flags, more, lines @ ..] = input else {
        return;
    };
    let case = Case::of(*flags, *more);
    let version = if case.http10 { "1.0" } else { "1.1" };
    let line = format!("POST /api/orders/7?a=b HTTP/{version}\r\nHost: shop.test\r\n");
    let Some(asked) = request(&[line.as_bytes(), lines, b"\r\n\r\n"].concat()) else {
        return;
    };
    let Ok(body) = asked.body else {
        return;
    };
    let mut out = Vec::new();
    put_request(
        &mut Http1Sink::new(&mut out, Version::Http11),
        &asked.method,
        |out| out.extend_from_slice(TARGET.as_bytes()),
        &asked.fields,
        body,
        &Forwarding {
            names: &case.names,
            peer: Peer {
                address: case.peer,
                port: 0,
                entry: Entry::Plain,
            },
            trusted: case.trusted,
            host: HOST.as_bytes(),
            other_host: None,
            client: case.client,
            request_id: REQUEST_ID.as_bytes(),
            prefix: case.prefix,
            edit: None,
            persistence: case.persistence,
            version: asked.version,
            renamed: Renamed::default(),
            trace: None,
        },
    );
    let found = HeadScanner::default().find_end(&out, &SENT);
    assert_eq!(found, Ok(Some(out.len())), "one head and nothing else");
    let sent = read_request(HeadStorage::from(out), &SENT).expect("it is well-formed");
    assert_eq!(sent.method, Method::POST);
    assert_eq!(sent.target(), TARGET.as_bytes());
    assert_eq!(sent.version, Version::Http11);

    let check = Check {
        case: &case,
        asked: &asked.fields,
        sent: &sent.fields,
    };
    check.framing(body, &sent);
    check.hop();
    check.forwarded();
    check.identity();
    check.odd();
    check.the_rest();
}

struct Check<'c> {
    case: &'c Case,
    asked: &'c Fields,
    sent: &'c Fields,
}

impl Check<'_> {
    /// The values sent under a name, in which all but letters and digits counts as one.
    fn sent(&self, name: &str) -> Vec<String> {
        let fields = self
            .sent
            .iter()
            .filter(|field| folded(field.name) == folded(name.as_bytes()));
        fields.map(|field| text(field.value)).collect()
    }

    fn asked(&self, known: KnownField) -> Vec<String> {
        self.asked.get_all(known).map(text).collect()
    }

    /// Whether `Connection` names a field.
    fn is_named(&self, name: &[u8]) -> bool {
        // These never pass, whoever names them.
        let ordinary = ["keep-alive", "upgrade", "te"];
        self.asked.list_items(KnownField::Connection).any(|option| {
            option.eq_ignore_ascii_case(name) && !ordinary.contains(&&*text(option).to_lowercase())
        })
    }

    fn framing(&self, body: BodyLength, sent: &RequestHead) {
        assert_eq!(self.sent("host"), [HOST]);
        let (lengths, codings) = match body {
            BodyLength::Fixed(length) => (vec![length.to_string()], vec![]),
            BodyLength::Chunked => (vec![], vec!["chunked".to_owned()]),
            BodyLength::None | BodyLength::UntilClose => (vec![], vec![]),
        };
        assert_eq!(self.sent("content-length"), lengths);
        assert_eq!(self.sent("transfer-encoding"), codings);
        assert_eq!(sent.body, Ok(body));
    }

    /// RFC 9110 section 7.6.1.
    fn hop(&self) {
        for name in [
            "keep-alive",
            "proxy-connection",
            "proxy-authorization",
            "http2-settings",
        ] {
            assert_eq!(self.sent(name), [""; 0], "{name}");
        }
        let trailers = self
            .asked
            .list_items(KnownField::Te)
            .any(|te| te.eq_ignore_ascii_case(b"trailers"));
        let (connection, upgrade, te) = match (self.case.persistence, trailers) {
            (Persistence::WebSocket, _) => (vec!["upgrade"], vec!["websocket"], vec![]),
            (Persistence::Ends, true) => (vec!["te, close"], vec![], vec!["trailers"]),
            (Persistence::Ends, false) => (vec!["close"], vec![], vec![]),
            (_, true) => (vec!["te"], vec![], vec!["trailers"]),
            (_, false) => (vec![], vec![], vec![]),
        };
        assert_eq!(self.sent("connection"), connection);
        assert_eq!(self.sent("upgrade"), upgrade);
        assert_eq!(self.sent("te"), te);
        let expected = !self.case.http10 && !self.is_named(b"expect");
        assert!(expected || self.sent("expect").is_empty());
        for field in self.sent.iter().filter(|field| self.is_named(field.name)) {
            let name = folded(field.name);
            assert!(self.is_set_here(&name), "{name} is named by Connection");
        }
    }

    /// What the gateway says itself, whatever the client says.
    fn is_set_here(&self, name: &str) -> bool {
        let names = &self.case.names;
        let own = [
            "host",
            "content-length",
            "transfer-encoding",
            "connection",
            "via",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-host",
        ];
        own.contains(&name)
            || name == folded(names.request_id.as_ref())
            || (self.case.client.is_some() && name == folded(names.client.as_ref()))
            || (self.case.prefix.is_some() && name == "x-forwarded-prefix")
    }

    fn forwarded(&self) {
        let case = self.case;
        let own_via = if case.http10 {
            "1.0 tollgate"
        } else {
            "1.1 tollgate"
        };
        let mut chain = if self.is_named(b"via") {
            vec![]
        } else {
            self.asked(KnownField::Via)
        };
        if case.names.via.is_some() {
            chain.retain(|via| !via.is_empty());
            chain.push(own_via.to_owned());
            assert_eq!(self.sent("via"), [chain.join(", ")]);
        } else {
            assert_eq!(self.sent("via"), chain);
        }

        let believed = |known, name: &[u8]| -> Vec<String> {
            let believed = case.trusted && !self.is_named(name);
            let mut values = if believed { self.asked(known) } else { vec![] };
            values.retain(|value| !value.is_empty() || known != KnownField::XForwardedFor);
            values
        };
        let mut chain = believed(KnownField::XForwardedFor, b"x-forwarded-for");
        chain.push(case.peer().to_owned());
        assert_eq!(self.sent("x-forwarded-for"), [chain.join(", ")]);
        for (known, name, own) in [
            (KnownField::XForwardedProto, "x-forwarded-proto", "http"),
            (KnownField::XForwardedHost, "x-forwarded-host", HOST),
        ] {
            let mut values = believed(known, name.as_bytes());
            if values.is_empty() {
                values.push(own.to_owned());
            }
            assert_eq!(self.sent(name), values, "{name}");
        }
        let prefixes = self.sent("x-forwarded-prefix");
        if let Some(prefix) = case.prefix {
            assert_eq!(prefixes.len(), 1);
            assert!(prefixes[0].ends_with(prefix) && (case.trusted || prefixes[0] == prefix));
        }
        if !case.trusted {
            assert_eq!(self.sent("forwarded"), [""; 0]);
            assert_eq!(self.sent("x-real-ip"), [""; 0]);
            for field in self.sent.iter() {
                let name = folded(field.name);
                assert!(
                    !name.starts_with("x-forwarded-") || self.is_set_here(&name),
                    "{name}"
                );
            }
        }
    }

    fn identity(&self) {
        let names = &self.case.names;
        let client: Vec<_> = self.case.client.into_iter().collect();
        assert_eq!(self.sent(names.client.as_str()), client);
        for name in ["x-client-id", "x-client-name", "x-consumer-username"] {
            if folded(name.as_bytes()) != folded(names.client.as_ref()) {
                assert_eq!(self.sent(name), [""; 0], "{name}");
            }
        }
        assert_eq!(self.sent(names.request_id.as_str()), [REQUEST_ID]);
        let key = names.api_key.as_str();
        let exact = self.sent.get_all_named(&names.api_key).map(text);
        let mut asked: Vec<_> = self.asked.get_all_named(&names.api_key).map(text).collect();
        if !names.forward_api_key || self.is_named(key.as_bytes()) {
            asked.clear();
        }
        assert_eq!(exact.collect::<Vec<_>>(), asked);
        assert_eq!(self.sent(key), asked, "and no twin of it");
    }

    /// CGI, WSGI and PHP make one variable of `X_Forwarded_For` and `X-Forwarded-For`, and
    /// `HTTP_PROXY` of `Proxy`.
    fn odd(&self) {
        let names = &self.case.names;
        for field in self.sent.iter().filter(|field| is_odd(field.name)) {
            let name = folded(field.name);
            assert_eq!(names.odd, OddFieldNames::Pass, "{name}");
            assert!(!self.is_looked_at(&name), "a look-alike of {name}");
        }
        assert_eq!(self.sent("proxy"), [""; 0]);
    }

    /// Whether the gateway reads or sets a field of that name.
    fn is_looked_at(&self, name: &str) -> bool {
        let names = &self.case.names;
        let configured = [&names.api_key, &names.client, &names.request_id];
        let identity = ["x-client-id", "x-client-name", "x-consumer-username"];
        KnownField::of(name.as_bytes()) != KnownField::Other
            || identity.contains(&name)
            || configured.iter().any(|other| other.as_str() == name)
    }

    /// Everything else arrives as it was sent, in its order.
    fn the_rest(&self) {
        let rest = |fields: &Fields| -> Vec<(String, String)> {
            let is_rest = |field: &FieldRef<'_>| {
                let dropped = self.case.names.odd == OddFieldNames::Drop && is_odd(field.name);
                !dropped && !self.is_looked_at(&folded(field.name)) && !self.is_named(field.name)
            };
            let fields = fields.iter().filter(is_rest);
            fields
                .map(|field| (text(field.name), text(field.value)))
                .collect()
        };
        assert_eq!(rest(self.sent), rest(self.asked));
    }
}

/// Whether a name has anything but letters, digits and `-`.
fn is_odd(name: &[u8]) -> bool {
    !name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

/// A name as services read it that turn names into variables.
fn folded(name: &[u8]) -> String {
    let hyphen = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    text(name)
        .to_ascii_lowercase()
        .chars()
        .map(hyphen)
        .collect()
}

/// Byte for byte, so that nothing is lost.
fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
