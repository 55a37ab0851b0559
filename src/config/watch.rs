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
    /// That there are no events has been logged.
    is_logged: bool,
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
    pub fn start(files: ReadFiles) -> Self {
        let mut watch = Self {
            files,
            seen: None,
            watcher: None,
            events: Arc::default(),
            is_logged: false,
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
                self.is_logged = false;
            }
            Err(error) => {
                self.watcher = None;
                if !self.is_logged {
                    tracing::warn!(%error, "cannot watch the folder of a file; looking at the files each second");
                    self.is_logged = true;
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
mod tests;
