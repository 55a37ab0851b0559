//! What the stages know of a request.

use std::net::IpAddr;
use std::sync::Arc;

use http::Method;

use crate::client::{KeyFault, KeyId};
use crate::message::body::BodyLength;
use crate::message::caller::{Peer, caller};
use crate::message::cors::Cors;
use crate::message::field_rules::{Edit, FieldRules, Variables};
use crate::message::fields::Fields;
use crate::message::head::RequestHead;
use crate::message::host;
use crate::message::known_field::KnownField;
use crate::message::mapping::PathMapping;
use crate::message::path::RequestPath;
use crate::message::target::RequestTarget;
use crate::route::Route;

use super::identify::Caller;
use super::snapshot::Snapshot;

/// A request whose head has been read, as far as the plan has understood it.
#[derive(Debug)]
pub struct Request<'r> {
    /// Its head as it came.
    pub head: &'r RequestHead,
    /// The other end of the connection.
    pub peer: &'r Peer<'r>,
    /// Whether the peer's word about the caller is taken.
    pub trusted: bool,
    /// Where the request comes from.
    pub address: IpAddr,
    /// The parts of its target.
    pub target: Option<RequestTarget<'r>>,
    /// What is left of the query where it has a key.
    pub query_without_keys: Option<Box<[u8]>>,
    /// The host that is asked for, with its port as it came.
    pub host: &'r [u8],
    /// How its body is framed.
    pub body: BodyLength,
    /// The canonical path, if the target has one.
    pub path: Option<RequestPath<'r>>,
    /// What pages of other origins may do with it, where that is configured.
    pub cors: Option<&'r Cors>,
    /// What its route, once that has been looked up, changes of the fields of answers.
    pub response_headers: Option<&'r FieldRules>,
    /// Who calls; `None` if the request was refused before that was of interest.
    pub identity: Option<Identity<'r>>,
    /// Which key was sent, whether it is accepted or not.
    pub key: Option<KeyId>,
    /// The route that takes it.
    pub route: Option<&'r Arc<Route>>,
    /// The route that it was for, also if it was refused before that one took it. For the log.
    pub found: Option<&'r Arc<Route>>,
}

/// Who turned out to be calling.
#[derive(Debug, Clone, Copy)]
pub enum Identity<'r> {
    /// Somebody that may call.
    Known(Caller<'r>),
    /// Somebody with a key that is not accepted, and why.
    InvalidKey(KeyFault<'r>),
}

impl<'r> Request<'r> {
    /// A request that `peer` has sent, of which nothing is understood yet.
    pub fn new(snapshot: &'r Snapshot, head: &'r RequestHead, peer: &'r Peer<'r>) -> Self {
        Self {
            head,
            peer,
            trusted: snapshot.trusts(peer.address),
            address: caller(peer.address, &head.fields, |hop| snapshot.trusts(hop)),
            target: None,
            query_without_keys: None,
            host: head.host(),
            body: BodyLength::None,
            path: None,
            // Until a route is found that has rules of its own.
            cors: snapshot.access.cors.as_deref(),
            response_headers: None,
            identity: None,
            key: None,
            route: None,
            found: None,
        }
    }

    /// Notes what a route says of answers, which holds for refusals as well.
    pub fn note_rules(&mut self, route: &'r Route) {
        self.cors = route.cors.as_deref();
        self.response_headers = route.response_headers.as_deref();
    }

    /// What stands behind the question mark, but for keys.
    pub fn query(&self) -> Option<&[u8]> {
        match &self.query_without_keys {
            None => self.target.and_then(|target| target.query),
            Some(rest) => (!rest.is_empty()).then_some(rest),
        }
    }

    /// What pages of other origins may do with it, and its fields.
    pub fn cors(&self) -> Option<(&'r Cors, &'r Fields)> {
        self.cors.map(|cors| (cors, &self.head.fields))
    }

    /// What the route changes of the fields of a message, and what their values are made of.
    pub fn edit<'a>(
        &'a self,
        rules: Option<&'a FieldRules>,
        request_id: &'a [u8],
    ) -> Option<Edit<'a>> {
        rules.map(|rules| Edit {
            rules,
            variables: Variables {
                client: self.client_name(),
                address: self.address,
                request_id,
            },
        })
    }

    /// The client's name, if it is an identified one.
    pub fn client_name(&self) -> Option<&'r str> {
        match self.identity? {
            Identity::Known(caller) => Some(caller.client()?.name.as_str()),
            Identity::InvalidKey(_) => None,
        }
    }

    /// Appends the target that a service gets: the path as it is mapped, and the query byte for byte.
    pub fn put_target(&self, out: &mut Vec<u8>, mapping: PathMapping<'_>) {
        self.put_path(out, mapping);
        if let Some(query) = self.query() {
            out.push(b'?');
            out.extend_from_slice(query);
        }
    }

    /// Appends the path alone.
    pub fn put_path(&self, out: &mut Vec<u8>, mapping: PathMapping<'_>) {
        // What has no path has no route either.
        let path = self.path.as_ref().zip(self.route);
        let path = path.map(|(path, route)| route.path_to_send(path));
        mapping.put(out, path.as_deref().unwrap_or("/"));
    }

    /// The scheme and the host that the client has asked for, as far as whoever stands in front of
    /// the gateway is believed.
    pub fn public_origin(&self) -> (&[u8], &[u8]) {
        let fields = &self.head.fields;
        let told = |known| fields.list_items(known).next().filter(|_| self.trusted);
        let scheme = told(KnownField::XForwardedProto);
        let scheme = scheme.filter(|scheme| matches!(*scheme, b"http" | b"https"));
        let host = told(KnownField::XForwardedHost).filter(|host| host::is_valid(host));
        (
            scheme.unwrap_or(self.peer.scheme().as_str().as_bytes()),
            host.unwrap_or(self.host),
        )
    }

    /// Whether it is HEAD, to which no answer has a body.
    pub fn is_head(&self) -> bool {
        self.head.method == Method::HEAD
    }
}
