//! One check: a GET of the gateway's own, on a connection of its own, whose answer is read as those to
//! requests are.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::ready;
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::{Instant, timeout, timeout_at};

use crate::message::body::BodyLength;
use crate::message::head::AnswerHead;
use crate::message::protocol::Version;
use crate::message::sink::{HeadSink, Persistence, PutHead};
use crate::wire::body::Piece;
use crate::wire::buffers::Buffers;
use crate::wire::end::End;
use crate::wire::framing::answer_body;
use crate::wire::head::AnswerError;
use crate::wire::http1::Http1;
use crate::wire::proxy_protocol::Version as ProxyVersion;
use crate::wire::stream::Connection;

use crate::upstream::address::{Address, ConnectError};
use crate::upstream::connect::connect_to;
use crate::upstream::failure::Failure;
use crate::upstream::rules::HealthRules;
use crate::upstream::tls::TlsFault;
use crate::upstream::{Endpoint, Upstream};

const USER_AGENT: &str = concat!("tollgate-health/", env!("TOLLGATE_VERSION"));
/// How many interim answers a check may get.
const MAX_INTERIM: u32 = 64;
/// So much of an answer's body is read, for so long: some services log a connection that is closed
/// before.
const READ_PAST: usize = 64 * 1024;
const READ_PAST_TIME: Duration = Duration::from_millis(100);

/// What is checked, and how.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub upstream: Arc<Upstream>,
    /// The endpoint's place in it.
    pub endpoint: usize,
    pub address: Arc<Address>,
    pub rules: Arc<HealthRules>,
}

/// Why a check has not passed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The endpoint is to blame.
    Endpoint(Failure),
    /// This process or machine is, which says nothing about the endpoint.
    Ours(ConnectError),
}

impl Target {
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.upstream.endpoints[self.endpoint]
    }

    /// Becomes `new`, which has the same address; says whether something else is asked then.
    pub(super) fn follow(&mut self, new: Self) -> bool {
        let [old_header, new_header] =
            [&*self, &new].map(|target| target.upstream.rules.proxy_protocol);
        let asks_the_same = self.rules == new.rules
            && self.endpoint().url == new.endpoint().url
            && old_header == new_header;
        *self = new;
        !asks_the_same
    }

    /// Checks once.
    pub(super) async fn ask(&self, buffers: &Buffers) -> Result<(), Fault> {
        let begun = Instant::now();
        let deadline = begun + self.rules.timeout;
        let connected = connect_to(&self.address, self.rules.timeout).await;
        let socket = connected.map_err(|error| match error.failure() {
            Some(why) => Fault::Endpoint(why),
            None => Fault::Ours(error),
        })?;
        self.endpoint().state.check_connected(&self.address);
        let mut connection = Connection::new(socket);
        let proxy_protocol = self.upstream.rules.proxy_protocol;
        if let Some(tls) = &self.endpoint().tls {
            let time = (begun, self.rules.timeout);
            let before = |out: &mut Vec<u8>| put_own(proxy_protocol, out);
            let handshake = tls.begin(connection, tls.tls.config(), time, before, buffers);
            connection = handshake.await.map_err(|error| {
                let (upstream, endpoint) = (&self.upstream.name, self.address.socket);
                tracing::debug!(%upstream, %endpoint, %error, "a check could not begin TLS");
                Fault::Endpoint(Failure::Tls(error.fault()))
            })?;
        }
        let mut end = Http1::new(&mut connection, buffers, Version::Http11);
        if self.endpoint().tls.is_none() {
            end.send_first(|out| put_own(proxy_protocol, out));
        }
        let mut end = End::Http1(end);
        end.send_head(self, BodyLength::None);
        end.finish(None, |_| false);
        let head = timeout_at(deadline, head(&mut end, buffers)).await;
        let head = head.unwrap_or(Err(Failure::TimedOut));
        let head = head.map_err(Fault::Endpoint)?;
        let _ = timeout(READ_PAST_TIME, read_past(&mut end, &head)).await;
        let status = head.status;
        buffers.give_head(head.into_storage());
        if self.rules.statuses.has(status) {
            Ok(())
        } else {
            Err(Fault::Endpoint(Failure::Status(status)))
        }
    }
}

/// The request.
impl PutHead for Target {
    fn put(&self, sink: &mut impl HeadSink) {
        let url = &self.endpoint().url;
        let host = self.rules.host.as_deref();
        let host = host.unwrap_or_else(|| url.authority());
        sink.request(&Method::GET, host.as_bytes(), |target| {
            target.extend_from_slice(url.base_path.trim_end_matches('/').as_bytes());
            target.extend_from_slice(self.rules.path.as_bytes());
        });
        sink.field(b"User-Agent", USER_AGENT.as_bytes());
        sink.field(b"Accept", b"*/*");
        sink.connection(Persistence::Ends, false);
        sink.end();
    }
}

/// Puts what a connection to the service begins with. A check is made for no client.
fn put_own(proxy_protocol: Option<ProxyVersion>, out: &mut Vec<u8>) {
    if let Some(version) = proxy_protocol {
        version.put(None, out);
    }
}

/// Sends what is to be sent, and reads the head of the final answer.
async fn head(end: &mut End<'_>, buffers: &Buffers) -> Result<AnswerHead, Failure> {
    for _ in 0..=MAX_INTERIM {
        let head = poll_fn(|cx| {
            // Where that fails, the service may have answered before.
            let _ = end.poll_flush(cx);
            end.poll_answer(cx)
        });
        let head = head.await.map_err(|error| match error {
            AnswerError::Ended => Failure::Reset,
            AnswerError::Refused(_) => Failure::Tls(TlsFault::Refused),
            AnswerError::Invalid(_) => Failure::Invalid,
        })?;
        if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(head);
        }
        buffers.give_head(head.into_storage());
    }
    Err(Failure::Invalid)
}

/// Reads the body of an answer, if it is short.
async fn read_past(end: &mut End<'_>, head: &AnswerHead) {
    let Ok(body) = answer_body(head, &Method::GET) else {
        return;
    };
    end.expect_answer_body(body.length);
    let mut left = READ_PAST;
    poll_fn(|cx| {
        loop {
            match end.next_piece() {
                Ok(Piece::Data(bytes)) if bytes.len() <= left => {
                    let n = bytes.len();
                    left -= n;
                    end.used(n);
                }
                Ok(Piece::NeedMore) => {
                    if ready!(end.poll_more(cx)).is_err() {
                        return ().into();
                    }
                }
                Ok(Piece::Data(_) | Piece::End(_)) | Err(_) => return ().into(),
            }
        }
    })
    .await;
}
