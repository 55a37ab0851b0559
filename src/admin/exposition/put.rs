//! How families and their samples are written down, in the words of `prometheus-client`.

use std::borrow::Borrow;
use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, MetricEncoder, NativeHistogram,
    NativeHistogramBuckets, NoLabelSet,
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

    /// Counters with their labels. The name gets `_total`.
    pub(super) fn counters<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        counts: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        self.family(name, help, None, MetricType::Counter, |out| {
            let mut counts = counts.into_iter();
            counts.try_for_each(|(labels, count)| counter(&mut out.encode_family(&labels)?, count))
        })
    }

    /// Gauges with their labels.
    pub(super) fn gauges<L: EncodeLabelSet, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (L, V)>,
    ) -> fmt::Result {
        self.family(name, help, None, MetricType::Gauge, |out| {
            let mut values = values.into_iter();
            values.try_for_each(|(labels, value)| out.encode_family(&labels)?.encode_gauge(&value))
        })
    }

    /// Durations with their labels. The name gets `_seconds`.
    pub(super) fn durations<L: EncodeLabelSet, T: Borrow<HistogramTotals>>(
        &mut self,
        name: &str,
        help: &str,
        all: impl IntoIterator<Item = (L, T)>,
    ) -> fmt::Result {
        let unit = Some(&Unit::Seconds);
        self.family(name, help, unit, MetricType::Histogram, |out| {
            let mut all = all.into_iter();
            all.try_for_each(|(labels, totals)| {
                durations(&mut out.encode_family(&labels)?, totals.borrow())
            })
        })
    }

    /// A counter. Its name gets `_total`.
    pub(super) fn counter(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        self.family(name, help, None, MetricType::Counter, |out| {
            counter(out, count)
        })
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.family(name, help, None, MetricType::Gauge, |out| {
            out.encode_gauge(&value)
        })
    }
}

pub(super) fn counter(out: &mut MetricEncoder<'_>, count: u64) -> fmt::Result {
    out.encode_counter::<NoLabelSet, u64, f64>(&count, None)
}

pub(super) fn durations(out: &mut MetricEncoder<'_>, totals: &HistogramTotals) -> fmt::Result {
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
