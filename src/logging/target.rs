//! Where a log goes, and how its file is opened. What keeps it from being opened is said together with
//! what to do about it.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, OFlags, access, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

/// Who may read a log file that is created, and enter its folder: it says who called.
const FILE_MODE: u32 = 0o640;
const FOLDER_MODE: u32 = 0o750;

/// Where a sink writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file that is appended to.
    File(PathBuf),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("to standard output"),
            Self::Stderr => f.write_str("to standard error"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Target {
    /// The standard streams without the buffers that std puts before them: of what these could not
    /// write it is not known how much was written.
    pub(super) fn open(&self) -> io::Result<File> {
        match self {
            Self::Stdout => Ok(io::stdout().as_fd().try_clone_to_owned()?.into()),
            Self::Stderr => Ok(io::stderr().as_fd().try_clone_to_owned()?.into()),
            Self::File(path) => open_file(path).map_err(|error| with_remedy(path, &error)),
        }
    }

    /// Whether it could be opened, without making anything.
    ///
    /// # Errors
    /// Why not, and what to do about it.
    pub fn check(&self) -> io::Result<()> {
        let Self::File(path) = self else {
            return Ok(());
        };
        check_file(path).map_err(|error| with_remedy(path, &error))
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(FILE_MODE);
    // Whoever opens a pipe that nobody reads from would wait.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    options.custom_flags(flags);
    let file = open_with(&options, path)?;
    let flags = fcntl_getfl(&file)?;
    fcntl_setfl(&file, flags - OFlags::NONBLOCK)?;
    Ok(file)
}

fn open_with(options: &OpenOptions, path: &Path) -> io::Result<File> {
    match options.open(path) {
        // Only the last folder is made: a slip further up would put the log where nobody looks.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            DirBuilder::new()
                .mode(FOLDER_MODE)
                .create(folder_of(path))?;
            options.open(path)
        }
        opened => opened,
    }
}

fn check_file(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(_) => Ok(access(path, Access::WRITE_OK)?),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = folder_of(path);
            let parent = if folder.exists() {
                folder
            } else {
                folder_of(folder)
            };
            Ok(access(parent, Access::WRITE_OK | Access::EXEC_OK)?)
        }
        Err(error) => Err(error),
    }
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn is_socket(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// The error as a user can use it.
fn with_remedy(path: &Path, error: &io::Error) -> io::Error {
    let folder = std::path::absolute(folder_of(path));
    let folder = folder.as_deref().unwrap_or(folder_of(path)).display();
    let text = match error.kind() {
        ErrorKind::NotFound => {
            format!("there is no folder {folder}; make it, for the gateway's user to write in")
        }
        ErrorKind::PermissionDenied => {
            format!("permission denied; let the user that the gateway runs as write in {folder}")
        }
        _ if Errno::from_io_error(error) == Some(Errno::NXIO) && is_socket(path) => {
            "it is a socket, which cannot be opened; for standard output write \"stdout\""
                .to_owned()
        }
        _ if Errno::from_io_error(error) == Some(Errno::NXIO) => {
            "nobody reads from it: a pipe needs a reader before the gateway starts".to_owned()
        }
        ErrorKind::IsADirectory => "it is a directory; name a file in it".to_owned(),
        ErrorKind::NotADirectory => format!("{folder} is not a directory"),
        ErrorKind::ReadOnlyFilesystem => {
            format!("the file system of {folder} is read-only; name a place that is not")
        }
        _ => error.to_string(),
    };
    io::Error::new(error.kind(), text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_pipe_is_opened_once_somebody_reads_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let target = Target::File(pipe.clone());
        target.check().unwrap();
        let error = target.open().unwrap_err().to_string();
        assert!(error.starts_with("nobody reads from it"), "{error}");
        let _reader = OpenOptions::new().read(true).write(true).open(&pipe);
        let file = target.open().unwrap();
        assert!(!fcntl_getfl(&file).unwrap().contains(OFlags::NONBLOCK));
    }

    #[test]
    fn the_last_folder_is_made_and_none_above() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("tollgate/access.log");
        let target = Target::File(path.clone());
        target.check().unwrap();
        assert!(!path.exists(), "a check makes nothing");
        target.open().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        // Less whatever the umask takes.
        assert_eq!(mode(&path) & !0o640, 0);
        assert_eq!(mode(path.parent().unwrap()) & !0o750, 0);
        target.check().unwrap();

        let target = Target::File(root.path().join("a/b/access.log"));
        for error in [target.check().unwrap_err(), target.open().unwrap_err()] {
            let folder = root.path().join("a/b");
            let said = format!("there is no folder {}; make it", folder.display());
            assert!(error.to_string().starts_with(&said), "{error}");
        }
        assert!(!root.path().join("a").exists());
    }

    #[test]
    fn what_keeps_a_log_from_being_opened_is_said() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        for (path, said) in [
            (
                root.path().to_owned(),
                "it is a directory; name a file in it",
            ),
            (file.join("access.log"), "file is not a directory"),
        ] {
            let target = Target::File(path);
            for error in [target.check().unwrap_err(), target.open().unwrap_err()] {
                assert!(error.to_string().ends_with(said), "{error}");
            }
        }
        let said = |kind: ErrorKind| with_remedy(Path::new("/l/a.log"), &kind.into()).to_string();
        let denied = "permission denied; let the user that the gateway runs as write in /l";
        assert_eq!(said(ErrorKind::PermissionDenied), denied);
        assert!(said(ErrorKind::ReadOnlyFilesystem).contains("is read-only"));
    }
}
