//! What the gateway has counted, as Prometheus collects it: text 0.0.4, OpenMetrics 1.0 with exemplars, or
//! protobuf with native histograms. `prometheus-client` writes values down and knows nothing else of the
//! gateway.

mod collect;
mod labels;
mod put;
mod scrapes;
mod sink;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use prometheus_client::encoding::{prometheus_protobuf, prometheus_text, text};
use prometheus_client::registry::Registry;

use crate::pipeline::snapshot::Snapshot;

use super::answer::takes_gzip;
use super::problem::Problem;
use super::view::View;

use self::collect::Scrape;
pub use self::scrapes::Scrapes;
pub(super) use self::scrapes::finish;
use self::sink::{Sink, WithExemplars};

/// How what was counted is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus text 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' protobuf, each family behind its length: the only one with native histograms.
    Protobuf,
}

impl Format {
    /// The one that `Accept` likes best; of those that it likes as much, the first of its list.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let accepts = headers.get_all(header::ACCEPT).into_iter();
        let accepts = accepts.filter_map(|value| value.to_str().ok());
        let ranges = accepts.flat_map(|value| value.split(','));
        let mut best = (Self::Text, 0.0);
        for range in ranges {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let parameters: Vec<_> = parts.collect();
            let has = |parameter: &str| parameters.contains(&parameter);
            let quality = parameters.iter().find_map(|it| it.strip_prefix("q="));
            let quality = quality.map_or(1.0, |q| q.parse().unwrap_or(0.0));
            let format = match kind.as_str() {
                "application/vnd.google.protobuf"
                    if has("proto=io.prometheus.client.MetricFamily") =>
                {
                    Self::Protobuf
                }
                "application/openmetrics-text" if !has("version=0.0.1") => Self::OpenMetrics,
                "text/plain" | "text/*" | "*/*" => Self::Text,
                _ => continue,
            };
            if quality > best.1 {
                best = (format, quality);
            }
        }
        best.0
    }

    /// Its media type.
    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        })
    }
}

/// Answers whoever collects metrics.
pub(super) async fn metrics(State(view): State<Arc<View>>, headers: HeaderMap) -> Response {
    let format = Format::accepted(&headers);
    // What is protobuf is there only as a whole, and is compressed as any answer is.
    let is_packed = takes_gzip(&headers) && format != Format::Protobuf;
    let making = view.scrapes.turn().await;
    let to = if is_packed {
        Sink::gzip()
    } else {
        Sink::Plain(view.scrapes.text(format))
    };
    let written = match render(&view, format, to) {
        Ok(written) => written,
        Err(error) => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            let problem = Problem::new(status, "internal", "Internal error", error.to_string());
            return problem.into_response();
        }
    };
    let mut fields = HeaderMap::new();
    fields.insert(header::CONTENT_TYPE, format.content_type());
    if is_packed {
        let gzip = HeaderValue::from_static("gzip");
        fields.insert(header::CONTENT_ENCODING, gzip);
        let by = HeaderValue::from_static("accept-encoding");
        fields.insert(header::VARY, by);
        return (fields, Extension(making), written).into_response();
    }
    let body = view.scrapes.whole(format, written);
    (fields, Extension(making), body).into_response()
}

/// Names of the certificates that are shown, and when they expire, in seconds since 1970; of two for one
/// name the one that expires first.
fn certificates(snapshot: &Snapshot) -> BTreeMap<String, i64> {
    let mut all = BTreeMap::new();
    let certificates = snapshot.tls.iter().flat_map(|tls| tls.certificates());
    for (_, certificate) in certificates {
        let expires = certificate.not_after.as_second();
        for name in &certificate.names {
            let known = all.entry(name.clone()).or_insert(expires);
            *known = expires.min(*known);
        }
    }
    all
}

/// Reads everything and writes it down; `to` is where a text goes.
fn render(view: &View, format: Format, mut to: Sink) -> io::Result<Vec<u8>> {
    let mut registry = Registry::default();
    let scrape = Scrape::of(view);
    let exemplars = match format {
        Format::OpenMetrics => sink::exemplars(scrape.routes()),
        Format::Text | Format::Protobuf => Vec::new(),
    };
    registry.register_collector(Box::new(scrape));
    let written = match format {
        Format::Text => {
            prometheus_text::encode(&mut to, &registry).map_err(io::Error::other)?;
            to.finish()?
        }
        Format::OpenMetrics => {
            let mut to_lines = WithExemplars::new(&mut to, &exemplars);
            text::encode(&mut to_lines, &registry).map_err(io::Error::other)?;
            to.finish()?
        }
        Format::Protobuf => {
            prometheus_protobuf::encode_to_vec(&registry).map_err(io::Error::other)?
        }
    };
    view.metrics.shown();
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(accept: &'static str) -> Format {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        Format::accepted(&headers)
    }

    #[test]
    fn a_collector_gets_what_it_likes_best() {
        assert_eq!(Format::accepted(&HeaderMap::new()), Format::Text);
        for (accept, format) in [
            ("*/*", Format::Text),
            ("text/html", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.2",
                Format::OpenMetrics,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5",
                Format::Protobuf,
            ),
            (
                "application/vnd.google.protobuf;q=0.6,text/plain;q=0.5",
                Format::Text,
            ),
            (
                "application/openmetrics-text;q=0.1, text/plain;q=0.9",
                Format::Text,
            ),
        ] {
            assert_eq!(accepted(accept), format, "{accept}");
        }
    }
}
