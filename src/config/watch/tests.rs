//! Which changes of files are noticed, and when.

use std::os::unix::fs::symlink;

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::config::disk;

/// Longer than any change takes to be noticed, on a busy machine.
const LONG: Duration = Duration::from_secs(20);

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn watch(file: &Path) -> Watch {
    let mut files = ReadFiles::default();
    let _ = files.read(file, disk::Holds::Keys, disk::read);
    Watch::start(files)
}

async fn notices(watch: &mut Watch) {
    timeout(LONG, watch.changed())
        .await
        .expect("a change is noticed");
}

async fn sees_nothing(watch: &mut Watch) {
    // Long enough to be sure that a change would have settled.
    let longer = SETTLED * 2;
    assert!(
        timeout(longer, watch.changed()).await.is_err(),
        "nothing has changed"
    );
}

#[tokio::test]
async fn a_file_that_is_replaced_is_noticed_once() {
    let folder = folder();
    let file = folder.path().join("tollgate.toml");
    fs::write(&file, "old").unwrap();
    let mut watch = watch(&file);
    for text in ["new", "newer"] {
        let draft = folder.path().join("draft");
        fs::write(&draft, text).unwrap();
        fs::rename(&draft, &file).unwrap();
        notices(&mut watch).await;
    }
    sees_nothing(&mut watch).await;
}

#[tokio::test]
async fn a_folder_whose_symlink_is_swapped_is_noticed() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    for version in ["1", "2", "3"] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("tollgate.toml"), version).unwrap();
    }
    // As Kubernetes mounts a ConfigMap.
    symlink("1", at("..data")).unwrap();
    symlink("..data/tollgate.toml", at("tollgate.toml")).unwrap();
    let direct = at("tollgate.toml");
    let through_folder = at("..data").join("tollgate.toml");
    let mut watches = [watch(&direct), watch(&through_folder)];
    for version in ["2", "3"] {
        symlink(version, at("next")).unwrap();
        fs::rename(at("next"), at("..data")).unwrap();
        for watch in &mut watches {
            notices(watch).await;
        }
    }
}

#[tokio::test]
async fn a_file_that_is_touched_has_not_changed() {
    let folder = folder();
    let file = folder.path().join("tollgate.toml");
    fs::write(&file, "same").unwrap();
    let mut watch = watch(&file);
    fs::write(&file, "same").unwrap();
    fs::write(folder.path().join("other"), "new").unwrap();
    sees_nothing(&mut watch).await;
    fs::write(&file, "other").unwrap();
    notices(&mut watch).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_looks_as_before_is_not_read() {
    let folder = folder();
    let file = folder.path().join("tollgate.toml");
    fs::write(&file, vec![b'#'; 1 << 20]).unwrap();
    let long_ago = std::time::SystemTime::now() - Duration::from_mins(1);
    fs::File::open(&file)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    let mut watch = watch(&file);
    let before = bytes_read();
    // The gateway's loop drops the wait at least once a second.
    for _ in 0..10 {
        assert!(timeout(Duration::ZERO, watch.changed()).await.is_err());
    }
    let read = bytes_read() - before;
    assert!(read < 1 << 20, "{read} bytes were read");
}

/// How many bytes this thread has read so far.
#[cfg(target_os = "linux")]
fn bytes_read() -> u64 {
    let counted = fs::read_to_string("/proc/thread-self/io").unwrap();
    let (_, rest) = counted.split_once("rchar: ").unwrap();
    rest.lines().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_half_written_file_is_waited_for() {
    let folder = folder();
    let file = folder.path().join("tollgate.toml");
    fs::write(&file, "old").unwrap();
    let mut watch = watch(&file);
    let began = Instant::now();
    fs::write(&file, "ne").unwrap();
    let early = timeout(SETTLED / 2, watch.changed()).await.is_ok();
    // A machine that stalls may take longer than it was asked to wait.
    assert!(!early || began.elapsed() >= SETTLED);
    fs::write(&file, "new").unwrap();
    notices(&mut watch).await;
    assert!(watch.files.hold_the_same(&watch.files.again()));
    sees_nothing(&mut watch).await;
}

#[tokio::test]
async fn a_wait_that_is_dropped_again_and_again_still_ends() {
    let folder = folder();
    let file = folder.path().join("tollgate.toml");
    fs::write(&file, "old").unwrap();
    let mut watch = watch(&file);
    fs::write(&file, "new").unwrap();
    let noticed = async { while timeout(SETTLED / 3, watch.changed()).await.is_err() {} };
    timeout(LONG, noticed).await.expect("a change is noticed");
}

#[tokio::test]
async fn without_events_the_files_are_looked_at() {
    let folder = folder();
    let inside = folder.path().join("made/later");
    let file = inside.join("tollgate.toml");
    let mut watch = watch(&file);
    assert!(watch.watcher.is_none());
    assert!(timeout(SETTLED, watch.changed()).await.is_err());
    fs::create_dir_all(&inside).unwrap();
    fs::write(&file, "new").unwrap();
    notices(&mut watch).await;
    // And once there is a folder, there are events.
    fs::write(&file, "newer").unwrap();
    notices(&mut watch).await;
}
