//! What there is to say of the last ten seconds.

use super::lately::Rate;
use super::took::Took;

/// The last ten seconds of everything.
#[derive(Debug, Clone)]
pub(in crate::admin) struct Present {
    pub requests: Rate,
    pub refused_per_second: f64,
    pub took: Took,
    /// What the gateway took of that itself.
    pub gateway: Took,
    /// What services took.
    pub service: Took,
    pub store_calls: Rate,
    pub store_p99_ms: Option<f32>,
}
