//! The commands, through the real binary: what they print where, and how they exit.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::support::{Finished, KEY, Shop, Upstream, each, hash_of, tollgate, tollgate_reading};

/// A folder with a `tollgate.toml`.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join("tollgate.toml"), text).expect("write the file");
        Self(dir)
    }

    /// The demo's configuration, with services that need not run.
    fn with_shop() -> Self {
        let (inventory, orders) = (Upstream::down(|_| Ok(())), Upstream::down(|_| Ok(())));
        let limits = "[limits]\nanonymous = { requests = 60, per = \"1m\" }\nidentified = { requests = 600, per = \"1m\" }";
        Self::with(&Shop::config(&inventory, &orders, limits))
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("tollgate.toml")
    }

    /// Runs `tollgate` with these arguments and `-c FILE`.
    fn run(&self, args: &[&str]) -> Finished {
        let file = self.file();
        tollgate(&[args, &["-c", file.to_str().expect("a path in UTF-8")]].concat())
    }
}

#[test]
fn a_broken_standard_error_changes_no_exit_code() {
    let folder = Folder::with("lissten = 1");
    let good = Folder::with_shop();
    let shop = ["explain", "GET", "/", "--client", "nobody"];
    let commands: [(&Folder, &[&str], i32); 5] = [
        (&folder, &["run"], 1),
        (&folder, &["check"], 1),
        (&folder, &["explain", "GET", "/"], 1),
        (&good, &shop, 2),
        (&good, &["serve"], 2),
    ];
    for (folder, args, code) in commands {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let (reader, unread) = std::io::pipe().expect("a pipe");
        drop(reader);
        for stderr in [Stdio::from(full.expect("/dev/full")), unread.into()] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
            command.args(args).arg("-c").arg(folder.file());
            let status = command.stdout(Stdio::null()).stderr(stderr).status();
            assert_eq!(status.expect("run tollgate").code(), Some(code), "{args:?}");
        }
    }
}

#[test]
fn check_says_good_and_exits_0() {
    let done = Folder::with_shop().run(&["check"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.contains("good"), "{done:?}");
}

#[test]
fn check_names_every_problem_with_its_place_and_exits_1() {
    let folder = Folder::with(
        "[access]\nprotcted = [\"/a\"]\n[routes]\n\"a\" = \"ftp://x\"\n[limits]\nanonymous = { requests = 0, per = \"1m\" }\n",
    );
    let done = folder.run(&["check"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(
        done.stdout.is_empty(),
        "problems go to standard error: {done:?}"
    );
    for text in [
        "tollgate.toml:2:1",
        "protcted",
        "did you mean",
        "protected",
        "tollgate.toml:4",
        "tollgate.toml:6",
    ] {
        assert!(
            done.stderr.contains(text),
            "{text:?} is not in\n{}",
            done.stderr
        );
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    each(["check", "run", "explain"], |command| {
        let args = match *command {
            "explain" => vec!["explain", "GET", "/", "-c", "/nonexistent/gate.toml"],
            other => vec![other, "-c", "/nonexistent/gate.toml"],
        };
        let done = tollgate(&args);
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.stderr.contains("/nonexistent/gate.toml"), "{done:?}");
    });
}

#[test]
fn wrong_usage_exits_2() {
    let wrong: [&[&str]; 7] = [
        &["frobnicate"],
        &["run", "--nope"],
        &["check", "extra"],
        &["keys"],
        &["keys", "new"],
        &["explain", "GET"],
        &["--nope"],
    ];
    each(wrong, |args| {
        let done = tollgate(args);
        assert_eq!(done.code, Some(2), "{done:?}");
        assert!(
            done.stdout.is_empty() && !done.stderr.is_empty(),
            "{done:?}"
        );
    });
}

#[test]
fn help_has_examples_and_the_version_is_told() {
    let done = tollgate(&["--help"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    for word in [
        "run",
        "check",
        "explain",
        "keys",
        "schema",
        "tollgate check -c",
    ] {
        assert!(
            done.stdout.contains(word),
            "{word:?} is not in\n{}",
            done.stdout
        );
    }
    for flag in ["-V", "--version"] {
        let done = tollgate(&[flag]);
        assert_eq!(
            (done.code, done.stdout.trim()),
            (Some(0), concat!("tollgate ", env!("TOLLGATE_VERSION")))
        );
    }
}

#[test]
fn a_new_key_comes_with_the_line_that_lets_it_in() {
    let done = tollgate(&["keys", "new", "mobile-app"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let at = done
        .stdout
        .find("sha256:")
        .unwrap_or_else(|| panic!("{done:?}"));
    let hash = &done.stdout[at..at + 7 + 64];
    assert!(done.stdout.contains("mobile-app"), "{done:?}");
    let key = done
        .stdout
        .split_whitespace()
        .find(|word| hash_of(word) == hash);
    let key = key.unwrap_or_else(|| panic!("no key with that hash in {done:?}"));
    assert!(key.len() >= 32, "{key}");
    assert_eq!(done.stdout.matches(key).count(), 1, "printed once");

    let another = tollgate(&["keys", "new", "mobile-app"]);
    assert!(!another.stdout.contains(hash), "the same key twice");
    assert_eq!(tollgate(&["keys", "new", "not a name"]).code, Some(2));
    let done = tollgate(&["keys", "new", key]);
    assert_eq!(done.code, Some(2));
    assert!(done.stdout.is_empty(), "{done:?}");
    assert!(
        done.stderr.contains("this is a key, not a name"),
        "{done:?}"
    );
    assert!(!done.stderr.contains(key), "{done:?}");
}

#[test]
fn the_name_of_a_file_says_how_it_is_written() {
    let toml = Folder::with("[server]\nwatch = 1\n");
    for (name, text) in [
        ("gate.json", "{\"server\": {\"watch\": 1}}"),
        ("gate.yaml", "server:\n  watch: 1\n"),
        ("gate.yml", "server: { watch: 1 }\n"),
    ] {
        let file = toml.0.path().join(name);
        std::fs::write(&file, text).expect("write the file");
        let done = tollgate(&["check", "-c", file.to_str().expect("a path in UTF-8")]);
        let said = "`server.watch` takes true or false";
        assert!(done.stderr.contains(said), "{name}: {done:?}");
        assert_eq!(done.code, Some(1), "{done:?}");
    }
}

#[test]
fn the_schema_is_that_of_the_repository() {
    let done = tollgate(&["schema"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.stdout, include_str!("../../tollgate.schema.json"));
}

#[test]
fn a_key_from_standard_input_is_hashed() {
    for input in [KEY.to_owned(), format!("{KEY}\n")] {
        let done = tollgate_reading(&["keys", "hash"], &input);
        assert_eq!(
            (done.code, done.stdout.trim()),
            (Some(0), hash_of(KEY).as_str())
        );
    }
    each(
        ["", "\n", " padded ", "caf\u{e9}\n", "two\nlines\n"],
        |input| {
            let done = tollgate_reading(&["keys", "hash"], input);
            assert!(matches!(done.code, Some(1 | 2)), "{done:?}");
            assert!(done.stdout.is_empty(), "{done:?}");
        },
    );
}

#[test]
fn explain_tells_the_whole_way() {
    let folder = Folder::with_shop();
    let done = folder.run(&[
        "explain",
        "GET",
        "/api//orders/%37?x=1",
        "--client",
        "mobile-app",
    ]);
    assert_eq!(done.code, Some(0), "{done:?}");
    for text in [
        "/api/orders/7",
        "mobile-app",
        "/api/orders",
        "600",
        "/7?x=1",
    ] {
        assert!(
            done.stdout.contains(text),
            "{text:?} is not in\n{}",
            done.stdout
        );
    }
    let done = folder.run(&["explain", "GET", "/api/orders/7"]);
    assert!(
        done.stdout.contains("API key required") || done.stdout.contains("api_key_required"),
        "{done:?}"
    );
    let done = folder.run(&[
        "explain",
        "GET",
        "/api/orders-admin",
        "--client",
        "mobile-app",
    ]);
    assert!(
        done.stdout.contains("No route found") || done.stdout.contains("no_route"),
        "{done:?}"
    );
}

/// A folder whose route has limits of every kind.
fn with_policies() -> Folder {
    Folder::with(&format!(
        r#"
        [routes]
        "/search" = {{ upstream = "http://localhost:1", limits = ["burst", "all"], cost = 5 }}
        [clients.mobile-app]
        keys = ["{}"]
        [limits]
        identified = {{ requests = 600, per = "1m", algorithm = "sliding-window" }}
        [limits.policies.burst]
        requests = 20
        per = "1s"
        algorithm = "token-bucket"
        burst = 40
        by = "ip"
        [limits.policies.all]
        requests = 5000
        per = "1m"
        by = "route"
        mode = "shadow"
        "#,
        hash_of(KEY)
    ))
}

#[test]
fn explain_says_who_asks_and_whether_a_key_would_be_taken() {
    let hash = hash_of(KEY);
    let folder = Folder::with(&format!(
        "[routes]\n\"/\" = \"http://localhost:1\"\n[clients.old]\n\
         keys = [{{ hash = \"{hash}\", expires_at = \"2020-01-01T00:00:00Z\" }}]\n"
    ));
    let question = ["explain", "GET", "/", "--client", "old"];
    let done = folder.run(&question);
    let said = "key         all keys of `old` have expired, the last at 2020-01-01T00:00:00Z: with them it is 401";
    assert!(done.stdout.lines().any(|line| line == said), "{done:?}");
    let done = folder.run(&[&question[..], &["-H", "x-api-key: abc"]].concat());
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(done.stderr.contains("both say who asks"), "{done:?}");
}

#[test]
fn explain_tells_of_every_limit() {
    let folder = with_policies();
    let question = ["explain", "GET", "/search/x", "--client", "mobile-app"];
    let done = folder.run(&[&question[..], &["--from", "192.0.2.7"]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    for line in [
        "limit       identified: 600 per 60 s, sliding-window, counted by client mobile-app, this request counts 5",
        "limit       burst: 20 per 1 s, token-bucket with burst 40, counted by ip 192.0.2.7, this request counts 5",
        "limit       all: 5000 per 60 s, counted by route /search (everybody together), this request counts 5, shadow: never refuses",
    ] {
        assert!(
            done.stdout.lines().any(|told| told == line),
            "{line:?} is not in\n{}",
            done.stdout
        );
    }
    let done = folder.run(&[&question[..], &["--from", "192.0.2.7", "--json"]].concat());
    let told: serde_json::Value =
        serde_json::from_str(&done.stdout).unwrap_or_else(|e| panic!("{e}: {done:?}"));
    assert_eq!(
        told["limits"][1],
        serde_json::json!({
            "policy": "burst", "requests": 20, "per_seconds": 1, "algorithm": "token-bucket",
            "burst": 40, "by": "ip 192.0.2.7", "mode": "enforce", "cost": 5,
        })
    );
    assert_eq!(told["limits"][2]["mode"], "shadow");
    assert_eq!(told["limits"][2]["by"], "route /search");
    assert!(told["limits"][2]["burst"].is_null());
}

#[test]
fn check_counts_the_limits_of_routes() {
    let done = with_policies().run(&["check"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let limits = "limits: anonymous none, identified 600 per 60 s (sliding-window), 2 on routes";
    assert!(done.stdout.contains(limits), "{done:?}");
    assert!(done.stderr.is_empty(), "{done:?}");
}

#[test]
fn explain_speaks_json_and_keeps_the_key_to_itself() {
    let folder = Folder::with_shop();
    let header = format!("x-api-key: {KEY}");
    let done = folder.run(&[
        "explain",
        "GET",
        "http://gateway.test/api/orders/7",
        "-H",
        &header,
        "--from",
        "198.51.100.7",
        "--json",
    ]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let trace: serde_json::Value =
        serde_json::from_str(&done.stdout).unwrap_or_else(|e| panic!("{e}: {done:?}"));
    let text = trace.to_string();
    for part in ["/api/orders/7", "mobile-app", "198.51.100.7"] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert!(!(done.stdout + &done.stderr).contains(KEY));
}

#[test]
fn a_reader_that_has_gone_is_no_panic() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .arg("--help")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start tollgate");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("wait for tollgate");
    assert!(
        !String::from_utf8_lossy(&output.stderr).contains("panicked"),
        "{output:?}"
    );
}

#[test]
fn the_repositorys_own_configuration_is_good() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tollgate.toml");
    let done = tollgate(&["check", "-c", file]);
    assert_eq!(done.code, Some(0), "{done:?}");
}
