//! Configurations on disk, and the files that they name.

use std::fs;
use std::path::Path;

use super::*;
use crate::config::{AccessLog, load};

fn in_folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// The problems, with the folder's own path left out.
fn problems(folder: &tempfile::TempDir, file: &str) -> String {
    let root = folder.path().to_str().unwrap();
    let problems = load(&folder.path().join(file), &environment).unwrap_err();
    problems.to_string().replace(root, "")
}

#[test]
fn routes_come_from_a_file_beside() {
    for (name, text) in [
        ("more/routes.json", "{\"/b\": \"http://b\", \"/c\": \"u\"}"),
        ("more/routes.YML", "/b: http://b\n/c: u\n"),
        (
            "more/routes.toml",
            "\"/b\" = \"http://b\"\n\"/c\" = \"u\"\n",
        ),
    ] {
        let main = format!(
            "routes_file = \"{name}\"\n[routes]\n\"/a\" = \"http://a\"\n\
             [upstreams.u]\nendpoints = [\"http://u\"]\n"
        );
        let folder = in_folder(&[
            ("conf/tollgate.toml", &main),
            (&format!("conf/{name}"), text),
        ]);
        let path = folder.path().join("conf/tollgate.toml");
        let loaded = load(&path, &environment).unwrap();
        let prefixes: Vec<_> = loaded
            .snapshot
            .routes
            .routes()
            .iter()
            .map(|route| route.prefix.as_str())
            .collect();
        assert_eq!(prefixes, ["/a", "/b", "/c"]);
        let files: Vec<_> = loaded.files.paths().collect();
        assert_eq!(files, [path, folder.path().join("conf").join(name)]);
    }
}

#[test]
fn clients_come_from_a_file_beside() {
    let hash = |digit: &str| format!("sha256:{}", digit.repeat(64));
    for (name, text) in [
        (
            "clients.toml",
            format!("[clients.web]\nkeys = [\"{}\"]\n", hash("b")),
        ),
        (
            "clients.json",
            format!(
                "{{\"clients\": {{\"web\": {{\"keys\": \"{}\"}}}}}}",
                hash("b")
            ),
        ),
        (
            "clients.yaml",
            format!("clients:\n  web:\n    keys: {}\n", hash("b")),
        ),
    ] {
        let main = format!(
            "clients_file = \"{name}\"\n[clients.app]\nkeys = [\"{}\"]\n",
            hash("a")
        );
        let folder = in_folder(&[("tollgate.toml", &main), (name, &text)]);
        let loaded = load(&folder.path().join("tollgate.toml"), &environment).unwrap();
        let clients: Vec<_> = loaded.clients(jiff::Timestamp::now()).collect();
        let seen: Vec<_> = clients
            .iter()
            .map(|client| (&*client.client, &*client.keys[0].id))
            .collect();
        assert_eq!(seen, [("app", "aaaaaaaa"), ("web", "bbbbbbbb")]);
        assert!(clients[1].file.ends_with(name), "{clients:?}");
        assert_eq!(loaded.snapshot.access.clients.len(), 2);
        assert_eq!(loaded.files.paths().count(), 2, "both are watched");
        // A reload that changes a key says so, wherever the client stands.
        fs::write(
            folder.path().join(name),
            text.replace(&hash("b"), &hash("c")),
        )
        .unwrap();
        let next = load(&folder.path().join("tollgate.toml"), &environment).unwrap();
        let said = "Applied: `clients.web.keys.hash`: bbbbbbbb -> cccccccc";
        assert_eq!(reload(&loaded, &next), [said]);
    }
}

#[test]
fn a_file_of_clients_has_clients_alone_and_each_once() {
    let folder = in_folder(&[
        (
            "tollgate.toml",
            "clients_file = \"c.toml\"\n[clients.app]\n",
        ),
        (
            "c.toml",
            "[clients.app]\nkeys = []\n[log]\nlevel = \"s3cret\"\n[clients.x]\nkeys = [\"s3cret\"]\n",
        ),
    ]);
    let said = problems(&folder, "tollgate.toml");
    for part in [
        "the client `app` is given twice\n--> /c.toml:1:10",
        "first given here: /tollgate.toml:2:10",
        "unknown key `log`\n --> /c.toml:3:",
        "/c.toml:6:9",
    ] {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn problems_of_that_file_carry_its_name() {
    let main = "routes_file = \"routes.json\"\n[routes]\n\"/a\" = \"http://a\"\n";
    let folder = in_folder(&[
        ("tollgate.toml", main),
        ("routes.json", "{\n  \"/a\": \"http://b\",\n  \"b\": 7\n}\n"),
    ]);
    let expected = "\
error: the route `/a` is given twice
 --> /routes.json:2:3
  |
2 |   \"/a\": \"http://b\",
  |   ^^^^ given again here
  |
  = note: first given here: /tollgate.toml:3:1

error: `b` is not a valid path prefix
 --> /routes.json:3:3
  |
3 |   \"b\": 7
  |   ^^^ it must start with `/`: write `/b`

2 problems
";
    assert_eq!(problems(&folder, "tollgate.toml"), expected);
}

#[test]
fn a_file_of_routes_has_no_table_around_them() {
    let main = "routes_file = \"routes.json\"\n";
    for (text, said) in [
        (
            "{ \"routes\": { \"/a\": \"http://a\" } }",
            "leave this out: the file is what stands in it",
        ),
        (
            "[{ \"prefix\": \"/a\", \"upstream\": \"http://a\" }]",
            "this is a list; routes in a list are `route` in the main file",
        ),
    ] {
        let folder = in_folder(&[("tollgate.toml", main), ("routes.json", text)]);
        let problems = problems(&folder, "tollgate.toml");
        assert!(problems.contains(said), "{problems}");
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = in_folder(&[("tollgate.toml", "routes_file = \"none.json\"\n")]);
    let expected = "\
error: cannot read `/none.json`: there is no such file
 --> /tollgate.toml:1:15
  |
1 | routes_file = \"none.json\"
  |               ^^^^^^^^^^^ named here

1 problem
";
    assert_eq!(problems(&folder, "tollgate.toml"), expected);

    let said = problems(&folder, "tollgate.json");
    assert!(
        said.starts_with("error: cannot read `/tollgate.json`: there is no such file\n"),
        "{said}"
    );
    let said = problems(&folder, "");
    assert!(said.contains("it is a directory"), "{said}");
}

#[test]
fn relative_paths_start_at_the_folder_of_the_file() {
    let log = |access: &str| {
        let text =
            format!("[log]\naccess = \"{access}\"\n[limits]\nstate_file = \"state/limits\"\n");
        let folder = in_folder(&[("conf/tollgate.toml", &text)]);
        let path = folder.path().join("conf/tollgate.toml");
        let loaded = load(&path, &environment).unwrap();
        let state = folder.path().join("conf/state/limits");
        assert_eq!(loaded.settings.state_file, Some(state));
        (loaded.settings.access_log, folder.path().join("conf"))
    };
    let (written, folder) = log("logs/access.log");
    assert_eq!(written, AccessLog::File(folder.join("logs/access.log")));
    let (written, _) = log("/var/log/access.log");
    assert_eq!(
        written,
        AccessLog::File(Path::new("/var/log/access.log").into())
    );
    let (written, _) = log("${HOME}/access.log");
    assert_eq!(
        written,
        AccessLog::File(Path::new("/home/gate/access.log").into())
    );
    assert_eq!(log("off").0, AccessLog::Off);
    for stdout in ["stdout", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        assert_eq!(log(stdout).0, AccessLog::Stdout);
    }
}
