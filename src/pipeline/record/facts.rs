//! What a request turns out to have been: for its line, for what is counted, and for who looks on.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use crate::client::Client;
use crate::limit::Policy;
use crate::message::own_keys;
use crate::message::target::host_without_port;
use crate::pipeline::codes;
use crate::pipeline::identify::Caller;
use crate::pipeline::request::Identity;
use crate::route::Route;

use super::Record;

/// The status of a request whose client left before an answer could be sent: no client sees it.
const CLIENT_CLOSED: u16 = 499;

impl<'r> Record<'r> {
    /// The canonical path, if there is one; a key that somebody has put into it cannot be read.
    pub(super) fn shown_path(&self) -> Option<Cow<'r, str>> {
        let path = self.request?.path.as_ref()?;
        Some(own_keys::hidden(path.as_str()))
    }

    /// The client, as far as there is one, and how far it is known.
    pub(super) fn client(&self) -> (Option<&'r Client>, Option<&'static str>) {
        match self.request.and_then(|request| request.identity) {
            None => (None, None),
            Some(Identity::Known(Caller::Anonymous(_))) => (None, Some("anonymous")),
            Some(Identity::Known(Caller::Identified(client))) => (Some(client), Some("identified")),
            Some(Identity::InvalidKey(fault)) => (fault.client(), Some("invalid")),
        }
    }

    /// Where it comes from.
    pub(super) fn address(&self) -> IpAddr {
        self.request
            .map_or(self.peer.address, |request| request.address)
    }

    /// The host that it is for, if it names one.
    pub(super) fn host(&self) -> Option<&'r [u8]> {
        let host = host_without_port(self.request?.host);
        (!host.is_empty()).then_some(host)
    }

    /// The limit that refused it, or is closest to it; the one that could not be counted.
    pub(super) fn limit(&self) -> Option<&'r Policy> {
        let closest = self.report.get().map(|report| report.closest);
        closest.or(self.uncounted.get())
    }

    /// The route that it was for.
    pub(super) fn route(&self) -> Option<&'r Arc<Route>> {
        let request = self.request?;
        request.route.or(request.found)
    }

    /// Whether its line may stand for those of others: it was answered, and neither refused nor cut.
    pub(super) fn went_well(&self) -> bool {
        self.status_number() < 400 && self.code_or_gone().is_none()
    }

    pub(super) fn status_number(&self) -> u16 {
        self.status
            .get()
            .map_or(CLIENT_CLOSED, |status| status.as_u16())
    }

    /// Why there is no answer, or no whole one. What is cut at the gateway's end is cut within a
    /// request, for nothing runs any more that could end it.
    pub(super) fn code_or_gone(&self) -> Option<&'static str> {
        let left = self.status.get().is_none().then_some(codes::CLIENT_CLOSED);
        self.code.get().or(self.worker.cut.get()).or(left)
    }
}
