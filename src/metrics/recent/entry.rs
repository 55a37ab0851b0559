//! A request as it is kept: what an operator asks about, and no more bytes than a few hundred.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::metrics::filter::Facts;

/// How much is kept of what a client can make as long as it likes.
const LONGEST: usize = 256;

/// A request that was served lately, and how many like it came at once.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// When its head had arrived.
    #[serde(serialize_with = "time")]
    pub time: Timestamp,
    /// Its id.
    pub request_id: Box<str>,
    /// The id of its trace.
    pub trace_id: Option<Box<str>>,
    /// The client's name.
    pub client: Option<Box<str>>,
    /// How far the client is known.
    pub client_kind: Option<&'static str>,
    /// The client's address.
    pub ip: IpAddr,
    /// Its method.
    pub method: Option<Box<str>>,
    /// The host that it is for.
    pub host: Option<Box<str>>,
    /// The canonical path, without the query.
    pub path: Option<Box<str>>,
    /// The route that it is for.
    #[serde(serialize_with = "name")]
    pub route: Option<Arc<str>>,
    /// Where it went.
    #[serde(serialize_with = "name")]
    pub upstream: Option<Arc<str>>,
    /// The address that was asked last.
    pub endpoint: Option<Box<str>>,
    /// What was sent; 499 for none.
    pub status: u16,
    /// Why the gateway itself answered, or the answer broke off.
    pub code: Option<&'static str>,
    /// More about the code.
    pub detail: Option<Box<str>>,
    /// The limit that refused it, or is closest to it.
    #[serde(serialize_with = "name")]
    pub limit: Option<Arc<str>>,
    /// From the head's arrival to the end of the answer.
    #[serde(rename = "duration_ms", serialize_with = "millis")]
    pub took: Duration,
    /// What the service took.
    #[serde(rename = "upstream_ms", serialize_with = "maybe_millis")]
    pub upstream_time: Option<Duration>,
    /// What the limits took.
    #[serde(rename = "limit_ms", serialize_with = "maybe_millis")]
    pub limit_time: Option<Duration>,
    /// Under what it is kept: the code; of answers without one `4xx`, `5xx`, `slow` for those over a
    /// second, `slowest` for the slowest of its second, or `ok`.
    pub kind: &'static str,
    /// How many of the same kind came right after it and are not kept.
    pub more: u32,
}

impl Entry {
    /// As much of a text as is kept.
    pub fn cut(text: &str) -> Box<str> {
        text[..text.floor_char_boundary(LONGEST)].into()
    }

    /// The same for bytes, which need not be UTF-8.
    pub fn cut_bytes(bytes: &[u8]) -> Box<str> {
        let beginning = &bytes[..bytes.len().min(LONGEST)];
        Self::cut(&String::from_utf8_lossy(beginning))
    }

    /// What filters look at.
    pub(super) fn facts(&self) -> Facts<'_> {
        Facts {
            route: self.route.as_deref(),
            client: self.client.as_deref(),
            code: self.code,
            kind: self.kind,
            status: self.status,
            took: self.took,
        }
    }
}

fn time<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{time:.3}"))
}

fn millis<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(as_millis(*time))
}

#[expect(clippy::ref_option, reason = "serde hands over a reference")]
fn maybe_millis<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    time.map(as_millis).serialize(to)
}

#[expect(clippy::ref_option, reason = "serde hands over a reference")]
fn name<S: Serializer>(name: &Option<Arc<str>>, to: S) -> Result<S::Ok, S::Error> {
    name.as_deref().serialize(to)
}

/// To the microsecond, as in access lines.
fn as_millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
