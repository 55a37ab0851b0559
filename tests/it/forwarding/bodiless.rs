//! Answers without a body: to HEAD, 204, 304 (RFC 9110 sections 9.3.2, 15.3.5 and 15.4.5). The
//! fields of such an answer may speak of a body that never comes.

use crate::support::{Request, Shop, Upstream, each};

#[test]
fn an_answer_to_head_ends_with_its_head() {
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-None: 1\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 7\r\ncontent-length: 8\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 7\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: seven\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 7\r\nContent-Length: 7\r\n\r\n",
    ];
    each(answers, |answer| {
        let shop = Shop::selling(Upstream::answering(*answer), "");
        let mut client = shop.gateway.connect();
        for _ in 0..3 {
            let response = client.ask(&Request::new("HEAD", "/api/inventory/x"));
            let told = answer
                .split_once("Content-Length: ")
                .map(|(_, rest)| rest.trim());
            assert_eq!(response.fields.one("content-length"), told);
        }
    });
}

#[test]
fn an_answer_that_must_not_have_a_body_has_none() {
    let answers = [
        (
            "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nContent-Length: 1234\r\n\r\n",
            304,
        ),
        (
            "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nTransfer-Encoding: chunked\r\n\r\n",
            304,
        ),
        ("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n", 304),
        ("HTTP/1.1 204 No Content\r\nETag: \"v1\"\r\n\r\n", 204),
        (
            "HTTP/1.1 204 No Content\r\nETag: \"v1\"\r\nContent-Length: 0\r\n\r\n",
            204,
        ),
        (
            "HTTP/1.1 204 No Content\r\nETag: \"v1\"\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
            204,
        ),
        (
            "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            304,
        ),
    ];
    for method in ["GET", "HEAD", "DELETE"] {
        each(
            answers.map(|(answer, status)| (method, answer, status)),
            |(method, answer, status)| {
                let shop = Shop::selling(Upstream::answering(*answer), "");
                let mut client = shop.gateway.connect();
                for _ in 0..3 {
                    let response = client.ask(&Request::new(method, "/api/inventory/x"));
                    assert_eq!(response.is(*status).fields.one("etag"), Some("\"v1\""));
                }
            },
        );
    }
}

#[test]
fn a_204_that_has_a_body_all_the_same_poisons_nobody() {
    let answer = "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello";
    let shop = Shop::selling(Upstream::answering(answer), "");
    let mut client = shop.gateway.connect();
    for _ in 0..3 {
        // The client complains if the five bytes reach it as the beginning of an answer.
        let response = client.ask(&Request::get("/api/inventory/x"));
        assert!(matches!(response.status, 204 | 502), "{}", response.status);
    }
}

#[test]
fn head_of_the_gateways_own_answers_has_no_body() {
    let shop = Shop::open();
    let mut client = shop.gateway.connect();
    for (target, status) in [("/nowhere", 404), ("/api/orders/x", 401), ("/health", 200)] {
        let response = client.ask(&Request::new("HEAD", target));
        assert!(response.is(status).body.is_empty());
    }
    Shop::still_serves(&mut client);
}
