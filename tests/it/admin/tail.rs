//! `tollgate tail`: the requests of a running gateway, as they are answered.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::spawn;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{
    Client, Gateway, PATIENCE, Request, eventually, folder_with, tollgate, with_admin,
};

const ROUTES: &str = r#"
[[route]]
name = "a"
prefix = "/a"
respond = { status = 200 }
[[route]]
name = "b"
prefix = "/b"
respond = { status = 503 }
"#;

/// A running `tollgate tail`; ended when it is dropped.
struct Tail {
    child: Child,
    /// What it prints, and what it says of itself.
    out: Receiver<String>,
    err: Receiver<String>,
}

impl Tail {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .arg("tail")
            .args(args)
            .env_remove("TOLLGATE_ADMIN_TOKEN")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start tollgate");
        let out = lines(child.stdout.take().expect("stdout is piped"));
        let err = lines(child.stderr.take().expect("stderr is piped"));
        Self { child, out, err }
    }

    /// Follows with these arguments, from the time on at which it is heard.
    fn of(gateway: &Gateway, args: &[&str]) -> Self {
        let admin = format!("http://{}", gateway.admin());
        let tail = Self::start(&[&["--admin", &admin, "--json"], args].concat());
        tail.is_heard(gateway);
        tail
    }

    /// Asks until a request is shown; what was shown until then is forgotten.
    fn is_heard(&self, gateway: &Gateway) {
        eventually("the first line", || {
            gateway.ask(&Request::get("/b/first"));
            self.out.try_recv().ok()
        });
        // Those that were asked before it was shown have been shown, too.
        let last = Request::get("/b/last").field("X-Request-Id", "last");
        gateway.ask(&last);
        while !self.line().contains("last") {}
    }

    /// The next line. Of two workers one may still have a line of the time before.
    fn line(&self) -> String {
        loop {
            let line = self.out.recv_timeout(PATIENCE).expect("a line");
            if !line.contains("/b/first") {
                return line;
            }
        }
    }

    fn path(&self) -> Value {
        let line: Value = serde_json::from_str(&self.line()).expect("JSON");
        line["path"].clone()
    }

    fn says(&self, what: &str) {
        self.says_one_of(&[what]);
    }

    fn says_one_of(&self, what: &[&str]) {
        let said = self.err.recv_timeout(PATIENCE).expect("a word");
        assert!(what.iter().any(|what| said.contains(what)), "{said}");
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}

#[test]
fn what_there_is_none_of_is_said() {
    let gateway = Gateway::start(&with_admin(ROUTES, ""));
    let admin = format!("http://{}", gateway.admin());
    let both = ["--admin", &admin, "--route", "/a", "--client", "nobody"];
    let tail = Tail::start(&both);
    tail.says("there is no route `/a`: nothing is shown until a reload brings it");
    tail.says("there is no client `nobody`");
    let tail = Tail::start(&["--admin", &admin, "--route", "a", "--client", "nobody"]);
    tail.says("there is no client `nobody`");
}

#[test]
fn all_requests_are_shown_with_all_members_whatever_the_log_leaves_out() {
    let log =
        "[log]\nformat = \"json\"\naccess = \"off\"\nfields = [\"path\"]\nsample_ok = 0.000001";
    let gateway = Gateway::start(&with_admin(&format!("{ROUTES}{log}"), ""));
    let tail = Tail::of(&gateway, &[]);
    for nth in 0..20 {
        gateway.ask(&Request::get(&format!("/a/{nth}"))).is(200);
        let line: Value = serde_json::from_str(&tail.line()).expect("JSON");
        assert_eq!(line["path"], format!("/a/{nth}"));
        assert_eq!(
            (&line["route"], &line["status"]),
            (&"a".into(), &200.into())
        );
        assert!(line["duration_ms"].is_number() && line.get("weight").is_none());
    }
}

#[test]
fn filters_leave_out_what_is_not_asked_for() {
    let gateway = Gateway::start(&with_admin(ROUTES, ""));
    let rows = [
        (&["--route", "b"][..], &["/b/1", "/b/2"][..]),
        (&["--status", "5xx"], &["/b/1", "/b/2"]),
        (&["--status", "503"], &["/b/1", "/b/2"]),
    ];
    for (args, shown) in rows {
        let tail = Tail::of(&gateway, args);
        for path in ["/a/1", "/b/1", "/nowhere", "/a/2", "/b/2"] {
            gateway.ask(&Request::get(path));
        }
        for path in shown {
            assert_eq!(tail.path(), **path, "{args:?}");
        }
    }
}

#[test]
fn slow_requests_and_those_of_a_client_can_be_asked_for() {
    let slow = crate::support::Upstream::start(|peer| {
        loop {
            let seen = peer.request()?;
            if seen.target.starts_with("/slow") {
                std::thread::sleep(std::time::Duration::from_millis(120));
            }
            peer.reply(&seen, b"")?;
        }
    });
    let key = crate::support::hash_of("key");
    let routes = format!(
        "[routes]\n\"/s\" = \"{}\"\n[clients.app]\nkeys = [\"{key}\"]\n",
        slow.url()
    );
    let gateway = Gateway::start(&with_admin(&routes, ""));
    let admin = format!("http://{}", gateway.admin());
    let all = ["--admin", admin.as_str(), "--json"];
    let slow = Tail::start(&[&all[..], &["--slow", "100ms"]].concat());
    let of_client = Tail::start(&[&all[..], &["--client", "app"]].concat());
    eventually("both to be heard", || {
        gateway
            .ask(&Request::get("/s/slow/first").field("x-api-key", "key"))
            .is(200);
        let heard = slow.out.try_recv().is_ok() && of_client.out.try_recv().is_ok();
        heard.then_some(())
    });
    for path in ["/s/fast", "/s/slow/2"] {
        gateway.ask(&Request::get(path)).is(200);
        gateway
            .ask(&Request::get(&format!("{path}/app")).field("x-api-key", "key"))
            .is(200);
    }
    let until = |tail: &Tail, last: &str| {
        let mut paths = Vec::new();
        while paths.last().is_none_or(|path| path != last) {
            paths.push(tail.path());
        }
        paths.retain(|path| path != "/s/slow/first");
        paths
    };
    assert_eq!(
        until(&slow, "/s/slow/2/app"),
        ["/s/slow/2", "/s/slow/2/app"]
    );
    assert_eq!(
        until(&of_client, "/s/slow/2/app"),
        ["/s/fast/app", "/s/slow/2/app"]
    );
}

#[test]
fn the_port_is_found_in_the_configuration_and_a_restart_is_gone_through() {
    let dir = folder_with("");
    let socket = dir.path().join("admin.sock");
    let config = format!("{ROUTES}[admin]\nlisten = \"unix:{}\"\n", socket.display());
    drop(dir);
    let dir = folder_with(&config);
    std::fs::create_dir_all(socket.parent().expect("a folder")).expect("make the folder");
    let file = dir.path().join("tollgate.toml");
    let file = file.to_str().expect("a path in UTF-8").to_owned();
    let gateway = Gateway::start_in(dir);
    let tail = Tail::start(&["-c", &file]);
    eventually("the first line", || {
        gateway.ask(&Request::get("/a/1"));
        tail.out.try_recv().ok()
    });
    let (_, dir) = gateway.finish_and_keep();
    // That it ends may come too late for the last moment that a gateway has for operators.
    tail.says_one_of(&["has ended; waiting for the next one", "has broken off"]);
    let mut gateway = Gateway::start_in(dir);
    tail.says("answers again");
    gateway.ask(&Request::get("/a/new")).is(200);
    while !tail.line().contains(" 200 GET /a/new ") {}
    // It has no time to say anything.
    gateway.signal(Signal::KILL);
    gateway.wait_exit();
    tail.says("has broken off the connection; waiting for it");
    let gateway = Gateway::start_in(gateway.into_dir());
    tail.says("answers again");
    gateway.ask(&Request::get("/a/newest")).is(200);
    while !tail.line().contains(" 200 GET /a/newest ") {}
    let _ = std::fs::remove_dir_all(socket.parent().expect("a folder"));
}

#[test]
fn a_hand_over_is_told_in_one_line_and_the_successor_followed() {
    let mut gateway = Gateway::start(&with_admin(ROUTES, ""));
    let tail = Tail::of(&gateway, &[]);
    for path in ["/a/second", "/a/third"] {
        gateway.hand_over();
        tail.says("has handed over to a successor, which is followed now");
        eventually("a request to the successor", || {
            gateway.ask(&Request::get(path)).is(200);
            tail.out.try_iter().find(|line| line.contains(path))
        });
    }
    assert_eq!(tail.err.try_iter().collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn what_is_wrong_is_said_and_what_to_do() {
    let without = folder_with(ROUTES);
    let picks = folder_with(&with_admin(ROUTES, ""));
    let dead = folder_with(&format!("{ROUTES}[admin]\nlisten = \"127.0.0.1:1\"\n"));
    let config = |dir: &Path| dir.join("tollgate.toml").display().to_string();
    for (args, said) in [
        (
            ["-c", &config(without.path())],
            "has no admin port: add `listen = \"127.0.0.1:9000\"` to `[admin]`",
        ),
        (["-c", &config(picks.path())], "name it with --admin"),
        (
            ["-c", &config(dead.path())],
            "no gateway answers at http://127.0.0.1:1: ",
        ),
        (
            ["-c", "/nowhere/tollgate.toml"],
            "name the admin port: `--admin",
        ),
        (
            ["--admin", "unix:/nowhere/x.sock"],
            "no gateway answers at unix:/nowhere/x.sock: ",
        ),
        (
            ["--admin", "https://127.0.0.1:1"],
            "the admin port speaks plain HTTP",
        ),
        (
            ["--token-file", "/nowhere/token"],
            "cannot read /nowhere/token",
        ),
    ] {
        let done = tollgate(&[&["tail"], &args[..]].concat());
        assert_eq!(done.code, Some(1), "{args:?}");
        assert!(done.stderr.contains(said), "{args:?}: {}", done.stderr);
        assert_eq!(done.stdout, "");
    }
    for args in [["--status", "6xx"], ["--slow", "fast"]] {
        assert_eq!(tollgate(&[&["tail"], &args[..]].concat()).code, Some(2));
    }
    // The public port is none.
    let gateway = Gateway::start(ROUTES);
    let done = tollgate(&["tail", "--admin", &gateway.address().to_string()]);
    assert!(
        done.stderr.contains("is this the admin port"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_token_is_taken_from_the_environment_or_a_file_and_a_wrong_one_is_refused() {
    let hash = crate::support::hash_of("the-token");
    let config = with_admin(ROUTES, &format!("read_token = \"{hash}\""));
    let gateway = Gateway::start(&config);
    let admin = format!("http://{}", gateway.admin());
    let file = gateway.dir().join("token");
    let file = file.to_str().expect("a path in UTF-8").to_owned();
    let with_file = ["tail", "--admin", &admin, "--token-file", &file];
    let without = tollgate(&with_file[..3]);
    assert_eq!(without.code, Some(1));
    assert!(
        without
            .stderr
            .contains("wants a token: put it into TOLLGATE_ADMIN_TOKEN"),
        "{}",
        without.stderr
    );
    std::fs::write(&file, "another-token\n").expect("write the token");
    let wrong = tollgate(&with_file);
    assert_eq!(wrong.code, Some(1));
    assert!(
        wrong.stderr.contains("does not accept this token"),
        "{}",
        wrong.stderr
    );
    assert!(!wrong.stderr.contains("another-token"));
    std::fs::write(&file, "the-token\n").expect("write the token");
    let tail = Tail::start(&["--admin", &admin, "--token-file", &file, "--json"]);
    tail.is_heard(&gateway);
}

#[test]
fn eight_may_follow_and_one_more_is_turned_away() {
    let gateway = Gateway::start(&with_admin(ROUTES, ""));
    let follow = || {
        let mut client = Client::to(gateway.admin());
        client.send(
            Request::get("/api/v1/tail")
                .host(&gateway.admin().to_string())
                .bytes(),
        );
        let head = client.head();
        (client, head)
    };
    let mut followers: Vec<_> = (0..8).map(|_| follow().0).collect();
    assert_eq!(follow().1.status, 503);
    for wrong in ["status=6secret", "slow=1secret", "rout=a"] {
        let asked = Request::get(&format!("/api/v1/tail?{wrong}"));
        let answer = gateway.ask_admin(asked);
        answer.is_refusal(400, "bad_request");
        let detail = answer.json()["detail"].to_string();
        assert!(!detail.contains("secret"), "{detail}");
    }
    followers.pop();
    eventually("a place", || (follow().1.status == 200).then_some(()));
}
