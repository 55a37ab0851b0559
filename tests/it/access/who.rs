//! Which clients may come in where: groups, lists of routes and of protected prefixes, exceptions.

use crate::support::{Gateway, Request, Upstream, each, hash_of, tollgate};

const STAFF: &str = "key-of-staff";
const APP: &str = "key-of-app";

fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::start(&format!(
        r#"
[routes]
"/" = {{ upstream = "{url}", strip_prefix = false }}
"/reports" = {{ upstream = "{url}", strip_prefix = false, allow = ["group:partner", "client:app"] }}
[access]
protected = [
    "/",
    {{ prefix = "/orders", allow = ["group:staff", "client:app"] }},
    {{ prefix = "/orders/refunds", allow = ["group:staff"] }},
    {{ prefix = "/export", methods = ["POST"], allow = "group:staff" }},
]
public = ["/login", "/export/public"]
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

/// Method, target, key, and the status and code of the answer.
type Row = (
    &'static str,
    &'static str,
    Option<&'static str>,
    u16,
    &'static str,
);

const ROWS: [Row; 35] = [
    ("GET", "/", None, 401, "api_key_required"),
    ("GET", "/x", Some(APP), 200, ""),
    ("GET", "/login", None, 200, ""),
    ("POST", "/login/form?x=1", None, 200, ""),
    ("GET", "/login", Some(APP), 200, ""),
    ("GET", "/login", Some("wrong"), 401, "invalid_api_key"),
    ("GET", "/Login", None, 401, "api_key_required"),
    ("GET", "/login;x", None, 401, "api_key_required"),
    ("GET", "/login.", None, 401, "api_key_required"),
    ("GET", "/login%2Fx", None, 401, "api_key_required"),
    ("GET", "/loginx", None, 401, "api_key_required"),
    ("GET", "/%6Cogin//x", None, 200, ""),
    ("GET", "/x/../login", None, 200, ""),
    ("GET", "/login/../x", None, 401, "api_key_required"),
    ("GET", "/login/%2e%2e/x", None, 401, "api_key_required"),
    ("GET", "/login/..;/x", None, 400, "ambiguous_path"),
    ("GET", "/login/..:x/x", None, 400, "ambiguous_path"),
    ("GET", "/login/..%3A%3A$DATA/x", None, 400, "ambiguous_path"),
    ("GET", "/login/%252e%252e/x", None, 400, "ambiguous_path"),
    ("GET", "/orders", None, 401, "api_key_required"),
    ("GET", "/orders/1", Some(APP), 200, ""),
    ("GET", "/orders/1", Some(STAFF), 200, ""),
    ("GET", "/orders/refunds", Some(STAFF), 200, ""),
    ("GET", "/orders/refunds", Some(APP), 403, "forbidden"),
    ("GET", "/ORDERS/refund%73/1", Some(APP), 403, "forbidden"),
    ("GET", "/orders;v=1/Refunds;x", Some(APP), 403, "forbidden"),
    ("POST", "/export", Some(APP), 403, "forbidden"),
    ("post", "/export", Some(APP), 403, "forbidden"),
    ("GET", "/export", Some(APP), 200, ""),
    ("POST", "/export", Some(STAFF), 200, ""),
    ("POST", "/export/public", None, 200, ""),
    ("GET", "/reports", None, 401, "api_key_required"),
    ("GET", "/reports", Some(STAFF), 403, "forbidden"),
    ("GET", "/reports", Some(APP), 200, ""),
    ("GET", "/REPORTS", Some(STAFF), 400, "ambiguous_path"),
];

#[test]
fn each_caller_comes_where_it_may_and_explain_says_so() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    let file = gateway.dir().join("tollgate.toml");
    let file = file.to_str().expect("a path in UTF-8");
    each(ROWS, |(method, target, key, status, code)| {
        let mut request = Request::new(method, target);
        let mut args = vec!["explain", method, target, "--json", "-c", file];
        let field = key.map(|key| format!("x-api-key: {key}"));
        if let (Some(key), Some(field)) = (key, &field) {
            request = request.field("x-api-key", key);
            args.extend(["-H", field.as_str()]);
        }
        let response = gateway.ask(&request);
        let explained: serde_json::Value =
            serde_json::from_str(&tollgate(&args).stdout).expect("JSON");
        if code.is_empty() {
            response.is(*status);
            upstream.only();
            assert!(explained["refused"].is_null(), "{explained}");
        } else {
            response.is_refusal(*status, code);
            assert!(upstream.take().is_empty());
            assert_eq!(explained["refused"]["code"], *code);
        }
    });
}

#[test]
fn a_refusal_by_list_spends_no_limit_and_names_its_client() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    let response = gateway.ask(&Request::get("/orders/refunds").field("x-api-key", APP));
    response.is_refusal(403, "forbidden");
    assert_eq!(response.json()["error"], "Not allowed for this client");
    assert!(!response.fields.has("www-authenticate"));
    let line = &gateway.access_log(1)[0];
    assert_eq!(
        (&line["client"], &line["code"]),
        (&"app".into(), &"forbidden".into())
    );
    assert_eq!(line["detail"], "/orders/refunds lets in group:staff only");
    let request = Request::get("/reports").field("x-api-key", STAFF);
    let response = gateway.ask(&request.field("x-request-id", "reports"));
    response.is_refusal(403, "forbidden");
    let told = response.json().to_string();
    assert!(!told.contains("partner"), "for the log alone: {told}");
    let said = "the route /reports lets in group:partner, client:app only";
    assert_eq!(gateway.line_of("reports")["detail"], said);
}

#[test]
fn explain_names_the_entry_that_decides() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    let file = gateway.dir().join("tollgate.toml");
    let file = file.to_str().expect("a path in UTF-8");
    for (target, client, said) in [
        (
            "/orders/refunds",
            "staff",
            &["allow       /orders/refunds lets the client in by group:staff"][..],
        ),
        (
            "/orders/refunds",
            "app",
            &[
                "allow       /orders lets the client in by client:app",
                "allow       /orders/refunds lets in group:staff only",
                "refused     403 forbidden",
            ],
        ),
        (
            "/reports",
            "app",
            &["allow       the route /reports lets the client in by client:app"],
        ),
        ("/login", "app", &["protection  none: /login is public"]),
    ] {
        let done = tollgate(&["explain", "GET", target, "--client", client, "-c", file]);
        for line in said {
            assert!(done.stdout.contains(line), "{line}\n{}", done.stdout);
        }
    }
}

#[test]
fn a_route_for_a_method_is_not_spelled_around() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "[[route]]\nprefix = \"/items\"\nupstream = \"{0}\"\nmethods = [\"POST\", \"GET\"]\nallow = \"group:staff\"\n\
         [[route]]\nprefix = \"/items\"\nupstream = \"{0}\"\n[clients.a]\nkeys = [\"{1}\"]\ngroups = \"staff\"",
        upstream.url(),
        hash_of(STAFF),
    ));
    // Many services write methods in upper case before they look at them.
    for method in ["post", "Post", "get", "head"] {
        let response = gateway.ask(&Request::new(method, "/items"));
        response.is(405);
    }
    gateway.ask(&Request::new("trace", "/items")).is(501);
    let file = gateway.dir().join("tollgate.toml");
    let file = file.to_str().expect("a path in UTF-8");
    let told = tollgate(&["explain", "GET", "/items", "-c", file]).stdout;
    let said = "protection  the route /items is for identified clients";
    assert!(told.contains(said), "{told}");
    gateway.ask(&Request::new("purge", "/items")).is(200);
    assert_eq!(upstream.take().len(), 1);
}
