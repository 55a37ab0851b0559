//! Answers of an upstream that can't be understood, or that could be understood in two ways, are
//! never passed on as whole ones.

use crate::support::{Ending, Request, Shop, UNGUARDED, Upstream, each};

#[test]
fn an_answer_that_is_not_http_gets_502() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(1_000_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(10_000));
    let answers = [
        "garbage\r\n\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/2 200\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\nX: a\rb\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\n X: a\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nX Sp : v\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\n : v\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\nContent-Length : 5\nContent-Length: 6\n\nhello!",
        "HTTP/1.1 200 OK\r\nX-Fold: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX-Nul: a\0b\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX-Cr: a\rb\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nok",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n",
        &long,
        &many,
    ];
    each(answers, |answer| {
        let shop = Shop::selling(Upstream::answering_once(*answer), "");
        let mut client = shop.gateway.connect();
        let response = client.ask(&Request::get("/api/inventory/x"));
        response.is_refusal(502, "upstream_invalid");
        // The client did nothing wrong: its connection goes on.
        client.ask(&Request::get("/health")).is(200);
    });
}

#[test]
fn a_body_that_breaks_its_framing_is_not_passed_on_as_whole() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let bodies = [
        "5 5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n5;a\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\nzz\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\nhello\n0\nX: y\n\r\n",
        "5\r\nhello\r\n-1\r\n\r\n",
        "5\r\nhello\r\nffffffffffffffffff\r\n\r\n",
        "5\r\nhello\r\n0\r\nX y: z\r\n\r\n",
        "5\r\nhello\r\n",
    ];
    each(bodies, |body| {
        let shop = Shop::selling(Upstream::answering_once(format!("{head}{body}")), "");
        let mut client = shop.gateway.connect();
        client.send(Request::get("/api/inventory/x").bytes());
        match client.ending() {
            Ending::Cut(response, _) => assert_eq!(response.status, 200),
            Ending::Whole(response) => {
                response.is(502);
            }
            Ending::Nothing(why) => panic!("not even a head: {why}"),
        }
    });
}

#[test]
fn a_body_that_ends_early_is_not_passed_on_as_whole() {
    let heads = [
        "Content-Length: 1000\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3e8\r\n",
    ];
    for reset in [false, true] {
        each(heads.map(|head| (head, reset)), |&(head, reset)| {
            let answer = format!("HTTP/1.1 200 OK\r\n{head}{}", "x".repeat(100));
            let upstream = Upstream::start(move |peer| {
                peer.request()?;
                peer.send(&answer)?;
                if reset {
                    peer.reset();
                    return Err(crate::support::Gone);
                }
                Ok(())
            });
            let shop = Shop::selling(upstream, "");
            for http10 in [false, true] {
                let request = Request::get("/api/inventory/x");
                let request = if http10 { request.http10() } else { request };
                let mut client = shop.gateway.connect();
                client.send(request.bytes());
                match client.ending_of(&request) {
                    Ending::Cut(..) | Ending::Nothing(_) => {}
                    Ending::Whole(response) if http10 && response.status == 200 => {
                        panic!(
                            "an HTTP/1.0 client takes {} bytes for all",
                            response.body.len()
                        );
                    }
                    Ending::Whole(response) => {
                        response.is(502);
                    }
                }
            }
            shop.gateway.ask(&Request::get("/health")).is(200);
        });
    }
}

#[test]
fn half_a_head_is_no_answer() {
    each(
        [
            "H",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
        ],
        |half| {
            let shop = Shop::selling(Upstream::answering_once(*half), UNGUARDED);
            let response = shop.ask(&Request::get("/api/inventory/x"));
            assert_eq!(response.status, 502, "{}", response.text());
            // Some answer had begun: a request must not be sent again for that.
            assert_eq!(shop.inventory.take().len(), 1, "sent again");
        },
    );
}

#[test]
fn an_answer_in_many_pieces_is_one_answer() {
    let answer = "HTTP/1.1 200 OK\r\nX-Seen: /still-here\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nX-T: 1\r\n\r\n";
    let upstream = Upstream::start(move |peer| {
        loop {
            peer.request()?;
            peer.send_in_pieces(answer.as_bytes(), 1)?;
        }
    });
    let shop = Shop::selling(upstream, "");
    let mut client = shop.gateway.connect();
    for _ in 0..2 {
        let response = client.ask(&Request::get("/api/inventory/x"));
        assert_eq!(response.is(200).text(), "hello!");
        assert_eq!(response.trailers.one("x-t"), Some("1"));
    }
}
