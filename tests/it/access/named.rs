//! Resources that a request names beside its own: where COPY and MOVE write to, and what stores of
//! objects copy from.

use crate::support::{Gateway, Request, Upstream, each, hash_of};

const STAFF: &str = "key-of-staff";
const APP: &str = "key-of-app";

/// Where a request goes, what it names beside that, its key, and the code of a refusal.
type Row = (
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static str,
);

const ROWS: [Row; 41] = [
    ("/pub/a", "http://x/pub/b", None, ""),
    ("/pub/a", "/pub/b", None, ""),
    ("/pub/a", "pub/b", None, ""),
    ("/pub/a", "http://x/pub/b?x#y", None, ""),
    ("/pub/a", "http://x/pub//b", None, ""),
    ("/pub/a", "http://x", None, ""),
    ("/pub/a", "http://x/admin/b", None, "api_key_required"),
    ("/pub/a", "https://x:1/admin", None, "api_key_required"),
    ("/pub/a", "http:/admin/b", None, "api_key_required"),
    ("/pub/a", "/ADMIN/b", None, "api_key_required"),
    ("/pub/a", "admin/b", None, "api_key_required"),
    ("/pub/a", "//x/admin/b", None, "api_key_required"),
    ("/pub/a", "/%61dmin;x/b", None, "api_key_required"),
    ("/pub/a", "/admin?x", None, "api_key_required"),
    ("/pub/a", "/pub/../admin/b", None, "api_key_required"),
    ("/pub/a", "/x//admin/b", None, "api_key_required"),
    ("/pub/a", "/pub/%2e%2e;/admin/b", None, "ambiguous_path"),
    ("/pub/a", "/pub/x?/../../admin/b", None, "ambiguous_path"),
    ("/pub/a", r"http://x\admin/b", None, "ambiguous_path"),
    ("/pub/a", "http://x#/admin/b", None, "ambiguous_path"),
    ("/pub/a", "/admin/b", Some(STAFF), ""),
    ("/pub/a", "/admin/b", Some(APP), "forbidden"),
    ("/pub/a", "/adm%69n/b", Some(APP), "forbidden"),
    // Whatever methods it is protected from.
    ("/pub/a", "/upload/b", None, "api_key_required"),
    ("/pub/a", "/upload/b", Some(APP), ""),
    ("/pub/a", "/login/b", None, "api_key_required"),
    ("/pub/a", "/routed/b", Some(APP), "forbidden"),
    ("/pub/a", "/inside/b", Some(STAFF), "ip_forbidden"),
    // The service does not see what clients see.
    ("/dav/a", "http://x/dav/b", None, ""),
    ("/dav/a", "/b", None, ""),
    ("/dav/a", "/dav/private/b", None, "api_key_required"),
    ("/dav/a", "/private/b", None, "api_key_required"),
    ("/dav/a", "/PRIVATE/b", Some(APP), "forbidden"),
    ("/dav/a", "/private/b", Some(STAFF), ""),
    ("/files/a", "/files/b", None, ""),
    ("/files/a", "/srv/files/b", None, ""),
    ("/files/a", "/srv/files/private/b", None, "api_key_required"),
    ("/files/a", "/files/private/b", None, "api_key_required"),
    ("/files/a", "/srv/secret/b", None, "bad_request"),
    ("/files/a", "/srv/files2/b", Some(APP), "bad_request"),
    ("/respond", "/x/b", None, ""),
];

fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::start(&format!(
        r#"
[routes]
"/" = "{url}"
"/routed" = {{ upstream = "{url}", strip_prefix = false, allow = "group:staff" }}
"/inside" = {{ upstream = "{url}", strip_prefix = false, ip_deny = "127.0.0.0/8" }}
"/dav" = "{url}"
"/files" = "{url}/srv/files"
"/respond" = {{ respond = {{ status = 200 }} }}
[access]
protected = [
    {{ prefix = "/admin", allow = "group:staff" }},
    {{ prefix = "/dav/private", allow = "group:staff" }},
    "/files/private",
    {{ prefix = "/upload", methods = ["PUT"] }},
    {{ prefix = "/login", methods = ["POST"] }},
]
[clients.staff]
keys = ["{staff}"]
groups = ["staff"]
[clients.app]
keys = ["{app}"]
"#,
        url = upstream.url(),
        staff = hash_of(STAFF),
        app = hash_of(APP),
    ))
}

#[test]
fn a_caller_comes_to_no_resource_by_naming_it() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    each(ROWS, |(target, named, key, code)| {
        for (method, name) in [
            ("COPY", "Destination"),
            ("MOVE", "destination"),
            ("PUT", "X-Amz-Copy-Source"),
            ("PUT", "x-ms-rename-source"),
        ] {
            let mut request = Request::new(method, target).field(name, named);
            if let Some(key) = key {
                request = request.field("x-api-key", key);
            }
            let response = gateway.ask(&request);
            if code.is_empty() {
                response.is(200);
                // As the service calls it.
                let named = match (name, *named) {
                    ("Destination" | "destination", "/files/b") => "/srv/files/b",
                    (_, named) => named,
                };
                for seen in upstream.take() {
                    assert_eq!(seen.fields.one(&name.to_lowercase()), Some(named));
                }
            } else {
                assert_eq!(response.json()["code"], *code, "{method} {name}");
                assert!(upstream.take().is_empty());
            }
        }
    });
}

/// To a service that knows nothing of the prefix, or of the name that clients use, `Destination` and `If` have
/// what its own `Host` and path would be.
#[test]
fn a_destination_is_named_as_the_service_calls_it() {
    let upstream = Upstream::echo();
    let url = upstream.url();
    let gateway = Gateway::start(&format!(
        r#"
[server]
trusted_proxies = ["127.0.0.1"]
[[route]]
prefix = "/dav"
upstream = "{url}/srv"
host = "endpoint"
[[route]]
prefix = "/dav/other"
upstream = "{url}"
[[route]]
prefix = "/v1"
upstream = "{url}"
replace_prefix = "/v2"
[[route]]
prefix = "/as-is"
upstream = "{url}"
strip_prefix = false
"#
    ));
    let rows = [
        (
            "/dav/a",
            "https://x.test/dav/b%20c",
            format!("{url}/srv/b%20c"),
        ),
        (
            "/dav/a",
            "https://public.test/dav/b",
            format!("{url}/srv/b"),
        ),
        ("/dav/a", "/dav/b", "/srv/b".to_owned()),
        (
            "/dav/a",
            "http://x.test/dav/other/b",
            "http://x.test/dav/other/b".to_owned(),
        ),
        (
            "/dav/a",
            "http://foreign.test/dav/b",
            "http://foreign.test/dav/b".to_owned(),
        ),
        (
            "/v1/a",
            "http://x.test/v1/b",
            "http://x.test/v2/b".to_owned(),
        ),
        (
            "/v1/a",
            "http://x.test/dav/b",
            "http://x.test/dav/b".to_owned(),
        ),
        (
            "/as-is/a",
            "https://x.test/as-is/b",
            "https://x.test/as-is/b".to_owned(),
        ),
    ];
    each(rows, |(target, named, seen)| {
        let request = Request::new("MOVE", target)
            .host("x.test")
            .field("x-forwarded-host", "public.test")
            .field("destination", named)
            .field("if", &format!("<{named}> (<urn:uuid:1>)"));
        gateway.ask(&request).is(200);
        let fields = upstream.only().fields;
        assert_eq!(fields.one("destination"), Some(&**seen));
        // The lock of a resource is named as the resource is.
        let condition = format!("<{seen}> (<urn:uuid:1>)");
        assert_eq!(fields.one("if"), Some(&*condition));
    });
}

#[test]
fn where_everybody_may_come_everywhere_a_service_decides_itself() {
    let upstream = Upstream::echo();
    let url = upstream.url();
    let gateway = Gateway::start(&format!("[routes]\n\"/files\" = \"{url}/srv\"\n"));
    let request = Request::new("COPY", "/files/a").field("Destination", "http://x/elsewhere");
    gateway.ask(&request).is(200);
    upstream.only();
}
