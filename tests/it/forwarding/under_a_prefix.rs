//! An application that knows nothing of its prefix, used through the gateway as a browser uses it:
//! redirects are followed, cookies are kept and sent where their path allows.

use crate::support::{Client, Gateway, Gone, Peer, Request, Response, Seen, Upstream, each};

/// Logs in at `/login` under the application's own `root`, keeps the session in a cookie for all of
/// its paths, and shows `/home` to who has it.
fn log_in(root: &'static str) -> Upstream {
    Upstream::start(move |peer| {
        loop {
            let seen = peer.request()?;
            answer(peer, &seen, root)?;
        }
    })
}

fn answer(peer: &mut Peer, seen: &Seen, root: &str) -> Result<(), Gone> {
    let path = seen.target.strip_prefix(root).unwrap_or("not mine");
    let known = seen.fields.all("cookie").concat().contains("session=7");
    let host = seen.fields.one("host").unwrap_or_default();
    let head = match (seen.method.as_str(), path) {
        ("POST", "/login") => format!(
            "303 See Other\r\nLocation: {root}/home\r\nSet-Cookie: session=7; Path={root}/; HttpOnly\r\n"
        ),
        ("GET", "/home") if known => "200 OK\r\n".to_owned(),
        // As frameworks do that make absolute URLs.
        ("GET", "/home" | "" | "/") => {
            format!("302 Found\r\nLocation: http://{host}{root}/login\r\n")
        }
        ("GET", "/login") => format!("200 OK\r\nContent-Location: {root}/login.html\r\n"),
        ("GET", "/logout") => format!(
            "200 OK\r\nRefresh: 0; url={root}/login\r\nSet-Cookie: session=; path={root}/; Max-Age=0\r\n"
        ),
        _ => "404 Not Found\r\n".to_owned(),
    };
    let body = format!("{} {}", seen.method, seen.target);
    let length = body.len();
    peer.send(format!(
        "HTTP/1.1 {head}Content-Length: {length}\r\n\r\n{body}"
    ))
}

/// What a browser keeps.
struct Browser<'g> {
    gateway: &'g Gateway,
    /// The session and the path that it is for.
    cookie: Option<(String, String)>,
    /// The path that was asked for last.
    at: String,
}

impl Browser<'_> {
    /// Asks, and follows redirects to where they end.
    fn go(&mut self, method: &str, path: &str) -> Response {
        let (mut method, mut path) = (method.to_owned(), path.to_owned());
        for _ in 0..5 {
            let mut request = Request::new(&method, &path).host("shop.test");
            if let Some((value, prefix)) = &self.cookie
                && is_for(prefix, &path)
            {
                request = request.field("Cookie", value);
            }
            let response = self.gateway.ask(&request);
            self.at.clone_from(&path);
            if let Some(cookie) = response.fields.one("set-cookie") {
                self.keep(cookie);
            }
            let Some(location) = response.fields.one("location") else {
                return response;
            };
            let here = location.strip_prefix("http://shop.test");
            here.unwrap_or(location).clone_into(&mut path);
            assert!(path.starts_with('/'), "{location} leads away");
            "GET".clone_into(&mut method);
        }
        panic!("redirects go round in a circle, to {path}");
    }

    fn keep(&mut self, cookie: &str) {
        let mut parts = cookie.split("; ");
        let value = parts.next().unwrap_or_default().to_owned();
        let path = parts.find_map(|part| {
            part.to_ascii_lowercase()
                .strip_prefix("path=")
                .map(str::to_owned)
        });
        let ends = cookie.contains("Max-Age=0");
        self.cookie = (!ends).then(|| (value, path.expect("a path")));
    }
}

/// RFC 6265 section 5.1.4.
fn is_for(cookie: &str, path: &str) -> bool {
    path.strip_prefix(cookie)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || cookie.ends_with('/'))
}

#[test]
fn an_application_that_redirects_and_sets_cookies_works_under_a_prefix() {
    for (root, route) in [
        ("", "\"/app\" = \"URL\""),
        ("/base", "\"/app\" = \"URL/base\""),
        ("/base", "\"/app\" = \"URL/base/\""),
        (
            "/v2/x",
            "\"/app\" = { upstream = \"URL/v2\", replace_prefix = \"/x\" }",
        ),
        (
            "/app/v2",
            "\"/app\" = { upstream = \"URL\", replace_prefix = \"/app/v2\" }",
        ),
    ] {
        let app = log_in(root);
        let other = Upstream::echo();
        let routes = route.replace("URL", &app.url());
        let gateway = Gateway::start(&format!("[routes]\n{routes}\n\"/\" = \"{}\"", other.url()));
        let mut browser = Browser {
            gateway: &gateway,
            cookie: None,
            at: String::new(),
        };
        let first = browser.go("GET", "/app");
        assert_eq!(
            (first.status, browser.at.as_str()),
            (200, "/app/login"),
            "{route}"
        );
        assert_eq!(
            first.fields.one("content-location"),
            Some("/app/login.html")
        );
        let home = browser.go("POST", "/app/login");
        assert_eq!((home.status, browser.at.as_str()), (200, "/app/home"));
        assert_eq!(home.text(), format!("GET {root}/home"));
        assert_eq!(
            browser.cookie,
            Some(("session=7".to_owned(), "/app".to_owned()))
        );
        let bye = browser.go("GET", "/app/logout");
        assert_eq!(bye.fields.one("refresh"), Some("0; url=/app/login"));
        browser.go("GET", "/app/home");
        assert_eq!(browser.at, "/app/login", "the session has ended");
        assert!(other.take().is_empty(), "nothing leads out of the prefix");
    }
}

/// A service behind several routes whose answers have the URL in `Location` that a request names.
struct Redirecting {
    gateway: Gateway,
    /// A URL of the service's own.
    own: String,
    _app: Upstream,
}

impl Redirecting {
    fn start() -> Self {
        let app = Upstream::start(|peer| {
            loop {
                let seen = peer.request()?;
                let url = seen.fields.one("x-url").unwrap_or_default().to_owned();
                peer.send(format!(
                    "HTTP/1.1 201 Created\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n"
                ))?;
            }
        });
        let url = app.url();
        let gateway = Gateway::start(&format!(
            "[routes]\n\"/app\" = \"{url}\"\n\"/\" = \"{url}\"\n\
             \"/kept\" = {{ upstream = \"{url}\", strip_prefix = false }}\n\
             \"/raw\" = {{ upstream = \"{url}\", rewrite_redirects = false }}\n\
             [server]\ntrusted_proxies = [\"127.0.0.2\"]"
        ));
        Self {
            gateway,
            own: format!("http://{}/a", app.address()),
            _app: app,
        }
    }

    /// What a client sees of a URL.
    fn seen(&self, from: &str, path: &str, url: &str, fields: &[(&str, &str)]) -> String {
        let mut request = Request::get(path).host("shop.test").field("X-Url", url);
        for (name, value) in fields {
            request = request.field(name, value);
        }
        let from = from.parse().expect("an address");
        let response = Client::from(from, self.gateway.address()).ask(&request);
        let location = response.fields.one("location");
        location.unwrap_or_default().to_owned()
    }
}

const FORWARDED: [(&str, &str); 2] = [
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "www.test"),
];

#[test]
fn what_a_service_names_is_as_the_client_has_asked() {
    let service = Redirecting::start();
    each(
        [
            (
                "127.0.0.1",
                "/app",
                service.own.as_str(),
                &FORWARDED[..],
                "http://shop.test/app/a",
            ),
            (
                "127.0.0.2",
                "/app",
                &service.own,
                &FORWARDED,
                "https://www.test/app/a",
            ),
            (
                "127.0.0.2",
                "/app",
                "http://shop.test/a",
                &FORWARDED,
                "https://www.test/app/a",
            ),
            (
                "127.0.0.2",
                "/app",
                &service.own,
                &[("X-Forwarded-Host", "a b")],
                "http://shop.test/app/a",
            ),
            ("127.0.0.1", "/app", "a", &[], "a"),
            (
                "127.0.0.1",
                "/app",
                "http://example.com/a",
                &[],
                "http://example.com/a",
            ),
            ("127.0.0.1", "/", "/a", &[], "/a"),
            ("127.0.0.1", "/kept", "/a", &[], "/a"),
            ("127.0.0.1", "/raw", "/a", &[], "/a"),
        ],
        |(from, path, url, fields, seen)| assert_eq!(service.seen(from, path, url, fields), *seen),
    );
}

/// Where paths arrive as they came.
#[test]
fn the_host_of_an_endpoint_is_nothing_for_clients_on_any_route() {
    let service = Redirecting::start();
    let own = service.own.as_str();
    each(
        [
            ("127.0.0.1", "/", own, &[][..], "http://shop.test/a"),
            ("127.0.0.2", "/", own, &FORWARDED, "https://www.test/a"),
            ("127.0.0.1", "/kept", own, &[], "http://shop.test/a"),
            ("127.0.0.1", "/raw", own, &[], own),
            (
                "127.0.0.2",
                "/",
                "http://shop.test/a",
                &FORWARDED,
                "http://shop.test/a",
            ),
        ],
        |(from, path, url, fields, seen)| {
            assert_eq!(service.seen(from, path, url, fields), *seen);
        },
    );
}
