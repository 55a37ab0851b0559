//! `[traces]`: which requests are traced, and who gets the spans.

use crate::config::keys::{Map, table};
use crate::config::kinds::{CollectorUrl, FieldName, ReloadedPem, SecretFieldText, Share};
use crate::traces::Protocol;

table! {
    /// Traces of requests (OpenTelemetry), and where their spans are sent.
    TracesKeys, such as r#"endpoint = @"http://127.0.0.1:4318""# {
        /// The collector: `http://host:port`, or `https://` for TLS. With `protocol = "http"` a path may
        /// follow, to which `/v1/traces` is appended. It takes the OpenTelemetry protocol (OTLP), as the
        /// OpenTelemetry Collector, Jaeger, Tempo and most vendors do.
        endpoint: CollectorUrl;
        /// How it is spoken to. `http`: OTLP/HTTP with Protocol Buffers, usually on port 4318. `grpc`:
        /// OTLP/gRPC, usually on port 4317.
        protocol: Protocol = Protocol::Http;
        /// Which share of requests is traced, of those that no trusted proxy has decided about: `0.01` is
        /// one in a hundred. What peers in `server.trusted_proxies` say in `traceparent` is obeyed.
        sample: Share<true> = Share(0.01);
        /// Header fields that the collector is sent, such as `authorization`. Never logged.
        headers: Map<FieldName, SecretFieldText> = Map::default();
        /// With `https`: a file in PEM with the authorities to trust. Absent: the platform's.
        ca: Option<ReloadedPem>;
        /// What spans say of whose they are (`service.name`).
        service_name: String = "tollgate".to_owned();
    }
}
