//! How the access log's line of a request is written: as JSON, or for a terminal.

use std::io::Write;
use std::time::Duration;

use crate::client::KeyId;
use crate::message::caller::put_address;
use crate::message::known_field::KnownField;
use crate::message::path::RequestPath;
use crate::message::target::host_without_port;
use crate::words::Word;

use super::super::identify::Caller;
use super::super::json::{self, member};
use super::super::report::Report;
use super::super::request::Identity;
use super::Record;

impl Record<'_> {
    pub(super) fn put_json(&self, out: &mut Vec<u8>, took: Duration) {
        let (request, head) = (self.request, self.request.map(|request| request.head));
        out.extend_from_slice(b"{\"time\":\"");
        self.worker.clock.put_iso(out, self.begun);
        out.extend_from_slice(b"\",\"request_id\":\"");
        out.extend_from_slice(self.request_id.bytes());
        out.push(b'"');
        let (client, kind) = match request.and_then(|request| request.identity) {
            None => (None, None),
            Some(Identity::Known(Caller::Anonymous(_))) => (None, Some(&b"anonymous"[..])),
            Some(Identity::Known(Caller::Identified(client))) => {
                (Some(client.name.as_str()), Some(&b"identified"[..]))
            }
            Some(Identity::InvalidKey(fault)) => {
                let client = fault.client().map(|client| client.name.as_str());
                (client, Some(&b"invalid"[..]))
            }
        };
        json::put_word(out, member!("client"), client.map(str::as_bytes));
        json::put_word(out, member!("client_kind"), kind);
        let key = request.and_then(|request| request.key);
        json::put_word(out, member!("key_id"), key.as_ref().map(KeyId::bytes));
        out.extend_from_slice(b",\"ip\":\"");
        put_address(
            out,
            request.map_or(self.peer.address, |request| request.address),
        );
        out.push(b'"');
        let method = head.map(|head| head.method.as_str().as_bytes());
        json::put_word(out, member!("method"), method);
        let host = request.map(|request| host_without_port(request.host));
        let host = host.filter(|host| !host.is_empty());
        json::put_word(out, member!("host"), host);
        let path = self.path().map(|path| path.as_str().as_bytes());
        json::put_word(out, member!("path"), path);
        let route = request.and_then(|request| request.route.or(request.found));
        let route = route.map(|route| route.name.as_bytes());
        json::put_word(out, member!("route"), route);
        json::put_number(out, member!("status"), u64::from(self.status_number()));
        json::put_word(out, member!("code"), self.code_or_gone().map(str::as_bytes));
        let detail = self.detail.take();
        json::put_text(out, member!("detail"), detail.as_deref().map(str::as_bytes));
        let report = self.report.get();
        let limit = report.map(|report| report.closest);
        let limit = limit.or(self.uncounted.get());
        let limit = limit.map(|limit| limit.name.as_bytes());
        json::put_word(out, member!("limit"), limit);
        let source = report.map(|report| report.decision.source.word().as_bytes());
        json::put_word(out, member!("limit_source"), source);
        let upstream = self.upstream.get().map(|upstream| upstream.name.as_bytes());
        json::put_word(out, member!("upstream"), upstream);
        let endpoint = self.endpoint.borrow();
        json::put_word(
            out,
            member!("endpoint"),
            endpoint.as_deref().map(str::as_bytes),
        );
        json::put_number(out, member!("attempts"), u64::from(self.attempts.get()));
        self.put_tries(out);
        json::put_millis(out, member!("duration_ms"), Some(took));
        json::put_millis(out, member!("limit_ms"), self.limit_time.get());
        json::put_millis(out, member!("upstream_ms"), self.upstream_time.get());
        json::put_number(out, member!("bytes_in"), self.bytes_in.get());
        json::put_number(out, member!("bytes_out"), self.bytes_out.get());
        let protocol = head.map(|head| head.version.as_str().as_bytes());
        json::put_word(out, member!("protocol"), protocol);
        self.put_tls(out);
        let agent = head.and_then(|head| head.fields.get(KnownField::UserAgent));
        json::put_text(out, member!("user_agent"), agent);
        if let Some(policy) = report.and_then(|report| report.shadow) {
            json::put_word(out, member!("shadow"), Some(policy.name.as_bytes()));
        }
        out.extend_from_slice(b"}\n");
    }

    /// Puts what was agreed upon with a client that speaks TLS.
    fn put_tls(&self, out: &mut Vec<u8>) {
        let Some(tls) = self.peer.tls() else {
            return;
        };
        let start = b",\"tls\":{\"version\":";
        json::put_word(out, start, Some(tls.version.as_bytes()));
        json::put_word(out, member!("cipher"), Some(tls.cipher.as_bytes()));
        let sni = tls.sni.as_deref().map(str::as_bytes);
        json::put_text(out, member!("sni"), sni);
        out.push(b'}');
    }

    /// Puts what has failed, if anything has.
    fn put_tries(&self, out: &mut Vec<u8>) {
        let tries = self.tries.borrow();
        if tries.is_empty() {
            return;
        }
        let mut start: &[u8] = b",\"tries\":[{\"endpoint\":";
        for failed in tries.iter() {
            json::put_word(out, start, Some(failed.endpoint.as_bytes()));
            json::put_word(out, member!("reason"), Some(failed.reason.as_bytes()));
            json::put_millis(out, member!("ms"), Some(failed.took));
            start = b"},{\"endpoint\":";
        }
        out.extend_from_slice(b"}]");
    }

    pub(super) fn put_pretty(&self, out: &mut Vec<u8>, took: Duration) {
        self.worker.clock.put_iso(out, self.begun);
        let request = self.request;
        let method = request.map_or("-", |request| request.head.method.as_str());
        let method = json::shortened(method);
        // A canonical path has no control characters that a terminal would obey.
        let path = json::shortened(self.path().map_or("-", RequestPath::as_str));
        let client = match request.and_then(|request| request.identity) {
            Some(Identity::Known(Caller::Identified(client))) => client.name.as_str(),
            Some(Identity::Known(Caller::Anonymous(_))) => "anonymous",
            Some(Identity::InvalidKey(_)) => "invalid key",
            None => "-",
        };
        let millis = took.as_secs_f64() * 1000.0;
        let _ = write!(
            out,
            " {} {method} {path} {millis:.1}ms {client}",
            self.status_number()
        );
        if let Some(code) = self.code_or_gone() {
            let _ = write!(out, " {code}");
        }
        let refused = |report: &Report<'_>| report.closest.enforces() && !report.decision.admitted;
        if let Some(report) = self.report.get().filter(refused) {
            let source = report.decision.source.word();
            let _ = write!(out, " limit={} ({source})", report.closest.name);
        }
        if let Some(limit) = self.uncounted.get() {
            let _ = write!(out, " limit={}", limit.name);
        }
        if let Some(detail) = self.detail.take() {
            let _ = write!(out, ": {detail}");
        }
        if let Some(policy) = self.report.get().and_then(|report| report.shadow) {
            let _ = write!(out, " shadow={}", policy.name);
        }
        out.push(b'\n');
    }
}
