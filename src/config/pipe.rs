//! Waits for what comes through a pipe that has a name. To open one waits for a writer, perhaps for ever,
//! so this looks now and then if the pipe is still there: whoever has put a file in its place, and asks
//! for a reload, is not kept waiting.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt as _};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

/// How often it is looked if the pipe is still there.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};

/// The pipe at `path`, once somebody has written to it or has closed it; `None` once another file, or
/// nothing, is at `path`.
pub(super) fn written_to(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let pipe = options.read(true).custom_flags(flags).open(path)?;
    let opened = pipe.metadata()?;
    loop {
        let ready = poll(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&LOOK));
        match ready {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => break,
            Err(error) => return Err(error.into()),
        }
        let there = fs::metadata(path).ok();
        let is_same = |it: fs::Metadata| (it.dev(), it.ino()) == (opened.dev(), opened.ino());
        if !there.is_some_and(is_same) {
            return Ok(None);
        }
    }
    let flags = fcntl_getfl(&pipe)?;
    fcntl_setfl(&pipe, flags - OFlags::NONBLOCK)?;
    Ok(Some(pipe))
}
