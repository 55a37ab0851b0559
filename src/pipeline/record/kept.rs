//! What is kept of a request for an operator who looks at those of late.

use std::time::Duration;

use crate::metrics::recent::Entry;

use super::Record;

impl Record<'_> {
    /// The request as it is kept, under that kind.
    pub(super) fn kept(&self, kind: &'static str, took: Duration) -> Entry {
        let (client, client_kind) = self.client();
        let method = self.request.map(|request| request.head.method.as_str());
        Entry {
            time: self.worker.clock.time(self.begun),
            request_id: self.request_id.text().into(),
            trace_id: None,
            client: client.map(|client| client.name.as_str().into()),
            client_kind,
            ip: self.address(),
            method: method.map(Entry::cut),
            host: self.host().map(Entry::cut_bytes),
            path: self.path().map(|path| Entry::cut(path.as_str())),
            route: self.route().map(|route| route.name.clone()),
            upstream: self.upstream.get().map(|upstream| upstream.name.clone()),
            endpoint: self.endpoint.borrow().as_deref().map(Into::into),
            status: self.status_number(),
            code: self.code_or_gone(),
            detail: self.detail.borrow().as_deref().map(Entry::cut),
            limit: self.limit().map(|limit| limit.name.clone()),
            took,
            upstream_time: self.upstream_time.get(),
            limit_time: self.limit_time.get(),
            kind,
            more: 0,
        }
    }
}
