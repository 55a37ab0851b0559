//! How the access log's line of a request is written: as JSON, or for a terminal.

use std::io::Write;
use std::time::Duration;

use crate::client::KeyId;
use crate::logging::{Member, Members, start};
use crate::message::caller::put_address;
use crate::message::known_field::KnownField;
use crate::words::Word;

use super::super::identify::Caller;
use super::super::json;
use super::super::report::Report;
use super::super::request::Identity;
use super::Record;

impl Record<'_> {
    /// Puts the line as JSON, with those members. `weight` is for how many requests it stands.
    pub(super) fn put_json(
        &self,
        out: &mut Vec<u8>,
        members: Members,
        took: Duration,
        weight: Option<&str>,
    ) {
        let start = out.len();
        let mut line = Line { out, members };
        self.put_caller(&mut line);
        self.put_request(&mut line);
        self.put_ruling(&mut line);
        self.put_exchange(&mut line, took);
        if let Some(weight) = weight.filter(|_| members.has(Member::Weight)) {
            line.out.extend_from_slice(Member::Weight.start().value);
            line.out.extend_from_slice(weight.as_bytes());
        }
        // Each member begins with a comma, whichever is the first.
        match out.get_mut(start) {
            Some(comma) => *comma = b'{',
            None => out.push(b'{'),
        }
        out.extend_from_slice(b"}\n");
    }

    /// When, and who calls.
    fn put_caller(&self, line: &mut Line<'_>) {
        if line.has(Member::Time) {
            line.out.extend_from_slice(Member::Time.start().word);
            self.worker.clock.put_iso(line.out, self.begun);
            line.out.push(b'"');
        }
        line.word(Member::RequestId, || Some(self.request_id.bytes()));
        if line.has(Member::TraceId)
            && let Some(id) = self.trace_id()
        {
            let digits = id.digits();
            line.word(Member::TraceId, || Some(&digits));
        }
        let (client, kind) = self.client();
        line.word(Member::Client, || {
            client.map(|client| client.name.as_str().as_bytes())
        });
        line.word(Member::ClientKind, || kind.map(str::as_bytes));
        line.word(Member::Tier, || client?.tier().map(str::as_bytes));
        if line.has(Member::KeyId) {
            let key = self.request.and_then(|request| request.key);
            line.word(Member::KeyId, || key.as_ref().map(KeyId::bytes));
        }
        if line.has(Member::Ip) {
            line.out.extend_from_slice(Member::Ip.start().word);
            put_address(line.out, self.address());
            line.out.push(b'"');
        }
    }

    /// What is asked for.
    fn put_request(&self, line: &mut Line<'_>) {
        let request = self.request;
        line.word(Member::Method, || {
            Some(request?.head.method.as_str().as_bytes())
        });
        line.word(Member::Host, || self.host());
        if line.has(Member::Path) {
            let path = self.shown_path();
            line.word(Member::Path, || path.as_deref().map(str::as_bytes));
        }
        line.word(Member::Route, || Some(self.route()?.name.as_bytes()));
    }

    /// What was sent, and why.
    fn put_ruling(&self, line: &mut Line<'_>) {
        line.number(Member::Status, || u64::from(self.status_number()));
        line.word(Member::Code, || self.code_or_gone().map(str::as_bytes));
        let detail = self.detail.borrow();
        line.text(Member::Detail, || detail.as_deref().map(str::as_bytes));
        line.word(Member::Limit, || Some(self.limit()?.name.as_bytes()));
        let report = self.report.get();
        line.word(Member::LimitSource, || {
            Some(report?.decision.source.word().as_bytes())
        });
    }

    /// Where it went, and how that went.
    fn put_exchange(&self, line: &mut Line<'_>, took: Duration) {
        line.word(Member::Upstream, || {
            Some(self.upstream.get()?.name.as_bytes())
        });
        let endpoint = self.endpoint.borrow();
        line.word(Member::Endpoint, || endpoint.as_deref().map(str::as_bytes));
        line.number(Member::Attempts, || u64::from(self.attempts.get()));
        if line.has(Member::Tries) {
            self.put_tries(line.out);
        }
        line.millis(Member::Duration, || Some(took));
        line.millis(Member::LimitTime, || self.limit_time.get());
        line.millis(Member::UpstreamTime, || self.upstream_time.get());
        line.number(Member::BytesIn, || self.bytes_in.get());
        line.number(Member::BytesOut, || self.bytes_out.get());
        let head = self.request.map(|request| request.head);
        line.word(Member::Protocol, || Some(head?.version.as_str().as_bytes()));
        if line.has(Member::Tls) {
            self.put_tls(line.out);
        }
        line.text(Member::UserAgent, || {
            head?.fields.get(KnownField::UserAgent)
        });
        let shadow = self.report.get().and_then(|report| report.shadow);
        if let Some(policy) = shadow {
            line.word(Member::Shadow, || Some(policy.name.as_bytes()));
        }
    }

    /// Puts what was agreed upon with a client that speaks TLS.
    fn put_tls(&self, out: &mut Vec<u8>) {
        let Some(tls) = self.peer.tls() else {
            return;
        };
        out.extend_from_slice(Member::Tls.start().value);
        json::put_word(out, start!("{", "version"), Some(tls.version.as_bytes()));
        json::put_word(out, start!(",", "cipher"), Some(tls.cipher.as_bytes()));
        let sni = tls.sni.as_deref().map(str::as_bytes);
        json::put_text(out, start!(",", "sni"), sni);
        out.push(b'}');
    }

    /// Puts what has failed, if anything has.
    fn put_tries(&self, out: &mut Vec<u8>) {
        let tries = self.tries.borrow();
        if tries.is_empty() {
            return;
        }
        out.extend_from_slice(Member::Tries.start().value);
        let mut first = start!("[{", "endpoint");
        for failed in tries.iter() {
            json::put_word(out, first, Some(failed.endpoint.as_bytes()));
            json::put_word(out, start!(",", "reason"), Some(failed.reason.as_bytes()));
            json::put_millis(out, start!(",", "ms"), Some(failed.took));
            first = start!("},{", "endpoint");
        }
        out.extend_from_slice(b"}]");
    }

    /// Puts the line for a person at a terminal.
    pub(super) fn put_pretty(&self, out: &mut Vec<u8>, took: Duration, weight: Option<&str>) {
        self.worker.clock.put_iso(out, self.begun);
        let request = self.request;
        let method = request.map_or("-", |request| request.head.method.as_str());
        let method = json::shortened(method);
        // A canonical path has no control characters that a terminal would obey.
        let path = self.shown_path();
        let path = json::shortened(path.as_deref().unwrap_or("-"));
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
        if let Some(detail) = self.detail.borrow().as_deref() {
            let _ = write!(out, ": {detail}");
        }
        if let Some(policy) = self.report.get().and_then(|report| report.shadow) {
            let _ = write!(out, " shadow={}", policy.name);
        }
        if let Some(weight) = weight {
            let _ = write!(out, " weight={weight}");
        }
        out.push(b'\n');
    }
}

/// A line that is being written, and which members it is to have. What a member is made of is only
/// looked for if the line has it.
struct Line<'o> {
    out: &'o mut Vec<u8>,
    members: Members,
}

#[expect(
    clippy::inline_always,
    reason = "members are constants, and then cost a test of a bit and a move"
)]
impl Line<'_> {
    #[inline(always)]
    fn has(&self, member: Member) -> bool {
        self.members.has(member)
    }

    #[inline(always)]
    fn word<'w>(&mut self, member: Member, word: impl FnOnce() -> Option<&'w [u8]>) {
        if self.has(member) {
            json::put_word(self.out, member.start(), word());
        }
    }

    #[inline(always)]
    fn text<'w>(&mut self, member: Member, text: impl FnOnce() -> Option<&'w [u8]>) {
        if self.has(member) {
            json::put_text(self.out, member.start(), text());
        }
    }

    #[inline(always)]
    fn number(&mut self, member: Member, number: impl FnOnce() -> u64) {
        if self.has(member) {
            json::put_number(self.out, member.start(), number());
        }
    }

    #[inline(always)]
    fn millis(&mut self, member: Member, time: impl FnOnce() -> Option<Duration>) {
        if self.has(member) {
            json::put_millis(self.out, member.start(), time());
        }
    }
}
