//! Finds one request's line in the access log.

use serde_json::Value;

use super::{Gateway, eventually};

impl Gateway {
    /// The line of the request that was sent with this id.
    pub(crate) fn line_of(&self, request_id: &str) -> Value {
        eventually(&format!("the line of {request_id}"), || {
            let lines = self.access_log(1).into_iter();
            let mut lines = lines.filter(|line| line["request_id"] == request_id);
            lines.next()
        })
    }
}
