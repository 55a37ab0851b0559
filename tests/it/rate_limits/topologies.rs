//! Redis behind TLS and as a cluster, from the configuration file to the count.

use super::{remaining, storm};
use crate::support::redis_cluster::Cluster;
use crate::support::redis_tls::Certificates;
use crate::support::{Gateway, Request, Shop, Upstream, eventually};

fn request() -> Request {
    Request::get("/api/orders/x").with_key()
}

#[test]
fn certificates_of_files_lead_to_redis() {
    let files = Certificates::new();
    let (redis, port) = files.redis();
    let path = |name: &str| files.path(name).display().to_string();
    let shop = Shop::with(&format!(
        "[limits]\nidentified = {{ requests = 20, per = \"1h\" }}\n\
         [limits.redis]\nurl = \"rediss://localhost:{port}\"\ndeadline = \"2s\"\n\
         ca = \"{}\"\ncert = \"{}\"\nkey = \"{}\"",
        path("ca.pem"),
        path("client.pem"),
        path("client-key.pem"),
    ));
    assert_eq!(storm(&[&shop.gateway], 8, 5, &request()), (20, 20));
    let keys = redis.keys();
    assert!(
        keys.iter().any(|key| key.contains("mobile-app")),
        "{keys:?}"
    );
}

/// Under way, a master is killed: callers of its slots are admitted without counting.
#[test]
fn gateways_share_a_cluster_and_serve_on_when_a_node_is_killed() {
    let mut servers = Cluster::start();
    let services = [Upstream::echo(), Upstream::echo()];
    let more = format!(
        "[limits]\nidentified = {{ requests = 200, per = \"1h\" }}\n\
         [limits.redis]\nurl = {:?}\nmode = \"cluster\"\non_failure = \"open\"\ndeadline = \"2s\"",
        servers.urls()
    );
    let config = Shop::config(&services[0], &services[1], &more);
    let gateways = [Gateway::start(&config), Gateway::start(&config)];
    let both = [&gateways[0], &gateways[1]];
    assert_eq!(storm(&both, 8, 20, &request()), (160, 0));
    let left = remaining(&both[0].ask(&request()));
    assert_eq!(left, 39);

    let master = servers.master_of("{client:mobile-app}");
    servers.is_replicated(master);
    servers.nodes[master].kill();
    let (admitted, refused) = storm(&both, 8, 20, &request());
    assert_eq!(admitted + refused, 160, "and no other answer");
    servers.promoted(master);
    // What the replica had is still counted, and the rest is there to be spent.
    for gateway in both {
        eventually("the limit to hold again", || {
            (gateway.ask(&request()).status == 429).then_some(())
        });
    }
}
