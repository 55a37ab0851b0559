//! A real `redis-server` of a test's own, on a free port, which can be killed, frozen, restarted
//! and asked what it holds. It is gone when the test ends.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::wait::eventually;

/// How long a server may take to answer after its start.
const PATIENCE: Duration = Duration::from_secs(20);

/// Below what the system hands out for port 0, so that nobody takes the port of a server that is
/// down for a moment.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A running `redis-server`, or one that was killed and can be restarted.
pub(crate) struct Redis {
    port: u16,
    password: Option<String>,
    /// What the command line says beside the usual.
    more: Vec<String>,
    folder: TempDir,
    process: Child,
}

/// What a command line says beside the usual, for a port and a folder of a server's own.
type Arguments<'a> = dyn Fn(u16, &Path) -> Vec<String> + 'a;

impl Redis {
    /// Starts an empty server that asks for no password.
    pub(crate) fn start() -> Self {
        Self::start_with(None, &|_, _| Vec::new())
    }

    /// Starts an empty server that asks for `password`.
    pub(crate) fn start_with_password(password: &str) -> Self {
        Self::start_with(Some(password.to_owned()), &|_, _| Vec::new())
    }

    /// Starts an empty server with more arguments. They are asked for again if a port in them turns
    /// out to be taken.
    pub(crate) fn start_as(arguments: impl Fn(u16, &Path) -> Vec<String>) -> Self {
        Self::start_with(None, &arguments)
    }

    /// Both at once.
    pub(crate) fn start_with_password_as(
        password: &str,
        arguments: impl Fn(u16, &Path) -> Vec<String>,
    ) -> Self {
        Self::start_with(Some(password.to_owned()), &arguments)
    }

    fn start_with(password: Option<String>, arguments: &Arguments<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Another test may take the port between our look and the server's bind.
        for _ in 0..20 {
            let port = free_port();
            let more = arguments(port, folder.path());
            if let Some(process) = launch(port, password.as_deref(), &folder, &more) {
                return Self {
                    port,
                    password,
                    more,
                    folder,
                    process,
                };
            }
        }
        panic!("redis-server starts on none of 20 free ports");
    }

    /// The URL that leads here, the password included.
    pub(crate) fn url(&self) -> String {
        url(self.port, self.password.as_deref())
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where the server's own files are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills the server; what it held is lost.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("our own process can be killed");
        self.process.wait().expect("a killed process ends");
    }

    /// Starts a killed server again, empty, on the same port and with the same password.
    pub(crate) fn restart(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let password = self.password.as_deref();
            if let Some(process) = launch(self.port, password, &self.folder, &self.more) {
                self.process = process;
                return;
            }
        }
        panic!("redis-server does not start again on port {}", self.port);
    }

    /// Freezes the server: connections stay and are made, nothing is answered. Returns when it is
    /// frozen indeed, which is a moment after the signal.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
        let status = format!("/proc/{}/status", self.process.id());
        let frozen = |text: String| text.lines().any(|line| line.starts_with("State:\tT"));
        let deadline = Instant::now() + PATIENCE;
        while !frozen(std::fs::read_to_string(&status).expect("our own process has a status")) {
            assert!(Instant::now() < deadline, "redis-server does not freeze");
            std::thread::yield_now();
        }
    }

    /// Lets a frozen server go on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks the server one thing, on a connection of its own.
    pub(crate) fn ask<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let mut call = redis::cmd(command[0]);
        call.arg(&command[1..]);
        let mut connection = connect(&self.url()).expect("the server takes connections");
        call.query(&mut connection)
            .unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Asks what may fail for now.
    pub(crate) fn try_ask<T: redis::FromRedisValue>(&self, command: &[&str]) -> Option<T> {
        let mut call = redis::cmd(command[0]);
        call.arg(&command[1..]);
        let mut connection = connect(&self.url()).ok()?;
        call.query(&mut connection).ok()
    }

    /// Asks for another password from now on. Connections that there are stay.
    pub(crate) fn set_password(&mut self, password: &str) {
        let () = self.ask(&["CONFIG", "SET", "requirepass", password]);
        self.password = Some(password.to_owned());
    }

    /// All keys, sorted.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.ask(&["KEYS", "*"]);
        keys.sort();
        keys
    }

    /// Waits until a replica has everything that was written here up to now. `WAIT` would do so
    /// only for what its own connection has written.
    pub(crate) fn is_replicated_to(&self, replica: &Self) {
        let offset = |server: &Self, field: &str| -> u64 {
            let info: String = server.ask(&["INFO", "replication"]);
            let offset = info.lines().find_map(|line| line.strip_prefix(field));
            let offset = offset.and_then(|offset| offset.parse().ok());
            offset.unwrap_or_else(|| panic!("no {field} in {info}"))
        };
        let written = offset(self, "master_repl_offset:");
        eventually("the replica to have everything", || {
            (offset(replica, "slave_repl_offset:") >= written).then_some(())
        });
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).expect("our own process takes signals");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // A frozen process can be killed too; one that is gone cannot, and need not.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a server and waits until it answers; `None` if it ends, as it does when the port is taken.
fn launch(port: u16, password: Option<&str>, folder: &TempDir, more: &[String]) -> Option<Child> {
    let mut command = Command::new("redis-server");
    // First, for a file of settings comes first if there is one.
    command
        .args(more)
        .args([
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--daemonize",
            "no",
        ])
        .args([
            "--port",
            &port.to_string(),
            "--requirepass",
            password.unwrap_or(""),
        ])
        .arg("--dir")
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut process = command.spawn().expect("redis-server is installed");
    let deadline = Instant::now() + PATIENCE;
    loop {
        if process
            .try_wait()
            .expect("our own process can be waited for")
            .is_some()
        {
            return None;
        }
        if answers(port, password, process.id()) {
            return Some(process);
        }
        assert!(
            Instant::now() < deadline,
            "redis-server does not answer on port {port}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the server on that port answers and is the one that was started, not somebody else's.
fn answers(port: u16, password: Option<&str>, pid: u32) -> bool {
    let Ok(mut connection) = connect(&url(port, password)) else {
        return false;
    };
    let server: redis::RedisResult<String> =
        redis::cmd("INFO").arg("server").query(&mut connection);
    server.is_ok_and(|text| text.lines().any(|line| line == format!("process_id:{pid}")))
}

fn connect(url: &str) -> redis::RedisResult<redis::Connection> {
    let connection = redis::Client::open(url)?.get_connection_with_timeout(PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    Ok(connection)
}

fn url(port: u16, password: Option<&str>) -> String {
    match password {
        Some(password) => format!("redis://:{password}@127.0.0.1:{port}"),
        None => format!("redis://127.0.0.1:{port}"),
    }
}

/// A port that is free at this moment, and that no other test is given: whoever kills a server must
/// not meet another test's in its place.
pub(crate) fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    std::iter::repeat_with(|| fastrand::u16(PORTS))
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok() && given.insert(port))
        .expect("an endless search ends when it finds")
}
