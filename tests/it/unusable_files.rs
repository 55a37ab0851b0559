//! What is said of files, folders and sockets that the gateway could not use.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use crate::commands::{GOOD, on, parsed};

#[test]
fn check_warns_of_files_that_the_gateway_could_not_write() {
    let text = format!("{GOOD}state_file = \"none/limits\"\n[log]\naccess = \"a/b/access.log\"\n");
    let done = on("gate.toml", &text, &["check"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    for warning in [
        "/a/b/access.log: there is no folder",
        "cannot use `limits.state_file`",
    ] {
        assert!(done.stderr.contains(warning), "{done:?}");
    }
    let done = on("gate.toml", &text, &["check", "--strict", "--json"]);
    // Another machine may have them.
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(parsed(&done)["good"], true);
    assert_eq!(parsed(&done)["problems"].as_array().map(Vec::len), Some(2));
}

#[test]
fn check_says_that_a_socket_and_a_folder_cannot_be_used() {
    let text = format!(
        "listen = {{ address = \"127.0.0.1:0\", tls = true }}\n{GOOD}[admin]\nlisten = \"unix:/none/admin.sock\"\nmetrics_listen = \"unix:/dev/null\"\n\
         [tls.acme]\ndomains = [\"a.test\"]\ncontact = \"a@a.test\"\nstate_dir = \"/dev/null\"\n"
    );
    let done = on("gate.toml", &text, &["check"]);
    for warning in [
        "cannot listen on unix:/none/admin.sock: /none is not there",
        "cannot listen on unix:/dev/null: there is a file that is not a socket",
        "cannot use `tls.acme.state_dir` /dev/null",
    ] {
        assert!(done.stderr.contains(warning), "{done:?}");
    }
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn a_file_of_routes_that_is_a_pipe_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pipe = folder.path().join("routes.toml");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("run mkfifo").success());
    for key in ["routes_file", "clients_file"] {
        let text = format!("{key} = \"{}\"\n", pipe.display());
        let done = on("gate.toml", &text, &["check"]);
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.stderr.contains("it is a pipe or a device"), "{done:?}");
    }
}

/// Runs a command whose file does not end.
fn waiting(args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(args).stdin(Stdio::piped());
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    piped.spawn().expect("start tollgate")
}

#[test]
fn commands_say_which_file_they_wait_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pipe = folder.path().join("tollgate.toml");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("run mkfifo").success());
    let pipe = pipe.to_str().expect("a name in UTF-8");
    let ended = "tollgate.toml: a pipe is read until whoever writes to it closes it";
    let of_stdin = "the end of standard input";
    let commands: [(&[&str], &str); 10] = [
        (&["check", "-c", pipe], ended),
        (&["check", "-c", "-"], of_stdin),
        (&["explain", "-c", pipe, "GET", "/"], ended),
        (&["explain", "-c", "-", "GET", "/"], of_stdin),
        (&["keys", "list", "-c", pipe], ended),
        (&["keys", "new", "-c", pipe, "mobile"], ended),
        (&["tail", "-c", pipe], ended),
        (&["import", "kong", pipe], ended),
        (&["import", "kong", "-"], of_stdin),
        (&["import", "node", pipe], ended),
    ];
    let running = commands.map(|(args, says)| (args, says, waiting(args)));
    for (args, says, mut child) in running {
        let mut line = String::new();
        let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        stderr.read_line(&mut line).expect("read what it says");
        child.kill().expect("end it");
        child.wait().expect("wait for it");
        let says = format!("tollgate: waiting for {says}");
        let all = line.replace(&folder.path().display().to_string(), "");
        assert!(
            all.replace("for /", "for ").starts_with(&says),
            "{args:?}: {line}"
        );
    }

    let mut child = waiting(&["check", "-c", pipe]);
    std::fs::write(pipe, GOOD).expect("write to the pipe");
    let mut said = String::new();
    let stdout = child.stdout.as_mut().expect("it is piped");
    stdout.read_to_string(&mut said).expect("read what it says");
    assert!(child.wait().expect("wait for it").success(), "{said}");
}

#[test]
fn a_file_that_has_been_read_is_not_waited_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("tollgate.toml");
    // To understand so many takes longer than a wait may be silent.
    let routes = (0..8000).map(|n| format!("\"/{n}\" = \"http://127.0.0.1:1\"\n"));
    let text = format!("[routes]\n{}", routes.collect::<String>());
    std::fs::write(&file, text).expect("write the file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    let output = command.arg("check").arg("-c").arg(&file).output();
    let output = output.expect("run tollgate");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("waiting"), "{said}");
}
