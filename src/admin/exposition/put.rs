//! How families and their samples are written down, in the words of `prometheus-client`.

use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, MetricEncoder, NativeHistogram, NativeHistogramBuckets,
    NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::metrics::{HistogramTotals, SCHEMA, ZERO_THRESHOLD};

/// What families are written into.
pub(super) struct Out<'o, 'e>(pub &'o mut DescriptorEncoder<'e>);

impl Out<'_, '_> {
    pub(super) fn family(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        kind: MetricType,
        put: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        put(&mut self.0.encode_descriptor(name, help, unit, kind)?)
    }

    /// A counter, whose name gets `_total`.
    pub(super) fn counters(
        &mut self,
        name: &str,
        help: &str,
        put: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        self.family(name, help, None, MetricType::Counter, put)
    }

    pub(super) fn gauges(
        &mut self,
        name: &str,
        help: &str,
        put: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        self.family(name, help, None, MetricType::Gauge, put)
    }

    /// Durations, whose name gets `_seconds`.
    pub(super) fn durations(
        &mut self,
        name: &str,
        help: &str,
        put: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let unit = Some(&Unit::Seconds);
        self.family(name, help, unit, MetricType::Histogram, put)
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.counters(name, help, |out| put_counter(out, value))
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.gauges(name, help, |out| out.encode_gauge(&value))
    }
}

fn put_counter(out: &mut MetricEncoder<'_>, value: u64) -> fmt::Result {
    out.encode_counter::<NoLabelSet, u64, f64>(&value, None)
}

pub(super) fn counter(
    out: &mut MetricEncoder<'_>,
    labels: &impl EncodeLabelSet,
    value: u64,
) -> fmt::Result {
    put_counter(&mut out.encode_family(labels)?, value)
}

pub(super) fn gauge(
    out: &mut MetricEncoder<'_>,
    labels: &impl EncodeLabelSet,
    value: u64,
) -> fmt::Result {
    out.encode_family(labels)?.encode_gauge(&value)
}

pub(super) fn durations(
    out: &mut MetricEncoder<'_>,
    labels: &impl EncodeLabelSet,
    totals: &HistogramTotals,
) -> fmt::Result {
    put_durations(&mut out.encode_family(labels)?, totals)
}

pub(super) fn put_durations(out: &mut MetricEncoder<'_>, totals: &HistogramTotals) -> fmt::Result {
    let classic: Vec<_> = totals.classic().collect();
    let (mut spans, mut deltas) = (Vec::<(i32, u32)>::new(), Vec::new());
    let (mut next, mut before) = (0, 0);
    for (index, count) in totals.native() {
        match spans.last_mut() {
            Some((_, length)) if index == next => *length += 1,
            _ => spans.push((index - next, 1)),
        }
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        deltas.push(count - before);
        (next, before) = (index + 1, count);
    }
    let none = NativeHistogramBuckets {
        spans: &[],
        deltas: &[],
    };
    let native = NativeHistogram {
        schema: SCHEMA,
        zero_threshold: ZERO_THRESHOLD,
        zero_count: totals.zero_count(),
        negative: none,
        positive: NativeHistogramBuckets {
            spans: &spans,
            deltas: &deltas,
        },
        created: None,
    };
    let (sum, count) = (totals.sum_seconds(), totals.count());
    out.encode_histogram_with_native::<NoLabelSet>(sum, count, &classic, None, native)
}
