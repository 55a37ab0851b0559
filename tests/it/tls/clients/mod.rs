//! Certificates of clients: who is let in, who that is, and that what was proved at one place, or to other
//! authorities, proves nothing here.

mod changes;
mod known;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{CertificateParams, SanType};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, SupportedProtocolVersion};

use crate::support::tls::{Authority, client_through, connect};
use crate::support::{Gateway, Request, Upstream, each};

const BOTH: [&[&SupportedProtocolVersion]; 2] = [&[&TLS13], &[&TLS12]];

/// A gateway's authority and that of its clients, and a service.
struct Setting {
    servers: Authority,
    clients: Authority,
    upstream: Upstream,
}

impl Setting {
    /// With a certificate for `a.test` and `b.test`, and clients `orders` and `stranger`.
    fn new() -> Self {
        let (servers, clients) = (Authority::new(), Authority::new());
        servers.issue("site", &["a.test", "b.test"]);
        let mut orders = CertificateParams::new(vec!["Orders.test".to_owned()]).expect("a name");
        let id = "spiffe://test/orders".try_into().expect("a URI");
        orders.subject_alt_names.push(SanType::URI(id));
        clients.issue_with("orders", orders);
        clients.issue("stranger", &["stranger.test"]);
        let upstream = Upstream::echo();
        Self {
            servers,
            clients,
            upstream,
        }
    }

    /// A configuration with this `[tls.client_auth]`.
    fn config(&self, client_auth: &str, more: &str) -> String {
        format!(
            "listen = {{ address = \"127.0.0.1:0\", tls = true }}\n{}[tls.client_auth]\n{client_auth}\n[routes]\n\"/a\" = \"{}\"\n[access]\nprotected = [\"/a/own\"]\n{more}",
            self.servers.certificate("site"),
            self.upstream.url(),
        )
    }

    fn gateway(&self, client_auth: &str, more: &str) -> Gateway {
        Gateway::start(&self.config(client_auth, more))
    }

    /// `[tls.client_auth]` with the authority of the clients.
    fn asks(&self, mode: &str) -> String {
        let ca = self.clients.path("ca.pem");
        format!("ca = \"{}\"\nmode = \"{mode}\"", ca.display())
    }

    /// A client that shows this certificate.
    fn client(&self, versions: &[&'static SupportedProtocolVersion], file: &str) -> ClientConfig {
        self.servers.client_with(versions, (&self.clients, file))
    }
}

/// Handshakes, asks, and says what came of it.
fn ask(to: SocketAddr, config: &Arc<ClientConfig>, sni: &str, host: &str) -> Result<u16, String> {
    ask_of(to, config, sni, host).map(|(status, _)| status)
}

fn ask_of(
    to: SocketAddr,
    config: &Arc<ClientConfig>,
    sni: &str,
    host: &str,
) -> Result<(u16, HandshakeKind), String> {
    let mut stream = connect(to, config, sni).map_err(|error| error.to_string())?;
    let request = format!("GET /a HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let written = stream.write_all(request.as_bytes());
    let mut answer = String::new();
    written
        .and_then(|()| stream.read_to_string(&mut answer))
        .map_err(|error| error.to_string())?;
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    let kind = stream.conn.handshake_kind();
    Ok((status.ok_or(answer)?, kind.expect("a handshake")))
}

fn warned(gateway: &Gateway, why: &str) {
    gateway.wait_log(why, |line| {
        let last = line["last"].as_str().unwrap_or_default();
        line["message"] == "TLS handshakes of clients have failed" && last.contains(why)
    });
}

#[test]
fn where_a_certificate_is_required_nobody_comes_in_without_a_good_one() {
    let setting = Setting::new();
    let mut old = CertificateParams::new(vec!["orders.test".to_owned()]).unwrap();
    old.not_after = rcgen::date_time_ymd(2020, 1, 1);
    setting.clients.issue_with("old", old);
    let others = Authority::new();
    others.issue("orders", &["orders.test"]);
    for versions in BOTH {
        let rows = [
            (
                setting.servers.client_of(versions),
                "no certificates",
                ["CertificateRequired", "HandshakeFailure"],
            ),
            (
                setting.servers.client_with(versions, (&others, "orders")),
                "UnknownIssuer",
                ["UnknownCA", "UnknownCA"],
            ),
            (
                setting.client(versions, "old"),
                "expired",
                ["CertificateExpired", "CertificateExpired"],
            ),
        ];
        for (config, logged, alerts) in rows {
            // One for each: what is logged is logged once in ten seconds.
            let gateway = setting.gateway(&setting.asks("required"), "");
            let failed = ask(gateway.address(), &Arc::new(config), "a.test", "a.test").unwrap_err();
            assert!(
                alerts.iter().any(|alert| failed.contains(alert)),
                "{failed}"
            );
            warned(&gateway, logged);
            let good = Arc::new(setting.client(versions, "stranger"));
            assert_eq!(ask(gateway.address(), &good, "a.test", "a.test"), Ok(200));
        }
    }
}

#[test]
fn names_with_and_without_certificates_of_clients_are_apart() {
    let setting = Setting::new();
    for versions in BOTH {
        let asks = setting.asks("required") + "\nnames = [\"b.test\", \"*.c.test\"]";
        let gateway = setting.gateway(&asks, "");
        let nobody = Arc::new(setting.servers.client_of(versions));
        let orders = Arc::new(setting.client(versions, "orders"));
        let rows = [
            (&nobody, "a.test", "a.test", 200),
            (&nobody, "a.test", "b.test", 421),
            (&nobody, "a.test", "B.Test.:443", 421),
            (&nobody, "a.test", "x.c.test", 421),
            (&orders, "a.test", "b.test", 421),
            (&orders, "b.test", "b.test", 200),
            (&orders, "b.test", "B.TEST:8443", 200),
            (&orders, "b.test", "x.c.test", 200),
            (&orders, "b.test", "a.test", 421),
        ];
        each(rows, |(config, sni, host, status)| {
            let came = ask(gateway.address(), config, sni, host);
            assert_eq!(came, Ok(*status));
        });
        let mut without_name = ClientConfig::clone(&nobody);
        without_name.enable_sni = false;
        let without_name = Arc::new(without_name);
        let came = ask(gateway.address(), &without_name, "a.test", "b.test");
        assert_eq!(came, Ok(421));
        ask(gateway.address(), &nobody, "b.test", "b.test").unwrap_err();
        // The target's authority counts, whatever Host says.
        let mut client = client_through(gateway.address(), &nobody, "a.test");
        let absolute = Request::get("https://b.test/a").host("a.test");
        client.ask(&absolute).is_refusal(421, "misdirected_request");
    }
}
