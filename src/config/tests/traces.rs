//! `[traces]`: what is refused, what is odd, and that its secrets are shown nowhere.

use super::*;
use crate::traces::{Protocol, Sampler};

const URL: &str = "endpoint = \"http://127.0.0.1:4318\"\n";

fn traces(lines: &str) -> String {
    format!(
        "[routes]\n\"/a\" = \"http://x\"\n[limits]\nanonymous = {{ requests = 1, per = \"1s\" }}\n[traces]\n{lines}"
    )
}

#[test]
fn what_is_not_written_is_as_documented() {
    let loaded = read(&traces(URL)).unwrap();
    let settings = loaded.snapshot.traces.unwrap();
    assert_eq!(settings.sampler, Sampler::new(0.01));
    assert_eq!(settings.service_name, "tollgate");
    let collector = &settings.collector;
    assert_eq!(collector.protocol, Protocol::Http);
    assert_eq!(collector.url(), "http://127.0.0.1:4318");
    assert!(collector.headers.is_empty() && collector.trust.is_none());
    assert!(read("[routes]\n").unwrap().snapshot.traces.is_none());
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    for (lines, parts) in table(
        r#"
        sample = 0.5 => `traces` has no `endpoint` & http://127.0.0.1:4318
        endpoint = "127.0.0.1:4318" => `traces.endpoint`
        endpoint = "http://u:p4ss@h:4318" => traces.endpoint
        endpoint = "http://127.0.0.1:4318"\nsample = 1.5 => a number from 0 to 1
        endpoint = "http://127.0.0.1:4318"\nsample = -0.1 => a number from 0 to 1
        endpoint = "http://127.0.0.1:4318"\nsample = "1" => a number from 0 to 1
        endpoint = "http://127.0.0.1:4318"\nsampling = 1 => did you mean `sample`?
        endpoint = "http://127.0.0.1:4318"\nprotocol = "http/json" => "http" or "grpc"
        endpoint = "http://127.0.0.1:4318"\nservice_name = "" => `traces.service_name` is empty
        endpoint = "http://h:4317/v1"\nprotocol = "grpc" => no path in `traces.endpoint` & write `http://h:4317`
        endpoint = "http://127.0.0.1:4318"\nheaders = { grpc-timeout = "1S" } => `grpc-timeout` is gRPC's own
        endpoint = "http://127.0.0.1:4318"\nheaders = { host = "s3cr" } => this field has a meaning of its own
        endpoint = "http://127.0.0.1:4318"\nheaders = { a = "" } => traces.headers.a
        "#,
    ) {
        let said = complaints(&traces(&lines));
        assert!(said.ends_with("\n1 problem\n"), "{lines}\n{said}");
        for part in parts.split(" & ") {
            assert!(
                said.contains(part),
                "{part:?} is not said of {lines}\n{said}"
            );
        }
        assert!(!said.contains("s3cr") && !said.contains("p4ss"), "{said}");
    }
    let ca = complaints(&traces(&format!("{URL}ca = \"ca.pem\"")));
    assert!(ca.contains("`traces.ca` needs TLS"), "{ca}");
    let ca = complaints(&traces("endpoint = \"https://h\"\nca = \"ca.pem\""));
    assert!(ca.contains("cannot read `ca.pem`"), "{ca}");
    let tracing = complaints("[tracing]\nendpoint = \"http://h\"\n");
    assert!(tracing.contains("`traces`"), "{tracing}");
}

#[test]
fn what_is_odd_is_said() {
    let said = |lines: &str| lints(&traces(lines));
    assert_eq!(said(URL), [""; 0]);
    let grpc = "protocol = \"grpc\"\n";
    for (lines, part) in [
        (format!("{URL}{grpc}"), "over gRPC on port 4317"),
        (
            "endpoint = \"http://h:4317\"".to_owned(),
            "over HTTP on port 4318",
        ),
        (format!("{URL}sample = 0"), "nothing is ever traced"),
        (
            "endpoint = \"http://h:4318\"\nheaders = { a = \"b\" }".to_owned(),
            "sent in clear",
        ),
    ] {
        let said = said(&lines);
        assert!(
            said.len() == 1 && said[0].contains(part),
            "{lines} {said:?}"
        );
    }
    let local = format!(
        "{URL}headers = {{ a = \"b\" }}\nsample = 0.0\n[server]\ntrusted_proxies = [\"10.0.0.0/8\"]"
    );
    assert_eq!(said(&local), [""; 0]);
    assert_eq!(
        said("endpoint = \"https://h\"\nheaders = { a = \"b\" }"),
        [""; 0]
    );
}

#[test]
fn a_reload_says_what_changes_and_no_secret() {
    let written = |lines: &str| good(&traces(lines));
    let before = written(&format!("{URL}headers = {{ a = \"s3cr\" }}"));
    let after = written(
        "endpoint = \"https://h\"\nsample = 0.5\nheaders = { a = \"s3cr2\", b = \"s3cr\" }",
    );
    assert_eq!(
        reload(&before, &after),
        [
            "Applied: `traces.endpoint`: http://127.0.0.1:4318 -> https://h:443",
            "Applied: `traces.sample`: 0.01 -> 0.5",
            "Applied: `traces.headers.a`: changed (its value is not shown)",
            "Applied: `traces.headers.b`: added, ...",
        ]
    );
    assert!(!format!("{:?} {:?}", before.written, after.written).contains("s3cr"));
}

#[test]
fn routes_do_not_set_what_says_which_trace_it_is() {
    let route = |rules: &str| {
        format!("[routes.\"/a\"]\nupstream = \"http://x\"\nrequest_headers = {rules}\n")
    };
    for name in ["traceparent", "TraceState"] {
        let said = complaints(&route(&format!("{{ set = {{ {name} = \"x\" }} }}")));
        assert!(said.contains("which trace a request belongs to"), "{said}");
        assert!(read(&route(&format!("{{ remove = [\"{name}\"] }}"))).is_ok());
    }
}
