//! What the configuration says of traces: `[traces]`, compiled.

use std::sync::Arc;

use http::HeaderMap;
use rustls::ClientConfig;

use super::sampling::Sampler;
use crate::message::protocol::Scheme;
use crate::words::words;

words! {
    /// How a collector is spoken to.
    #[derive(Default)]
    pub enum Protocol {
        /// OTLP/HTTP: a POST for each batch.
        #[default]
        Http = "http",
        /// OTLP/gRPC.
        Grpc = "grpc",
    }
}

/// Which requests are traced, and who gets the spans.
#[derive(Debug)]
pub struct TraceSettings {
    /// Which traces are recorded that nobody who is trusted has decided about.
    pub sampler: Sampler,
    /// What spans say of whose they are.
    pub service_name: String,
    /// Where they go.
    pub collector: Collector,
}

/// A collector of spans.
#[derive(Debug)]
pub struct Collector {
    /// Whether it is spoken to through TLS.
    pub scheme: Scheme,
    /// A name or an address.
    pub host: Box<str>,
    /// Its port there.
    pub port: u16,
    /// Both, as a `Host` field has them.
    pub authority: Box<str>,
    /// What stands in front of the path that OTLP has; empty for nothing.
    pub base_path: Box<str>,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// What it gets in each request, marked as secret.
    pub headers: HeaderMap,
    /// Whose certificates are trusted, with `https`.
    pub trust: Option<Arc<ClientConfig>>,
}

/// Where OTLP/HTTP takes spans.
const HTTP_PATH: &str = "/v1/traces";
const GRPC_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

impl Collector {
    /// The path that spans are sent to. OTLP's own is appended to that of the endpoint, unless it ends so.
    pub fn path(&self) -> String {
        let base = self.base_path.trim_end_matches('/');
        match self.protocol {
            Protocol::Grpc => GRPC_PATH.to_owned(),
            Protocol::Http if base.ends_with(HTTP_PATH) => base.to_owned(),
            Protocol::Http => format!("{base}{HTTP_PATH}"),
        }
    }

    /// Where it is, for the log.
    pub fn url(&self) -> String {
        let (scheme, base) = (self.scheme.as_str(), &self.base_path);
        format!("{scheme}://{}{base}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_go_to_the_path_that_otlp_has() {
        let path = |base: &str, protocol| {
            let collector = Collector {
                scheme: Scheme::Http,
                host: "otel".into(),
                port: 4318,
                authority: "otel:4318".into(),
                base_path: base.into(),
                protocol,
                headers: HeaderMap::new(),
                trust: None,
            };
            collector.path()
        };
        assert_eq!(path("", Protocol::Http), "/v1/traces");
        assert_eq!(path("/otlp/", Protocol::Http), "/otlp/v1/traces");
        assert_eq!(path("/otlp", Protocol::Http), "/otlp/v1/traces");
        assert_eq!(path("/otlp/v1/traces", Protocol::Http), "/otlp/v1/traces");
        assert_eq!(path("", Protocol::Grpc), GRPC_PATH);
    }
}
