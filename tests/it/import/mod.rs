//! `tollgate import`: what is printed where, how it exits, and that the result serves.

mod kong;

use std::path::Path;

use crate::support::{Finished, tollgate, tollgate_reading};

fn import(files: &[(&str, &str)], args: &[&str]) -> Finished {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let paths: Vec<_> = files
        .iter()
        .map(|(name, text)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("write a file");
            path
        })
        .collect();
    let paths = paths
        .iter()
        .map(|path: &std::path::PathBuf| Path::to_str(path).expect("a path in UTF-8"));
    let args: Vec<&str> = [&["import"], args]
        .concat()
        .into_iter()
        .chain(paths)
        .collect();
    tollgate(&args)
}

#[test]
fn a_configuration_of_kong_comes_through_standard_input() {
    let kong =
        "services:\n- name: a\n  url: http://a.test\n  routes:\n  - name: r\n    paths: [/r]\n";
    let done = tollgate_reading(&["import", "kong", "-"], kong);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.contains("http://a.test"), "{done:?}");
    let done = tollgate_reading(&["import", "kong", "-"], "services: [");
    assert!(done.stderr.contains("<stdin>:"), "{done:?}");
}

#[test]
fn the_node_gateways_files_become_a_configuration() {
    let files = [
        (
            "routes.json",
            r#"{ "/api/orders": "http://localhost:4002" }"#,
        ),
        ("protectedRoutes.js", "module.exports = ['/api/orders'];"),
        ("keys.json", r#"{ "demo-key-mobile-app": "mobile-app" }"#),
    ];
    let done = import(&files, &["node"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.contains("[clients.mobile-app]"), "{done:?}");
    assert!(
        !done.stdout.contains("demo-key") && !done.stderr.contains("demo-key"),
        "{done:?}"
    );
}

#[test]
fn nothing_is_printed_that_lacks_something_unless_that_is_asked_for() {
    let kong = "services:\n- {name: s, url: 'http://s.test', plugins: [{name: statsd}], routes: [{name: r, paths: [/r]}]}\n";
    let done = import(&[("kong.yml", kong)], &["kong"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""), "{done:?}");
    assert!(
        done.stderr.contains("left out: route r: statsd of s"),
        "{done:?}"
    );

    let done = import(&[("kong.yml", kong)], &["kong", "--partial"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.contains("prefix = \"/r\""), "{done:?}");
}

#[test]
fn a_script_that_would_have_to_be_run_is_refused() {
    let files = [
        ("routes.json", "{}"),
        ("protectedRoutes.js", "module.exports = list()"),
    ];
    let done = import(&files, &["node"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""), "{done:?}");
    assert!(
        done.stderr
            .contains("protectedRoutes.js: has no list of strings"),
        "{done:?}"
    );
}

#[test]
fn a_list_that_is_added_to_is_refused() {
    let script = "const x = [\"/api/orders\"];\nx.push(\"/api/admin\");\nmodule.exports = x;";
    let files = [("routes.json", "{}"), ("protectedRoutes.js", script)];
    for args in [&["node"][..], &["node", "--partial"]] {
        let done = import(&files, args);
        assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""), "{done:?}");
        assert!(
            done.stderr.contains("protectedRoutes.js: line 2: "),
            "{done:?}"
        );
    }
}

#[test]
fn which_side_the_keys_are_can_be_said() {
    let files = [
        ("routes.json", "{}"),
        ("keys.json", r#"{ "mobile-app": "correct-horse-key" }"#),
    ];
    let done = import(&files, &["node"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""), "{done:?}");
    assert!(done.stderr.contains("--keys-are values"), "{done:?}");

    let done = import(&files, &["node", "--keys-are", "values"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.contains("[clients.mobile-app]"), "{done:?}");

    let done = import(&files[..1], &["node", "--keys-are", "values"]);
    assert_eq!(done.code, Some(1), "{done:?}");
}
