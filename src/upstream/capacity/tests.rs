//! Places are neither lost nor given twice, and come to those who wait in order.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Waker;
use std::thread;

use super::*;

fn of(places: usize) -> Arc<Capacity> {
    let capacity = Arc::<Capacity>::default();
    set(&capacity, places);
    capacity
}

fn set(capacity: &Arc<Capacity>, places: usize) {
    capacity.follow(Some(&CapacityRules {
        max_requests: MaxRequests::Fixed(places),
        max_waiting: 0,
        queue_timeout: Duration::ZERO,
    }));
}

fn place(capacity: &Arc<Capacity>) -> Place {
    match capacity.enter(0) {
        Entry::Place(place) => place,
        other => panic!("{other:?}"),
    }
}

fn turn(capacity: &Arc<Capacity>) -> Turn {
    match capacity.enter(usize::MAX) {
        Entry::Turn(turn) => turn,
        other => panic!("{other:?}"),
    }
}

/// The place of a turn, if it has come.
fn come(turn: &mut Turn) -> Option<Place> {
    match turn.poll_place(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(place) => Some(place),
        Poll::Pending => None,
    }
}

fn is_full(capacity: &Arc<Capacity>) -> bool {
    matches!(capacity.enter(0), Entry::Full)
}

#[test]
fn there_are_so_many_places() {
    let capacity = of(2);
    let (one, two) = (place(&capacity), place(&capacity));
    assert!(is_full(&capacity));
    drop(one);
    let three = place(&capacity);
    assert!(is_full(&capacity));
    drop((two, three));
    assert_eq!(lock(&capacity.places).taken, 0);
}

#[test]
fn so_many_may_wait() {
    let capacity = of(1);
    let _place = place(&capacity);
    let turn = |most| match capacity.enter(most) {
        Entry::Turn(turn) => Some(turn),
        _ => None,
    };
    let (one, two) = (turn(2), turn(2));
    assert!(one.is_some() && two.is_some() && turn(2).is_none());
    drop(one);
    assert!(turn(2).is_some(), "who leaves makes room");
}

#[test]
fn those_who_wait_are_served_in_order() {
    let capacity = of(1);
    let first = place(&capacity);
    let mut turns = [(); 3].map(|()| turn(&capacity));
    assert!(turns.iter_mut().all(|turn| come(turn).is_none()));
    drop(first);
    assert!(is_full(&capacity), "nobody goes before them");
    for nth in 0..3 {
        let later = &mut turns[nth + 1..];
        assert!(later.iter_mut().all(|turn| come(turn).is_none()));
        drop(come(&mut turns[nth]).expect("it is its turn"));
    }
    assert_eq!(lock(&capacity.places).taken, 0);
}

#[test]
fn a_turn_that_is_given_up_as_it_comes_goes_to_the_next() {
    let capacity = of(1);
    let first = place(&capacity);
    let (gone, left, mut next) = (turn(&capacity), turn(&capacity), turn(&capacity));
    drop(gone);
    drop(first);
    assert!(come(&mut next).is_none(), "the second has it");
    drop(left);
    assert!(come(&mut next).is_some());
    assert_eq!(lock(&capacity.places).taken, 0);
}

#[test]
fn the_number_may_change() {
    let capacity = of(1);
    let first = place(&capacity);
    let (mut one, mut two) = (turn(&capacity), turn(&capacity));
    set(&capacity, 2);
    let second = come(&mut one).expect("there is one more");
    assert!(come(&mut two).is_none());
    set(&capacity, 1);
    drop(first);
    assert!(come(&mut two).is_none(), "one too many were taken");
    drop(second);
    let third = come(&mut two).expect("its turn");
    capacity.follow(None);
    assert!(!is_full(&capacity));
    drop(third);
}

#[test]
fn an_adaptive_number_is_kept_over_reloads() {
    let (capacity, now) = (Arc::<Capacity>::default(), Instant::now());
    let adaptive = CapacityRules {
        max_requests: MaxRequests::Adaptive,
        max_waiting: 0,
        queue_timeout: Duration::ZERO,
    };
    capacity.follow(Some(&adaptive));
    let places = [(); 100].map(|()| place(&capacity));
    assert!(is_full(&capacity));
    for _ in 0..1000 {
        capacity.note_time(None, now);
    }
    assert_eq!(capacity.limit(), 20);
    capacity.follow(Some(&adaptive));
    assert_eq!(capacity.limit(), 20);
    drop(places);
    set(&capacity, 7);
    capacity.note_time(None, now);
    assert_eq!(capacity.limit(), 7, "times do not change a fixed number");
}

/// Workers take places, hold them over a turn of their runtime, wait, and give up waiting at
/// random; two are never more than there are places, and nothing is left at the end.
#[test]
fn workers_share_places() {
    const PLACES: usize = 3;
    let capacity = of(PLACES);
    let (at_once, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let request = async |capacity: &Arc<Capacity>| {
        let place = match capacity.enter(8) {
            Entry::Place(place) => place,
            Entry::Full => return,
            Entry::Turn(mut turn) => {
                let mut patience = fastrand::u32(..6);
                let waited = poll_fn(|cx| {
                    let polled = turn.poll_place(cx).map(Some);
                    if patience == 0 && polled.is_pending() {
                        return Poll::Ready(None);
                    }
                    patience -= u32::from(polled.is_pending());
                    // Otherwise it waits until it is woken by another thread, as it must be.
                    if patience < 3 {
                        cx.waker().wake_by_ref();
                    }
                    polled
                });
                match waited.await {
                    Some(place) => place,
                    None => return,
                }
            }
        };
        most.fetch_max(at_once.fetch_add(1, Relaxed) + 1, Relaxed);
        tokio::task::yield_now().await;
        at_once.fetch_sub(1, Relaxed);
        drop(place);
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                runtime.expect("a runtime").block_on(async {
                    for _ in 0..200 {
                        let request = || request(&capacity);
                        tokio::join!(request(), request(), request(), request());
                    }
                });
            });
        }
    });
    assert_eq!(most.into_inner(), PLACES);
    let places = lock(&capacity.places);
    assert_eq!((places.taken, places.waiting.len()), (0, 0));
}
