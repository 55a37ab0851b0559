//! Two processes' stores with a line between them: together they decide as one would.

use std::time::Duration;

use super::*;
use crate::limit::tests::{policies, policy};
use crate::limit::{Clock, LimitStore, Mode, Subject, Verdict};

const ONE: NonZeroU32 = NonZeroU32::MIN;

fn store() -> Arc<LimitStore> {
    Arc::new(LimitStore::new(1000, None, Clock::system()))
}

/// Hands the counters over, and lets the successor answer until the line is cut.
fn hand_over(from: &LimitStore, to: &Arc<LimitStore>) -> std::thread::JoinHandle<()> {
    let mut questions = from.move_out();
    let mut given = Vec::new();
    let put = |some: &[u8]| {
        given.extend_from_slice(some);
        Ok(())
    };
    from.give(put).unwrap();
    to.take(&mut &given[..]).unwrap();
    let to = Arc::clone(to);
    std::thread::spawn(move || {
        while let Some(question) = questions.wait() {
            if question.text.is_empty() {
                return;
            }
            let answer = to.answer(&question.text).unwrap();
            question.answer(answer);
        }
    })
}

/// Ends what [`hand_over`] began.
fn cut(from: &LimitStore, line: std::thread::JoinHandle<()>) {
    let (answer, _) = oneshot::channel();
    let text = Vec::new();
    let asks = from.moved.asks().unwrap();
    asks.blocking_send(Question { text, answer }).unwrap();
    line.join().unwrap();
}

fn decide(store: &LimitStore, checks: &[Check<'_>]) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        match store.memory().decide_unless_moved(checks, ONE) {
            Some(outcome) => outcome,
            None => store.moved.decide(checks, ONE).await,
        }
    })
}

#[test]
fn old_and_new_together_admit_what_one_would() {
    for policy in &policies(10, 3600) {
        let subject = &Subject::client("app");
        let checks = [Check { policy, subject }];
        let (first, second, third) = (store(), store(), store());
        for left in [9, 8, 7] {
            assert_eq!(decide(&first, &checks).only().unwrap().remaining, left);
        }
        let line = hand_over(&first, &second);
        for (store, left) in [(&first, 6), (&second, 5), (&first, 4)] {
            assert_eq!(decide(store, &checks).only().unwrap().remaining, left);
        }
        // Handed on, while the first still asks the second.
        let next = hand_over(&second, &third);
        for (store, left) in [(&first, 3), (&third, 2), (&second, 1), (&first, 0)] {
            assert_eq!(decide(store, &checks).only().unwrap().remaining, left);
        }
        for store in [&first, &second, &third] {
            assert_eq!(decide(store, &checks).verdict, Verdict::Refused);
        }
        cut(&first, line);
        cut(&second, next);
    }
}

#[test]
fn all_limits_of_a_request_are_asked_at_once_and_shadows_refuse_nobody() {
    let (mut shadow, wide) = (policy(10, 3600), policy(100, 3600));
    shadow.mode = Mode::Shadow;
    let subjects = [
        Subject::route("/api"),
        Subject::address([203, 0, 113, 7].into(), 64),
    ];
    let checks: Vec<_> = [&shadow, &wide]
        .into_iter()
        .zip(&subjects)
        .map(|(policy, subject)| Check { policy, subject })
        .collect();
    let (old, new) = (store(), store());
    let line = hand_over(&old, &new);
    for asked in 1..=12 {
        let outcome = decide(&old, &checks);
        assert_eq!(outcome.verdict, Verdict::Admitted);
        let [Some(first), Some(second)] = outcome.decisions[..] else {
            panic!("{outcome:?}");
        };
        assert_eq!(first.admitted, asked <= 10);
        assert_eq!(second.remaining, 100 - asked);
    }
    cut(&old, line);
}

#[test]
fn counting_goes_on_here_when_the_other_is_gone() {
    let (policy, subject) = (&policy(10, 3600), &Subject::client("app"));
    let checks = [Check { policy, subject }];
    let store = store();
    decide(&store, &checks);
    drop(store.move_out());
    assert_eq!(decide(&store, &checks).only().unwrap().remaining, 8);

    // Also for what has asked already and gets no answer.
    let mut questions = store.move_out();
    let waits = std::thread::scope(|scope| {
        let waits = scope.spawn(|| decide(&store, &checks));
        assert!(questions.wait().is_some());
        drop(questions);
        waits.join().unwrap()
    });
    assert_eq!(waits.only().unwrap().remaining, 7);
}

#[test]
fn nothing_is_counted_between_the_move_and_the_copy() {
    let (policy, subject) = (&policy(1_000_000, 3600), &Subject::client("app"));
    let check = Check { policy, subject };
    let (old, new) = (store(), store());
    let (counted, next) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let old = &old;
                scope.spawn(move || {
                    let counts = || old.memory().decide_unless_moved(&[check], ONE);
                    std::iter::from_fn(counts).count()
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(20));
        let line = hand_over(&old, &new);
        let counted: usize = workers.into_iter().map(|w| w.join().unwrap()).sum();
        let next = decide(&old, &[check]).only().unwrap();
        cut(&old, line);
        (counted, next)
    });
    assert_eq!(next.remaining, 1_000_000 - counted as u64 - 1);
}

#[test]
fn nonsense_is_no_question_and_no_answer() {
    let store = store();
    let (policy, subject) = (&policy(10, 3600), &Subject::client("app"));
    let check = Check { policy, subject };
    let question = text::of_question(&[check], ONE).unwrap();
    assert!(store.answer(&question).is_some());
    for end in (0..question.len()).filter(|end| *end != 8) {
        assert_eq!(store.answer(&question[..end]), None, "{end}");
    }
    for at in 0..question.len() {
        let mut other = question.clone();
        other[at] ^= 0xff;
        let _ = store.answer(&other);
    }
    assert_eq!(text::read_outcome(&[1; 5], 0), None);
    assert_eq!(text::read_outcome(&1_u64.to_le_bytes(), 1), None);
}
