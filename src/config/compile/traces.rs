//! Traces: where spans are sent, and with what.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use rustls::ClientConfig;

use crate::config::file::{File, TracesKeys};
use crate::config::problems::{Problem, Problems};
use crate::message::protocol::Scheme;
use crate::tls::Purpose;
use crate::traces::{Collector, Protocol, Sampler, TraceSettings};

use super::client_tls::{ClientFiles, Servers};

/// Names that say how a message of gRPC is read.
const GRPC: &str = "grpc-";

/// Compiles `[traces]`, if it is there.
pub(super) fn compile(file: &File, problems: &mut Problems) -> Option<Arc<TraceSettings>> {
    let keys = file.traces.as_ref()?;
    if keys.service_name.is_empty() {
        let problem = Problem::at(keys.service_name.span, "`traces.service_name` is empty");
        problems.add(problem.help("leave it out for `tollgate`"));
    }
    let endpoint = &keys.endpoint.0;
    if *keys.protocol == Protocol::Grpc && !endpoint.base_path.is_empty() {
        let message = "with `protocol = \"grpc\"` there is no path in `traces.endpoint`";
        let help = format!(
            "write `{}://{}`",
            endpoint.scheme.as_str(),
            endpoint.authority()
        );
        problems.add(Problem::at(keys.endpoint.span, message).help(help));
    }
    Some(Arc::new(TraceSettings {
        sampler: Sampler::new(keys.sample.0),
        service_name: keys.service_name.value.clone(),
        collector: Collector {
            scheme: endpoint.scheme,
            host: endpoint.host.clone(),
            port: endpoint.port,
            authority: endpoint.authority().into(),
            base_path: endpoint.base_path.clone(),
            protocol: *keys.protocol,
            headers: headers(keys, problems),
            trust: trust(keys, problems),
        },
    }))
}

fn headers(keys: &TracesKeys, problems: &mut Problems) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in keys.headers.good() {
        if name.0.as_str().starts_with(GRPC) {
            let message = format!("`{}` is gRPC's own", name.0);
            problems.add(Problem::at(name.span, message));
        }
        // It was read as one.
        if let Ok(mut value) = HeaderValue::from_str(&value.0) {
            value.set_sensitive(true);
            headers.append(name.0.clone(), value);
        }
    }
    headers
}

/// Whom TLS trusts, where it is spoken.
fn trust(keys: &TracesKeys, problems: &mut Problems) -> Option<Arc<ClientConfig>> {
    let files = ClientFiles {
        table: "traces",
        ca: keys.ca.written(),
        cert: None,
        key: None,
    };
    if keys.endpoint.0.scheme == Scheme::Http {
        files.refuse("https://", "endpoint", problems);
        return None;
    }
    let collectors = Servers {
        noun: "collector with `https`",
        purpose: Purpose::Client,
        are_verified: true,
        named_at: Some(keys.endpoint.span),
    };
    let tls = files.compile(collectors, &[], problems)?;
    Some(match *keys.protocol {
        Protocol::Http => tls.speaking(&[]),
        Protocol::Grpc => tls.speaking(&[b"h2"]),
    })
}
