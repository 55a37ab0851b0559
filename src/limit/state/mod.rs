//! The state file: counters of this process that outlive a restart. It is written whole to a file
//! beside it, which then takes its place, so that what is there is always one whole copy; and read
//! once, before the first request. It is proven by a checksum before anything of it is believed.
//!
//! Times in it are relative to when it was written, and only the time between writing and reading
//! goes by the wall clock. So a window never has longer to go than when it was written: a clock
//! that was set forward ends windows early, and one that was set back makes the restart take no
//! time at all.
//!
//! A successor gets the counters in the same bytes, straight from the process that has them, and
//! takes over the file with its lock: first the one stops to write, then the other begins.

mod format;
mod transfer;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest, Sha256};

use crate::lock::lock;

use super::clock::millis;
use super::{LimitStore, MemoryStore};

pub(super) use format::{array, number, put_who, text, who};

/// What stands at the end: the SHA-256 of all before it.
const CHECKSUM: usize = 32;

/// The file says who calls from where: it is for the gateway's user only.
const MODE: u32 = 0o600;
/// A path may lead through so many links, as for the system.
const MOST_LINKS: usize = 40;

/// Why a state file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Two gateways would overwrite each other's counters.
    #[error("another gateway uses it")]
    InUse,
    /// A directory, a device, a pipe.
    #[error("it is not a file")]
    NotAFile,
    /// The folder that it is to be in.
    #[error("there is no folder {}; make it, for the gateway's user to write in", .0.display())]
    NoFolder(PathBuf),
    /// Cut short, or changed.
    #[error("it is damaged")]
    Damaged,
    /// Of a later or earlier version.
    #[error("another version of the gateway has written it")]
    Version,
    /// The system does not let us.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// A state file that belongs to this process until it is dropped.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    /// Locked. A file of its own, because each copy replaces the state file. Never deleted, because
    /// it could be that of another gateway by then.
    lock: File,
    /// Another process writes it, or is about to. Held while this one writes.
    rests: Mutex<bool>,
    /// Since when copies cannot be written, and why.
    failing: Mutex<Option<(Instant, String)>>,
}

impl StateFile {
    /// Whether there is a folder for it, and nothing else in its place; makes nothing.
    pub fn check(path: &Path) -> Result<(), StateError> {
        match fs::metadata(path) {
            Ok(found) if !found.is_file() => return Err(StateError::NotAFile),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let folder = folder_of(path);
        if folder.is_dir() {
            return Ok(());
        }
        let folder = std::path::absolute(folder).unwrap_or(folder.to_owned());
        Err(StateError::NoFolder(folder))
    }

    /// Makes the file this process' own, and makes sure that it can be written. It need not exist.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        Self::check(path)?;
        let path = behind_links(path);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(MODE);
        let lock = options.open(path.with_added_extension("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StateError::InUse,
            TryLockError::Error(error) => error.into(),
        })?;
        let state = Self {
            path,
            lock,
            rests: Mutex::new(false),
            failing: Mutex::default(),
        };
        drop(state.begin()?);
        fs::remove_file(state.new_path())?;
        Ok(state)
    }

    /// The file of a process that hands it over with its lock, which then belongs to both. It rests,
    /// for the other may be writing.
    pub fn inherit(path: &Path, lock: File) -> Result<Self, StateError> {
        // Of one open file: it is ours as well, unless it was nobody's.
        lock.try_lock().map_err(|_| StateError::InUse)?;
        Ok(Self {
            path: behind_links(path),
            lock,
            rests: Mutex::new(true),
            failing: Mutex::default(),
        })
    }

    /// What another process needs to write the file in this one's place.
    pub fn lock(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }

    /// Writes nothing from now on, until told otherwise. Waits for a copy that is being written.
    pub fn rest(&self) {
        *lock(&self.rests) = true;
    }

    /// Writes again.
    pub fn resume(&self) {
        *lock(&self.rests) = false;
    }

    /// Since when copies cannot be written, and why, if the last one could not.
    pub fn failing(&self) -> Option<(Instant, String)> {
        lock(&self.failing).clone()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes in what was written last, save windows that are over, if there is anything; returns
    /// how many counters there are then.
    pub fn load(&self, store: &LimitStore) -> Result<usize, StateError> {
        self.load_at(store.memory(), SystemTime::now())
    }

    fn load_at(&self, store: &MemoryStore, now: SystemTime) -> Result<usize, StateError> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let body = prove(&mut file)?;
        file.rewind()?;
        let mut body = BufReader::new(file.take(body));
        format::read(&mut body, wall_ms(now), store).map_err(unreadable)?;
        Ok(store.counters())
    }

    /// Writes all counters of windows that run, unless the file rests; returns how many.
    pub fn save(&self, store: &LimitStore) -> Result<usize, StateError> {
        self.save_at(store.memory(), SystemTime::now())
    }

    fn save_at(&self, store: &MemoryStore, now: SystemTime) -> Result<usize, StateError> {
        let rests = lock(&self.rests);
        if *rests {
            return Ok(0);
        }
        let saved = self.write(store, now);
        let mut failing = lock(&self.failing);
        match &saved {
            Ok(_) => *failing = None,
            Err(error) => {
                // What is half written would take room for nothing.
                let _ = fs::remove_file(self.new_path());
                let since = failing.take().map_or_else(Instant::now, |(since, _)| since);
                *failing = Some((since, error.to_string()));
            }
        }
        saved
    }

    fn write(&self, store: &MemoryStore, now: SystemTime) -> Result<usize, StateError> {
        let mut file = self.begin()?;
        let mut digest = Sha256::new();
        let count = transfer::put_all(store, now, |some| {
            digest.update(some);
            file.write_all(some)
        })?;
        file.write_all(&digest.finalize())?;
        file.sync_all()?;
        fs::rename(self.new_path(), &self.path)?;
        // The name as well: without it the file is not found after a power cut.
        File::open(folder_of(&self.path))?.sync_all()?;
        Ok(count)
    }

    /// A new file for the next copy. One that is there was left by a process that was killed, and
    /// is not written to: it might be a link to somewhere else.
    fn begin(&self) -> io::Result<File> {
        match fs::remove_file(self.new_path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(MODE);
        options.open(self.new_path())
    }

    fn new_path(&self) -> PathBuf {
        self.path.with_added_extension("new")
    }
}

/// How much is gathered before it is written.
const AT_ONCE: usize = 64 << 10;

/// Reads the file once to see whether it is whole; returns the length of what the checksum is of.
fn prove(file: &mut File) -> Result<u64, StateError> {
    if !format::is_this_version(file).map_err(unreadable)? {
        return Err(StateError::Version);
    }
    file.rewind()?;
    let length = file.metadata()?.len();
    let body = length.checked_sub(CHECKSUM as u64);
    let body = body.ok_or(StateError::Damaged)?;
    let (mut digest, mut some, mut left) = (Sha256::new(), vec![0; AT_ONCE], body);
    while left > 0 {
        let most = usize::try_from(left).map_or(AT_ONCE, |left| left.min(AT_ONCE));
        let read = file.read(&mut some[..most])?;
        if read == 0 {
            return Err(StateError::Damaged);
        }
        digest.update(&some[..read]);
        left -= read as u64;
    }
    let mut checksum = [0; CHECKSUM];
    file.read_exact(&mut checksum)?;
    if digest.finalize()[..] == checksum {
        Ok(body)
    } else {
        Err(StateError::Damaged)
    }
}

fn unreadable(error: io::Error) -> StateError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => StateError::Damaged,
        _ => StateError::System(error),
    }
}

/// Where links lead to, also to what is not there yet: a copy takes the place of the file, not of a link.
fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = fs::read_link(&path) else {
            break;
        };
        path = folder_of(&path).join(target);
    }
    path
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|at| !at.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Milliseconds since 1970; a clock that stands before is taken to stand there.
fn wall_ms(now: SystemTime) -> u64 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    millis(since.unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests;
