//! Bodies of requests, within bounds of size and time.

use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use http::StatusCode;
use tokio::time::timeout;

use super::problem::Problem;

/// How long a body may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Reads the whole body of a request, which may have so many bytes.
pub(super) async fn read(request: Request, most: usize) -> Result<Bytes, Problem> {
    match timeout(WITHIN, to_bytes(request.into_body(), most)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => {
            let detail = format!("The body is cut, or has more than {most} bytes.");
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            Err(Problem::new(
                status,
                "body_too_large",
                "Body too large",
                detail,
            ))
        }
        Err(_) => {
            let detail = "The body does not come.";
            let status = StatusCode::REQUEST_TIMEOUT;
            Err(Problem::new(
                status,
                "request_timeout",
                "Request timeout",
                detail,
            ))
        }
    }
}
