//! Sets of labels: names that are known when this is compiled, values that need not be copied.

use std::fmt;

use prometheus_client::encoding::{
    EncodeLabelSet, EncodeLabelValue, LabelSetEncoder, LabelValueEncoder,
};

/// Names with their values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Labels<'a, const N: usize>(pub [(&'static str, &'a str); N]);

impl<const N: usize> EncodeLabelSet for Labels<'_, N> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        for (name, value) in self.0 {
            let mut label = encoder.encode_label();
            let mut key = label.encode_label_key()?;
            fmt::Write::write_str(&mut key, name)?;
            let mut written: LabelValueEncoder<'_> = key.encode_label_value()?;
            value.encode(&mut written)?;
            written.finish()?;
        }
        Ok(())
    }
}
