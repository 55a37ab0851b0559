//! Notices when configuration files have changed. Events say when to look, and a file that looks
//! different is read. Its content decides: editors replace files, orchestrators swap the symlink of
//! a folder, and a file that was merely touched has not changed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use notify::event::{EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::disk::ReadFiles;

/// For so long the files have to stay the same: whoever writes them may not be done.
const SETTLED: Duration = Duration::from_secs(1);
/// How often to look where there are no events.
const POLL: Duration = Duration::from_secs(1);
/// How often to look at most: the access log may be written to the same folder.
const PAUSE: Duration = Duration::from_millis(100);
/// How many symlinks lead to a file at most, as for the kernel.
const MOST_LINKS: usize = 40;

/// Watches the files that a configuration was read from.
#[derive(Debug)]
pub struct Watch {
    files: ReadFiles,
    /// What the files hold now, if that differs, and since when.
    seen: Option<(ReadFiles, Instant)>,
    /// Absent while the folders cannot be watched; then the files are looked at now and then.
    watcher: Option<RecommendedWatcher>,
    events: Arc<Events>,
    /// The log has been told that there are no events.
    told: bool,
}

/// What the watcher's own thread hands over.
#[derive(Debug, Default)]
struct Events {
    any: Notify,
    /// Something was moved or removed, perhaps a folder that is watched.
    moved: AtomicBool,
}

impl Watch {
    /// Watches `files` for content that differs from what was read.
    #[must_use]
    pub fn start(files: ReadFiles) -> Self {
        let mut watch = Self {
            files,
            seen: None,
            watcher: None,
            events: Arc::default(),
            told: false,
        };
        watch.arm();
        watch
    }

    /// Goes on with the files of another reading, good or bad.
    pub fn follow(&mut self, files: ReadFiles) {
        self.files = files;
        self.seen = None;
        self.arm();
    }

    /// Waits until the files have changed and then stayed the same for a second. May be dropped and
    /// called again at any time. What it has reported once, it does not report again.
    pub async fn changed(&mut self) {
        loop {
            // Looks before it waits: an event may have come to a call that was dropped.
            let before = self.seen.as_ref().map_or(&self.files, |(seen, _)| seen);
            let now = before.again();
            if now.hold_the_same(&self.files) {
                self.files = now;
                self.seen = None;
                self.event().await;
                continue;
            }
            let since = match &self.seen {
                Some((seen, since)) if seen.hold_the_same(&now) => *since,
                _ => Instant::now(),
            };
            if since.elapsed() >= SETTLED {
                self.files = now;
                self.seen = None;
                return;
            }
            self.seen = Some((now, since));
            sleep_until(since + SETTLED).await;
        }
    }

    /// Waits until it is time to look again.
    async fn event(&mut self) {
        if self.watcher.is_none() || self.events.moved.swap(false, Ordering::Relaxed) {
            self.arm();
        }
        if self.watcher.is_some() {
            self.events.any.notified().await;
            sleep(PAUSE).await;
        } else {
            sleep(POLL).await;
        }
    }

    /// Watches all folders through which the files are reached, as they are now.
    fn arm(&mut self) {
        let events = Arc::clone(&self.events);
        let watcher = notify::recommended_watcher(move |event| events.take(event));
        let watcher = watcher.and_then(|mut watcher| {
            for folder in self.files.paths().flat_map(folders) {
                watcher.watch(&folder, RecursiveMode::NonRecursive)?;
            }
            Ok(watcher)
        });
        match watcher {
            Ok(watcher) => {
                self.watcher = Some(watcher);
                self.told = false;
            }
            Err(error) => {
                self.watcher = None;
                if !self.told {
                    tracing::warn!(%error, "cannot watch the configuration's folder; looking at its files each second");
                    self.told = true;
                }
            }
        }
        // What has changed before the new watcher was there has no event any more.
        self.events.any.notify_one();
    }
}

impl Events {
    fn take(&self, event: notify::Result<Event>) {
        let moved = match event.map(|event| event.kind) {
            // Among these is our own reading.
            Ok(EventKind::Access(_)) => return,
            Ok(EventKind::Modify(ModifyKind::Name(_)) | EventKind::Remove(_)) | Err(_) => true,
            Ok(_) => false,
        };
        self.moved.fetch_or(moved, Ordering::Relaxed);
        self.any.notify_one();
    }
}

/// The folders in which a file could come to be another: its own, and that of each symlink on the
/// way to it.
fn folders(path: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for _ in 0..MOST_LINKS {
        let Some((folder, behind)) = first_link(&path) else {
            break;
        };
        found.insert(folder);
        path = behind;
    }
    found.extend(path.parent().map(Path::to_owned));
    found
}

/// The folder of the first symlink in a path, and the path that it stands for.
fn first_link(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut folder = PathBuf::new();
    let mut components = path.components();
    while let Some(component) = components.next() {
        if let Component::Normal(name) = component
            && let Ok(target) = fs::read_link(folder.join(name))
        {
            let behind = folder.join(target).join(components.as_path());
            return Some((folder, behind));
        }
        folder.push(component);
    }
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;
    use tokio::time::timeout;

    use super::super::disk;
    use super::*;

    /// Longer than any change takes to be noticed, on a busy machine.
    const LONG: Duration = Duration::from_secs(20);

    /// Runs a test on a runtime like the gateway's own.
    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(test);
    }

    fn folder() -> TempDir {
        tempfile::tempdir().unwrap()
    }

    fn watch(file: &Path) -> Watch {
        let mut files = ReadFiles::default();
        let _ = files.read(file, disk::read);
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

    #[test]
    fn a_file_that_is_replaced_is_noticed_once() {
        run(async {
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
        });
    }

    #[test]
    fn a_folder_whose_symlink_is_swapped_is_noticed() {
        run(async {
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
        });
    }

    #[test]
    fn a_file_that_is_touched_has_not_changed() {
        run(async {
            let folder = folder();
            let file = folder.path().join("tollgate.toml");
            fs::write(&file, "same").unwrap();
            let mut watch = watch(&file);
            fs::write(&file, "same").unwrap();
            fs::write(folder.path().join("other"), "new").unwrap();
            sees_nothing(&mut watch).await;
            fs::write(&file, "other").unwrap();
            notices(&mut watch).await;
        });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_looks_as_before_is_not_read() {
        run(async {
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
        });
    }

    /// How many bytes this thread has read so far.
    #[cfg(target_os = "linux")]
    fn bytes_read() -> u64 {
        let counted = fs::read_to_string("/proc/thread-self/io").unwrap();
        let (_, rest) = counted.split_once("rchar: ").unwrap();
        rest.lines().next().unwrap().parse().unwrap()
    }

    #[test]
    fn a_half_written_file_is_waited_for() {
        run(async {
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
        });
    }

    #[test]
    fn a_wait_that_is_dropped_again_and_again_still_ends() {
        run(async {
            let folder = folder();
            let file = folder.path().join("tollgate.toml");
            fs::write(&file, "old").unwrap();
            let mut watch = watch(&file);
            fs::write(&file, "new").unwrap();
            let noticed = async { while timeout(SETTLED / 3, watch.changed()).await.is_err() {} };
            timeout(LONG, noticed).await.expect("a change is noticed");
        });
    }

    #[test]
    fn without_events_the_files_are_looked_at() {
        run(async {
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
        });
    }
}
