//! So many collections of metrics at once, from the request until the last byte is written or the connection
//! is gone: each holds a whole answer, and a collector may read slowly.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use axum::body::{Body, Bytes, to_bytes};
use axum::response::Response;
use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::admin::problem::Problem;

/// How many there are at once.
const MOST: usize = 4;

/// Room for collections.
#[derive(Debug)]
pub struct Scrapes {
    places: Arc<Semaphore>,
    /// How long the last answer was. The next will be as long: a text of megabytes that grows is copied
    /// over and over.
    length: AtomicUsize,
}

/// Goes with an answer and keeps its place.
#[derive(Clone)]
pub(super) struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// What is written, and its place.
struct Held {
    bytes: Bytes,
    _place: Place,
}

impl Default for Scrapes {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MOST)),
            length: AtomicUsize::new(0),
        }
    }
}

impl Scrapes {
    /// A place for one more, if there is one.
    pub(super) fn begin(&self) -> Result<Place, Problem> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let detail = format!("{MOST} collections of metrics are under way, as many as may be.");
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Problem::new(status, "too_many_scrapes", "Too many scrapes", detail).retry_after(1)
        })?;
        Ok(Place {
            _permit: Arc::new(permit),
        })
    }

    /// An empty text with room for an answer.
    pub(super) fn text(&self) -> String {
        let length = self.length.load(Relaxed);
        String::with_capacity(length + length / 64)
    }

    /// Notes how long an answer was.
    pub(super) fn note_length(&self, length: usize) {
        self.length.store(length, Relaxed);
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The same answer, whose body keeps the place that it has, if it has one.
pub(in crate::admin) async fn hold_place(mut answer: Response) -> Response {
    let Some(place) = answer.extensions_mut().remove::<Place>() else {
        return answer;
    };
    let (head, body) = answer.into_parts();
    // A whole body has one part, which is taken as it is and does not fail.
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let owner = Held {
        bytes,
        _place: place,
    };
    Response::from_parts(head, Body::from(Bytes::from_owner(owner)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_free_again_once_the_answer_is_gone() {
        let scrapes = Scrapes::default();
        let mut held = Vec::new();
        for _ in 0..MOST {
            let mut answer = Response::new(Body::from("metrics"));
            answer.extensions_mut().insert(scrapes.begin().unwrap());
            let body = hold_place(answer).await.into_body();
            held.push(to_bytes(body, 100).await.unwrap());
        }
        assert_eq!(held[0], "metrics");
        let problem = scrapes.begin().err().unwrap();
        assert_eq!(problem.code, "too_many_scrapes");
        held.pop();
        assert!(scrapes.begin().is_ok());
    }
}
