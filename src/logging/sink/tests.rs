//! What a sink writes, loses and says of it.

use std::os::fd::AsRawFd;

use super::*;

#[test]
fn lines_reach_the_file_and_a_renamed_file_is_left_behind_on_reopen() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (
        folder.path().join("access.log"),
        folder.path().join("access.log.1"),
    );
    let sink = Sink::start(Target::File(path.clone()), Arc::default()).unwrap();
    sink.write(b"one\n".to_vec());
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().unwrap();
    runtime.block_on(sink.written(Duration::from_secs(10)));
    assert_eq!(std::fs::read(&path).unwrap(), b"one\n");
    std::fs::rename(&path, &old).unwrap();
    sink.reopen();
    sink.write(b"two\n".to_vec());
    sink.finish(Duration::from_secs(10));
    assert_eq!(std::fs::read(&old).unwrap(), b"one\n");
    assert_eq!(std::fs::read(&path).unwrap(), b"two\n");
    assert_eq!(sink.lost_of_late(Instant::now()), None);
}

#[test]
fn lines_that_cannot_be_written_are_counted() {
    let lost = Arc::<AtomicU64>::default();
    let sink = Sink::start(Target::File("/dev/full".into()), Arc::clone(&lost)).unwrap();
    sink.write(b"a\nb\n".to_vec());
    sink.finish(Duration::from_secs(10));
    assert_eq!(lost.load(Ordering::Relaxed), 2);
    let (_, why) = sink.lost_of_late(Instant::now()).unwrap();
    assert!(why.contains("No space left"), "{why}");
}

/// A disk with room for so many bytes.
struct Disk(Vec<u8>, usize);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = bytes.len().min(self.1 - self.0.len());
        self.0.extend_from_slice(&bytes[..room]);
        match room {
            0 => Err(ErrorKind::StorageFull.into()),
            room => Ok(room),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn each_line_is_written_whole_or_lost_wherever_the_disk_is_full() {
    let batches = ["one\ntwo\n", "three\n", "four\nfive\nsix\n"];
    let all = batches.concat().lines().count();
    for room in 0..30 {
        let (mut lines, mut disk) = (Lines::default(), Disk(Vec::new(), room));
        let mut lost = 0;
        for batch in batches {
            let (gone, error) = lines.write(batch.into(), &mut disk);
            assert!(gone.is_empty() || error.is_some());
            assert!(gone.is_empty() || gone.ends_with(b"\n"));
            lost += gone.split_inclusive(|b| *b == b'\n').count();
        }
        let torn = String::from_utf8(disk.0.clone()).unwrap();
        let whole = torn.matches('\n').count();
        let unfinished = usize::from(!lines.unfinished.is_empty());
        assert_eq!(whole + lost + unfinished, all, "{room}: {torn:?}");
        // There is room again: the line that was begun is finished first.
        disk.1 = 1000;
        let (gone, error) = lines.write(b"last\n".into(), &mut disk);
        assert!(gone.is_empty() && error.is_none());
        let text = String::from_utf8(disk.0).unwrap();
        let known = |line: &str| batches.concat().lines().chain(["last"]).any(|l| l == line);
        assert!(text.lines().all(known), "{room}: {text:?}");
        assert_eq!(text.lines().count() + lost, all + 1, "{room}: {text:?}");
    }
}

#[test]
fn a_pipe_that_does_not_block_is_waited_for() {
    let (mut reader, writer) = io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let text = b"a line of a log\n".repeat(100_000);
    let copy = text.clone();
    let writing = thread::spawn(move || {
        let mut writer = File::from(std::os::fd::OwnedFd::from(writer));
        Lines::default().write(copy, &mut writer)
    });
    let mut read = Vec::new();
    io::Read::read_to_end(&mut reader, &mut read).unwrap();
    assert!(writing.join().unwrap().0.is_empty());
    assert_eq!(read, text);
}

/// The reader of a pipe has stopped: what it will never get is counted at the end, line by line.
#[test]
fn lines_that_nobody_reads_are_counted_at_the_end() {
    let (mut reader, writer) = io::pipe().unwrap();
    let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
    let lost = Arc::<AtomicU64>::default();
    let sink = Sink::start(Target::File(path.into()), Arc::clone(&lost)).unwrap();
    let mut all = 0;
    for nth in 0..90_usize {
        let lines: Vec<_> = (0..=nth)
            .map(|it| format!("{:0>1$}\n", it, 7 * nth))
            .collect();
        all += lines.len() as u64;
        sink.write(lines.concat().into_bytes());
    }
    let lost = || lost.load(Ordering::Relaxed);
    assert_eq!(lost(), 0);
    sink.finish(Duration::from_millis(100));
    let lost = lost();
    let arrived = rustix::io::ioctl_fionread(&reader).unwrap();
    let mut read = vec![0; usize::try_from(arrived).unwrap()];
    io::Read::read_exact(&mut reader, &mut read).unwrap();
    assert!(read.ends_with(b"\n") && lost > 0, "{lost} of {all}");
    assert_eq!(line_count(&read) + lost, all);
    let (_, why) = sink.lost_of_late(Instant::now()).unwrap();
    assert_eq!(why, NO_READER);
}
