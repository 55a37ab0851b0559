//! Certificates that are replaced while clients connect: none of them notices.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustls::HandshakeKind;

use crate::support::tls::{Authority, connect};
use crate::support::{Gateway, eventually, folder_with};

/// How often the pair is swapped in each of two ways. `TOLLGATE_SWAPS` makes it more.
const SWAPS: usize = 3;

const CONFIG: &str = "listen = { address = \"127.0.0.1:0\", tls = true }\n[[tls.certificates]]\ncert = \"site/tls.crt\"\nkey = \"site/tls.key\"\n[routes]\n\"/\" = \"http://127.0.0.1:1\"\n";

/// How many clients connect, and how often each does: 100 handshakes a second.
const CLIENTS: usize = 4;
const PAUSE: Duration = Duration::from_millis(40);

#[test]
fn no_handshake_fails_while_a_pair_is_swapped() {
    let swaps = std::env::var("TOLLGATE_SWAPS").ok();
    let swaps = swaps.map_or(SWAPS, |swaps| swaps.parse().expect("a number"));
    let authority = Authority::new();
    let folder = folder_with(CONFIG);
    let site = folder.path().join("site");
    // As Kubernetes mounts a secret.
    fs::create_dir_all(site.join("0")).expect("a folder");
    put(&authority, &site.join("0"), Duration::ZERO);
    symlink("0", site.join("..data")).expect("a link");
    for file in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{file}"), site.join(file)).expect("a link");
    }
    let gateway = Gateway::start_in(folder);
    let site = gateway.dir().join("site");
    let stop = AtomicBool::new(false);
    let shaken = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let stops = Stops(&stop);
        for _ in 0..CLIENTS {
            scope.spawn(|| shake_hands(&gateway, &authority, &stop, &shaken));
        }
        for swap in 1..=swaps {
            put(&authority, &site.join("..data"), Duration::from_millis(300));
            wait_replaced(&gateway, 2 * swap - 1);
            let next = site.join(swap.to_string());
            fs::create_dir(&next).expect("a folder");
            put(&authority, &next, Duration::ZERO);
            symlink(swap.to_string(), site.join("..next")).expect("a link");
            fs::rename(site.join("..next"), site.join("..data")).expect("swap the link");
            wait_replaced(&gateway, 2 * swap);
        }
        drop(stops);
    });
    let shaken = shaken.load(Ordering::Relaxed);
    assert!(shaken > 20 * swaps, "only {shaken} handshakes");
    println!("{shaken} handshakes, {swaps} swaps of files and as many of a link");
    let errors = gateway
        .log()
        .into_iter()
        .filter(|it| it["level"] == "ERROR");
    assert_eq!(errors.count(), 0);
}

#[test]
fn names_that_a_renewal_loses_are_warned_of() {
    let authority = Authority::new();
    let folder = folder_with(CONFIG);
    let site = folder.path().join("site");
    fs::create_dir_all(&site).expect("a folder");
    let put = |names: &[&str]| {
        authority.issue("next", names);
        fs::copy(authority.path("next.pem"), site.join("tls.crt")).expect("the certificate");
        fs::copy(authority.path("next-key.pem"), site.join("tls.key")).expect("the key");
    };
    put(&["a.test", "b.test", "*.c.test"]);
    let gateway = Gateway::start_in(folder);
    // With as many names nothing is to be said.
    put(&["a.test", "*.c.test", "b.test", "d.test"]);
    wait_replaced(&gateway, 1);
    put(&["a.test", "d.test"]);
    let said = gateway.wait_log("the names that are lost", |line| line["lost"].is_string());
    assert_eq!(said["level"], "WARN");
    assert_eq!(said["lost"], "*.c.test b.test");
}

/// Ends the load when it is dropped, so that a failure does not hang the test.
struct Stops<'s>(&'s AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Writes a new pair, the key so much later than the certificate.
fn put(authority: &Authority, folder: &Path, pause: Duration) {
    authority.issue("next", &["a.test"]);
    fs::copy(authority.path("next.pem"), folder.join("tls.crt")).expect("write the certificate");
    std::thread::sleep(pause);
    fs::copy(authority.path("next-key.pem"), folder.join("tls.key")).expect("write the key");
}

fn wait_replaced(gateway: &Gateway, times: usize) {
    eventually("the certificate to be replaced", || {
        let log = gateway.log().into_iter();
        let replaced = log.filter(|line| line["message"] == "certificate replaced");
        (replaced.count() == times).then_some(())
    });
}

/// Makes one connection after the other, at a steady rate, each with a handshake in full.
fn shake_hands(gateway: &Gateway, authority: &Authority, stop: &AtomicBool, shaken: &AtomicUsize) {
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let config = Arc::new(authority.client());
        let connected = connect(gateway.address(), &config, "a.test").expect("a handshake");
        let kind = connected.conn.handshake_kind();
        assert_eq!(kind.map(|kind| kind == HandshakeKind::Resumed), Some(false));
        shaken.fetch_add(1, Ordering::Relaxed);
        next += PAUSE;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}
