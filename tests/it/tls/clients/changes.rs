//! What was proved at another name, or to other authorities, proves nothing: tickets and open connections.

use std::sync::Arc;

use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use rustls::{ClientConfig, HandshakeKind, NamedGroup};
use serde_json::Value;

use super::{BOTH, Setting, ask, ask_of};
use crate::support::tls::{Authority, client_through};
use crate::support::{Request, eventually};

/// Uses the sessions of any name for all.
#[derive(Debug)]
struct OneForAll(ClientSessionMemoryCache);

impl OneForAll {
    fn name() -> ServerName<'static> {
        "one.test".try_into().expect("a name")
    }
}

impl ClientSessionStore for OneForAll {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(Self::name(), group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&Self::name())
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(Self::name(), value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&Self::name())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&Self::name());
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(Self::name(), value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&Self::name())
    }
}

fn with_one_memory(mut config: ClientConfig) -> Arc<ClientConfig> {
    let store = OneForAll(ClientSessionMemoryCache::new(64));
    config.resumption = Resumption::store(Arc::new(store));
    Arc::new(config)
}

#[test]
fn a_ticket_of_a_name_without_certificates_opens_nothing_at_one_with_them() {
    let setting = Setting::new();
    for versions in BOTH {
        let asks = setting.asks("required") + "\nnames = [\"b.test\"]";
        let gateway = setting.gateway(&asks, "");
        let to = gateway.address();
        let nobody = with_one_memory(setting.servers.client_of(versions));
        let (status, _) = ask_of(to, &nobody, "a.test", "a.test").unwrap();
        assert_eq!(status, 200);
        let again = ask_of(to, &nobody, "a.test", "a.test").unwrap();
        assert_eq!(again, (200, HandshakeKind::Resumed), "tickets are used");
        ask(to, &nobody, "b.test", "b.test").unwrap_err();

        // Nor does that of a client with a certificate, the other way round.
        let orders = with_one_memory(setting.client(versions, "orders"));
        assert_eq!(ask(to, &orders, "b.test", "b.test"), Ok(200));
        let again = ask_of(to, &orders, "b.test", "b.test").unwrap();
        assert_eq!(again, (200, HandshakeKind::Resumed));
        let other = ask_of(to, &orders, "a.test", "a.test").unwrap();
        assert_eq!(other, (200, HandshakeKind::Full));
    }
}

#[test]
fn a_resumed_session_keeps_its_client() {
    let setting = Setting::new();
    for versions in BOTH {
        let clients = "[clients.orders]\ncertificates = [\"san-dns:orders.test\"]\n";
        let gateway = setting.gateway(&setting.asks("required"), clients);
        let orders = Arc::new(setting.client(versions, "orders"));
        for _ in 0..2 {
            let came = ask_of(gateway.address(), &orders, "a.test", "a.test").unwrap();
            assert_eq!(came.0, 200);
            let seen = setting.upstream.only().fields;
            assert_eq!(seen.one("x-client-id"), Some("orders"), "{:?}", came.1);
        }
    }
}

#[test]
fn other_authorities_end_what_was_proved_to_those_before() {
    let setting = Setting::new();
    let others = Authority::new();
    others.issue("orders", &["orders.test"]);
    let file = setting.servers.path("clients.pem");
    let text = |authorities: &[&Authority]| {
        let texts = authorities.iter();
        let texts = texts.map(|it| std::fs::read_to_string(it.path("ca.pem")).unwrap());
        texts.collect::<String>()
    };
    std::fs::write(&file, text(&[&setting.clients])).unwrap();
    let asks = format!("ca = \"{}\"\nmode = \"required\"", file.display());
    let gateway = setting.gateway(
        &asks,
        "[tls]\nsecret = \"0123456789abcdef0123456789abcdef\"\n",
    );
    let to = gateway.address();
    let config = setting.config(
        &asks,
        "[tls]\nsecret = \"0123456789abcdef0123456789abcdef\"\n",
    );
    let request = Request::get("/a").host("a.test");
    for versions in BOTH {
        std::fs::write(&file, text(&[&setting.clients])).unwrap();
        gateway.reload(&config);
        let orders = Arc::new(setting.client(versions, "orders"));
        let mut kept = client_through(to, &orders, "a.test");
        kept.ask(&request).is(200);
        // One more authority: all goes on.
        std::fs::write(&file, text(&[&setting.clients, &others])).unwrap();
        gateway.reload(&config);
        kept.ask(&request).is(200);
        assert_eq!(ask(to, &orders, "a.test", "a.test"), Ok(200));

        std::fs::write(&file, text(&[&others])).unwrap();
        gateway.reload(&config);
        kept.ask(&request).is_refusal(421, "misdirected_request");
        kept.is_closed();
        ask(to, &orders, "a.test", "a.test").expect_err("neither by a ticket nor in full");
        let theirs = setting.servers.client_with(versions, (&others, "orders"));
        assert_eq!(ask(to, &Arc::new(theirs), "a.test", "a.test"), Ok(200));
    }
}

#[test]
fn what_is_asked_of_clients_holds_for_connections_that_are_open() {
    let setting = Setting::new();
    let open = setting.asks("optional");
    let gateway = setting.gateway(&open, "");
    let nobody = Arc::new(setting.servers.client());
    let orders = Arc::new(setting.client(&[&TLS13], "orders"));
    let mut anonymous = client_through(gateway.address(), &nobody, "a.test");
    let mut known = client_through(gateway.address(), &orders, "a.test");
    let request = Request::get("/a").host("a.test");
    anonymous.ask(&request).is(200);
    known.ask(&request).is(200);
    gateway.reload(&setting.config(&setting.asks("required"), ""));
    anonymous
        .ask(&request)
        .is_refusal(421, "misdirected_request");
    anonymous.is_closed();
    known.ask(&request).is(200);
}

#[test]
fn authorities_are_taken_from_their_file_and_a_broken_file_is_not() {
    let setting = Setting::new();
    let others = Authority::new();
    others.issue("orders", &["orders.test"]);
    let file = setting.servers.path("clients.pem");
    std::fs::copy(setting.clients.path("ca.pem"), &file).unwrap();
    let asks = format!("ca = \"{}\"\nmode = \"required\"", file.display());
    let gateway = setting.gateway(&asks, "");
    let ours = Arc::new(setting.client(&[&TLS13], "orders"));
    let theirs = Arc::new(setting.servers.client_with(&[&TLS13], (&others, "orders")));
    let nobody = Arc::new(setting.servers.client());
    let came = |config| ask(gateway.address(), config, "a.test", "a.test");
    assert_eq!(came(&ours), Ok(200));

    // Nobody is let in unasked, nor are those before forgotten, because a file is empty.
    for broken in ["", "-----BEGIN CERTIFICATE-----\nMIIB\n"] {
        std::fs::write(&file, broken).unwrap();
        gateway.rewrite(&setting.config(&asks, "[server]\nheader_timeout = \"9s\"\n"));
        let refusals = || {
            let refused = |line: &Value| {
                let text = line["message"].as_str().unwrap_or_default();
                text.starts_with("not reloaded")
            };
            gateway.log().iter().filter(|line| refused(line)).count()
        };
        let before = refusals();
        gateway.signal(rustix::process::Signal::HUP);
        eventually("the refusal", || (refusals() > before).then_some(()));
        assert_eq!(came(&ours), Ok(200));
        came(&theirs).unwrap_err();
        came(&nobody).unwrap_err();
    }
    gateway.wait_log("that it is not taken", |line| {
        let text = line["message"].as_str().unwrap_or_default();
        text.starts_with("authorities of clients not replaced")
    });

    std::fs::copy(others.path("ca.pem"), &file).unwrap();
    gateway.wait_log("that it is taken", |line| {
        line["message"] == "authorities of clients replaced"
    });
    assert_eq!(came(&theirs), Ok(200));
    came(&ours).unwrap_err();

    // One that has expired is believed, and warned of at once.
    let mut old = rcgen::CertificateParams::default();
    old.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    old.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    std::fs::write(&file, old.self_signed(&key).unwrap().pem()).unwrap();
    gateway.wait_log("that it has expired", |line| {
        let text = line["message"].as_str().unwrap_or_default();
        text.contains("has expired, at 2001-01-01T00:00:00Z")
    });
}
