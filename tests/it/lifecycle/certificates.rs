//! Files of certificates that are replaced while the gateway serves: what is taken, and what is said. What
//! clients see of it is in `tls::rotation`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Gateway, eventually, folder_with};

const CONFIG: &str = "listen = { address = \"127.0.0.1:0\", tls = true }\n[[tls.certificates]]\ncert = \"site.pem\"\nkey = \"site.key\"\n[routes]\n\"/\" = \"http://127.0.0.1:1\"\n";

/// A certificate and its key.
struct Pair {
    cert: String,
    key: String,
}

impl Pair {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).expect("a pair");
        Self {
            cert: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }
    }

    fn write(&self, folder: &Path) {
        fs::write(folder.join("site.pem"), &self.cert).expect("write the certificate");
        fs::write(folder.join("site.key"), &self.key).expect("write the key");
    }
}

fn gateway() -> Gateway {
    let folder = folder_with(CONFIG);
    Pair::new().write(folder.path());
    Gateway::start_in(folder)
}

fn count(gateway: &Gateway, message: &str) -> usize {
    let log = gateway.log();
    let is_it = |line: &&serde_json::Value| {
        let text = line["message"].as_str();
        text.is_some_and(|text| text.starts_with(message))
    };
    log.iter().filter(is_it).count()
}

fn wait_replaced(gateway: &Gateway, times: usize) {
    eventually("the certificate to be replaced", || {
        (count(gateway, "certificate replaced") == times).then_some(())
    });
}

#[test]
fn a_pair_is_taken_once_both_files_are_there() {
    let gateway = gateway();
    for times in 1..=2 {
        let new = Pair::new();
        fs::write(gateway.dir().join("site.pem"), &new.cert).expect("write");
        std::thread::sleep(Duration::from_millis(300));
        fs::write(gateway.dir().join("site.key"), &new.key).expect("write");
        wait_replaced(&gateway, times);
    }
    let line = gateway.wait_log("what is shown", |line| line["names"] == "a.test");
    let cert = gateway.dir().join("site.pem").display().to_string();
    assert_eq!(line["cert"], cert);
    assert_eq!(count(&gateway, "certificate not replaced"), 0);
}

#[test]
fn a_pair_that_does_not_fit_is_not_taken_and_said_once() {
    let gateway = gateway();
    let new = Pair::new();
    fs::write(gateway.dir().join("site.key"), &new.key).expect("write");
    let line = gateway.wait_log("the reason", |line| line["level"] == "ERROR");
    let said = line["message"].as_str().expect("a message");
    assert!(
        said.starts_with("certificate not replaced; the one before it is shown on: `")
            && said.ends_with("site.key`: the key does not fit the certificate"),
        "{said}"
    );
    assert!(
        line["help"]
            .as_str()
            .expect("help")
            .starts_with("use the key")
    );
    // The same is not said again; something else is.
    fs::write(gateway.dir().join("site.key"), &Pair::new().key).expect("write");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(count(&gateway, "certificate not replaced"), 1);
    fs::remove_file(gateway.dir().join("site.key")).expect("remove");
    gateway.wait_log("another reason", |line| {
        let text = line["message"].as_str().unwrap_or_default();
        text.ends_with("site.key`: there is no such file")
    });
    assert_eq!(count(&gateway, "certificate replaced"), 0);
    new.write(gateway.dir());
    wait_replaced(&gateway, 1);
}

#[test]
fn a_folder_of_kubernetes_is_followed() {
    let folder = folder_with(&CONFIG.replace("site.", "secret/site."));
    let secret = folder.path().join("secret");
    for version in ["1", "2"] {
        fs::create_dir_all(secret.join(version)).expect("a folder");
        Pair::new().write(&secret.join(version));
    }
    symlink("1", secret.join("..data")).expect("a link");
    for file in ["site.pem", "site.key"] {
        symlink(format!("..data/{file}"), secret.join(file)).expect("a link");
    }
    let gateway = Gateway::start_in(folder);
    let secret = gateway.dir().join("secret");
    symlink("2", secret.join("..next")).expect("a link");
    fs::rename(secret.join("..next"), secret.join("..data")).expect("swap the link");
    wait_replaced(&gateway, 1);
}

#[test]
fn a_reload_reads_certificates_and_refuses_bad_ones() {
    let gateway = gateway();
    fs::write(gateway.dir().join("site.key"), "").expect("write");
    gateway.signal(Signal::HUP);
    let line = gateway.wait_log("the refusal", |line| {
        let text = line["message"].as_str().unwrap_or_default();
        text.starts_with("not reloaded")
    });
    let problems = line["problems"].as_str().expect("problems");
    assert!(problems.contains("it is empty"), "{problems}");
    Pair::new().write(gateway.dir());
    gateway.signal(Signal::HUP);
    gateway.wait_log("the reload", |line| line["message"] == "reloaded");
    wait_replaced(&gateway, 1);
}
