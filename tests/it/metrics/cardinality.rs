//! Nothing that a client or a service chooses becomes a series.

use crate::support::{Gateway, Request, Upstream, as_many_as};

use super::{counted, start};

/// A service that answers with the status that it is asked for.
fn asked_for() -> Upstream {
    Upstream::start(|peer| {
        loop {
            let seen = peer.request()?;
            let status = seen
                .target
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned();
            let head = format!("HTTP/1.1 {status} Odd\r\nContent-Length: 0\r\n\r\n");
            peer.send(head)?;
        }
    })
}

fn ask_all(gateway: &Gateway, from: usize, count: usize) {
    let mut client = gateway.connect();
    for nth in from..from + count {
        let method = ["GET", "PURGE", "X-ODD"][nth % 3].to_owned();
        let method = if nth % 3 == 2 {
            format!("{method}{nth}")
        } else {
            method
        };
        let request = Request::new(&method, &format!("/p{nth}/{}", 200 + nth % 300))
            .host(&format!("h{nth}.test"))
            .field("user-agent", &format!("agent-{nth}"))
            .field("x-api-key", &format!("key-{nth}"));
        client.ask(&request);
        let request = Request::new("GET", &format!("/odd/{nth}/{}", 200 + nth % 300))
            .host(&format!("h{nth}.test"))
            .field("user-agent", &format!("agent-{nth}"));
        client.ask(&request);
    }
}

#[test]
fn what_clients_and_services_choose_makes_no_series_and_takes_no_memory() {
    let service = asked_for();
    let gateway = start(&format!(
        "[routes]\n\"/odd\" = \"{}\"\n[upstream_defaults]\nbreaker = \"off\"\nretry = \"off\"",
        service.url()
    ));
    // What belongs to any traffic is there before, at each worker, whichever gets the connection below.
    for _ in 0..32 {
        ask_all(&gateway, 0, 20);
    }
    let (series, memory) = (gateway.scrape().0.len(), gateway.memory());
    ask_all(&gateway, 1000, as_many_as("TOLLGATE_DISTINCT", 3_000));
    let more = gateway.scrape().0.len() - series;
    assert!(more <= 100, "{more} more series");
    let more = gateway.memory().saturating_sub(memory);
    assert!(more <= 5 << 20, "{more} bytes more");
}

#[test]
fn a_status_that_is_not_registered_is_another_one_and_still_an_error_from_500_on() {
    let service = asked_for();
    let gateway = start(&format!(
        "[routes]\n\"/odd\" = \"{}\"\n[upstream_defaults]\nbreaker = \"off\"\nretry = \"off\"",
        service.url()
    ));
    let mut client = gateway.connect();
    for status in [299, 423, 508, 520] {
        let request = Request::get(&format!("/odd/{status}"));
        client.ask(&request).is(status);
    }
    let scrape = counted(&gateway, 4.0);
    for (status, count) in [("423", 1.0), ("508", 1.0), ("other", 2.0)] {
        let label = format!("status=\"{status}\"");
        let found = scrape.sum("tollgate_requests_total", &[&label]);
        assert_eq!(found, count, "{status}");
    }
    let errors = scrape.get("tollgate_request_errors_total{route=\"/odd\"}");
    assert_eq!(errors, 2.0, "508 and 520");
}
