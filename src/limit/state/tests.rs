//! Counters come back as they were, for as long as they had left; damage is seen, and whatever
//! else the clock or the folder does, no window grows.

use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::limit::memory::Copied;
use crate::limit::tests::policies;
use crate::limit::{Check, Clock, Decision, ManualClock, Policy, Subject};

const ONE: NonZeroU32 = NonZeroU32::MIN;

/// When the files of these tests are written.
fn written() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(500_000)
}

/// A folder, a state file in it, and a process' store.
struct Process {
    folder: TempDir,
    file: StateFile,
    store: MemoryStore,
    hand: ManualClock,
}

impl Process {
    fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    fn in_folder(folder: TempDir) -> Self {
        let hand = ManualClock::default();
        // Neither process' clock says anything about the other's.
        hand.advance(Duration::from_secs(1_000_000 + fastrand::u64(..1000)));
        Self {
            file: StateFile::open(&folder.path().join("limits")).unwrap(),
            store: MemoryStore::new(10_000, Clock::manual(&hand)),
            folder,
            hand,
        }
    }

    /// Ends, and starts again with the wall clock at so many seconds after the last save.
    fn restart(self, seconds: i64) -> Self {
        self.file.save_at(&self.store, written()).unwrap();
        let Self { folder, file, .. } = self;
        drop(file);
        let next = Self::in_folder(folder);
        next.load(seconds).unwrap();
        next
    }

    fn load(&self, seconds: i64) -> Result<usize, StateError> {
        let by = Duration::from_secs(seconds.unsigned_abs());
        let now = if seconds < 0 {
            written() - by
        } else {
            written() + by
        };
        self.file.load_at(&self.store, now)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("limits")
    }

    fn decide(&self, policy: &Policy, subject: &Subject) -> Decision {
        let check = Check { policy, subject };
        self.store.decide(&[check], ONE).only().unwrap()
    }
}

fn subjects() -> [Subject; 4] {
    [
        Subject::client("mobile-app"),
        Subject::address([203, 0, 113, 7].into(), 64),
        Subject::address([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0].into(), 64),
        Subject::route("/api/orders"),
    ]
}

#[test]
fn each_way_of_counting_goes_on_as_if_there_had_been_no_restart() {
    let (stays, goes) = (Process::new(), Process::new());
    let all = || {
        policies(10, 60)
            .into_iter()
            .flat_map(|p| subjects().map(|s| (p.clone(), s)))
    };
    let spend = |process: &Process| {
        for (nth, (policy, subject)) in all().enumerate() {
            for _ in 0..=nth {
                process.decide(&policy, &subject);
            }
        }
    };
    spend(&stays);
    spend(&goes);
    for process in [&stays, &goes] {
        process.hand.advance(Duration::from_secs(20));
    }
    spend(&stays);
    spend(&goes);
    let goes = goes.restart(15);
    stays.hand.advance(Duration::from_secs(15));
    assert_eq!(goes.store.counters(), stays.store.counters());
    for seconds in [0, 1, 5, 10, 20, 30, 40] {
        for process in [&stays, &goes] {
            process.hand.advance(Duration::from_secs(seconds));
        }
        for (policy, subject) in all() {
            let (expected, got) = (
                stays.decide(&policy, &subject),
                goes.decide(&policy, &subject),
            );
            assert_eq!(got, expected, "{policy:?} {subject:?} +{seconds} s");
        }
    }
}

#[test]
fn windows_that_are_over_are_neither_written_nor_read() {
    let process = Process::new();
    let [fixed, ..] = policies(10, 60);
    let [client, address, ..] = subjects();
    process.decide(&fixed, &client);
    process.hand.advance(Duration::from_secs(30));
    process.decide(&fixed, &address);
    process.hand.advance(Duration::from_secs(30));
    let written = process.file.save_at(&process.store, written());
    assert_eq!(written.unwrap(), 1);
    assert_eq!(process.restart(29).store.counters(), 1);

    let process = Process::new();
    process.decide(&fixed, &client);
    assert_eq!(process.restart(60).store.counters(), 0);
}

#[test]
fn a_clock_that_was_set_makes_no_window_longer() {
    for policy in policies(10, 60) {
        let [client, ..] = subjects();
        for seconds in [-1_000_000_000, -60, -1, 0, 1, 59, 1_000_000_000] {
            let process = Process::new();
            for _ in 0..10 {
                process.decide(&policy, &client);
            }
            let before = process.decide(&policy, &client);
            assert!(!before.admitted);
            let process = process.restart(seconds);
            let after = process.decide(&policy, &client);
            assert!(
                after.reset <= before.reset.max(Duration::from_mins(1)),
                "{after:?}"
            );
            assert!(
                after.retry_after <= before.retry_after,
                "{seconds}: {after:?}"
            );
            assert_eq!(after.admitted, seconds > 100 || after.retry_after.is_zero());
        }
    }
}

#[test]
fn a_file_that_is_cut_or_changed_anywhere_is_damaged_and_counts_nothing() {
    let process = Process::new();
    for policy in policies(10, 60) {
        for subject in subjects() {
            process.decide(&policy, &subject);
        }
    }
    let process = process.restart(0);
    let whole = fs::read(process.path()).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(process.path(), bytes).unwrap();
        let store = MemoryStore::new(100, Clock::system());
        let error = process.file.load_at(&store, written()).unwrap_err();
        assert_eq!(store.counters(), 0);
        assert!(
            matches!(error, StateError::Damaged | StateError::Version),
            "{error}"
        );
    };
    for at in 0..whole.len() {
        refused(&whole[..at]);
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            refused(&bytes);
        }
    }
    refused(&[&whole[..], b"\n"].concat());
    fs::write(process.path(), &whole).unwrap();
    assert_eq!(process.load(0).unwrap(), 12);
}

#[test]
fn another_version_is_told_from_damage_and_no_file_is_no_error() {
    let process = Process::new();
    assert_eq!(process.load(0).unwrap(), 0);
    fs::write(process.path(), "tollgate limits 2\nwhatever").unwrap();
    assert!(matches!(process.load(0), Err(StateError::Version)));
    fs::write(process.path(), "").unwrap();
    assert!(matches!(process.load(0), Err(StateError::Damaged)));
}

proptest! {
    /// Whoever can write the file can also make its checksum right: still nothing breaks.
    #[test]
    fn no_content_makes_it_panic(
        records in prop::collection::vec(any::<u8>(), 0..200),
        kind in 0..6_u8,
        wall in any::<u64>(),
    ) {
        let process = Process::new();
        let mut file = Vec::new();
        format::put_head(&mut file, wall);
        file.push(kind);
        // A policy of no name, and for half of the kinds a subject of no name.
        file.extend_from_slice(&[0, 0]);
        file.extend_from_slice(&records);
        format::put_end(&mut file);
        let checksum = Sha256::digest(&file);
        file.extend_from_slice(&checksum);
        fs::write(process.path(), &file).unwrap();
        let _ = process.load(0);
        for policy in policies(10, 60) {
            for subject in subjects() {
                process.decide(&policy, &subject);
            }
        }
        process.file.save_at(&process.store, written()).unwrap();
    }
}

#[test]
fn what_is_more_than_there_is_room_for_gives_way_as_ever() {
    let process = Process::new();
    let [fixed, ..] = policies(10, 60);
    let client = |n| Subject::client(format!("client-{n}"));
    for n in 0..500 {
        let address = Ipv4Addr::from_bits(n).into();
        process.decide(&fixed, &Subject::address(address, 64));
    }
    for n in 0..20 {
        process.decide(&fixed, &client(n));
    }
    process.file.save_at(&process.store, written()).unwrap();
    let smaller = MemoryStore::new(100, Clock::system());
    assert!(process.file.load_at(&smaller, written()).unwrap() <= 120);
    for n in 0..20 {
        let (policy, subject) = (&fixed, &client(n));
        let check = Check { policy, subject };
        let decision = smaller.decide(&[check], ONE).only().unwrap();
        assert_eq!(decision.remaining, 8, "no client is forgotten");
    }
}

#[test]
fn the_file_is_its_owners_only_and_nothing_else_is_left_but_the_lock() {
    let process = Process::new();
    fs::write(process.folder.path().join("limits.new"), "left by a kill").unwrap();
    process.file.save_at(&process.store, written()).unwrap();
    let mode = fs::metadata(process.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let left = fs::read_dir(process.folder.path()).unwrap();
    let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["limits", "limits.lock"]);
}

#[test]
fn a_link_stays_and_what_it_leads_to_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let [link, volume] = ["limits", "volume"].map(|name| folder.path().join(name));
    fs::create_dir(&volume).unwrap();
    std::os::unix::fs::symlink("volume/counters", &link).unwrap();
    let process = Process::in_folder(folder);
    for _ in 0..2 {
        process.file.save_at(&process.store, written()).unwrap();
        assert!(link.is_symlink());
        assert!(volume.join("counters").is_file());
    }
    process.load(0).expect("it is found there");
}

#[test]
fn what_cannot_work_is_said_at_once() {
    let process = Process::new();
    let again = StateFile::open(&process.path()).unwrap_err();
    assert_eq!(again.to_string(), "another gateway uses it");
    let folder = StateFile::open(process.folder.path()).unwrap_err();
    assert_eq!(folder.to_string(), "it is not a file");
    let nowhere = StateFile::open(&process.folder.path().join("no/such")).unwrap_err();
    assert!(matches!(nowhere, StateError::NoFolder(_)), "{nowhere}");
    let Process { folder, file, .. } = process;
    drop(file);
    StateFile::open(&folder.path().join("limits")).expect("it was given back");
}

/// Run by `make bench-limits`; it takes a while without optimization.
#[test]
#[ignore = "a measurement, not a check"]
fn how_long_a_million_counters_hold_a_lock() {
    let process = Process::new();
    let store = MemoryStore::new(2_000_000, Clock::system());
    let [fixed, ..] = policies(10, 60);
    for n in 0..1_000_000 {
        let (policy, subject) = (&fixed, &Subject::client(format!("client-{n}")));
        let check = Check { policy, subject };
        let _ = store.decide(&[check], ONE);
    }
    let (mut copied, mut some, mut longest) = (Copied::default(), Vec::new(), Vec::new());
    loop {
        some.clear();
        let begun = Instant::now();
        let more = store.show_some(&mut copied, |entry| {
            format::put(&mut some, entry, 0);
        });
        longest.push(begun.elapsed());
        if !more {
            break;
        }
    }
    longest.sort();
    let at = |share: usize| longest[(longest.len() - 1) * share / 1000];
    println!(
        "a lock is held for {:?}, p99.9 {:?}, at most {:?}",
        at(500),
        at(999),
        at(1000)
    );
    let begun = Instant::now();
    process.file.save_at(&store, written()).unwrap();
    let size = fs::metadata(process.path()).unwrap().len();
    println!("written in {:?}, {} MiB", begun.elapsed(), size >> 20);
    let again = MemoryStore::new(2_000_000, Clock::system());
    let begun = Instant::now();
    process.file.load_at(&again, written()).unwrap();
    println!(
        "read in {:?}: {} counters",
        begun.elapsed(),
        again.counters()
    );
}
