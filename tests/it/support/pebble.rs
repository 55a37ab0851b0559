//! A real ACME authority of a test's own: `pebble`, with a name server that has 127.0.0.1 for every name.
//! It reaches the gateways under test through doors, because it asks on ports that it is told beforehand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;

use super::redis::free_port;
use super::redis_tls::Certificates;
use super::wait::eventually;

/// A running authority.
pub(crate) struct Pebble {
    folder: TempDir,
    certificates: Certificates,
    port: u16,
    /// Where the name server is told of names.
    names: u16,
    processes: Vec<Child>,
    /// Where it looks for answers to `http-01` and to `tls-alpn-01`.
    pub http: Door,
    pub tls: Door,
}

impl Pebble {
    /// Starts one that refuses so many percent of all nonces.
    pub(crate) fn start(refused_nonces: u32) -> Self {
        let certificates = Certificates::new();
        let (http, tls) = (Door::open(), Door::open());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (port, management) = (free_port(), free_port());
        let (dns, names_port) = (free_port(), free_port());
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": certificates.path("server.pem"),
            "privateKey": certificates.path("server-key.pem"),
            "httpPort": http.port(),
            "tlsPort": tls.port(),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        }});
        let file = folder.path().join("pebble.json");
        std::fs::write(&file, config.to_string()).expect("write the file");
        let mut names = Command::new("pebble-challtestsrv");
        names.args(["-dns01", &format!("127.0.0.1:{dns}"), "-defaultIPv6", ""]);
        names.args([
            "-http01",
            "",
            "-https01",
            "",
            "-tlsalpn01",
            "",
            "-management",
        ]);
        names.arg(format!("127.0.0.1:{names_port}"));
        let mut authority = Command::new("pebble");
        authority.arg("-config").arg(&file);
        authority.args(["-dnsserver", &format!("127.0.0.1:{dns}")]);
        authority.env("PEBBLE_VA_NOSLEEP", "1");
        authority.env("PEBBLE_WFE_NONCEREJECT", refused_nonces.to_string());
        let processes = vec![
            launch(names, &folder.path().join("names.log")),
            launch(authority, &folder.path().join("pebble.log")),
        ];
        let pebble = Self {
            folder,
            certificates,
            port,
            names: names_port,
            processes,
            http,
            tls,
        };
        for port in [port, management, names_port] {
            eventually("pebble to listen", || {
                TcpStream::connect(("127.0.0.1", port)).ok()
            });
        }
        pebble
    }

    /// What stands below `[tls.acme]` to ask it for these names by this challenge.
    pub(crate) fn config(&self, domains: &[&str], challenge: &str) -> String {
        format!(
            "[tls.acme]\ndomains = {domains:?}\ncontact = \"ops@a.test\"\ndirectory = \"{}\"\nca = \"{}\"\n\
             state_dir = \"acme\"\nchallenge = \"{challenge}\"\n",
            self.directory(),
            self.ca().display(),
        )
    }

    /// Lets a name lead to an address at which nobody answers.
    pub(crate) fn block(&self, name: &str) {
        let body = format!("{{\"host\":\"{name}.\",\"addresses\":[\"127.0.0.9\"]}}");
        let mut stream = TcpStream::connect(("127.0.0.1", self.names)).expect("the name server");
        let request = format!(
            "POST /add-a HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.contains("200 OK"), "{answer}");
    }

    pub(crate) fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.port)
    }

    /// Where it answers.
    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// The certificate by which it is trusted, and its key.
    pub(crate) fn own_certificate(&self) -> (String, String) {
        let text = |file| self.certificates.text(file);
        (text("server.pem"), text("server-key.pem"))
    }

    /// A file with whom to trust to ask it.
    pub(crate) fn ca(&self) -> PathBuf {
        self.certificates.path("ca.pem")
    }

    /// How many orders there have been.
    pub(crate) fn orders(&self) -> usize {
        self.count("Added order")
    }

    /// How many accounts there have been.
    pub(crate) fn accounts(&self) -> usize {
        self.count("accounts in memory")
    }

    fn count(&self, what: &str) -> usize {
        self.log()
            .lines()
            .filter(|line| line.contains(what))
            .count()
    }

    /// All that it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("pebble.log")).expect("its log")
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- pebble's log:\n{}\n---", self.log());
        }
    }
}

fn launch(mut command: Command, log: &Path) -> Child {
    let log = std::fs::File::create(log).expect("create a file");
    let errors = log.try_clone().expect("a file can be shared");
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    let missing = "pebble is missing: on Debian, `apt-get install pebble`";
    command.spawn().expect(missing)
}

/// A port that leads to several gateways in turn, as a load balancer does. One that does not listen is
/// passed over.
pub(crate) struct Door {
    address: SocketAddr,
    behind: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Door {
    /// Opens one that leads nowhere yet.
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let behind = Arc::<Mutex<Vec<SocketAddr>>>::default();
        let shown = Arc::clone(&behind);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut all = shown.lock().unwrap_or_else(PoisonError::into_inner);
                if !all.is_empty() {
                    all.rotate_left(1);
                }
                let server = all.iter().find_map(|to| TcpStream::connect(to).ok());
                drop(all);
                if let Some(server) = server {
                    join(client, server);
                }
            }
        });
        Self { address, behind }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Leads there, too.
    pub(crate) fn lead_to(&self, address: SocketAddr) {
        self.behind
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(address);
    }
}

/// Passes bytes both ways until both have ended.
fn join(client: TcpStream, server: TcpStream) {
    let ways = [
        (
            client.try_clone().expect("a socket"),
            server.try_clone().expect("a socket"),
        ),
        (server, client),
    ];
    for (mut from, mut to) in ways {
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Write);
        });
    }
}
