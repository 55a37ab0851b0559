//! Message framing (RFC 9112), from raw bytes. The one property behind all of it: an upstream
//! sees exactly one well-formed request with the right body, or none; and two readers of the
//! same bytes can't come to disagree about where a request ends.

mod bodies_of_refused;
mod chunks;
mod codings;
mod fields;
mod hosts;
mod lengths;
mod pipelining;
mod request_lines;
mod sizes;
mod targets;
mod truncated;

use crate::support::{Ending, Response, Shop, latin1};

/// A POST to the open service with these field lines and this body, both raw.
fn post(fields: &str, body: &str) -> Vec<u8> {
    latin1(&format!(
        "POST /api/inventory/x HTTP/1.1\r\nHost: gateway.test\r\n{fields}\r\n\r\n{body}"
    ))
}

/// A GET to the open service with these raw field lines.
fn get(fields: &str) -> Vec<u8> {
    latin1(&format!(
        "GET /api/inventory/x HTTP/1.1\r\nHost: gateway.test\r\n{fields}\r\n\r\n"
    ))
}

/// A GET to the open service under this raw request line.
fn line(line: &str) -> Vec<u8> {
    latin1(&format!("{line}\r\nHost: gateway.test\r\n\r\n"))
}

/// A whole request that must never be seen by an upstream: what a smuggler hides in a body.
const SMUGGLED: &str = "GET /api/inventory/smuggled HTTP/1.1\r\nHost: gateway.test\r\n\r\n";

/// Fails unless the bytes are refused with this status, the connection closes, and no whole
/// request reaches an upstream.
fn refused(shop: &Shop, raw: &[u8], status: u16, code: &str) {
    assert_eq!(refused_somehow(shop, raw), (status, code.into()));
}

/// Like [`refused`] with a choice of statuses, where the contract leaves one.
fn refused_with_one_of(shop: &Shop, raw: &[u8], statuses: &[u16]) {
    let (status, code) = refused_somehow(shop, raw);
    assert!(
        statuses.contains(&status),
        "refused with {status} {code}, not one of {statuses:?}"
    );
}

fn refused_somehow(shop: &Shop, raw: &[u8]) -> (u16, String) {
    shop.inventory.take();
    let mut client = shop.gateway.connect();
    client.send(raw);
    let response = client.answer();
    assert!(
        response.status >= 400,
        "accepted: {} {:?}",
        response.status,
        shop.inventory.take()
    );
    client.is_closed();
    shop.nothing_got_through();
    (
        response.status,
        response.json()["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    )
}

/// Fails unless the bytes are served as one request with this body, the upstream sees it so, and
/// the connection goes on.
fn accepted(shop: &Shop, raw: &[u8], body: &str) {
    shop.inventory.take();
    let mut client = shop.gateway.connect();
    client.send(raw);
    let response = client.answer();
    served(shop, &response, body);
    Shop::still_serves(&mut client);
    shop.nothing_more_got_through(1);
}

/// For what a gateway may refuse or read in one of these ways: fails if it does neither.
fn refused_or_accepted(shop: &Shop, raw: &[u8], bodies: &[&str]) {
    shop.inventory.take();
    let mut client = shop.gateway.connect();
    client.send(raw);
    match client.ending() {
        Ending::Whole(response) if response.status == 200 => {
            let seen = shop.inventory.only();
            assert!(
                bodies.iter().any(|body| latin1(body) == seen.body),
                "read as {:?}",
                seen.body
            );
        }
        Ending::Whole(response) => {
            response.is_refusal(400, "bad_request");
            client.is_closed();
            shop.nothing_got_through();
        }
        other => panic!("neither served nor refused: {other:?}"),
    }
}

fn served(shop: &Shop, response: &Response, body: &str) {
    response.is(200);
    let seen = shop.inventory.only();
    assert_eq!(
        String::from_utf8_lossy(&seen.body),
        body,
        "the body that the upstream saw"
    );
    assert_eq!(response.text(), body, "the body that came back");
}
