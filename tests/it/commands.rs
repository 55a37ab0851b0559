//! The commands as scripts use them: their options, what they print for programs, and where the
//! configuration comes from.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{Finished, hash_of, tollgate, tollgate_reading};

pub(crate) const GOOD: &str = "[routes]\n\"/a\" = \"http://localhost:1\"\n[access]\nprotected = [\"/a\"]\n\
    [clients.x]\nkeys = [\"sha256:53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6\"]\n\
    [limits]\nanonymous = { requests = 60, per = \"1m\" }\n";

/// Runs a command on a file of that name and content.
pub(crate) fn on(name: &str, text: &str, args: &[&str]) -> Finished {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join(name);
    std::fs::write(&file, text).expect("write the file");
    tollgate(&[args, &["-c", file.to_str().expect("a path in UTF-8")]].concat())
}

pub(crate) fn parsed(done: &Finished) -> Value {
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"))
}

#[test]
fn check_tells_programs_where_problems_are() {
    let done = on(
        "gate.toml",
        "[server]\nwatch = 1\n[access]\nprotcted = []\n",
        &["check", "--json"],
    );
    assert_eq!((done.code, done.stderr.as_str()), (Some(1), ""));
    let told = parsed(&done);
    assert_eq!(told["good"], false);
    let problem = &told["problems"][0];
    assert!(
        problem["file"]
            .as_str()
            .is_some_and(|file| file.ends_with("/gate.toml"))
    );
    let rest =
        ["line", "column", "severity", "message", "help"].map(|member| problem[member].clone());
    let message = "`server.watch` takes true or false: this is a whole number";
    assert_eq!(json!(rest), json!([2, 9, "error", message, null]));
    let message = "unknown key `protcted`: did you mean `protected`?";
    assert_eq!(told["problems"][1]["message"], message);
    assert_eq!(told["problems"].as_array().map(Vec::len), Some(2));

    let done = tollgate(&["check", "--json", "-c", "/nonexistent.toml"]);
    let told = parsed(&done);
    assert_eq!(told["problems"][0]["line"], Value::Null);
    let message = told["problems"][0]["message"].as_str().expect("a text");
    assert!(message.contains("/nonexistent.toml"), "{message}");

    let done = on("gate.toml", GOOD, &["check", "--json"]);
    assert_eq!(done.code, Some(0));
    assert_eq!(parsed(&done), json!({ "good": true, "problems": [] }));
}

#[test]
fn strict_takes_warnings_for_problems() {
    let odd = format!("{GOOD}[upstreams.unused]\nendpoints = [\"http://x\"]\n");
    for (text, args, code) in [
        (&odd, &["check"][..], 0),
        (&odd, &["check", "--strict"], 1),
        (&odd, &["check", "--strict", "--json"], 1),
        (&GOOD.to_owned(), &["check", "--strict"], 0),
    ] {
        let done = on("gate.toml", text, args);
        assert_eq!(done.code, Some(code), "{done:?}");
        assert_eq!(done.stdout.contains(": good"), code == 0, "{done:?}");
    }
    let done = on("gate.toml", &odd, &["check", "--json"]);
    assert_eq!(parsed(&done)["problems"][0]["severity"], "warning");
    assert_eq!(parsed(&done)["problems"][0]["line"], 9);
}

#[test]
fn explain_compares_with_what_is_expected() {
    for (question, code) in [
        (["/a", "--expect", "401", "--json"], 0),
        (["/a", "--expect", "200", "--json"], 1),
        (["/a", "--expect", "200", "--client=x"], 0),
        (["/b", "--expect", "404", "--json"], 0),
        (["/health", "--expect", "200", "--json"], 0),
        (["/a", "--expect", "4011", "--json"], 2),
    ] {
        let done = on(
            "gate.toml",
            GOOD,
            &[&["explain", "GET"], &question[..]].concat(),
        );
        assert_eq!(done.code, Some(code), "{done:?}");
        let says = "200 was expected, and it would be 401";
        assert_eq!(done.stderr.contains(says), code == 1, "{done:?}");
    }
}

#[test]
fn standard_input_may_be_the_configuration() {
    for text in [
        GOOD,
        "{\"routes\": {\"/a\": \"http://x\"}}",
        "routes:\n  /a: http://x\n",
    ] {
        let done = tollgate_reading(&["check", "-c", "-"], text);
        assert_eq!(done.code, Some(0), "{done:?}");
    }
    let done = tollgate_reading(&["check", "-c", "-"], "\n[server]\nwatch = 1\n");
    assert!(done.stderr.contains("<stdin>:3:9"), "{done:?}");
}

#[test]
fn a_variable_names_the_configuration_and_an_option_overrides_it() {
    let run = |variable: &str, args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.args(args).env("TOLLGATE_CONFIG", variable);
        let output = command.current_dir("/").output().expect("run tollgate");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = run("/from/the/variable.toml", &["check"]);
    assert!(
        said.contains("cannot read `/from/the/variable.toml`"),
        "{said}"
    );
    assert!(said.contains("TOLLGATE_CONFIG"), "{said}");
    let said = run("/from/the/variable.toml", &["check", "-c", "/other.toml"]);
    assert!(said.contains("cannot read `/other.toml`"), "{said}");
    // As `${CONFIG:-}` of a compose file makes it.
    let said = run("", &["check"]);
    assert!(said.contains("cannot read `tollgate.toml`"), "{said}");
}

#[test]
fn a_format_in_a_file_of_another_is_said_once() {
    let json = "{\n  \"routes\": {\n    \"/a\": \"http://x\"\n  }\n}\n";
    let yaml = "routes:\n  /a: http://x\nlog:\n  level: info\n";
    for (name, text, said, ending) in [
        ("gate.toml", json, "this is JSON, and read as TOML", ".json"),
        ("gate.toml", yaml, "this is YAML, and read as TOML", ".yaml"),
        ("gate.json", GOOD, "this is TOML, and read as JSON", ".toml"),
        ("gate.json", yaml, "this is YAML, and read as JSON", ".yaml"),
        ("gate.yaml", GOOD, "this is TOML, and read as YAML", ".toml"),
    ] {
        let done = on(name, text, &["check"]);
        assert!(done.stderr.contains(said), "{done:?}");
        assert!(
            done.stderr.contains(&format!("ends with `{ending}`")),
            "{done:?}"
        );
        assert!(done.stderr.ends_with("\n1 problem\n"), "{done:?}");
    }
    // A slip in the first line is no other format.
    let done = on(
        "gate.toml",
        "listen: \"h:1\"\n[routes]\n\"/a\" = \"http://x\"\n",
        &["check"],
    );
    assert!(done.stderr.contains("this is not TOML"), "{done:?}");
}

#[test]
fn the_manual_and_completions_tell_of_every_command() {
    let page = tollgate(&["man"]);
    assert_eq!(page.code, Some(0), "{page:?}");
    assert!(page.stdout.contains("\n.TH tollgate 1"), "{page:?}");
    for command in [
        "run",
        "check",
        "explain",
        "keys new",
        "keys hash",
        "schema",
        "completions",
    ] {
        let section = format!("\n.SS tollgate {command}\n");
        assert!(page.stdout.contains(&section), "{section}");
    }
    assert!(page.stdout.contains("\\-\\-expect"), "{page:?}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = tollgate(&["completions", shell]);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(done.stdout.contains("explain"), "{done:?}");
    }
    assert_eq!(tollgate(&["completions", "sh"]).code, Some(2));
}

#[test]
fn a_gateway_fed_by_standard_input_is_not_reloaded() {
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["run", "-c", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start tollgate");
    let mut stdin = gateway.stdin.take().expect("stdin is piped");
    write!(
        stdin,
        "listen = \"127.0.0.1:0\"\n{GOOD}[admin]\nlisten = \"off\"\n"
    )
    .expect("write the configuration");
    drop(stdin);
    let mut lines = BufReader::new(gateway.stderr.take().expect("stderr is piped")).lines();
    let mut wait = |what: &str| {
        let found = lines
            .by_ref()
            .map_while(Result::ok)
            .find(|line| line.contains(what));
        found.unwrap_or_else(|| panic!("the gateway ended without {what:?}"));
    };
    let process = Pid::from_child(&gateway);
    wait("listening");
    kill_process(process, Signal::HUP).expect("a signal is sent");
    wait("not reloaded: standard input cannot be read again");
    kill_process(process, Signal::TERM).expect("a signal is sent");
    wait("drained");
    assert!(gateway.wait().expect("it ends").success());
}

#[test]
fn a_further_key_goes_into_the_list_of_its_client() {
    let done = on("gate.toml", GOOD, &["keys", "new", "x", "--expires", "90d"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.stdout.contains("gate.toml, line 5, with 1 so far"),
        "{done:?}"
    );
    let line = done
        .stdout
        .lines()
        .find(|line| line.contains("{ hash"))
        .expect("a line to add");
    let changed = GOOD.replace("keys = [", &format!("keys = [\n{line}\n"));
    let done = on("gate.toml", &changed, &["keys", "list", "--json"]);
    let told = parsed(&done);
    assert_eq!(told[0]["client"], "x");
    assert_eq!(told[0]["keys"][1]["id"], "53a04f1f");
    assert_eq!(told[0]["keys"][1]["expires_at"], Value::Null);
    let id = told[0]["keys"][0]["id"].as_str().expect("an id");
    assert!(line.contains(&format!("sha256:{id}")), "{line}: {id}");
    assert!(told[0]["keys"][0]["expires_at"].is_string(), "{told}");
    assert!(!line.contains("key_"), "{line}");

    let done = on(
        "gate.json",
        "{}",
        &["keys", "new", "y", "--json", "--not-before", "2100-01-01"],
    );
    let told = parsed(&done);
    assert_eq!(
        (&told["known"], &told["client"]),
        (&json!(false), &json!("y"))
    );
    let (key, hash) = (told["key"].as_str(), told["hash"].as_str());
    assert_eq!(hash_of(key.expect("a key")), hash.expect("a hash"));
    assert_eq!(told["not_before"], "2100-01-01T00:00:00Z");
    let with = format!("{{{}}}", told["add"].as_str().expect("a text"));
    assert_eq!(on("gate.json", &with, &["check"]).code, Some(0), "{with}");
}

#[test]
fn keys_of_a_configuration_that_cannot_be_read_are_said_to_be_unknown() {
    for (file, why) in [
        ("/nonexistent.toml", "there is no such file"),
        ("/dev", "it is a directory: name a file in it"),
    ] {
        let done = tollgate(&["keys", "new", "x", "-c", file]);
        assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""), "{done:?}");
        let said = format!("cannot read `{file}`: {why}");
        assert!(done.stderr.contains(&said), "{done:?}");
    }
    let done = on("gate.toml", "listn = 1\n", &["keys", "new", "x"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stderr.contains("gate.toml` has problems"), "{done:?}");
    assert_eq!(
        on("gate.toml", "listn = 1\n", &["keys", "list"]).code,
        Some(1)
    );
    for wrong in [["--expires", "soon"], ["--expires", "2001-01-01"]] {
        let done = on(
            "gate.toml",
            GOOD,
            &[&["keys", "new", "x"], &wrong[..]].concat(),
        );
        assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{done:?}");
    }
    let done = tollgate_reading(&["keys", "hash"], &hash_of("x"));
    assert!(done.stderr.contains("this is a hash already"), "{done:?}");
    let digits = "53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6";
    let done = tollgate_reading(&["keys", "hash"], digits);
    assert_eq!(done.stdout.trim(), hash_of(digits));
    assert!(
        done.stderr.contains("if they are a hash already"),
        "{done:?}"
    );
    let done = tollgate_reading(&["keys", "hash", "s3cret"], "");
    assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{done:?}");
    assert!(
        done.stderr.contains("printf %s KEY | tollgate keys hash"),
        "{done:?}"
    );
    assert!(!done.stderr.contains("s3cret"), "{done:?}");
    let soon = GOOD.replace("keys = [", "keys = [{ hash = \"sha256:63a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6\", expires_at = \"SOON\" }, ");
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(4);
    let done = on(
        "gate.toml",
        &soon.replace("SOON", &end.to_string()),
        &["keys", "list", "--json"],
    );
    assert_eq!(
        parsed(&done)[0]["keys"][0]["state"],
        "ends soon",
        "{done:?}"
    );
}

#[test]
fn strict_does_not_fail_for_what_only_the_clock_has_changed() {
    let key = "\"sha256:53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6\"";
    let ending = format!("{{ hash = {key}, expires_at = \"2020-01-01T00:00:00Z\" }}");
    let text = GOOD.replace(key, &ending);
    let done = on("gate.toml", &text, &["check", "--strict"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stderr.contains("has expired"), "{done:?}");
    let odd = format!("{text}[upstreams.unused]\nendpoints = [\"http://x\"]\n");
    let done = on("gate.toml", &odd, &["check", "--strict"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("1 warning and `--strict`"), "{done:?}");
}

#[test]
fn a_field_written_with_an_equals_sign_is_wrong_usage_and_not_repeated() {
    let explain = ["explain", "GET", "/a", "-H", "x-api-key=secret"];
    let done = on("gate.toml", GOOD, &explain);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(done.stderr.contains("write `NAME: VALUE`"), "{done:?}");
    assert!(!done.stderr.contains("secret"), "{done:?}");
}

#[test]
fn what_keeps_the_gateway_from_starting_is_logged_as_log_format_says() {
    let lines = |done: &Finished| -> Vec<Value> {
        let line = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        done.stderr.lines().map(line).collect()
    };
    let json = format!("{GOOD}[log]\nformat = \"json\"\n");
    let done = on(
        "gate.toml",
        &format!("{json}access = \"a/b/c\"\n"),
        &["run"],
    );
    assert_eq!(done.code, Some(1), "{done:?}");
    let said = lines(&done);
    let last = said.last().expect("a line");
    assert_eq!(last["level"], "ERROR");
    let message = last["message"].as_str().expect("a message");
    assert!(
        message.contains("cannot open the access log") && message.contains("make it"),
        "{message}"
    );
    assert!(
        last["time"]
            .as_str()
            .is_some_and(|time| time.ends_with('Z') && time.len() == 24),
        "{last}"
    );

    let done = on("gate.toml", &format!("{json}levle = 1\n"), &["run"]);
    let said = lines(&done);
    assert_eq!(
        said[0]["message"],
        "unknown key `levle`: did you mean `level`?"
    );
    assert_eq!(
        (&said[0]["line"], &said[0]["column"]),
        (&json!(11), &json!(1))
    );
    assert_eq!(said[1]["problems"], 1);

    let pretty = format!("{GOOD}[log]\nformat = \"pretty\"\nlevle = 1\n");
    let done = on("gate.toml", &pretty, &["run"]);
    assert!(
        done.stderr.contains("gate.toml:11:1") && done.stderr.ends_with("1 problem\n"),
        "{done:?}"
    );
    // Neither here nor in lines of the log, for this is no terminal.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address");
    let pretty = format!(
        "listen = \"{address}\"\n{GOOD}[admin]\nlisten = \"off\"\n[log]\nformat = \"pretty\"\n"
    );
    let taken = on("gate.toml", &pretty, &["run"]);
    assert!(taken.stderr.contains("INFO starting"), "{taken:?}");
    for said in [done.stderr, taken.stderr] {
        assert!(!said.contains('\u{1b}'), "{said:?}");
    }
}
