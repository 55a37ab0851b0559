//! What is handed out beside the program: its files must fit the program that they come with.

use std::path::{Path, PathBuf};
use std::process::Command;

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(deploy(name)).expect("a file of deploy/")
}

fn check(file: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.arg("check").arg("-c").arg(file);
    let done = command.env("REDIS_URL", "redis://redis:6379").output();
    let done = done.expect("run tollgate");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}: {said}", file.display());
}

/// The values of a setting such as `ExecStart=`.
fn settings<'t>(text: &'t str, name: &'t str) -> Vec<&'t str> {
    let lines = text.lines().map(str::trim);
    lines.filter_map(|line| line.strip_prefix(name)).collect()
}

fn seconds(text: &str, name: &str) -> u64 {
    let [value] = settings(text, name)[..] else {
        panic!("{name} stands once: {text}");
    };
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("a number of seconds")
}

#[test]
fn the_configuration_of_the_composition_is_good_and_prometheus_finds_the_gateway() {
    let compose = text("compose.yml");
    let content = |name: &str| {
        let (_, after) = compose
            .split_once(&format!("\n  {name}:\n    content: |\n"))
            .expect("a config");
        let lines = after.lines();
        let lines = lines.take_while(|line| line.is_empty() || line.starts_with("      "));
        let lines = lines.map(|line| line.trim_start_matches("      "));
        lines.collect::<Vec<_>>().join("\n")
    };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("tollgate.toml");
    let gateway = content("gateway");
    std::fs::write(&file, &gateway).expect("write the file");
    check(&file);
    let admin = settings(&gateway, "listen = ")[1].trim_matches('"');
    assert!(content("prometheus").contains(&format!("targets: [\"{admin}\"]")));
    for mounted in ["dashboards/alerts.yml", "dashboards/grafana.json"] {
        assert!(compose.contains(&format!("- ../{mounted}:")), "{mounted}");
        assert!(deploy("..").join(mounted).is_file(), "{mounted}");
    }
}

#[test]
fn the_packaged_configuration_is_good() {
    check(&deploy("tollgate.toml"));
}

/// Files of this folder, as the manifest of the Debian package names them, with a `*`.
fn packaged() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("a manifest");
    let (_, assets) = manifest.split_once("assets = [").expect("its assets");
    let (assets, _) = assets.split_once("\n]").expect("their end");
    let lines = assets
        .lines()
        .filter_map(|line| line.trim().strip_prefix("[\""));
    let names = lines.filter_map(|line| line.split('"').next());
    names.map(str::to_owned).collect()
}

#[test]
fn the_package_has_its_licences_and_what_the_readme_has_links_to() {
    let packaged = packaged();
    let has = |file: &str| {
        packaged.iter().any(|name| match name.split_once('*') {
            Some((front, end)) => file.starts_with(front) && file.ends_with(end),
            None => name == file,
        })
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("a README");
    let links = readme
        .split("](")
        .skip(1)
        .filter_map(|link| link.split([')', '#']).next());
    let mut files: Vec<&str> = links
        .filter(|link| !link.is_empty() && !link.contains(':'))
        .collect();
    assert!(files.len() > 5, "{files:?}");
    files.extend(["LICENSE-MIT", "LICENSE-APACHE"]);
    for file in files {
        assert!(
            root.join(file).exists() && has(file),
            "{file}: {packaged:?}"
        );
    }
}

#[test]
fn the_unit_runs_commands_that_exist_and_waits_for_the_drain() {
    let unit = text("systemd/tollgate.service");
    let before = settings(&unit, "ExecStartPre=/usr/bin/tollgate ");
    let start = settings(&unit, "ExecStart=/usr/bin/tollgate ");
    for command in [before, start].concat() {
        let words: Vec<&str> = command.split(' ').collect();
        assert_eq!(words.last(), Some(&"/etc/tollgate/tollgate.toml"));
        let done = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args([words[0], "--help"])
            .output()
            .expect("run tollgate");
        let help = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && help.contains("-c,"), "{command}");
    }
    assert!(seconds(&unit, "TimeoutStopSec=") > 30);
}

#[test]
fn an_upgrade_of_the_package_hands_over_and_a_first_installation_does_not() {
    for (version, is_active, expected) in [
        (
            "0.1.0",
            true,
            "daemon-reload\nkill --signal=USR2 --kill-who=main tollgate.service\n",
        ),
        ("0.1.0", false, ""),
        ("", true, ""),
    ] {
        // Commands of the system that do nothing, and one that notes what it was told.
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in [
            "getent",
            "adduser",
            "install",
            "chgrp",
            "chmod",
            "systemctl",
        ] {
            let words = match name {
                "systemctl" => {
                    format!("case \"$*\" in *is-active*) {is_active};; *) echo \"$*\";; esac")
                }
                _ => "true".to_owned(),
            };
            let file = folder.path().join(name);
            std::fs::write(&file, format!("#!/bin/sh\n{words}\n")).expect("write a file");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&file, mode).expect("make it executable");
        }
        let done = Command::new("/bin/sh")
            .arg(deploy("debian/postinst"))
            .args(["configure", version])
            .env("PATH", folder.path())
            .output()
            .expect("run the script");
        assert!(done.status.success(), "{done:?}");
        assert_eq!(
            String::from_utf8_lossy(&done.stdout),
            expected,
            "{version} {is_active}"
        );
    }
}

#[test]
fn the_manifest_holds_a_good_configuration_and_waits_for_the_drain() {
    let manifest = text("kubernetes/tollgate.yaml");
    let (_, from) = manifest
        .split_once("  tollgate.toml: |\n")
        .expect("the ConfigMap's file");
    let (indented, _) = from.split_once("\n---").expect("the end of the ConfigMap");
    let lines = indented
        .lines()
        .map(|line| line.strip_prefix("    ").unwrap_or(line));
    let configuration = lines.collect::<Vec<_>>().join("\n");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("tollgate.toml");
    std::fs::write(&file, &configuration).expect("write the file");
    check(&file);

    let drain = seconds(&configuration, "drain_timeout = ");
    let before = seconds(&manifest, "sleep: ");
    assert!(seconds(&manifest, "terminationGracePeriodSeconds: ") > before + drain);
}
