//! Where the port is, and that it answers from the first moment to the last.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::lifecycle::answers_when_told;
use crate::support::redis::Redis;
use crate::support::{
    Client, Gateway, Request, Shop, ask_at, each, eventually, folder_with, tollgate, wait_gone,
    with_admin,
};

fn codes(readiness: &serde_json::Value) -> Vec<&str> {
    let reasons = readiness["reasons"].as_array().expect("reasons");
    reasons
        .iter()
        .map(|it| it["code"].as_str().expect("a code"))
        .collect()
}

#[test]
fn it_answers_while_the_gateway_starts_and_says_so() {
    let redis = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let config = format!(
        "[routes]\n[limits.redis]\nurl = \"redis://{}\"\n[limits]\nanonymous = {{ requests = 1, per = \"1s\" }}",
        redis.local_addr().expect("an address")
    );
    let mut gateway = Gateway::begin_in(folder_with(&with_admin(&config, "")));
    let admin = gateway.admin();
    // It waits for Redis now, which is silent.
    let asked = redis.accept().expect("a connection");
    ask_at(admin, Request::get("/livez")).is(200);
    let readiness = ask_at(admin, Request::get("/readyz")).is(503).json();
    assert_eq!(readiness["status"], "not_ready");
    assert_eq!(codes(&readiness), ["starting"]);
    gateway.wait_listening();
    eventually("readiness", || {
        let answer = ask_at(admin, Request::get("/readyz"));
        (answer.status == 200).then_some(())
    });
    drop(asked);
}

#[test]
fn a_drain_is_told_until_its_end() {
    let (say, told) = channel();
    let shop = Shop::selling(answers_when_told(told), &with_admin("", ""));
    let mut client = shop.gateway.connect();
    client.send(Request::get("/api/inventory/x").bytes());
    shop.inventory.wait_for("the request", |_| true);
    assert_eq!(shop.gateway.admin_json("/readyz")["status"], "ready");
    shop.gateway.signal(Signal::TERM);
    shop.gateway
        .wait_log("the drain", |line| line["message"] == "draining");
    for _ in 0..3 {
        let readiness = shop
            .gateway
            .ask_admin(Request::get("/readyz"))
            .is(503)
            .json();
        assert_eq!(codes(&readiness), ["draining"]);
        shop.gateway.ask_admin(Request::get("/livez")).is(200);
    }
    say.send(()).expect("the service waits");
    client.answer().is(200);
    let Shop { mut gateway, .. } = shop;
    assert_eq!(gateway.wait_exit().code(), Some(0));
}

#[test]
fn what_is_not_there_is_a_problem_like_on_the_public_port() {
    let gateway = Gateway::start(&with_admin("[routes]", ""));
    let answer = gateway.ask_admin(Request::get("/nothing"));
    answer.is_refusal(404, "not_found");
    assert_eq!(
        answer.fields.one("content-type"),
        Some("application/problem+json")
    );
    let problem = answer.json();
    let public = gateway.ask(&Request::get("/nothing")).json();
    let names = |it: &serde_json::Value| {
        let members = it.as_object().expect("an object");
        members.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(names(&problem), names(&public));
    let answer =
        gateway.ask_admin(Request::post("/readyz", "{}").field("content-type", "application/json"));
    answer.is_refusal(405, "method_not_allowed");
    assert_eq!(answer.fields.one("allow"), Some("GET,HEAD"));
}

#[test]
fn a_port_that_is_taken_ends_the_start_and_says_what_to_do() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = other.local_addr().expect("an address");
    let folder = folder_with(&format!("[routes]\n[admin]\nlisten = \"{at}\""));
    let file = folder.path().join("tollgate.toml");
    let done = tollgate(&["run", "-c", file.to_str().expect("UTF-8")]);
    assert_eq!(done.code, Some(1));
    for words in [
        &at.to_string(),
        "taken by another program (or another Tollgate)",
        "[admin] listen",
        "\\\"off\\\"",
    ] {
        assert!(done.stderr.contains(words), "{words}: {}", done.stderr);
    }
    // A second gateway finds the port of the first taken, too.
    let gateway = Gateway::start(&with_admin("[routes]", ""));
    let taken = gateway.admin();
    fs::write(
        &file,
        format!("listen = \"127.0.0.1:0\"\n[admin]\nlisten = \"{taken}\""),
    )
    .expect("write");
    let done = tollgate(&["run", "-c", file.to_str().expect("UTF-8")]);
    assert_eq!(done.code, Some(1));
}

#[test]
fn an_address_of_clients_is_refused() {
    let folder = folder_with("listen = \"0.0.0.0:4711\"\n[admin]\nlisten = \"127.0.0.1:4711\"\n");
    let file = folder.path().join("tollgate.toml");
    let done = tollgate(&["check", "-c", file.to_str().expect("UTF-8")]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.stderr.contains("where clients connect"),
        "{}",
        done.stderr
    );
}

/// What a Unix socket answers to GET.
fn get(socket: &Path, path: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("connect");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn at_socket(folder: &Path) -> String {
    let socket = folder.join("admin.sock");
    format!("[routes]\n[admin]\nlisten = \"unix:{}\"", socket.display())
}

#[test]
fn a_unix_socket_is_the_owner_s_and_the_group_s_and_goes_with_the_gateway() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("admin.sock");
    // Left by a gateway that was killed.
    drop(UnixListener::bind(&socket).expect("a socket"));
    let mut gateway = Gateway::start(&at_socket(folder.path()));
    assert!(get(&socket, "/livez").starts_with("HTTP/1.1 200 "));
    let mode = fs::metadata(&socket)
        .expect("a socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o660);
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.wait_exit().code(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn a_file_or_another_gateway_s_socket_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("admin.sock");
    let run = || {
        let config = folder_with(&at_socket(folder.path()));
        let config = config.path().join("tollgate.toml");
        tollgate(&["run", "-c", config.to_str().expect("UTF-8")])
    };
    fs::write(&file, "precious").expect("write");
    let done = run();
    assert!(
        done.code == Some(1) && done.stderr.contains("not a socket"),
        "{}",
        done.stderr
    );
    assert_eq!(fs::read_to_string(&file).expect("the file"), "precious");
    fs::remove_file(&file).expect("remove");
    let gateway = Gateway::start(&at_socket(folder.path()));
    let done = run();
    assert!(
        done.code == Some(1) && done.stderr.contains("another Tollgate"),
        "{}",
        done.stderr
    );
    assert!(get(&file, "/livez").starts_with("HTTP/1.1 200 "));
    drop(gateway);
}

/// Asks again and again, on a new connection each time, until told to stop. Returns how often.
fn asks_on(
    stop: &Arc<AtomicBool>,
    ask: impl Fn() + Send + 'static,
) -> std::thread::JoinHandle<usize> {
    let stop = Arc::clone(stop);
    let asked = AtomicUsize::new(0);
    std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            ask();
            asked.fetch_add(1, Ordering::Relaxed);
        }
        asked.into_inner()
    })
}

#[test]
fn a_hand_over_refuses_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_owned();
    each(["tcp", "unix"], |&kind| {
        let folder = path.clone();
        let config = match kind {
            "tcp" => with_admin("[routes]", ""),
            _ => at_socket(&folder),
        };
        let mut gateway = Gateway::start(&config);
        let stop = Arc::<AtomicBool>::default();
        let asking = if kind == "tcp" {
            let admin = gateway.admin();
            asks_on(&stop, move || {
                let client = Client::to(admin);
                drop(client);
                assert_eq!(ask_at(admin, Request::get("/readyz")).status, 200);
            })
        } else {
            let socket = folder.join("admin.sock");
            asks_on(&stop, move || {
                assert!(get(&socket, "/readyz").starts_with("HTTP/1.1 200 "));
            })
        };
        for _ in 0..2 {
            let old = gateway.hand_over();
            wait_gone(old);
        }
        gateway.wait_said("admin port open", 3);
        stop.store(true, Ordering::Relaxed);
        assert!(asking.join().expect("nobody was refused") > 10);
        gateway.stop();
        assert!(!folder.join("admin.sock").exists(), "{kind}");
    });
}

#[test]
fn idle_connections_give_way_to_new_ones() {
    let gateway = Gateway::start(&with_admin("[routes]", ""));
    let admin = gateway.admin();
    each([true, false], |&asks| {
        let idle: Vec<_> = (0..256)
            .map(|_| {
                let mut client = Client::to(admin);
                if asks {
                    client
                        .ask(&Request::get("/livez").host("localhost"))
                        .is(200);
                }
                client
            })
            .collect();
        ask_at(admin, Request::get("/livez")).is(200);
        drop(idle);
    });
}

#[test]
fn requests_that_never_come_whole_give_way_to_new_ones() {
    let config = with_admin("[routes]", "metrics_listen = \"127.0.0.1:0\"");
    let gateway = Gateway::start(&config);
    let (admin, metrics) = (gateway.admin(), gateway.operator_port("metrics port open"));
    let login = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n";
    each([&login[..], b"GET /livez HT"], |begun| {
        let held: Vec<_> = (0..256)
            .map(|_| {
                let mut client = Client::to(admin);
                client.send(begun);
                client
            })
            .collect();
        // A port of its own has room of its own.
        ask_at(metrics, Request::get("/livez")).is(200);
        ask_at(admin, Request::get("/livez")).is(200);
        drop(held);
    });
}

#[test]
fn any_limit_that_refuses_without_redis_speaks_against_readiness() {
    each([("enforce", 503), ("shadow", 200)], |&(mode, status)| {
        let mut redis = Redis::start();
        let config = format!(
            "[routes]\n[limits]\nanonymous = {{ requests = 9, per = \"1h\" }}\n\
             [limits.policies.strict]\nrequests = 9\nper = \"1h\"\nmode = \"{mode}\"\non_failure = \"closed\"\n\
             [limits.redis]\nurl = \"{}\"\non_failure = \"open\"\ndeadline = \"100ms\"",
            redis.url()
        );
        let gateway = Gateway::start(&with_admin(&config, "ready_needs = [\"limiter\"]"));
        gateway.ask_admin(Request::get("/readyz")).is(200);
        redis.kill();
        gateway.wait_log("the outage", |line| line["event"] == "redis_lost");
        let readiness = gateway.ask_admin(Request::get("/readyz")).is(status).json();
        let expected: &[&str] = if status == 503 {
            &["limiter_closed"]
        } else {
            &[]
        };
        assert_eq!(codes(&readiness), expected, "{mode}");
    });
}

#[test]
fn readiness_goes_first_and_all_else_goes_on_for_a_while() {
    let more = "[server]\ndrain_delay = \"30s\"";
    let mut shop = Shop::with(&with_admin(more, ""));
    shop.gateway.signal(Signal::TERM);
    shop.gateway.wait_log("the delay", |line| {
        line["message"] == "not ready any more; draining after that"
    });
    let readiness = shop
        .gateway
        .ask_admin(Request::get("/readyz"))
        .is(503)
        .json();
    assert_eq!(codes(&readiness), ["draining"]);
    let answer = shop.gateway.ask(&Request::get("/api/inventory/x"));
    assert!(!answer.is(200).announces_close());
    shop.gateway.signal(Signal::USR2);
    shop.gateway
        .wait_log("that nothing is handed over", |line| {
            line["message"] == "nothing is handed over: this gateway is draining"
        });
    // A second signal does not wait for it.
    shop.gateway.signal(Signal::TERM);
    assert_eq!(shop.gateway.wait_exit().code(), Some(0));
    // Nor does it last longer than it should.
    let mut gateway = Gateway::start(&with_admin(
        "[routes]\n[server]\ndrain_delay = \"300ms\"",
        "",
    ));
    let begun = Instant::now();
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.wait_exit().code(), Some(0));
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[test]
fn the_port_gives_way_to_requests() {
    let gateway = Gateway::start(&with_admin("[routes]", ""));
    gateway.ask_admin(Request::get("/livez")).is(200);
    let tasks = fs::read_dir(format!("/proc/{}/task", gateway.pid().as_raw_nonzero()));
    let mut seen = Vec::new();
    for task in tasks.expect("threads") {
        let stat = fs::read_to_string(task.expect("a thread").path().join("stat"));
        let stat = stat.expect("a thread's state");
        // Its name, in parentheses, is the second field, its niceness the 19th.
        let (name, rest) = stat
            .split_once('(')
            .expect("a name")
            .1
            .split_once(')')
            .expect("its end");
        let niceness = rest.split(' ').nth(17).expect("a niceness");
        if ["admin", "worker"].contains(&name) {
            seen.push((name.to_owned(), niceness.to_owned()));
        }
    }
    seen.sort();
    seen.dedup();
    let expected = [("admin", "10"), ("worker", "0")];
    let expected = expected.map(|(name, niceness)| (name.to_owned(), niceness.to_owned()));
    assert_eq!(seen, expected);
}
