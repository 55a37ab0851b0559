//! The dashboard's files: one page, its style sheet and scripts, and the chart library, all of them in the
//! program. They are compressed when they are first asked for, and carry a strong entity tag, so that a
//! browser that has them asks and is told 304. Nothing in them is secret: what the page shows comes from
//! the API, which asks for a token.

use std::io::Write as _;
use std::sync::OnceLock;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderName, StatusCode};
use sha2::{Digest as _, Sha256};

use super::answer::takes_gzip;
use super::problem::Problem;
use crate::message::hex::Hex;

/// The dashboard itself.
pub(super) fn dashboard<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/", get(async |head: HeaderMap| INDEX.answer(&head)))
}

/// What is served without a token: the form that asks for one, and the files of both pages.
pub(super) fn open<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/login", get(async |head: HeaderMap| LOGIN.answer(&head)))
        .route("/assets/{name}", get(asset))
}

async fn asset(Path(name): Path<String>, head: HeaderMap) -> Response {
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => asset.answer(&head),
        None => Problem::not_found("There is no such file.".to_owned()).into_response(),
    }
}

/// A file as it stands in the program, and as it is sent.
struct Asset {
    name: &'static str,
    content: &'static [u8],
    sent: OnceLock<Sent>,
}

struct Sent {
    gzip: Bytes,
    /// The first half of the digest of the content, in hex digits.
    digest: String,
}

impl Asset {
    const fn new(name: &'static str, content: &'static [u8]) -> Self {
        let sent = OnceLock::new();
        Self {
            name,
            content,
            sent,
        }
    }

    fn answer(&self, head: &HeaderMap) -> Response {
        let sent = self.sent.get_or_init(|| Sent {
            gzip: compress(self.content).into(),
            digest: Hex(&Sha256::digest(self.content)[..16]).to_string(),
        });
        let gzip = takes_gzip(head);
        // Two representations are never the same to a strong tag (RFC 9110, section 8.8.3.3).
        let tag = format!("\"{}{}\"", sent.digest, if gzip { "-gzip" } else { "" });
        let (status, body) = if asked_for(head, &IF_NONE_MATCH)
            .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
        {
            (StatusCode::NOT_MODIFIED, Body::empty())
        } else if gzip {
            (StatusCode::OK, Body::from(sent.gzip.clone()))
        } else {
            (StatusCode::OK, Body::from(self.content))
        };
        let mut fields = vec![
            (CONTENT_TYPE, self.media_type().to_owned()),
            (CACHE_CONTROL, "no-cache".to_owned()),
            (VARY, "Accept-Encoding".to_owned()),
            (ETAG, tag),
        ];
        if gzip && status == StatusCode::OK {
            fields.push((CONTENT_ENCODING, "gzip".to_owned()));
        }
        (status, axum::response::AppendHeaders(fields), body).into_response()
    }

    fn media_type(&self) -> &'static str {
        match self.name.rsplit_once('.') {
            Some((_, "html")) => "text/html; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ => "text/plain; charset=utf-8",
        }
    }
}

fn compress(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(content)
        .and_then(|()| encoder.finish())
        .expect("writing to memory does not fail")
}

/// The members of a field that is a list.
fn asked_for<'h>(head: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    head.get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Assets with the names under which the page asks for them.
macro_rules! assets {
    ($($name:literal => $file:literal,)+) => {
        [$(Asset::new($name, include_bytes!(concat!("page/", $file))),)+]
    };
}

static INDEX: Asset = Asset::new("index.html", include_bytes!("page/index.html"));
static LOGIN: Asset = Asset::new("login.html", include_bytes!("page/login.html"));

static ASSETS: [Asset; 27] = assets! {
    "style.css" => "style.css",
    "icon.svg" => "icon.svg",
    "uplot.js" => "vendor/uplot/uplot.js",
    "uplot.css" => "vendor/uplot/uplot.css",
    "uplot-license.txt" => "vendor/uplot/LICENSE",
    "api.js" => "js/api.js",
    "chart.js" => "js/chart.js",
    "clients.js" => "js/clients.js",
    "configuration.js" => "js/configuration.js",
    "dom.js" => "js/dom.js",
    "explain.js" => "js/explain.js",
    "filters.js" => "js/filters.js",
    "format.js" => "js/format.js",
    "limits.js" => "js/limits.js",
    "list.js" => "js/list.js",
    "live.js" => "js/live.js",
    "login.js" => "js/login.js",
    "main.js" => "js/main.js",
    "process.js" => "js/process.js",
    "requests.js" => "js/requests.js",
    "routes.js" => "js/routes.js",
    "shared.js" => "js/shared.js",
    "status.js" => "js/status.js",
    "stream.js" => "js/stream.js",
    "theme.js" => "js/theme.js",
    "traffic.js" => "js/traffic.js",
    "upstreams.js" => "js/upstreams.js",
};

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use http::header::ACCEPT_ENCODING;

    use super::*;

    fn head(fields: &[(HeaderName, &str)]) -> HeaderMap {
        let field = |(name, value): &(HeaderName, &str)| {
            (name.clone(), value.parse().expect("a valid value"))
        };
        fields.iter().map(field).collect()
    }

    fn all() -> impl Iterator<Item = &'static Asset> {
        ASSETS.iter().chain([&INDEX, &LOGIN])
    }

    #[test]
    fn a_browser_that_has_a_file_is_told_so() {
        for asset in all() {
            let plain = asset.answer(&head(&[]));
            let gzip = asset.answer(&head(&[(ACCEPT_ENCODING, "br, gzip;q=0.8")]));
            assert_eq!(gzip.headers()[CONTENT_ENCODING], "gzip", "{}", asset.name);
            assert!(!plain.headers().contains_key(CONTENT_ENCODING));
            let (tag, other) = (&plain.headers()[ETAG], &gzip.headers()[ETAG]);
            assert_ne!(tag, other, "{}", asset.name);
            let tag = tag.to_str().expect("a tag");
            for known in [tag.to_owned(), format!("\"x\", W/{tag}"), "*".to_owned()] {
                let again = asset.answer(&head(&[(IF_NONE_MATCH, &known)]));
                assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
            }
            let other = asset.answer(&head(&[(IF_NONE_MATCH, "\"x\"")]));
            assert_eq!(other.status(), StatusCode::OK);
        }
    }

    #[test]
    fn what_is_compressed_is_the_file() {
        for asset in all() {
            let mut content = Vec::new();
            flate2::read::GzDecoder::new(&*compress(asset.content))
                .read_to_end(&mut content)
                .expect("gzip");
            assert_eq!(content, asset.content, "{}", asset.name);
        }
    }

    /// A script that imports what is not served fails in the browser alone.
    #[test]
    fn all_that_the_page_asks_for_is_served() {
        let mut asked = 0;
        for asset in all().filter(|asset| !asset.name.starts_with("uplot")) {
            let text = std::str::from_utf8(asset.content).expect("UTF-8");
            for marker in ["\"assets/", "from \"./", "URL(\""] {
                for (start, _) in text.match_indices(marker) {
                    let rest = &text[start + marker.len()..];
                    let name = rest.split('"').next().unwrap_or_default();
                    let served = ASSETS.iter().any(|asset| asset.name == name);
                    assert!(served, "{} asks for {name}", asset.name);
                    asked += 1;
                }
            }
            // The policy forbids scripts and styles within pages.
            for inline in [" style=", " onclick=", "<style", "innerHTML"] {
                assert!(!text.contains(inline), "{}: {inline}", asset.name);
            }
        }
        assert!(asked > 40, "only {asked} names were found");
    }
}
