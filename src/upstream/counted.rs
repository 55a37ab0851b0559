//! Connections to services are counted as long as they are open.

use std::rc::Rc;

use crate::metrics::{Gauge, WorkerMetrics};

/// A connection counts as open until this is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    metrics: Rc<WorkerMetrics>,
    is_tls: bool,
}

impl Counted {
    pub(super) fn new(metrics: &Rc<WorkerMetrics>, is_tls: bool) -> Self {
        let counted = Self {
            metrics: Rc::clone(metrics),
            is_tls,
        };
        counted.gauge().up();
        counted
    }

    fn gauge(&self) -> &Gauge {
        let row = &self.metrics.row;
        if self.is_tls {
            &row.tls_services
        } else {
            &row.services
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.gauge().down();
    }
}
