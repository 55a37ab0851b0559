//! What an operator sees of a request: one who looks at those of late, and one who follows them.

use std::time::Duration;

use crate::logging::Members;
use crate::metrics::filter::Facts;
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
            trace_id: self.trace_id().map(|id| id.to_string().into()),
            client: client.map(|client| client.name.as_str().into()),
            client_kind,
            ip: self.address(),
            method: method.map(Entry::cut),
            host: self.host().map(Entry::cut_bytes),
            path: self.shown_path().map(|path| Entry::cut(&path)),
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
    /// Shows the request's line to those who follow and want it, with all members.
    #[cold]
    pub(super) fn show(&self, took: Duration) {
        let (client, _) = self.client();
        let facts = Facts {
            route: self.route().map(|route| &*route.name),
            client: client.map(|client| client.name.as_str()),
            code: self.code_or_gone(),
            kind: "",
            status: self.status_number(),
            took,
        };
        self.worker.access_lines.show(&facts, |line| {
            self.put_json(line, Members::ALL, took, None);
            line.truncate(line.trim_ascii_end().len());
        });
    }
}
