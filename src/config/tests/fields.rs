//! What routes may change of header fields, and what is said of the rest.

use super::*;

/// What is said of one rule: `request_headers = { set = { NAME = VALUE } }`.
fn said_of(rule: &str) -> String {
    let rules = rule.replace("; ", "\n");
    complaints(&format!(
        "[access.cors]\norigins = \"https://a.test\"\n[routes.\"/a\"]\nupstream = \"http://x\"\n{rules}\n"
    ))
}

#[test]
fn fields_that_are_not_a_routes_to_change() {
    for (rule, why) in table(
        "
        request_headers.set.host = 'x' => `host` of the route
        request_headers.set.Content-Length = '1' => where the body ends
        request_headers.add.content_length = '1' => where the body ends
        request_headers.remove = 'transfer-encoding' => one connection
        request_headers.remove = ['x-a', 'connection'] => one connection
        request_headers.set.te = 'trailers' => one connection
        request_headers.remove = 'trailer' => one connection
        response_headers.set.upgrade = 'h2c' => one connection
        request_headers.set.x-api-key = 'x' => clients send their key
        request_headers.set.X_Client_Id = 'x' => only the gateway says
        request_headers.remove = 'x-consumer-username' => only the gateway says
        response_headers.remove = 'x-request-id' => only the gateway says
        request_headers.set.x-forwarded-for = '${ip}' => where a request came from
        request_headers.set.x-forwarded-user = 'x' => where a request came from
        request_headers.remove = 'forwarded' => where a request came from
        request_headers.set.via = 'x' => where a request came from
        request_headers.set.x-rewrite-url = '/' => take it for the path
        request_headers.add.x_request_uri = '/' => take it for the path
        request_headers.set.x-script-name = '/a' => with `strip_prefix = false`
        request_headers = { set = { x-script-name = '/b' } }; strip_prefix = false => the route's own prefix
        request_headers = { add = { x-script-name = '/a' } }; strip_prefix = false => the route's own prefix
        response_headers.set.date = 'x' => when the message was made
        response_headers.set.ratelimit = 'x' => told of limits
        response_headers.remove = 'retry-after' => told of limits
        response_headers.set.access-control-max-age = '1' => `cors` decides
        response_headers.remove = 'vary' => `cors` relies on it
        response_headers.set.set-cookie = 'a=1' => cookies would be lost
        ",
    ) {
        let said = said_of(&rule);
        assert!(said.contains(why), "{rule}: {said}");
        assert!(
            said.contains("is not for a route to change"),
            "{rule}: {said}"
        );
        assert!(said.ends_with("\n1 problem\n"), "{rule}: {said}");
    }
}

#[test]
fn all_others_are() {
    for rule in [
        "request_headers = { set = { authorization = 'Bearer ${PASSWORD}' }, remove = ['cookie'] }",
        "request_headers.set.X-Real-IP = '${ip}'",
        "request_headers.set.x = '${client}-${route}-${request_id}-${NONE:-}'",
        "request_headers.set.x = '$${client}'",
        "response_headers.add = { set-cookie = 'a=1', vary = 'accept' }",
        "response_headers.remove = ['server', 'set-cookie', 'x-powered-by']",
        "cors = 'off'\nresponse_headers.set = { vary = 'a', access-control-max-age = '1' }",
        "response_headers = {}",
        "strip_prefix = false\nrequest_headers.set.X-Script-Name = '/a'",
    ] {
        good(&format!(
            "[access.cors]\norigins = \"https://a.test\"\n[routes.\"/a\"]\nupstream = \"http://x\"\n{rule}\n"
        ));
    }
}

#[test]
fn values_that_are_none() {
    for (rule, why) in table(
        r#"
        request_headers.set.x = '' => this is empty
        request_headers.set.x = '${NONE:-}' => this is empty
        request_headers.set.x = "a\u000Ab" => no control characters
        request_headers.set.x = "a\u0009b" => no tabs
        request_headers.set.x = ' a' => no blanks around it
        request_headers.set.x = 1 => this is a whole number
        request_headers.set.x = '${clinet}' => there is no variable `clinet`
        request_headers.set.x = '${clinet}' => `${client}`, `${ip}`, `${request_id}`, `${route}`
        request_headers.set.x = '${client:-a}' => takes no default
        request_headers.set.x = '${A:-${ip}}' => cannot stand in a default
        request_headers.set.x = '${client' => without its `}`
        request_headers.set.'x y' = 'a' => letters, digits
        request_headers = { set = { x = 'a' }, remove = ['X'] } => the field `x`
        request_headers.set = { x = 'a', X = 'b' } => the field `x`
        request_headers.replace.x = 'a' => unknown key `replace`
        "#,
    ) {
        let said = said_of(&rule);
        assert!(said.contains(why), "{rule}: {said}");
    }
    let text = "[routes.\"/a\"]\nredirect = \"/b\"\nrequest_headers.set.x = 'a'\n";
    assert!(complaints(text).contains("`request_headers` is for a route with an `upstream`"));
}

#[test]
fn a_reload_names_the_field_and_not_its_value() {
    let with = |value: &str| {
        let text = format!(
            "[routes.\"/a\"]\nupstream = \"http://x\"\nrequest_headers.set.authorization = \"{value}\"\n"
        );
        good(&text)
    };
    let (old, new) = (with("Bearer s3cr"), with("Bearer s3cr2"));
    assert_eq!(
        reload(&old, &new),
        ["Applied: `/a`: request_headers.set.authorization changed (its value is not shown)"]
    );
    assert!(!format!("{:?}", new.snapshot.routes).contains("s3cr"));
}
