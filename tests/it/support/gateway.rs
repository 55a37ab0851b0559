//! The gateway under test: the real binary with a configuration of the test's own, on a port that
//! the system picks. Its operator log is collected and printed when the test fails.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;
use tempfile::TempDir;

use super::client::{Client, Response};
use super::request::Request;
use super::successors::has_all_runtimes;
use super::wait::{PATIENCE, eventually};

pub(super) const TOLLGATE: &str = env!("CARGO_BIN_EXE_tollgate");

/// A running gateway; killed when it is dropped.
pub(crate) struct Gateway {
    pub(super) child: Child,
    /// The processes that it has handed over to, one after the other.
    pub(super) successors: Vec<Pid>,
    log: Arc<Log>,
    address: SocketAddr,
    dir: TempDir,
}

/// The operator log, line by line as it comes.
#[derive(Default)]
struct Log {
    lines: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
}

impl Gateway {
    /// Starts a gateway with this configuration, to which `listen` and, if it has none, `[log]`
    /// are added, and waits until it listens.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_in(folder_with(config))
    }

    /// Like [`Gateway::start`], in the environment that these words of a shell make.
    pub(crate) fn start_under(words: &str, config: &str) -> Self {
        let mut gateway = Self::begin_under(words, config);
        gateway.wait_listening();
        gateway
    }

    /// The same, without waiting for anything.
    pub(crate) fn begin_under(words: &str, config: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{words} && exec \"$0\" \"$@\""), TOLLGATE]);
        Self::begin(shell, folder_with(config))
    }

    /// Like [`Gateway::start`], with names that resolve as `names` says: a line for each, with its
    /// addresses, or `silent`.
    pub(crate) fn start_with_names(config: &str, names: &str) -> Self {
        let (mut program, dir) = (Command::new(TOLLGATE), folder_with(config));
        super::names::prepare(&mut program, dir.path(), names);
        Self::spawn(program, dir)
    }

    /// Starts one whose one route leads to a service at `host`, as an upstream with `rules`; that name
    /// has these addresses.
    pub(crate) fn to_name(host: &str, port: u16, rules: &str, addresses: &str) -> Self {
        Self::start_with_names(
            &format!(
                "[routes]\n\"/\" = \"up\"\n[upstreams.up]\nendpoints = \"http://{host}:{port}\"\n{rules}"
            ),
            &format!("{host} {addresses}"),
        )
    }

    /// Lets names resolve otherwise from now on.
    pub(crate) fn change_names(&self, names: &str) {
        super::names::change(self.dir(), names);
    }

    /// How often a name was looked up.
    pub(crate) fn lookups(&self, name: &str) -> usize {
        super::names::lookups(self.dir(), name)
    }

    /// Starts a gateway on the complete `tollgate.toml` of a folder.
    pub(crate) fn start_in(dir: TempDir) -> Self {
        Self::spawn(Command::new(TOLLGATE), dir)
    }

    fn spawn(command: Command, dir: TempDir) -> Self {
        let mut gateway = Self::begin(command, dir);
        gateway.wait_listening();
        gateway
    }

    /// Like [`Gateway::start_in`], but does not wait for anything.
    pub(crate) fn begin_in(dir: TempDir) -> Self {
        Self::begin(Command::new(TOLLGATE), dir)
    }

    fn begin(command: Command, dir: TempDir) -> Self {
        Self::begin_reading(Stdio::null(), command, dir)
    }

    pub(super) fn begin_reading(stdin: Stdio, mut command: Command, dir: TempDir) -> Self {
        let stdout = std::fs::File::create(dir.path().join("stdout")).expect("create a file");
        let mut child = command
            .args(["run", "-c"])
            .arg(dir.path().join("tollgate.toml"))
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .expect("start the gateway");
        let log = Arc::<Log>::default();
        let stderr = child.stderr.take().expect("stderr is piped");
        let collecting = Arc::clone(&log);
        std::thread::spawn(move || collecting.collect(stderr));
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            child,
            successors: Vec::new(),
            log,
            address,
            dir,
        }
    }

    /// Waits until a gateway that was only begun listens.
    pub(crate) fn wait_listening(&mut self) {
        let line = self.wait_log("the gateway to listen", |line| {
            line["message"] == "listening"
        });
        let address = line["address"].as_str().and_then(|text| text.parse().ok());
        self.address = address.unwrap_or_else(|| panic!("no address in {line}"));
    }

    /// Waits until none of these signals ends the process by itself.
    pub(crate) fn wait_catches(&self, signals: &[Signal]) {
        let file = format!("/proc/{}/status", self.child.id());
        let all = signals.iter().map(|signal| 1_u64 << (signal.as_raw() - 1));
        let all: u64 = all.sum();
        eventually("signals to be taken", || {
            let status = std::fs::read_to_string(&file).ok()?;
            let caught = status.lines().find_map(|l| l.strip_prefix("SigCgt:"))?;
            let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
            (caught & all == all).then_some(())
        });
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn connect(&self) -> Client {
        Client::to(self.address)
    }

    /// Asks one request on a connection of its own.
    pub(crate) fn ask(&self, request: &Request) -> Response {
        self.connect().ask(request)
    }

    /// The folder that holds the configuration and the logs.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Replaces the configuration file in one step, as `mv` does, without telling the gateway.
    pub(crate) fn rewrite(&self, config: &str) {
        self.rewrite_raw(&complete(config));
    }

    /// Like [`Gateway::rewrite`], with every byte of the file as given.
    pub(crate) fn rewrite_raw(&self, text: &str) {
        let new = self.dir().join("tollgate.toml.new");
        std::fs::write(&new, text).expect("write the file");
        std::fs::rename(new, self.dir().join("tollgate.toml")).expect("rename the file");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("signal the gateway");
    }

    /// Lets the running gateway have no more than that many files and sockets open at once, from the
    /// moment on in which all its threads have what they need to run.
    pub(crate) fn limit_files(&self, files: u64) {
        eventually("the runtimes of all threads", || {
            has_all_runtimes(self.pid()).then_some(())
        });
        let limit = Rlimit {
            current: Some(files),
            maximum: Some(files),
        };
        prlimit(Some(self.pid()), Resource::Nofile, limit).expect("limit open files");
    }

    /// The process that serves.
    pub(crate) fn pid(&self) -> Pid {
        self.successors.last().copied().unwrap_or(self.first())
    }

    /// The process that was started first.
    pub(super) fn first(&self) -> Pid {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        pid.expect("a process id")
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn wait_exit(&mut self) -> ExitStatus {
        let child = &mut self.child;
        eventually("the gateway to exit", || {
            child.try_wait().expect("wait for the gateway")
        })
    }

    /// Whether the process still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("wait for the gateway")
            .is_none()
    }

    /// Waits for a line of the operator log that `fits`. Members of `fields` are looked up as if
    /// they stood at the top.
    pub(crate) fn wait_log(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.log.wait(what, |lines| {
            lines.iter().map(|line| flat(line)).find(&fits)
        })
    }

    /// Waits until the operator log of a gateway that has ended is read to its end.
    pub(crate) fn wait_log_end(&self) {
        let ended = || self.log.lock().1.then_some(());
        eventually("the end of the log", ended);
    }

    /// The operator log so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.log.lock().0.iter().map(|line| flat(line)).collect()
    }

    /// The operator log so far, as it was written.
    pub(crate) fn log_text(&self) -> String {
        self.log.lock().0.join("\n")
    }

    /// Where the access log is.
    pub(crate) fn access_path(&self) -> PathBuf {
        self.dir().join("access.log")
    }

    /// Waits until the access log has at least that many lines, and returns them all.
    pub(crate) fn access_log(&self, at_least: usize) -> Vec<Value> {
        let path = self.access_path();
        eventually(
            &format!("{at_least} access lines in {}", path.display()),
            || {
                let lines = access_lines(&path);
                (lines.len() >= at_least).then_some(lines)
            },
        )
    }

    /// Ends the gateway in order, and returns its whole access log.
    pub(crate) fn finish(self) -> Vec<Value> {
        self.finish_and_keep().0
    }

    /// Like [`Gateway::finish`], and keeps the folder.
    pub(crate) fn finish_and_keep(mut self) -> (Vec<Value>, TempDir) {
        self.signal(Signal::TERM);
        let status = self.wait_exit();
        assert_eq!(status.code(), Some(0), "exit after SIGTERM");
        let dir = self.into_dir();
        (access_lines(&dir.path().join("access.log")), dir)
    }

    /// The folder of a gateway that has ended.
    pub(crate) fn into_dir(mut self) -> TempDir {
        let empty = tempfile::tempdir().expect("a temporary folder");
        std::mem::replace(&mut self.dir, empty)
    }

    /// The memory that the process holds, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the status of a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<usize>().ok());
        kib.expect("a resident set size") * 1024
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        for pid in self.all_successors() {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the gateway's log:\n{}\n---", self.log_text());
        }
    }
}

impl Log {
    fn collect(&self, stderr: impl std::io::Read) {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            self.lock().0.push(line);
            self.changed.notify_all();
        }
        self.lock().1 = true;
        self.changed.notify_all();
    }

    fn wait<T>(&self, what: &str, ask: impl Fn(&[String]) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.lock();
        loop {
            if let Some(answer) = ask(&lines.0) {
                return answer;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let (ended, text) = (lines.1, lines.0.join("\n"));
            assert!(
                !ended,
                "the gateway ended while waiting for {what}; its log:\n{text}"
            );
            assert!(
                !left.is_zero(),
                "waited in vain for {what}; the log:\n{text}"
            );
            let woken = self.changed.wait_timeout(lines, left);
            lines = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<String>, bool)> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn folder_with(config: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(dir.path().join("tollgate.toml"), complete(config)).expect("write the file");
    dir
}

/// A test's configuration with what every test needs: a free port, logs that can be read, no admin port.
pub(super) fn complete(config: &str) -> String {
    let mut text = String::new();
    let starts = |line: &str, with| line.trim_start().starts_with(with);
    let mut top = config.lines().take_while(|line| !starts(line, "["));
    if !top.any(|line| starts(line, "listen")) {
        text.push_str("listen = \"127.0.0.1:0\"\n");
    }
    text.push_str(config);
    let has = |table| config.lines().any(|line| line.trim() == table);
    if !has("[log]") {
        text.push_str("\n[log]\nformat = \"json\"\naccess = \"access.log\"\n");
    }
    if !has("[admin]") {
        text.push_str("\n[admin]\nlisten = \"off\"\n");
    }
    text
}

/// A line of the operator log with the members of `fields` lifted to the top.
fn flat(line: &str) -> Value {
    let mut value = serde_json::from_str(line).unwrap_or(Value::Null);
    let fields = value.get_mut("fields").map(Value::take);
    if let (Some(top), Some(Value::Object(fields))) = (value.as_object_mut(), fields) {
        top.extend(fields);
    }
    value
}

/// All whole lines of an access log. A line that is not a JSON object fails the test.
fn access_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |line: &str| {
        let value: Result<Value, _> = serde_json::from_str(line);
        value
            .ok()
            .filter(Value::is_object)
            .unwrap_or_else(|| panic!("access line {line:?}"))
    };
    whole.lines().map(parse).collect()
}
