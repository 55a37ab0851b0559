//! How a certificate authority is asked: HTTPS, a connection for each request, bounded in time and
//! size. What it says of when to come again is kept beside the answers, for the ACME library drops it.

use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use http::header::{HOST, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use jiff::fmt::rfc2822;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::lock::lock;
use crate::shortage::behind_lookup;

use super::issued::system_time;

/// The longest that a request may take, from looking up the name to the last byte of the answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest that an authority can ask us to wait. What is more would be beyond what the library reckons
/// with.
const LONGEST_WAIT: u64 = 10 * 24 * 3600;

/// The largest answer. A chain of certificates has a few kilobytes.
const MAX_ANSWER: usize = 1 << 20;

/// Asks a certificate authority; cheap to clone.
#[derive(Clone)]
pub(super) struct Client {
    trust: Arc<ClientConfig>,
    come_again: Arc<Mutex<Option<SystemTime>>>,
}

impl Client {
    /// One that trusts who `trust` does.
    pub(super) fn new(trust: Arc<ClientConfig>) -> Self {
        Self {
            trust,
            come_again: Arc::default(),
        }
    }

    /// Before when the authority wants no more requests, if its last refusal said so (RFC 8555 section
    /// 6.6).
    pub(super) fn come_again(&self) -> Option<SystemTime> {
        *lock(&self.come_again)
    }

    fn note(&self, answer: &Response<Bytes>) {
        if answer.status().is_success() {
            return;
        }
        let said = answer.headers().get(RETRY_AFTER);
        let said = said.and_then(|value| value.to_str().ok());
        *lock(&self.come_again) = said.and_then(|text| time_of(text, SystemTime::now()));
    }

    async fn ask(&self, request: Request<BodyWrapper<Bytes>>) -> Result<Response<Bytes>, Failure> {
        let uri = request.uri().clone();
        let asked = timeout(PATIENCE, exchange(Arc::clone(&self.trust), request));
        let answer = asked.await.unwrap_or(Err(ClientError::Silent));
        let mut answer = answer.map_err(|error| Failure {
            host: uri.host().unwrap_or_default().to_owned(),
            error,
        })?;
        bound_wait(answer.headers_mut());
        self.note(&answer);
        Ok(answer)
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.clone();
        Box::pin(async move {
            let answer = client.ask(request).await;
            let (parts, body) = answer
                .map_err(|error| Error::Other(Box::new(error)))?
                .into_parts();
            Ok(BytesResponse {
                parts,
                body: Box::new(body),
            })
        })
    }
}

/// Makes one request on a connection of its own.
async fn exchange(
    trust: Arc<ClientConfig>,
    mut request: Request<BodyWrapper<Bytes>>,
) -> Result<Response<Bytes>, ClientError> {
    let (host, port) = address(request.uri())?;
    let name = ServerName::try_from(host.clone()).map_err(|_| ClientError::NotHttps)?;
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await;
    let stream = stream.map_err(|error| ClientError::Unreachable(behind_lookup(error)))?;
    let stream = TlsConnector::from(trust).connect(name, stream).await;
    let stream = stream.map_err(ClientError::Tls)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let authority = request.uri().authority().map(ToString::to_string);
    let authority = authority.and_then(|text| HeaderValue::try_from(text).ok());
    request
        .headers_mut()
        .insert(HOST, authority.ok_or(ClientError::NotHttps)?);
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
    let answer = async {
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body = body.map_err(ClientError::Body)?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    };
    tokio::select! {
        biased;
        answer = answer => answer,
        // It may end before the answer has been taken from it.
        Err(error) = connection => Err(error.into()),
    }
}

/// The host and the port of a URL, which has to be `https` (RFC 8555 section 6.1).
fn address(uri: &Uri) -> Result<(String, u16), ClientError> {
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(host)) => Ok((host.to_owned(), uri.port_u16().unwrap_or(443))),
        _ => Err(ClientError::NotHttps),
    }
}

/// Bounds the seconds of `Retry-After`.
fn bound_wait(headers: &mut HeaderMap) {
    let said = headers.get(RETRY_AFTER);
    let said = said.and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    if said.is_some_and(|seconds| seconds > LONGEST_WAIT) {
        headers.insert(RETRY_AFTER, LONGEST_WAIT.into());
    }
}

/// When `Retry-After` says: seconds from now, or a date (RFC 9110 section 10.2.3).
fn time_of(text: &str, now: SystemTime) -> Option<SystemTime> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return now.checked_add(Duration::from_secs(seconds));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(text);
    date.ok().map(system_time)
}

/// Why a request brought no answer, and from whom.
#[derive(Debug, thiserror::Error)]
#[error("{host}: {error}")]
struct Failure {
    host: String,
    error: ClientError,
}

#[derive(Debug, thiserror::Error)]
enum ClientError {
    #[error("cannot be reached: {0}")]
    Unreachable(io::Error),
    #[error("TLS to it fails (`tls.acme.ca` says whom to trust): {0}")]
    Tls(io::Error),
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Silent,
    #[error("its answer cannot be read: {0}")]
    Http(#[from] hyper::Error),
    #[error("its answer cannot be read: {0}")]
    Body(Box<dyn StdError + Send + Sync>),
    #[error("it leads to a URL that is not `https://`")]
    NotHttps,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_is_asked() {
        let of = |text: &str| address(&text.parse().unwrap()).ok();
        let host = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(of("https://ca.example/dir"), host("ca.example", 443));
        assert_eq!(of("https://ca.example:14000/"), host("ca.example", 14000));
        assert_eq!(of("http://ca.example/dir"), None);
        assert_eq!(of("/dir"), None);
    }

    #[test]
    fn an_authority_cannot_ask_for_longer_than_time_lasts() {
        let bounded = |said: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, said.parse().unwrap());
            bound_wait(&mut headers);
            headers[RETRY_AFTER].to_str().unwrap().to_owned()
        };
        assert_eq!(bounded("18446744073709551615"), "864000");
        assert_eq!(bounded("864001"), "864000");
        assert_eq!(bounded("120"), "120");
        let date = "Sun, 09 Sep 2001 02:46:40 GMT";
        assert_eq!(bounded(date), date);
    }

    #[test]
    fn seconds_and_dates_say_when_to_come_again() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let later = |text| time_of(text, now).map(|then| then.duration_since(now).unwrap());
        assert_eq!(later("120"), Some(Duration::from_mins(2)));
        assert_eq!(
            later("Sun, 09 Sep 2001 02:46:40 GMT"),
            Some(Duration::from_hours(1))
        );
        for text in ["", "soon", "-1", "18446744073709551615"] {
            assert_eq!(later(text), None, "{text}");
        }
    }
}
