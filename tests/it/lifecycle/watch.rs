//! `watch = true`: a file that has changed and stayed the same for a second is reloaded by itself,
//! however it was replaced.

use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::support::{Gateway, Request, Upstream, eventually};

fn config(upstream: &Upstream, route: &str) -> String {
    format!(
        "[routes]\n\"{route}\" = \"{}\"\n[server]\nwatch = true",
        upstream.url()
    )
}

fn comes_to_serve(gateway: &Gateway, route: &str) {
    eventually(&format!("{route} to be served"), || {
        (gateway.ask(&Request::get(route)).status == 200).then_some(())
    });
}

#[test]
fn a_file_replaced_by_rename_is_reloaded() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&config(&upstream, "/one"));
    for route in ["/two", "/three"] {
        gateway.rewrite(&config(&upstream, route));
        comes_to_serve(&gateway, route);
        gateway.ask(&Request::get("/one")).is(404);
    }
}

#[test]
fn a_file_written_in_place_is_reloaded_and_a_bad_one_is_not() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&config(&upstream, "/one"));
    let path = gateway.dir().join("tollgate.toml");
    let text = std::fs::read_to_string(&path).expect("the file");
    let broken = format!("{text}\n[unfinished");
    std::fs::write(&path, broken).expect("write what is not whole");
    gateway.wait_log("the error", |line| line["level"] == "ERROR");
    gateway.ask(&Request::get("/one")).is(200);
    std::fs::write(&path, text.replace("/one", "/two")).expect("write it all");
    comes_to_serve(&gateway, "/two");
}

#[test]
fn a_folder_whose_symlink_is_swapped_is_reloaded() {
    let upstream = Upstream::echo();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let write = |version: &str, route: &str| {
        let folder = dir.path().join(version);
        std::fs::create_dir(&folder).expect("create a folder");
        let text = format!(
            "listen = \"127.0.0.1:0\"\n{}\n[admin]\nlisten = \"off\"\n[log]\nformat = \"json\"\naccess = \"off\"",
            config(&upstream, route)
        );
        std::fs::write(folder.join("tollgate.toml"), text).expect("write the file");
    };
    // As a mounted volume of Kubernetes does it: the file is a link into a link to a folder.
    write("v1", "/one");
    symlink("v1", dir.path().join("..data")).expect("link the folder");
    symlink("..data/tollgate.toml", dir.path().join("tollgate.toml")).expect("link the file");
    let path = dir.path().to_owned();
    let gateway = Gateway::start_in(dir);
    gateway.ask(&Request::get("/one")).is(200);

    let folder = path.join("v2");
    std::fs::create_dir(&folder).expect("create a folder");
    let text = std::fs::read_to_string(path.join("tollgate.toml")).expect("the file");
    std::fs::write(folder.join("tollgate.toml"), text.replace("/one", "/two"))
        .expect("write the file");
    symlink("v2", path.join("..data_tmp")).expect("link the folder");
    std::fs::rename(path.join("..data_tmp"), path.join("..data")).expect("swap the link");
    comes_to_serve(&gateway, "/two");
}

#[test]
fn without_watch_a_change_waits_for_a_signal() {
    let upstream = Upstream::echo();
    let still = |route| config(&upstream, route).replace("watch = true", "watch = false");
    let gateway = Gateway::start(&still("/one"));
    gateway.rewrite(&still("/two"));
    std::thread::sleep(Duration::from_millis(1500));
    gateway.ask(&Request::get("/two")).is(404);
    gateway.signal(rustix::process::Signal::HUP);
    comes_to_serve(&gateway, "/two");
}
