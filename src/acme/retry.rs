//! What can go wrong with an order, and what is tried again at once: a nonce that the authority does
//! not accept says nothing of the request (RFC 8555 section 6.5).

use instant_acme::{AuthorizationStatus, Error, Problem};

use super::fleet::FleetError;
use super::issued::IssuedError;
use super::settings::ChallengeKind;
use super::store::StoreError;
use crate::words::Word;

/// So often a request is made; the library tries three nonces each time.
const ATTEMPTS: u32 = 10;

/// Makes a request again as long as nothing but its nonce was refused.
pub(super) async fn retried<T>(
    mut request: impl AsyncFnMut() -> Result<T, OrderError>,
) -> Result<T, OrderError> {
    for _ in 1..ATTEMPTS {
        match request().await {
            Err(OrderError::Authority(Error::Api(problem))) if is(&problem, "badNonce") => {}
            done => return done,
        }
    }
    request().await
}

/// Whether a problem is of this type of RFC 8555 section 6.7.
pub(super) fn is(problem: &Problem, kind: &str) -> bool {
    let of = problem.r#type.as_deref();
    of.and_then(|of| of.strip_prefix("urn:ietf:params:acme:error:")) == Some(kind)
}

/// Why there is no certificate. The text is for the operator and holds no secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    #[error("{}", said(.0))]
    Authority(#[from] Error),
    #[error("the authority offers no {} challenge for it", .0.word())]
    NotOffered(ChallengeKind),
    #[error("the authority could not see that the name leads here: {0}")]
    NotProven(String),
    #[error("the authority says that the authorization is {0:?}")]
    NotOpen(AuthorizationStatus),
    #[error("the authority has not decided in time")]
    Late,
    #[error("what the authority has issued cannot be used: {0}")]
    Issued(#[from] IssuedError),
    #[error("no certificate or key can be made: {0}")]
    Make(#[from] rcgen::Error),
    #[error("the account's key cannot be used")]
    Key,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Fleet(#[from] FleetError),
}

fn said(error: &Error) -> String {
    match error {
        // Without the library's own words in front.
        Error::Api(problem) => problem_text(problem),
        error => error.to_string(),
    }
}

/// What a problem says, with its type.
pub(super) fn problem_text(problem: &Problem) -> String {
    let text = problem.to_string();
    let text = text.strip_prefix("API error").unwrap_or(&text);
    text.trim_start_matches([':', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: &str) -> OrderError {
        let kind = format!(r#"{{"type":"urn:ietf:params:acme:error:{kind}","detail":"no"}}"#);
        let problem: Problem = serde_json::from_str(&kind).unwrap();
        Error::from(problem).into()
    }

    #[tokio::test]
    async fn only_a_refused_nonce_is_tried_again() {
        for (kind, succeeds_at, attempts) in [
            ("badNonce", 3, 3),
            ("badNonce", 99, ATTEMPTS),
            ("rateLimited", 3, 1),
        ] {
            let mut made = 0;
            let done = retried(async || {
                made += 1;
                if made == succeeds_at {
                    Ok(())
                } else {
                    Err(problem(kind))
                }
            });
            let done = done.await;
            assert_eq!(
                (done.is_ok(), made),
                (made == succeeds_at, attempts),
                "{kind}"
            );
        }
        let text = problem("rateLimited").to_string();
        assert_eq!(text, "no (urn:ietf:params:acme:error:rateLimited)");
    }
}
