//! Requests that come back to the gateway: a few times is a service that asks another one through it, and
//! more is a circle.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};

use crate::support::{Gateway, Request, Upstream, eventually};

/// A service that asks the gateway in turn, with the `Via` that it has got, while the target is `/back`, and
/// else up to so many times.
fn leading_back(to: Arc<OnceLock<SocketAddr>>) -> Upstream {
    Upstream::start(move |peer| {
        let request = peer.request()?;
        let via = request.fields.one("via").unwrap_or_default();
        let target = match request.target.as_str() {
            "/0" => return peer.reply(&request, via.as_bytes()),
            "/2" => "/1",
            "/1" => "/0",
            circle => circle,
        };
        let gateway = *to.get().expect("the gateway has been started");
        let mut back = TcpStream::connect(gateway).expect("the gateway");
        let head =
            format!("GET {target} HTTP/1.1\r\nHost: x\r\nVia: {via}\r\nConnection: close\r\n\r\n");
        let mut answer = Vec::new();
        back.write_all(head.as_bytes()).expect("it reads");
        back.read_to_end(&mut answer).expect("it answers");
        peer.send(answer)
    })
}

#[test]
fn a_request_that_goes_round_in_a_circle_is_refused() {
    let to = Arc::new(OnceLock::new());
    let service = leading_back(Arc::clone(&to));
    let gateway = Gateway::start(&format!("[routes]\n\"/\" = \"{}\"", service.url()));
    to.set(gateway.address()).expect("once");
    let answer = gateway.ask(&Request::get("/circle"));
    assert_eq!(answer.is(508).json()["code"], "loop_detected");
    assert_eq!(service.take().len(), 3);
    let refused = |line: &serde_json::Value| line["code"] == "loop_detected";
    let line = eventually("its line", || {
        gateway.access_log(1).into_iter().find(refused)
    });
    assert_eq!(
        (&line["status"], &line["route"]),
        (&508.into(), &"/".into())
    );
    let via = gateway.ask(&Request::get("/2"));
    let via = via.is(200).text();
    let hops: Vec<_> = via.split(", ").collect();
    assert!(
        hops.len() == 3 && hops.iter().all(|hop| hop.starts_with("1.1 tollgate-")),
        "{via}"
    );
}
