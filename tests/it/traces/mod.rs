//! Traces: which trace a request belongs to, what its spans say, and how they get to a collector.

mod export;
mod outage;
mod propagation;
mod sampling;
mod spans;

use crate::support::collector::{Collector, Span, said};
use crate::support::{Shop, Upstream};

/// The example of the standard.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A shop all of whose requests are traced; `more` goes behind `[traces]`.
fn traced(collector: &Collector, more: &str) -> Shop {
    Shop::with(&format!("{}{more}", collector.config()))
}

/// The same with an open service of the test's own making.
fn traced_selling(collector: &Collector, inventory: Upstream, more: &str) -> Shop {
    Shop::selling(inventory, &format!("{}{more}", collector.config()))
}

/// The parts of a value of `traceparent`: trace, span, flags.
fn parts(value: &str) -> [&str; 3] {
    let parts: Vec<&str> = value.split('-').collect();
    let [version, trace, span, flags] = parts[..] else {
        panic!("{value}");
    };
    let lengths = [version, trace, span, flags].map(str::len);
    assert_eq!((version, lengths), ("00", [2, 32, 16, 2]), "{value}");
    let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-');
    assert!(value.bytes().all(hex), "{value}");
    [trace, span, flags]
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What a span says under this name; empty for nothing.
fn tells(span: &Span, name: &str) -> String {
    said(&span.attributes, name).unwrap_or_default()
}

/// The kinds of spans.
const SERVER: i32 = 2;
const CLIENT: i32 = 3;
