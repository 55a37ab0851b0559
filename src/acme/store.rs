//! The folder in which the account and the certificates outlive the process, for its user alone. Files
//! are replaced whole, so that a crash leaves the old one or the new one; a broken one is told of and
//! made anew, and is no reason not to serve.
//!
//! Each directory of an authority has a folder of its own: who changes from a test authority to a real
//! one gets new certificates.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{Access, OFlags, access};
use sha2::{Digest, Sha256};

use crate::message::hex::Hex;

use super::issued::{Issued, IssuedError};

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The longest name that a file has for a domain; systems take 255 bytes.
const LONGEST_NAME: usize = 200;

/// Where the account is.
const ACCOUNT: &str = "account.json";

/// The account and the certificates of one authority, on disk.
#[derive(Debug, Clone)]
pub(super) struct StateDir {
    folder: PathBuf,
}

/// Orders are made by this process alone, as long as this lives.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "it is locked while it is open")] File);

impl StateDir {
    /// The place for what `directory` issues. Makes nothing yet.
    pub(super) fn of(state_dir: &Path, directory: &str) -> Self {
        Self {
            folder: state_dir.join(place_of(directory)),
        }
    }

    /// Whether the folder is there for us to write in, or can be made; makes nothing.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let there = self.folder.ancestors().find(|folder| folder.exists());
        // A relative path begins with the folder that the process is in.
        let there = there.filter(|path| !path.as_os_str().is_empty());
        let there = there.unwrap_or(Path::new("."));
        let failed = |error| StoreError::system(there, error);
        if !there.is_dir() {
            return Err(failed(io::ErrorKind::NotADirectory.into()));
        }
        let rights = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        access(there, rights).map_err(|error| failed(error.into()))
    }

    /// What others than its user may do in a folder that was there before, and keeps its rights: one that is
    /// made here is for its user alone.
    pub(super) fn exposed(&self) -> impl Iterator<Item = String> {
        let folders = self.folder.parent().into_iter().chain([&*self.folder]);
        folders.filter_map(|folder| {
            let mode = fs::metadata(folder).ok().filter(fs::Metadata::is_dir)?.mode();
            let may = match (mode & 0o044 != 0, mode & 0o022 != 0) {
                (false, false) => return None,
                (true, false) => "read",
                (false, true) => "write to",
                (true, true) => "read and write to",
            };
            let folder = folder.display();
            Some(format!(
                "others than its user may {may} `{folder}`, where private keys are kept: `chmod 700 {folder}`"
            ))
        })
    }

    /// The certificate of a name, if there is one.
    pub(super) fn certificate(
        &self,
        name: &str,
        now: SystemTime,
    ) -> Result<Option<Issued>, StoreError> {
        let path = self.path_of(name);
        let Some(text) = read(&path)? else {
            return Ok(None);
        };
        let issued = Issued::parse(text, name, now);
        let issued = issued.map_err(|why| StoreError::Broken { path, why })?;
        Ok(Some(issued))
    }

    /// Stores the certificate of a name.
    pub(super) fn put_certificate(&self, name: &str, issued: &Issued) -> Result<(), StoreError> {
        self.put(&self.path_of(name), issued.text.as_bytes())
    }

    /// The account, as it was written.
    pub(super) fn account(&self) -> Result<Option<String>, StoreError> {
        read(&self.folder.join(ACCOUNT))
    }

    /// Stores the account.
    pub(super) fn put_account(&self, text: &str) -> Result<(), StoreError> {
        self.put(&self.folder.join(ACCOUNT), text.as_bytes())
    }

    /// Keeps other processes from ordering what this one does. `None`: another does. Also finds out
    /// whether there is a place for what is to be ordered.
    pub(super) fn lock(&self) -> Result<Option<Lock>, StoreError> {
        self.make()?;
        let path = self.folder.join("lock");
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .mode(FILE_MODE);
        let failed = |error| StoreError::system(&path, error);
        let file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    fn path_of(&self, name: &str) -> PathBuf {
        self.folder.join(file_name(name))
    }

    fn make(&self) -> Result<(), StoreError> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(&self.folder);
        made.map_err(|error| StoreError::system(&self.folder, error))
    }

    /// Replaces a file, and returns once that would outlive a loss of power. It is always a new file: what
    /// stands there already may be open to others, or lead elsewhere.
    fn put(&self, path: &Path, content: &[u8]) -> Result<(), StoreError> {
        self.make()?;
        let new = path.with_added_extension("new");
        let written = (|| {
            match fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = OpenOptions::new();
            // Follows no link either.
            options.write(true).create_new(true).mode(FILE_MODE);
            let mut file = options.open(&new)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            File::open(&self.folder)?.sync_all()
        })();
        written.map_err(|error| StoreError::system(path, error))
    }
}

/// The folder of a directory's URL, and what stands for it in Redis: what can be read of it, and a
/// digest, because two may look the same.
pub(super) fn place_of(directory: &str) -> String {
    let plain = directory.strip_prefix("https://").unwrap_or(directory);
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let plain = plain.chars().take(64);
    let plain: String = plain.map(|c| if safe(c) { c } else { '-' }).collect();
    format!("{plain}-{}", short_digest(directory))
}

fn file_name(name: &str) -> String {
    if name.len() <= LONGEST_NAME {
        return format!("{name}.pem");
    }
    let start: String = name.chars().take(LONGEST_NAME).collect();
    format!("{start}-{}.pem", short_digest(name))
}

fn short_digest(text: &str) -> String {
    Hex(&Sha256::digest(text)[..8]).to_string()
}

fn read(path: &Path) -> Result<Option<String>, StoreError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::system(path, error)),
    }
}

/// Why nothing could be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("{}: {error}", .path.display())]
    System { path: PathBuf, error: io::Error },
    #[error("{}: {why}", .path.display())]
    Broken { path: PathBuf, why: IssuedError },
}

impl StoreError {
    fn system(path: &Path, error: io::Error) -> Self {
        Self::System {
            path: path.to_owned(),
            error,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::issued::tests::pem;
    use super::*;

    const DIRECTORY: &str = "https://ca.example/directory";

    #[test]
    fn what_is_stored_is_for_this_user_alone_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::of(&folder.path().join("acme"), DIRECTORY);
        let now = SystemTime::now();
        assert!(state.certificate("a.test", now).unwrap().is_none());
        let text = pem("a.test", (-1, 1));
        let issued = Issued::parse(text.clone(), "a.test", now).unwrap();
        state.put_certificate("a.test", &issued).unwrap();
        state.put_certificate("a.test", &issued).unwrap();
        state.put_account("{}").unwrap();
        let found = state.certificate("a.test", now).unwrap().unwrap();
        assert_eq!((found.text, found.mark), (text, issued.mark));
        assert_eq!(state.account().unwrap().as_deref(), Some("{}"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for shared in [folder.path().join("acme"), state.folder.clone()] {
            assert_eq!(mode(&shared), FOLDER_MODE);
        }
        let files: Vec<_> = fs::read_dir(&state.folder)
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect();
        assert_eq!(files.len(), 2, "{files:?}");
        assert!(files.iter().all(|file| mode(file) == FILE_MODE));
    }

    #[test]
    fn keys_are_not_written_into_what_others_have_put_there() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::of(folder.path(), DIRECTORY);
        state.make().unwrap();
        let (elsewhere, account) = (folder.path().join("elsewhere"), state.folder.join(ACCOUNT));
        let new = account.with_added_extension("new");
        fs::write(&elsewhere, "as it was").unwrap();
        let read = |path: &Path| fs::read_to_string(path).unwrap();

        std::os::unix::fs::symlink(&elsewhere, &new).unwrap();
        state.put_account("a key").unwrap();
        assert_eq!(read(&elsewhere), "as it was");
        assert!(fs::symlink_metadata(&account).unwrap().is_file());

        // Somebody holds it open, and may read what is written into it.
        fs::write(&new, "").unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o666)).unwrap();
        let held = File::open(&new).unwrap();
        state.put_account("another key").unwrap();
        assert_eq!(io::read_to_string(held).unwrap(), "");
        assert_eq!(read(&account), "another key");
        assert_eq!(fs::metadata(&account).unwrap().mode() & 0o777, FILE_MODE);

        std::os::unix::fs::symlink(folder.path().join("made"), state.folder.join("lock")).unwrap();
        state.lock().unwrap_err();
        assert!(!folder.path().join("made").exists());
    }

    #[test]
    fn a_folder_that_is_open_to_others_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acme");
        let state = StateDir::of(&path, DIRECTORY);
        let said = || state.exposed().collect::<Vec<_>>();
        assert!(said().is_empty());
        state.make().unwrap();
        assert!(said().is_empty());
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        for (mode, may) in [
            (0o711, None),
            (0o750, Some("may read `")),
            (0o703, Some("may write to `")),
            (0o775, Some("may read and write to `")),
        ] {
            for (one, other) in [(&path, &state.folder), (&state.folder, &path)] {
                set(one, mode);
                set(other, FOLDER_MODE);
                let said = said();
                assert_eq!(said.len(), usize::from(may.is_some()), "{said:?}");
                let end = format!("`chmod 700 {}`", one.display());
                assert!(
                    may.is_none_or(|may| said[0].contains(may) && said[0].ends_with(&end)),
                    "{said:?}"
                );
            }
        }
    }

    #[test]
    fn a_broken_file_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::of(folder.path(), DIRECTORY);
        state.make().unwrap();
        fs::write(state.path_of("a.test"), "half a k").unwrap();
        let error = state.certificate("a.test", SystemTime::now()).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("a.test.pem: there is no PEM in it"),
            "{error}"
        );
        fs::remove_file(state.path_of("a.test")).unwrap();
        fs::create_dir(state.path_of("a.test")).unwrap();
        state.certificate("a.test", SystemTime::now()).unwrap_err();
    }

    #[test]
    fn a_folder_is_good_if_it_can_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let check = |path: &str| StateDir::of(&folder.path().join(path), DIRECTORY).check();
        check("").unwrap();
        check("a/b/c").unwrap();
        assert!(!folder.path().join("a").exists());
        fs::write(folder.path().join("file"), "").unwrap();
        let error = check("file/acme").unwrap_err().to_string();
        assert!(error.contains("file: not a directory"), "{error}");
    }

    #[test]
    fn one_process_orders_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::of(folder.path(), DIRECTORY);
        let lock = state.lock().unwrap().unwrap();
        assert!(state.lock().unwrap().is_none());
        drop(lock);
        assert!(state.lock().unwrap().is_some());
        fs::write(folder.path().join("file"), "").unwrap();
        StateDir::of(&folder.path().join("file"), DIRECTORY)
            .lock()
            .unwrap_err();
    }

    #[test]
    fn names_of_files_are_plain_and_short() {
        let place = place_of("https://ca.example:14000/dir?x=../..");
        assert!(
            place.starts_with("ca.example-14000-dir-x-..-..-"),
            "{place}"
        );
        assert_ne!(place_of("https://a/b"), place_of("https://a?b"));
        assert_eq!(file_name("a.test"), "a.test.pem");
        let long = |end: &str| file_name(&format!("{}{end}", "a.".repeat(120)));
        assert!(long("x").len() < 240);
        assert_ne!(long("x"), long("y"));
    }
}
