//! What one decision of the in-process store costs, in time and in memory, at several numbers of
//! live clients, and with two threads that count the same client. `make bench-limits` runs it;
//! the bars are those of the issue that asked for the store.
//!
//! Before its turn a caller's record and name are read, without being timed: in a request they were
//! read just before, by the stage that identified the client, and what it waits for is its own.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use tollgate::limit::{Algorithm, Check, Clock, Limit, MemoryStore, Policy, Subject, Who};

/// The gateway's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As a gateway has it that is given room for twice as many as come: no shard is full by chance.
const MAX_KEYS: usize = 2_000_000;

/// Decisions are timed in rounds of so many, and the median of all rounds is printed: a round is
/// short, so that other programs which run here too spoil some and not most.
const DECISIONS: usize = 64;

/// How many rounds.
const ROUNDS: usize = 20_000;

/// Two threads need longer rounds, to be at work together.
const TOGETHER: (usize, usize) = (1_000_000, 7);

/// Bars: a decision, two threads on one client against one, the bytes of a million clients.
const MOST_NS: f64 = 300.0;
const MOST_RATIO: f64 = 2.0;
const MOST_BYTES: usize = 128 << 20;

fn main() {
    let mut fine = true;
    println!("What a decision waits for; its caller's record and name have just been read:");
    for callers in [1, 10_000, 100_000, 1_000_000] {
        fine &= random(&clients(callers), "clients", Algorithm::FixedWindow);
    }
    // The default is held to the bar; the others are shown. An address has no record, and so no hint
    // where its counter is.
    let burst = NonZeroU64::MIN.saturating_add(999);
    random(&clients(1_000_000), "clients", Algorithm::SlidingWindow);
    let bucket = Algorithm::TokenBucket { burst };
    random(&clients(1_000_000), "clients", bucket);
    random(&addresses(1_000_000), "addresses", Algorithm::FixedWindow);
    fine &= two_threads();
    println!(
        "{}",
        if fine {
            "all bars are met"
        } else {
            "a bar is missed"
        }
    );
    std::process::exit(i32::from(!fine));
}

/// Callers in random order, in one thread.
fn random(subjects: &[Subject], who: &str, algorithm: Algorithm) -> bool {
    let (policy, callers) = (policy(algorithm), subjects.len());
    let before = resident();
    let store = MemoryStore::new(MAX_KEYS, Clock::system());
    for subject in subjects {
        decide(&store, &policy, subject);
    }
    let bytes = resident().saturating_sub(before);
    assert_eq!(store.counters(), callers);
    let mut random = fastrand::Rng::with_seed(7);
    let ns = median(ROUNDS, || {
        let pick = |_| &subjects[random.usize(..callers)];
        let picked: Vec<&Subject> = (0..DECISIONS).map(pick).inspect(|&who| read(who)).collect();
        let begun = Instant::now();
        for subject in picked {
            match subject.who() {
                // As a request makes one of the address that it came from.
                Who::Address(ip) => decide(&store, &policy, &Subject::address(*ip, 64)),
                Who::Client(_) | Who::Route(_) => decide(&store, &policy, subject),
            }
        }
        per_decision(begun.elapsed(), DECISIONS)
    });
    let mut fine = ns < MOST_NS;
    let way = match algorithm {
        Algorithm::FixedWindow => "fixed windows",
        Algorithm::SlidingWindow => "sliding windows",
        Algorithm::TokenBucket { .. } => "token buckets",
    };
    print!("{callers:>9} {who} at random, {way}: {ns:>5.0} ns");
    if callers >= 1_000_000 && algorithm == Algorithm::FixedWindow && who == "clients" {
        fine &= bytes <= MOST_BYTES;
        print!("; {} MiB, {} bytes each", bytes >> 20, bytes / callers);
    }
    println!();
    fine
}

/// Two threads on one client, against one thread on one client: time from when both run to when
/// both are done, divided by the decisions of both.
fn two_threads() -> bool {
    let policy = policy(Algorithm::FixedWindow);
    let subjects = clients(1);
    let store = MemoryStore::new(MAX_KEYS, Clock::system());
    let run = |threads: usize| {
        median(TOGETHER.1, || {
            let start = Barrier::new(threads);
            let one = || {
                start.wait();
                let begun = Instant::now();
                for _ in 0..TOGETHER.0 {
                    decide(&store, &policy, &subjects[0]);
                }
                begun.elapsed()
            };
            let longest = thread::scope(|scope| {
                let threads: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
                let times = threads.into_iter().map(thread::ScopedJoinHandle::join);
                times.map(|time| time.expect("no panic")).max()
            });
            per_decision(longest.unwrap_or_default(), TOGETHER.0 * threads)
        })
    };
    let (one, two) = (run(1), run(2));
    let ratio = two / one;
    println!("one client, 1 thread: {one:.0} ns; 2 threads: {two:.0} ns ({ratio:.2} times)");
    ratio <= MOST_RATIO
}

fn policy(algorithm: Algorithm) -> Policy {
    // None is refused, and no bucket is full again before this program ends.
    let requests = match algorithm {
        Algorithm::TokenBucket { .. } => 10,
        _ => 1_000_000_000,
    };
    let limit = Limit::new(requests, Duration::from_hours(1)).expect("a limit");
    let limit = limit
        .counted_by(algorithm)
        .expect("one that counts exactly");
    Policy::new("identified", limit)
}

fn clients(many: u32) -> Vec<Subject> {
    (0..many)
        .map(|n| Subject::client(format!("client-{n}")))
        .collect()
}

fn addresses(many: u32) -> Vec<Subject> {
    let address = |n| IpAddr::V4(Ipv4Addr::from_bits(n));
    (0..many)
        .map(|n| Subject::address(address(n), 64))
        .collect()
}

/// As the stage before has read it.
fn read(subject: &Subject) {
    let mut hasher = DefaultHasher::new();
    match subject.who() {
        Who::Client(name) | Who::Route(name) => name.hash(&mut hasher),
        Who::Address(address) => address.hash(&mut hasher),
    }
    black_box(hasher.finish());
}

fn decide(store: &MemoryStore, policy: &Policy, subject: &Subject) {
    let check = Check { policy, subject };
    black_box(store.decide(black_box(&[check]), NonZeroU32::MIN));
}

fn median(rounds: usize, mut round: impl FnMut() -> f64) -> f64 {
    let mut taken: Vec<f64> = (0..rounds).map(|_| round()).collect();
    taken.sort_by(f64::total_cmp);
    taken[rounds / 2]
}

#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn per_decision(time: Duration, decisions: usize) -> f64 {
    time.as_nanos() as f64 / decisions as f64
}

/// The memory that the process holds, in bytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kib.unwrap_or_default() << 10
}
