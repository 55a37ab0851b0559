//! Starting: everything is bound before anything is served, and what can't be done is said.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Broken, Ending, Gateway, Request, Upstream, eventually, tollgate};

const MOMENT: Duration = Duration::from_millis(20);

fn run(text: &str) -> crate::support::Finished {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("tollgate.toml");
    let text = format!("{text}\n[admin]\nlisten = \"off\"\n");
    std::fs::write(&file, text).expect("write the file");
    tollgate(&["run", "-c", file.to_str().expect("a path in UTF-8")])
}

#[test]
fn a_second_instance_on_the_same_port_fails_loudly() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&format!("[routes]\n\"/a\" = \"{}\"", upstream.url()));
    let second = run(&format!(
        "listen = \"{}\"\n[routes]\n\"/a\" = \"{}\"",
        gateway.address(),
        upstream.url()
    ));
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(
        second.stderr.contains(&gateway.address().to_string()),
        "{second:?}"
    );
    for _ in 0..10 {
        gateway.ask(&Request::get("/a")).is(200);
    }
}

#[test]
fn a_port_that_another_program_holds_fails_loudly() {
    let held = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = held.local_addr().expect("an address").to_string();
    let done = run(&format!(
        "listen = [\"127.0.0.1:0\", \"{address}\"]\n[routes]\n\"/a\" = \"http://127.0.0.1:1\""
    ));
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains(&address), "{done:?}");
    assert!(!done.stderr.contains("listening"), "half a start: {done:?}");
}

#[test]
fn nobody_can_connect_before_the_gateway_can_serve() {
    // A Redis that takes connections and says nothing holds the start up, though not for long.
    let redis = TcpListener::bind("127.0.0.1:0").expect("a free port");
    // An address of this test's own, so that the port is free as soon as it is given back.
    let free = TcpListener::bind("127.0.0.66:0").expect("a free port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let config = format!(
        "listen = \"{address}\"\n[routes]\n[admin]\nlisten = \"off\"\n[log]\nformat = \"json\"\n[limits.redis]\nurl = \"redis://{}\"\n\
         [limits]\nanonymous = {{ requests = 1, per = \"1s\" }}\n",
        redis.local_addr().expect("an address")
    );
    std::fs::write(dir.path().join("tollgate.toml"), config).expect("write the file");
    let mut gateway = Gateway::begin_in(dir);
    let asked = redis.accept().expect("a connection");
    let refused = TcpStream::connect(address).expect_err("it cannot serve yet");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    gateway.wait_listening();
    gateway.ask(&Request::get("/health")).is(200);
    drop(asked);
}

#[test]
fn nothing_starts_on_a_bad_file() {
    let done = run(
        "listen = \"127.0.0.1:0\"\n[access]\nprotcted = [\"/a\"]\n[routes]\n\"/a\" = \"nowhere\"",
    );
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(
        done.stderr.contains("protected") && done.stderr.contains("nowhere"),
        "all at once: {done:?}"
    );
    assert!(!done.stderr.contains("listening"), "{done:?}");
}

#[test]
fn the_start_says_what_is_served() {
    let config = "[routes]\n\"/a\" = \"http://h:1\"\n\"/b\" = \"http://h:2\"\n\"/c\" = \"http://h:1\"\n\
        [clients.x]\n[limits]\nanonymous = { requests = 1, per = \"1s\" }\n\
        tiers.gold = { requests = 2, per = \"1s\" }\n[limits.redis]\nurl = \"${NO_SUCH_REDIS:-}\"\n\
        [server]\nmax_connections = 12\n";
    let gateway = Gateway::start(config);
    let line = gateway.wait_log("the start", |line| line["message"] == "starting");
    let counts = ["routes", "upstreams", "clients", "limits"].map(|member| line[member].as_u64());
    assert_eq!(counts, [3, 2, 1, 2].map(Some), "{line}");
    assert_eq!(line["version"], env!("TOLLGATE_VERSION"));
    assert!(
        line["file"]
            .as_str()
            .is_some_and(|file| file.ends_with("/tollgate.toml"))
    );
    let counters = "in this process (`limits.redis.url` is empty)";
    assert_eq!(line["counters"], counters);
    // But for the word that a file takes long to be read, which is none of the log's.
    let first = gateway.log().into_iter().find(|line| !line.is_null());
    assert_eq!(first, Some(line), "it comes first");
    let line = gateway.wait_log("it to listen", |line| line["message"] == "listening");
    assert_eq!(line["connections"], 12, "{line}");
}

#[test]
fn the_start_says_how_many_connections_fit() {
    let gateway = Gateway::start_under("ulimit -n 500", "[routes]\n");
    let line = gateway.wait_log("it to listen", |line| line["message"] == "listening");
    let fit = line["connections"].as_u64();
    // Each may need one to a service, and others need some.
    assert!(fit.is_some_and(|fit| (1..250).contains(&fit)), "{line}");
}

#[test]
fn the_access_log_s_folder_is_made_and_its_file_opened_anew() {
    let gateway =
        Gateway::start("[routes]\n[log]\nformat = \"json\"\naccess = \"logs/access.log\"\n");
    gateway.ask(&Request::get("/health")).is(200);
    let file = gateway.dir().join("logs/access.log");
    let is_there = || file.exists().then_some(());
    eventually("the file to be there", is_there);
    std::fs::remove_file(&file).expect("remove the log");
    gateway.signal(Signal::USR1);
    gateway.wait_log("the log to be opened anew", |line| {
        line["message"] == "the log was opened anew"
            && line["file"]
                .as_str()
                .is_some_and(|file| file.ends_with("logs/access.log"))
    });
    assert!(file.exists());
    for (access, said) in [
        (
            "off",
            "the access log is off: there is no file to be opened anew",
        ),
        (
            "stdout",
            "the access log goes to standard output: there is no file to be opened anew",
        ),
    ] {
        let gateway = Gateway::start(&format!(
            "[log]\nformat = \"json\"\naccess = \"{access}\"\n"
        ));
        gateway.signal(Signal::USR1);
        gateway.wait_log("a word about the log", |line| line["message"] == said);
    }
}

#[test]
fn several_addresses_are_listened_on() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&format!(
        "listen = [\"127.0.0.1:0\", \"127.0.0.2:0\"]\n[routes]\n\"/a\" = \"{}\"",
        upstream.url()
    ));
    let second = gateway.wait_log("the second listener", |line| {
        line["message"] == "listening"
            && line["address"]
                .as_str()
                .is_some_and(|a| a.starts_with("127.0.0.2:"))
    });
    let second = second["address"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("an address");
    for address in [gateway.address(), second] {
        crate::support::Client::to(address)
            .ask(&Request::get("/a"))
            .is(200);
    }
}

#[test]
fn ipv6_is_spoken_on_both_sides() {
    let upstream = Upstream::echo_on(std::net::Ipv6Addr::LOCALHOST);
    let gateway = Gateway::start(&format!(
        "listen = \"[::1]:0\"\n[routes]\n\"/a\" = \"{}\"\n\
         [limits]\nanonymous = {{ requests = 9, per = \"1h\" }}",
        upstream.url()
    ));
    assert!(gateway.address().is_ipv6());
    gateway.ask(&Request::get("/a/x").host("[::1]:80")).is(200);
    let seen = upstream.only();
    assert_eq!(seen.fields.one("x-forwarded-for"), Some("::1"));
    assert_eq!(gateway.access_log(1)[0]["ip"], "::1");
}

#[test]
fn as_many_files_as_there_may_be_are_used() {
    let upstream = Upstream::echo();
    let config = format!("[routes]\n\"/a\" = \"{}\"", upstream.url());
    let gateway = Gateway::start_under("ulimit -S -n 64", &config);
    let mut clients: Vec<_> = (0..200).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.ask(&Request::get("/a")).is(200);
    }
}

/// Whatever the limit is: a gateway that listens serves, and one that cannot says what it needs.
#[test]
fn with_too_few_files_for_one_client_the_start_is_refused() {
    let upstream = Upstream::echo();
    let config = format!(
        "[server]\nworkers = 2\n[routes]\n\"/a\" = \"{}\"",
        upstream.url()
    );
    let mut refused = Vec::new();
    for files in (12..=76).step_by(4) {
        let mut gateway = Gateway::begin_under(&format!("ulimit -n {files}"), &config);
        let listens = eventually("it to listen or to end", || {
            let is_running = gateway.is_running();
            let listens = |line: &Value| line["message"] == "listening";
            let listens = gateway.log().iter().any(listens);
            (listens || !is_running).then_some(listens)
        });
        refused.push(!listens);
        if listens {
            gateway.wait_listening();
            for _ in 0..3 {
                gateway.connect().ask(&Request::get("/a")).is(200);
            }
            continue;
        }
        gateway.wait_log_end();
        let log = gateway.log();
        let mut errors = log.iter().filter(|line| line["level"] == "ERROR");
        let says = |line: &Value| line.to_string().contains("LimitNOFILE");
        assert!(errors.any(says), "{files}: {}", gateway.log_text());
        assert_eq!(gateway.wait_exit().code(), Some(1));
    }
    let both = [refused.first(), refused.last()];
    assert_eq!(both, [Some(&true), Some(&false)]);
}

#[test]
fn each_client_that_is_accepted_finds_a_file_for_its_service() {
    let all = Arc::new(Mutex::new(None::<Arc<Barrier>>));
    let together = Arc::clone(&all);
    let upstream = Upstream::start(move |peer| {
        let request = peer.request()?;
        let all = together.lock().expect("no panic").clone();
        all.expect("set before the first request").wait();
        peer.reply(&request, b"")
    });
    let config = format!("[routes]\n\"/a\" = \"{}\"", upstream.url());
    let gateway = Gateway::start_under("ulimit -n 250", &config);
    let warning = gateway.wait_log("the limit to be named", |line| {
        line["level"] == "WARN" && line["max_connections"] == 10_000
    });
    let room = warning["connections"].as_u64().expect("a number");
    assert!((40..120).contains(&room), "{warning}");
    let room = usize::try_from(room).expect("a small number");
    *all.lock().expect("no panic") = Some(Arc::new(Barrier::new(room)));
    // Each needs a connection to the service at the same time; ten wait for others to be done.
    let mut clients: Vec<_> = (0..room + 10).map(|_| gateway.connect()).collect();
    for client in &mut clients[..room] {
        client.send(Request::get("/a").bytes());
    }
    for client in &mut clients[..room] {
        client.answer().is(200);
    }
}

#[test]
fn running_out_of_files_is_survived() {
    let upstream = Upstream::echo();
    let config = format!("[routes]\n\"/a\" = \"{}\"", upstream.url());
    let gateway = Gateway::start(&config);
    gateway.limit_files(60);
    let mut first = gateway.connect();
    first.ask(&Request::get("/a")).is(200);
    // More connections than there are files for: those that are not accepted wait.
    let mut many: Vec<_> = (0..100).map(|_| gateway.connect()).collect();
    for client in &mut many {
        client.send(Request::get("/health").bytes());
    }
    gateway.wait_log("the shortage to be reported", |line| {
        line["level"] == "ERROR"
    });
    first.ask(&Request::get("/health")).is(200);
    // One line, not one for each attempt.
    assert!(gateway.log().len() < 20, "{}", gateway.log_text());
    // Whoever was served leaves and makes room for the next.
    eventually("everybody to be served", || {
        many.retain_mut(|client| match client.patience(MOMENT).ending() {
            Ending::Whole(response) => response.status != 200,
            Ending::Nothing(Broken::Silent) => true,
            other => panic!("{other:?}"),
        });
        many.is_empty().then_some(())
    });
    gateway.ask(&Request::get("/a")).is(200);
}
