//! Connections that a service has authenticated, as with NTLM and Negotiate: whoever came next on one would
//! be taken for the client before, so it serves that client's connection alone.

use crate::support::{Client, Gateway, Gone, Request, Upstream, each};

/// A service that authenticates connections, in three steps or, with Negotiate, in one.
fn authenticating() -> Upstream {
    Upstream::start(|peer| {
        let mut user = None;
        loop {
            let request = peer.request()?;
            let credentials = request.fields.one("authorization").unwrap_or_default();
            match credentials.split_once(' ') {
                Some((_, "hello")) => {
                    peer.send("HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM challenge\r\nContent-Length: 0\r\n\r\n")?;
                    continue;
                }
                Some((_, name)) => user = Some(name.to_owned()),
                None => {}
            }
            match &user {
                Some(user) => peer.reply(&request, user.as_bytes())?,
                None => peer.send(
                    "HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n",
                )?,
            }
            if request.target == "/last" {
                return Err(Gone);
            }
        }
    })
}

fn in_front_of(services: &[&Upstream], rules: &str) -> Gateway {
    let urls: Vec<_> = services.iter().map(|one| one.url()).collect();
    Gateway::start(&format!(
        "[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = {urls:?}\n{rules}\n[server]\nworkers = 1"
    ))
}

fn with(credentials: &str) -> Request {
    Request::get("/").field("Authorization", credentials)
}

fn log_in(client: &mut Client, name: &str) {
    client.ask(&Request::get("/")).is(401);
    client.ask(&with("NTLM hello")).is(401);
    let answer = client.ask(&with(&format!("NTLM {name}")));
    assert_eq!(answer.is(200).text(), name);
}

#[test]
fn an_authenticated_connection_serves_its_client_alone() {
    let service = authenticating();
    let gateway = in_front_of(&[&service], "");
    let (mut alice, mut bob) = (gateway.connect(), gateway.connect());
    log_in(&mut alice, "alice");
    gateway.ask(&Request::get("/")).is(401);
    log_in(&mut bob, "bob");
    for (client, name) in [(&mut alice, "alice"), (&mut bob, "bob")] {
        assert_eq!(client.ask(&Request::get("/")).is(200).text(), name);
    }
    service.take();
    alice.ask(&Request::get("/")).is(200);
    let of_alice = service.only().connection;
    drop((alice, bob));
    service.wait_for_open(0);
    gateway.ask(&Request::get("/")).is(401);
    assert!(
        service
            .take()
            .iter()
            .all(|seen| seen.connection != of_alice)
    );
}

#[test]
fn whatever_may_have_authenticated_a_connection_binds_it() {
    for scheme in ["Negotiate", "negotiate", "NTLM", "Kerberos"] {
        let service = authenticating();
        let gateway = in_front_of(&[&service], "");
        let mut alice = gateway.connect();
        alice.ask(&with(&format!("{scheme} alice"))).is(200);
        gateway.ask(&Request::get("/")).is(401);
        assert_eq!(alice.ask(&Request::get("/")).is(200).text(), "alice");
    }
}

#[test]
fn what_authenticates_requests_binds_nothing() {
    each(["Basic YTpi", "Bearer negotiate"], |credentials| {
        let service = Upstream::echo();
        let gateway = in_front_of(&[&service], "");
        for _ in 0..3 {
            gateway.connect().ask(&with(credentials)).is(200);
        }
        assert_eq!(service.connections(), 1);
    });
}

#[test]
fn all_steps_go_to_one_endpoint() {
    let services = [(); 3].map(|()| authenticating());
    for balance in ["least-requests", "round-robin"] {
        let rules = format!("balance = \"{balance}\"");
        let gateway = in_front_of(&services.each_ref(), &rules);
        for nth in 0..6 {
            log_in(&mut gateway.connect(), &format!("user{nth}"));
        }
    }
}

#[test]
fn one_that_has_died_is_not_used_again() {
    let service = authenticating();
    let gateway = in_front_of(&[&service], "");
    let mut alice = gateway.connect();
    log_in(&mut alice, "alice");
    alice.ask(&Request::get("/last")).is(200);
    service.wait_for_open(0);
    // The service sees a stranger.
    alice.ask(&Request::get("/")).is(401);
    log_in(&mut alice, "alice");
}
